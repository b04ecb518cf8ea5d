"""Who comes in: seats, requests for access, and what was done to a membership and why."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import append_only, obeys

# Members who have not left and invitations that are open never exceed a cohort's seats. The cohort's row is locked
# while they are counted, so that two who come at once are counted one after the other.
SEATS = """
create function seats_taken(cohort uuid, besides uuid) returns bigint language sql as $$
    select (select count(*) from gateway_membership
             where cohort_id = cohort and state <> 'left' and id is distinct from besides)
         + (select count(*) from gateway_invitation
             where cohort_id = cohort and state = 'sent' and expires_at > statement_timestamp()
               and id is distinct from besides)
$$;

create function keep_seats() returns trigger language plpgsql as $$
declare
    allowed integer;
begin
    if tg_table_name = 'gateway_invitation' then
        if new.cohort_id is null or new.state <> 'sent' or new.expires_at <= statement_timestamp() then
            return new;
        end if;
    elsif new.state = 'left' then
        return new;
    end if;
    select seats into allowed from gateway_cohort where id = new.cohort_id for no key update;
    if allowed is not null and seats_taken(new.cohort_id, new.id) >= allowed then
        raise exception 'all % seats of the cohort are taken', allowed
            using errcode = 'check_violation', constraint = 'a_cohort_has_seats';
    end if;
    return new;
end $$;

create function keep_enough_seats() returns trigger language plpgsql as $$
begin
    if new.seats < seats_taken(new.id, null) then
        raise exception 'more than % seats of the cohort are taken', new.seats
            using errcode = 'check_violation', constraint = 'a_cohort_has_seats';
    end if;
    return new;
end $$;

create trigger keep_seats before insert or update of cohort_id, expires_at on gateway_invitation
    for each row execute function keep_seats();
create trigger keep_seats before insert or update of cohort_id on gateway_membership
    for each row execute function keep_seats();
create trigger keep_enough_seats before update of seats on gateway_cohort
    for each row execute function keep_enough_seats();
"""
NO_SEATS = """
drop trigger keep_enough_seats on gateway_cohort;
drop trigger keep_seats on gateway_membership;
drop trigger keep_seats on gateway_invitation;
drop function keep_enough_seats();
drop function keep_seats();
drop function seats_taken(uuid, uuid);
"""
ACCEPTED_AT = """
update gateway_invitation i
   set accepted_at = coalesce(
       (select min(e.at) from audit.entry e where e.subject_id = i.id and e.action = 'invitation.accepted'),
       i.created_at)
 where state = 'accepted'
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0007_ledger")]
    operations = [
        migrations.CreateModel(
            name="AccessRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=gateway.models.base.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("email", models.EmailField(max_length=254)),
                ("name", models.CharField(max_length=120)),
                (
                    "links",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.URLField(max_length=500), size=5, verbose_name="links to work"
                    ),
                ),
                ("words", models.TextField(blank=True, max_length=2000, verbose_name="a few words")),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("requested", "requested"),
                            ("accepted", "accepted"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="requested",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="an answer is due")),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="MembershipChange",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=gateway.models.base.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("suspended", "suspended"),
                            ("resumed", "resumed"),
                            ("moved", "moved"),
                            ("credits", "credits"),
                            ("ended", "ended"),
                            ("left", "left"),
                        ]
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("before", models.CharField(blank=True, max_length=120)),
                ("after", models.CharField(blank=True, max_length=120)),
            ],
        ),
        migrations.CreateModel(
            name="Program",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=gateway.models.base.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("only", models.BooleanField(default=True, editable=False, unique=True)),
                ("takes_requests", models.BooleanField(default=False, verbose_name="anybody may ask for access")),
                (
                    "request_hours",
                    models.PositiveIntegerField(default=168, verbose_name="hours until a request is answered"),
                ),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="invitation",
            name="an_accepted_invitation_names_who",
        ),
        migrations.AddField(
            model_name="cohort",
            name="seats",
            field=models.PositiveIntegerField(blank=True, help_text="Empty: as many as are invited.", null=True),
        ),
        migrations.AddField(
            model_name="invitation",
            name="accepted_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="invitation",
            name="by_mail",
            field=models.BooleanField(default=True, verbose_name="mailed, not only handed over"),
        ),
        migrations.AddField(
            model_name="invitation",
            name="note",
            field=models.TextField(blank=True, max_length=1000, verbose_name="a personal word"),
        ),
        migrations.RunSQL(ACCEPTED_AT, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("accepted_at__isnull", False), ("accepted_by__isnull", False), ("state", "accepted")),
                    models.Q(
                        models.Q(("state", "accepted"), _negated=True),
                        ("accepted_at__isnull", True),
                        ("accepted_by__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="an_accepted_invitation_says_who_and_when",
            ),
        ),
        migrations.AddField(
            model_name="accessrequest",
            name="answered_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="accessrequest",
            name="invitation",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="request",
                to="gateway.invitation",
            ),
        ),
        migrations.AddField(
            model_name="accessrequest",
            name="membership",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="request",
                to="gateway.membership",
            ),
        ),
        migrations.AddField(
            model_name="membershipchange",
            name="made_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="membershipchange",
            name="membership",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="changes", to="gateway.membership"
            ),
        ),
        migrations.AddConstraint(
            model_name="program",
            constraint=models.CheckConstraint(condition=models.Q(("only", True)), name="there_is_one_program"),
        ),
        migrations.AddConstraint(
            model_name="program",
            constraint=models.CheckConstraint(
                condition=models.Q(("request_hours__gte", 1)), name="answers_to_requests_take_time"
            ),
        ),
        migrations.AddIndex(
            model_name="accessrequest",
            index=models.Index(condition=models.Q(("state", "requested")), fields=["due_at"], name="request_to_answer"),
        ),
        migrations.AddIndex(
            model_name="accessrequest",
            index=models.Index(fields=["-created_at"], name="request_latest"),
        ),
        migrations.AddConstraint(
            model_name="accessrequest",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("state", "requested")),
                name="one_open_request_an_address",
            ),
        ),
        migrations.AddConstraint(
            model_name="accessrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "declined"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="a_decline_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="accessrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answered_at__isnull", True), ("answered_by__isnull", True), ("state", "requested")),
                    models.Q(("answered_at__isnull", False), ("answered_by__isnull", True), ("state", "withdrawn")),
                    models.Q(
                        ("answered_at__isnull", False),
                        ("answered_by__isnull", False),
                        ("state__in", ["accepted", "declined"]),
                    ),
                    _connector="OR",
                ),
                name="an_answer_says_by_whom_and_when",
            ),
        ),
        migrations.AddConstraint(
            model_name="accessrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("invitation__isnull", False), ("membership__isnull", True), ("state", "accepted")),
                    models.Q(("invitation__isnull", True), ("membership__isnull", False), ("state", "accepted")),
                    models.Q(
                        models.Q(("state", "accepted"), _negated=True),
                        ("invitation__isnull", True),
                        ("membership__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="who_is_accepted_gets_a_place",
            ),
        ),
        migrations.AddConstraint(
            model_name="accessrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("links__len__lte", 5)), name="a_request_has_five_links_at_most"
            ),
        ),
        migrations.AddIndex(
            model_name="membershipchange",
            index=models.Index(fields=["membership", "-id"], name="change_of_a_membership"),
        ),
        migrations.AddConstraint(
            model_name="membershipchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ["suspended", "ended"]), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="a_suspension_or_an_end_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="membershipchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["suspended", "resumed", "moved", "credits", "ended", "left"])),
                name="a_change_is_of_a_known_kind",
            ),
        ),
        obeys(
            "gateway_accessrequest",
            "requested",
            {"requested": ["accepted", "declined", "withdrawn"], "accepted": [], "declined": [], "withdrawn": []},
        ),
        append_only("gateway_membershipchange"),
        migrations.RunSQL(SEATS, NO_SEATS),
    ]

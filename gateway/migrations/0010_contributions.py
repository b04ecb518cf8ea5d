"""What artists did for the program: a price that the card knows, a life, and words that stay as they were said."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import fixed, obeys

GUARDS = """
create function guard_contribution() returns trigger language plpgsql as $$
begin
    if not exists (
        select from gateway_rate r
        join gateway_terms t on t.id = r.terms_id and t.currency = new.currency and t.in_force_at <= clock_timestamp()
        join gateway_termsacceptance a on a.terms_id = t.id and a.user_id = new.user_id
        where r.id = new.rate_id and r.kind = new.kind
            and new.cents = case when new.kind = 'test_hour' then round(r.cents * new.minutes / 60.0) else r.cents end
    ) then
        raise exception 'a contribution is priced by the rate card that its artist accepted'
            using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_contribution before insert on gateway_contribution
    for each row execute function guard_contribution();

create function guard_contribution_said() returns trigger language plpgsql as $$
begin
    if (old.decided_by_id is not null and new.decided_by_id is distinct from old.decided_by_id)
        or (old.heard_by_id is not null and new.heard_by_id is distinct from old.heard_by_id)
        or (old.paid_at is not null and (new.paid_at, new.paid_by_id) is distinct from (old.paid_at, old.paid_by_id))
        or (old.reason <> '' and new.reason <> old.reason)
        or (old.dispute <> '' and new.dispute <> old.dispute)
        or (old.answer <> '' and new.answer <> old.answer)
        or (old.reference <> '' and new.reference <> old.reference)
    then
        raise exception 'what was said about a contribution is never rewritten' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_contribution_said before update on gateway_contribution
    for each row execute function guard_contribution_said();
"""
DROP = """
drop trigger guard_contribution on gateway_contribution;
drop function guard_contribution();
drop trigger guard_contribution_said on gateway_contribution;
drop function guard_contribution_said();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0009_impersonation"),
    ]

    operations = [
        migrations.CreateModel(
            name="Contribution",
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
                    "state",
                    models.TextField(
                        choices=[
                            ("reported", "reported"),
                            ("accepted", "accepted"),
                            ("declined", "declined"),
                            ("disputed", "disputed"),
                            ("upheld", "upheld"),
                            ("paid", "paid"),
                        ],
                        default="reported",
                    ),
                ),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("test_hour", "test hour"),
                            ("bug_report", "bug report"),
                            ("feedback", "feedback"),
                            ("showcase", "showcase"),
                        ]
                    ),
                ),
                ("minutes", models.PositiveIntegerField(null=True)),
                ("cents", models.PositiveIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("title", models.CharField(max_length=120)),
                ("body", models.TextField()),
                ("reason", models.TextField(blank=True, verbose_name="why it was declined")),
                ("dispute", models.TextField(blank=True, verbose_name="what the artist says to that")),
                ("answer", models.TextField(blank=True, verbose_name="the answer to the dispute")),
                ("paid_at", models.DateTimeField(null=True)),
                ("reference", models.CharField(blank=True, max_length=120, verbose_name="reference of the payment")),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "heard_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "paid_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="contributions", to="gateway.rate"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contributions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "-id"], name="contribution_of_a_person"),
                    models.Index(
                        condition=models.Q(("state__in", ["reported", "disputed", "accepted"])),
                        fields=["id"],
                        name="contribution_open",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "test_hour"), ("minutes__gte", 1), ("minutes__lte", 1440)),
                            models.Q(models.Q(("kind", "test_hour"), _negated=True), ("minutes__isnull", True)),
                            _connector="OR",
                        ),
                        name="test_time_is_in_minutes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("title__regex", "\\S"), ("body__regex", "\\S")),
                        name="a_contribution_says_what",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_by__isnull", True), ("state", "reported")),
                            models.Q(models.Q(("state", "reported"), _negated=True), ("decided_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="a_decision_names_who",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["declined", "disputed", "upheld"]), _negated=True),
                            ("reason__regex", "\\S"),
                            _connector="OR",
                        ),
                        name="a_declined_contribution_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["disputed", "upheld"]), _negated=True),
                            ("dispute__regex", "\\S"),
                            _connector="OR",
                        ),
                        name="a_dispute_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("heard_by__isnull", True),
                            models.Q(
                                ("answer__regex", "\\S"),
                                ("dispute__regex", "\\S"),
                                models.Q(("heard_by", models.F("decided_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="a_dispute_is_heard_by_somebody_else",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["upheld", "accepted", "paid"]), _negated=True),
                            ("dispute", ""),
                            ("heard_by__isnull", False),
                            _connector="OR",
                        ),
                        name="a_dispute_that_ended_was_heard",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("paid_at__isnull", False),
                                ("paid_by__isnull", False),
                                ("reference__regex", "\\S"),
                                ("state", "paid"),
                            ),
                            models.Q(
                                models.Q(("state", "paid"), _negated=True),
                                ("paid_at__isnull", True),
                                ("paid_by__isnull", True),
                                ("reference", ""),
                            ),
                            _connector="OR",
                        ),
                        name="a_payment_says_when_and_by_what",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by__isnull", True),
                            models.Q(("decided_by", models.F("user")), _negated=True),
                            _connector="OR",
                        ),
                        name="never_decided_by_oneself",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("heard_by__isnull", True),
                            models.Q(("heard_by", models.F("user")), _negated=True),
                            _connector="OR",
                        ),
                        name="never_heard_by_oneself",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("paid_by__isnull", True),
                            models.Q(("paid_by", models.F("user")), _negated=True),
                            _connector="OR",
                        ),
                        name="never_paid_by_oneself",
                    ),
                ],
            },
        ),
        obeys(
            "gateway_contribution",
            "reported",
            {
                "reported": ["accepted", "declined"],
                "declined": ["disputed"],
                "disputed": ["accepted", "upheld"],
                "accepted": ["paid"],
                "upheld": [],
                "paid": [],
            },
        ),
        fixed(
            "gateway_contribution",
            *("id", "created_at", "user_id", "rate_id", "kind", "minutes", "cents", "currency", "title", "body"),
        ),
        migrations.RunSQL(GUARDS, DROP),
    ]

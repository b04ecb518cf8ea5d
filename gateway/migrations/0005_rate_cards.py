"""Terms come into force on a day, and their rate card is data."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

import gateway.models.base
from gateway.triggers import append_only

# What stood in the first version's prose, for a program that was founded with it.
FIRST_CARD = """
alter table gateway_terms disable trigger append_only;
update gateway_terms set in_force_at = created_at;
alter table gateway_terms enable trigger append_only;
insert into gateway_rate (id, terms_id, kind, words, cents)
select gen_random_uuid(), t.id, r.kind, r.words, r.cents
from gateway_terms t, (values
    ('test_hour', 'Testing, by the hour', 4800),
    ('bug_report', 'A report of a fault that we can repeat', 4000),
    ('feedback', 'Written feedback that we asked for', 6000),
    ('showcase', 'A work shown for the program', 20000)
) r (kind, words, cents)
where t.body like '%Rate card 1: testing by the hour 48.00 €%';
"""

# FOR UPDATE waits for an acceptance that is being written at this moment: its foreign key holds the same row.
GUARD = """
create function guard_rate() returns trigger language plpgsql as $$
begin
    perform from gateway_terms where id = new.terms_id for update;
    if exists (select from gateway_termsacceptance where terms_id = new.terms_id) then
        raise exception 'a rate card is complete before anybody accepts it' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_rate before insert on gateway_rate for each row execute function guard_rate();
"""

KINDS = ["test_hour", "bug_report", "feedback", "showcase"]


class Migration(migrations.Migration):
    dependencies = [("gateway", "0004_brakes")]
    operations = [
        migrations.AddField(
            "terms",
            "currency",
            models.CharField(db_default="EUR", max_length=3, verbose_name="currency of the rate card"),
        ),
        migrations.AddField("terms", "in_force_at", models.DateTimeField(db_default=Now())),
        migrations.CreateModel(
            "Rate",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=gateway.models.base.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("kind", models.TextField(choices=[(kind, kind.replace("_", " ")) for kind in KINDS])),
                ("words", models.CharField(max_length=200, verbose_name="what it is paid for")),
                ("cents", models.PositiveIntegerField()),
                (
                    "terms",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rates", to="gateway.terms"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["terms", "kind"], name="one_rate_a_kind"),
                    models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="rate_kinds_are_known"),
                    models.CheckConstraint(condition=models.Q(words__regex=r"\S"), name="a_rate_says_what_for"),
                ],
            },
        ),
        migrations.RunSQL(FIRST_CARD, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "terms",
            models.CheckConstraint(
                condition=models.Q(currency__regex="^[A-Z]{3}$"), name="a_currency_is_three_letters"
            ),
        ),
        migrations.AddConstraint(
            "terms",
            models.CheckConstraint(
                condition=models.Q(in_force_at__gte=models.F("created_at")), name="terms_are_never_backdated"
            ),
        ),
        append_only("gateway_rate"),
        migrations.RunSQL(GUARD, "drop trigger guard_rate on gateway_rate; drop function guard_rate()"),
    ]

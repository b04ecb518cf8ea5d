"""Reports of published works from outside, and the rules behind them."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import fixed, obeys

GUARDS = """
create function guard_report() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if not exists (select from review_publication where id = new.publication_id and state = 'published') then
            raise exception 'only what is public is reported' using errcode = 'check_violation';
        end if;
    elsif new.decision_id is not null and not exists (
        select from review_decision d join review_publication p on p.revision_id = d.revision_id
         where d.id = new.decision_id and d.role = 'take_down' and p.id = new.publication_id
    ) then
        raise exception 'an upheld report names the take-down of its work' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_report before insert or update of decision_id on review_report
    for each row execute function guard_report();
"""

UNGUARD = """
drop trigger guard_report on review_report;
drop function guard_report();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0007_clause_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Report",
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
                ("words", models.TextField()),
                ("good_faith", models.BooleanField(verbose_name="says that it is accurate and complete")),
                ("name", models.CharField(blank=True, max_length=120)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("sender", models.BinaryField(max_length=32, verbose_name="from where it came, as a fingerprint")),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "open"),
                            ("upheld", "upheld"),
                            ("declined", "declined"),
                            ("disputed", "disputed"),
                            ("confirmed", "confirmed"),
                            ("settled", "settled"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="open",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="an answer is due")),
                ("reminded_at", models.DateTimeField(null=True, verbose_name="admins were reminded")),
                ("answered_at", models.DateTimeField(null=True)),
                ("reason", models.TextField(blank=True, verbose_name="the answer")),
                ("dispute", models.TextField(blank=True, verbose_name="why somebody else should look again")),
                ("finding", models.TextField(blank=True, verbose_name="the second answer")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="nothing waits any more")),
                ("forgotten_at", models.DateTimeField(null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "clause",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="review.clause",
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reports",
                        to="review.decision",
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
                    "publication",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reports", to="review.publication"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["open", "disputed"])),
                        fields=["due_at"],
                        name="report_to_answer",
                    ),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", False)),
                        fields=["-closed_at"],
                        name="report_latest_answer",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("words__regex", "\\S")), name="a_report_has_words"),
                    models.CheckConstraint(
                        condition=models.Q(
                            django.db.models.lookups.LessThanOrEqual(
                                django.db.models.functions.text.Length("words"), 5000
                            ),
                            django.db.models.lookups.LessThanOrEqual(
                                django.db.models.functions.text.Length("dispute"), 5000
                            ),
                        ),
                        name="a_report_has_a_limit",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("good_faith", True)), name="a_report_is_made_in_good_faith"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at__isnull", True), ("state__in", ["open", "disputed"])),
                            models.Q(
                                models.Q(("state__in", ["open", "disputed"]), _negated=True),
                                ("closed_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="a_report_waits_or_is_closed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["declined", "disputed", "confirmed"]), _negated=True),
                            models.Q(
                                ("answered_at__isnull", False), ("answered_by__isnull", False), ("reason__regex", "\\S")
                            ),
                            _connector="OR",
                        ),
                        name="who_declines_a_report_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["disputed", "confirmed"]), _negated=True),
                            ("dispute__regex", "\\S"),
                            _connector="OR",
                        ),
                        name="a_dispute_of_a_report_has_words",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "confirmed"), _negated=True),
                            models.Q(("finding__regex", "\\S"), ("heard_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="a_second_answer_says_by_whom_and_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("heard_by__isnull", True),
                            models.Q(("heard_by", models.F("answered_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="a_report_is_heard_by_somebody_else",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answered_by__isnull", False), ("decision__isnull", False), ("state", "upheld")),
                            models.Q(models.Q(("state", "upheld"), _negated=True), ("decision__isnull", True)),
                            _connector="OR",
                        ),
                        name="an_upheld_report_names_the_take_down",
                    ),
                ],
            },
        ),
        obeys(
            "review_report",
            "open",
            {
                "open": ["declined", "settled", "upheld", "withdrawn"],
                "declined": ["disputed"],
                "disputed": ["confirmed", "settled", "upheld", "withdrawn"],
                "upheld": [],
                "confirmed": [],
                "settled": [],
                "withdrawn": [],
            },
        ),
        fixed("review_report", "publication_id", "clause_id", "words", "good_faith", "digest"),
        migrations.RunSQL(GUARDS, UNGUARD),
    ]

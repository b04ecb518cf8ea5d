"""Lanes, second looks, appeals, policies of review, conflicts and skips."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

import gateway.models.base


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0015_studio"),
        ("generation", "0008_guests"),
        ("review", "0003_tests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Appeal",
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
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "open"),
                            ("upheld", "upheld"),
                            ("overturned", "overturned"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="open",
                    ),
                ),
                ("due_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Conflict",
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
                ("lifted_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ReviewPolicy",
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
                    "reviewers",
                    models.PositiveSmallIntegerField(
                        choices=[(1, "one"), (2, "two")], default=1, verbose_name="reviewers for each work"
                    ),
                ),
                (
                    "sample_percent",
                    models.PositiveSmallIntegerField(
                        default=0,
                        validators=[django.core.validators.MaxValueValidator(100)],
                        verbose_name="looked at twice, in a hundred",
                    ),
                ),
                (
                    "second_clauses",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), blank=True, default=list, size=None
                    ),
                ),
                (
                    "by_default",
                    models.BooleanField(
                        default=False, verbose_name="approved by silence, where nothing speaks against it"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Skip",
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
                ("until", models.DateTimeField()),
                ("renewals", models.PositiveSmallIntegerField(verbose_name="how often it had been kept longer")),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="decision",
            name="one_verdict_a_revision",
        ),
        migrations.RemoveConstraint(
            model_name="decision",
            name="a_refusal_owes_clause_facts_and_place",
        ),
        migrations.RemoveConstraint(
            model_name="submission",
            name="one_live_submission_a_work",
        ),
        migrations.RemoveIndex(
            model_name="submission",
            name="submission_due",
        ),
        migrations.AddField(
            model_name="decision",
            name="decides",
            field=models.BooleanField(default=False, verbose_name="brought the answer"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="decision",
            name="due_at",
            field=models.DateTimeField(null=True, verbose_name="was due"),
        ),
        migrations.AddField(
            model_name="decision",
            name="role",
            field=models.TextField(
                choices=[
                    ("sole", "sole"),
                    ("first", "first"),
                    ("second", "second"),
                    ("final", "final"),
                    ("default", "default"),
                    ("appeal", "appeal"),
                    ("take_down", "take down"),
                ],
                default="sole",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="decision",
            name="state_after",
            field=models.TextField(default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="submission",
            name="hearing",
            field=models.BooleanField(default=False, verbose_name="an appeal is open"),
        ),
        migrations.AddField(
            model_name="submission",
            name="overdue_at",
            field=models.DateTimeField(null=True, verbose_name="the answer was late"),
        ),
        migrations.AddField(
            model_name="submission",
            name="second",
            field=models.TextField(
                blank=True,
                choices=[("policy", "each work"), ("sample", "the sample"), ("clause", "the clause that was named")],
                verbose_name="why two look at it",
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="reviewer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="decisions",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="verdict",
            field=models.TextField(
                choices=[
                    ("approve", "approve"),
                    ("request_changes", "request changes"),
                    ("reject", "reject"),
                    ("escalate", "escalate"),
                    ("take_down", "take down"),
                    ("uphold", "uphold"),
                ]
            ),
        ),
        migrations.AlterField(
            model_name="submission",
            name="state",
            field=models.TextField(
                choices=[
                    ("submitted", "submitted"),
                    ("awaiting_second", "awaiting second"),
                    ("changes_requested", "changes requested"),
                    ("escalated", "escalated"),
                    ("approved", "approved"),
                    ("rejected", "rejected"),
                    ("withdrawn", "withdrawn"),
                ],
                default="submitted",
            ),
        ),
        migrations.AddField(
            model_name="submission",
            name="lane",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(hearing=True, then=models.Value("appeal")),
                    models.When(state="submitted", then=models.Value("first")),
                    models.When(state="awaiting_second", then=models.Value("second")),
                    models.When(state="escalated", then=models.Value("escalated")),
                ),
                output_field=models.TextField(null=True),
            ),
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(
                condition=models.Q(("lane__isnull", False)), fields=["due_at", "id"], name="submission_due"
            ),
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(
                condition=models.Q(("lane__isnull", False)), fields=["lane", "due_at", "id"], name="submission_in_lane"
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("decides", True), ("role__in", ["sole", "second", "final", "default"]), ("undone_at__isnull", True)
                ),
                fields=("revision",),
                name="one_verdict_a_revision",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("role__in", ["first", "second"]), ("undone_at__isnull", True)),
                fields=("revision", "role"),
                name="one_look_of_a_kind_a_revision",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reviewer__isnull", True), ("role", "default")),
                    models.Q(models.Q(("role", "default"), _negated=True), ("reviewer__isnull", False)),
                    _connector="OR",
                ),
                name="a_decision_has_a_reviewer_or_is_silence",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("role", "appeal"), _negated=True), ("facts__regex", "\\S"), _connector="OR"
                ),
                name="an_appeal_is_answered_in_words",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("verdict__in", ["approve", "escalate", "uphold"]),
                    models.Q(
                        ("clauses__len__gte", 1),
                        ("facts__regex", "\\S"),
                        models.Q(("from_seconds__isnull", False), ("region__regex", "\\S"), _connector="OR"),
                    ),
                    _connector="OR",
                ),
                name="a_refusal_owes_clause_facts_and_place",
            ),
        ),
        migrations.AddConstraint(
            model_name="submission",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["withdrawn", "rejected"]), _negated=True),
                    ("hearing", True),
                    _connector="OR",
                ),
                fields=("generation",),
                name="one_live_submission_a_work",
            ),
        ),
        migrations.AddConstraint(
            model_name="submission",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("hearing", False), ("state__in", ["changes_requested", "rejected", "approved"]), _connector="OR"
                ),
                name="an_appeal_is_heard_after_an_answer",
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="decision",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="appeal", to="review.decision"
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="heard_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="hearing",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="heard", to="review.decision"
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="original_reviewer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="conflict",
            name="artist",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="conflict",
            name="named_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="conflict",
            name="reviewer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="reviewpolicy",
            name="cohort",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="review_policy", to="gateway.cohort"
            ),
        ),
        migrations.AddField(
            model_name="skip",
            name="reviewer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="skip",
            name="submission",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="review.submission"
            ),
        ),
        migrations.AddConstraint(
            model_name="appeal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("heard_by__isnull", True),
                    models.Q(("heard_by", models.F("original_reviewer")), _negated=True),
                    _connector="OR",
                ),
                name="an_appeal_is_heard_by_somebody_else",
            ),
        ),
        migrations.AddConstraint(
            model_name="appeal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("heard_by__isnull", False), ("hearing__isnull", False), ("state__in", ["upheld", "overturned"])
                    ),
                    models.Q(
                        ("heard_by__isnull", True), ("hearing__isnull", True), ("state__in", ["open", "withdrawn"])
                    ),
                    _connector="OR",
                ),
                name="a_heard_appeal_says_by_whom",
            ),
        ),
        migrations.AddConstraint(
            model_name="appeal",
            constraint=models.CheckConstraint(condition=models.Q(("words__regex", "\\S")), name="an_appeal_has_words"),
        ),
        migrations.AddConstraint(
            model_name="appeal",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.LessThanOrEqual(
                    django.db.models.functions.text.Length("words"), 5000
                ),
                name="an_appeal_has_a_limit",
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.UniqueConstraint(
                condition=models.Q(("lifted_at__isnull", True)),
                fields=("reviewer", "artist"),
                name="one_conflict_a_pair",
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.CheckConstraint(
                condition=models.Q(("reviewer", models.F("artist")), _negated=True), name="a_conflict_is_between_two"
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("reviewers__in", [1, 2])), name="one_or_two_reviewers"
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("sample_percent__lte", 100)), name="a_sample_is_a_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="skip",
            constraint=models.UniqueConstraint(fields=("submission", "reviewer"), name="one_skip_a_pair"),
        ),
    ]

"""What the program saw in a clip by itself, the prints by which near copies are found, phrases to look for."""

import django.db.models.deletion
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

from gateway.models.base import new_id

KINDS = ("flashes", "red_flashes", "blank", "frozen", "noise", "near_copy", "phrases", "classifier")


def row() -> list[tuple[str, models.Field]]:
    """What every row has."""
    return [
        ("id", models.UUIDField(default=new_id, editable=False, primary_key=True, serialize=False)),
        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
    ]


class Migration(migrations.Migration):
    dependencies = [("generation", "0008_guests"), ("review", "0011_figures")]
    operations = [
        migrations.CreateModel(
            name="Phrase",
            fields=[
                *row(),
                (
                    "words",
                    models.CharField(
                        max_length=200, validators=[RegexValidator(r"\w", "Write at least one letter or digit.")]
                    ),
                ),
                (
                    "clause",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="number of the clause that it is about"
                    ),
                ),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["clause", "words"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(retired_at__isnull=True),
                        fields=("words",),
                        name="one_phrase_in_force",
                    ),
                    models.CheckConstraint(condition=Q(words__regex=r"\S"), name="a_phrase_has_words"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Screening",
            fields=[
                *row(),
                ("version", models.PositiveSmallIntegerField(help_text="Of the rules that measured.")),
                ("tries", models.PositiveSmallIntegerField(default=1)),
                ("begun_at", models.DateTimeField(db_default=Now())),
                ("done_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                (
                    "output",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="screening", to="generation.output"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=Q(done_at__isnull=True), fields=["begun_at"], name="screening_under_way")
                ],
            },
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                *row(),
                ("kind", models.TextField(choices=[(kind, kind.replace("_", " ")) for kind in KINDS])),
                ("raised", models.BooleanField()),
                ("failed", models.BooleanField(default=False, verbose_name="could not be measured")),
                ("value", models.FloatField(null=True)),
                ("limit", models.FloatField(null=True)),
                ("at_seconds", models.FloatField(null=True)),
                ("frames", ArrayField(base_field=models.PositiveIntegerField(), default=list, size=None)),
                ("evidence", models.JSONField(default=dict)),
                (
                    "other",
                    models.ForeignKey(
                        help_text="What it is like: told to admins alone.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="generation.output",
                    ),
                ),
                (
                    "screening",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="signals", to="review.screening"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=~Q(kind="classifier"), fields=("screening", "kind"), name="one_signal_of_a_kind"
                    ),
                    models.CheckConstraint(condition=~Q(failed=True, raised=True), name="what_failed_raises_nothing"),
                    models.CheckConstraint(
                        condition=~Q(kind="near_copy", raised=True) | Q(other__isnull=False),
                        name="a_near_copy_has_an_original",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Fingerprint",
            fields=[
                (
                    "output",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="generation.output",
                    ),
                ),
                ("version", models.PositiveSmallIntegerField()),
                ("hashes", models.BinaryField()),
                ("colours", models.BinaryField()),
                ("bands", ArrayField(base_field=models.IntegerField(), size=None)),
            ],
            options={"indexes": [GinIndex(fields=["bands"], name="fingerprint_bands")]},
        ),
    ]

"""An admin opens a private work, for a reason that its artist reads."""

import datetime

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import erasable, fixed

QUARTER = models.Value(datetime.timedelta(seconds=900))


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0010_by_end"),
        ("review", "0014_named_by_address"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Opening",
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
                ("reason", models.TextField()),
                (
                    "ends_at",
                    models.DateTimeField(
                        db_default=django.db.models.expressions.CombinedExpression(
                            django.db.models.functions.datetime.Now(), "+", QUARTER
                        )
                    ),
                ),
                (
                    "admin",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "generation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="generation.generation",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["generation", "-id"], name="opening_of_a_work")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "\\S")), name="an_opening_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__gt", models.F("created_at")),
                            (
                                "ends_at__lte",
                                django.db.models.expressions.CombinedExpression(models.F("created_at"), "+", QUARTER),
                            ),
                        ),
                        name="an_opening_ends_within_a_quarter",
                    ),
                ],
            },
        ),
        fixed("review_opening", "admin_id", "generation_id", "created_at", "ends_at"),
        erasable("review_opening", "reason"),
    ]

"""A reviewer's own keys, and the line in which precedents stand."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

import gateway.models.base


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0009_erasing"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Preferences",
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
                ("keys", models.JSONField(default=dict)),
                ("keys_on", models.BooleanField(default=True, verbose_name="single keys act")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "preferences",
                "constraints": [
                    models.CheckConstraint(
                        condition=django.db.models.lookups.Exact(
                            models.Func(models.F("keys"), function="jsonb_typeof", output_field=models.TextField()),
                            models.Value("object"),
                        ),
                        name="keys_stand_by_act",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                fields=["-effective_at", "-id"],
                condition=models.Q(("undone_at__isnull", True), models.Q(("clauses", []), _negated=True)),
                name="decision_as_precedent",
            ),
        ),
    ]

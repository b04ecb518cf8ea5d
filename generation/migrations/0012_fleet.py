"""The workers that draw; and a worker that leaves hands back, as a brake does."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0011_presets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="generation",
            name="handed_back",
            field=models.PositiveSmallIntegerField(
                default=0, verbose_name="how often it went back into the line by a brake, or because its worker left"
            ),
        ),
        migrations.CreateModel(
            name="Worker",
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
                ("name", models.CharField(max_length=120, unique=True)),
                (
                    "pools",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SlugField(max_length=40), size=None),
                ),
                (
                    "engines",
                    models.JSONField(
                        blank=True, default=dict, verbose_name="what its engines say of themselves, by name"
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("draining_since", models.DateTimeField(null=True, verbose_name="told to run empty")),
                ("last_error", models.CharField(blank=True, max_length=500)),
                ("failed_at", models.DateTimeField(null=True, verbose_name="when that was")),
                ("done", models.PositiveIntegerField(default=0, verbose_name="clips that it finished")),
                (
                    "draining_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
    ]

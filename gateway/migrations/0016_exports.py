"""What people took along: that it was made, and nothing of what was in it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0015_studio"),
    ]

    operations = [
        migrations.CreateModel(
            name="Export",
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
                ("beat_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ended_at", models.DateTimeField(null=True)),
                ("files", models.PositiveIntegerField(null=True)),
                ("size", models.PositiveBigIntegerField(null=True, verbose_name="bytes")),
                ("sha256", models.CharField(blank=True, max_length=64, verbose_name="of its manifest")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="exports", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user", "-created_at"], name="export_of_a_person")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("user",),
                        name="one_export_a_person_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sha256", ""),
                            models.Q(("ended_at__isnull", False), ("files__isnull", False), ("size__isnull", False)),
                            _connector="OR",
                        ),
                        name="a_whole_export_says_what_it_was",
                    ),
                ],
            },
        ),
    ]

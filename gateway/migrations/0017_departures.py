"""Who goes for good: asked, with days to change their mind, then done."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import fixed, obeys


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0016_exports"),
    ]

    operations = [
        migrations.CreateModel(
            name="Departure",
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
                ("kind", models.TextField(choices=[("anonymise", "anonymise"), ("delete", "delete")])),
                ("keeps_public", models.BooleanField(default=False, verbose_name="what is public stays on view")),
                (
                    "state",
                    models.TextField(
                        choices=[("asked", "asked"), ("cancelled", "cancelled"), ("done", "done")], default="asked"
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("begun_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "farewell",
                    models.UUIDField(null=True, verbose_name="the letter that confirms it, until it has gone out"),
                ),
                (
                    "digest",
                    models.BinaryField(
                        max_length=32, null=True, verbose_name="of the link by which what is public is taken back"
                    ),
                ),
                ("figures", models.JSONField(default=dict, verbose_name="what was erased and what stays, counted")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="departures",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("state", "asked")), fields=["due_at"], name="departure_due")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "asked")), fields=("user",), name="one_departure_a_person"
                    ),
                    models.UniqueConstraint(fields=("digest",), name="one_link_a_departure"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["anonymise", "delete"])), name="departure_kinds_are_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind", "anonymise"), ("keeps_public", False), _connector="OR"),
                        name="who_deletes_keeps_nothing_public",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("state", "asked")),
                            models.Q(("begun_at__isnull", True), ("ended_at__isnull", False), ("state", "cancelled")),
                            models.Q(("begun_at__isnull", False), ("ended_at__isnull", False), ("state", "done")),
                            _connector="OR",
                        ),
                        name="a_departure_that_has_begun_is_not_cancelled",
                    ),
                ],
            },
        ),
        obeys("gateway_departure", "asked", {"asked": ["cancelled", "done"], "cancelled": [], "done": []}),
        fixed("gateway_departure", "user_id", "kind", "keeps_public", "created_at"),
    ]

"""What artists allow: an answer is a row, and no row is ever changed."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0013_sightings"),
    ]

    operations = [
        migrations.CreateModel(
            name="Consent",
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
                    "work",
                    models.UUIDField(
                        help_text="The generation, if it is about one; not a key: that lives downstream.", null=True
                    ),
                ),
                (
                    "purpose",
                    models.TextField(
                        choices=[("promote", "promote"), ("train", "train"), ("exhibit", "exhibit"), ("study", "study")]
                    ),
                ),
                ("answer", models.TextField(choices=[("given", "given"), ("revoked", "revoked")])),
                ("text_version", models.PositiveSmallIntegerField()),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "reach",
                    models.JSONField(default=dict, help_text="What a revocation touched, counted at that moment."),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "work", "purpose", "-created_at", "-id"], name="consent_latest")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("purpose__in", ["promote", "train", "exhibit", "study"])),
                        name="consent_purposes_are_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("answer__in", ["given", "revoked"])), name="consent_answers_are_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("text_version__gte", 1)), name="a_consent_names_its_text"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at__isnull", True),
                            models.Q(("answer", "given"), ("expires_at__gt", models.F("created_at"))),
                            _connector="OR",
                        ),
                        name="a_consent_ends_after_it_began",
                    ),
                ],
            },
        ),
        append_only("gateway_consent"),
    ]

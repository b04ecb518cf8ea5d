"""A request with a key of its client's is answered once, however often it is sent."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base


class Migration(migrations.Migration):
    dependencies = [("gateway", "0019_public_reasons")]

    operations = [
        migrations.CreateModel(
            name="KeyedRequest",
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
                ("holder", models.UUIDField()),
                ("digest", models.BinaryField(max_length=32, verbose_name="SHA-256 of the key")),
                ("asked", models.BinaryField(max_length=32, verbose_name="fingerprint of the request")),
                ("held_until", models.DateTimeField(verbose_name="until then its request is being answered")),
                ("status", models.PositiveSmallIntegerField(null=True)),
                (
                    "body",
                    models.BinaryField(
                        null=True, verbose_name="the answer, encrypted; nothing of one that can't be kept"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="keyed_request_by_age")],
                "constraints": [models.UniqueConstraint(fields=("holder", "digest"), name="one_request_a_key")],
            },
        ),
    ]

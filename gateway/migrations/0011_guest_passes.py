"""Guest passes: a part of an allowance, lent by link."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import fixed, obeys


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0010_contributions"),
    ]

    operations = [
        migrations.CreateModel(
            name="GuestPass",
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
                ("label", models.CharField(max_length=80)),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                ("last_four", models.CharField(max_length=4)),
                ("generations", models.PositiveIntegerField(verbose_name="clips in all")),
                ("credits", models.PositiveIntegerField(verbose_name="credits in all")),
                (
                    "slugs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), blank=True, default=list, size=None, verbose_name="models"
                    ),
                ),
                (
                    "per_address",
                    models.PositiveSmallIntegerField(default=3, verbose_name="clips a day from one address"),
                ),
                ("may_download", models.BooleanField(default=False, verbose_name="guests may download")),
                ("ends_at", models.DateTimeField()),
                ("state", models.TextField(choices=[("open", "open"), ("revoked", "revoked")], default="open")),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="guest_passes",
                        to="gateway.membership",
                    ),
                ),
                (
                    "token",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="guest_passes",
                        to="gateway.token",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "guest passes",
                "indexes": [models.Index(fields=["membership", "-id"], name="guest_pass_of_a_member")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("credits__gte", 1), ("generations__gte", 1), ("per_address__gte", 1)),
                        name="a_guest_pass_lends_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("created_at"))), name="a_guest_pass_has_an_end"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at__isnull", False), ("state", "revoked")),
                            models.Q(("revoked_at__isnull", True), ("state", "open")),
                            _connector="OR",
                        ),
                        name="a_revoked_guest_pass_says_when",
                    ),
                ],
            },
        ),
        obeys("gateway_guestpass", "open", {"open": ["revoked"], "revoked": []}),
        fixed(
            "gateway_guestpass",
            *("membership_id", "token_id", "label", "digest", "last_four", "generations", "credits", "slugs"),
            "per_address",
        ),
    ]

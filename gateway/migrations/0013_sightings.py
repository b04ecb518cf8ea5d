"""Sightings: credentials that look shared, and canaries."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import fixed, obeys


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0012_reminders"),
    ]

    operations = [
        migrations.CreateModel(
            name="Canary",
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
                ("label", models.CharField(max_length=200, verbose_name="where it is planted")),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                ("last_four", models.CharField(max_length=4)),
                ("uses", models.PositiveIntegerField(default=0)),
                ("last_used_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "canaries",
            },
        ),
        migrations.CreateModel(
            name="Sighting",
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
                ("kind", models.TextField(choices=[("use", "use"), ("canary", "canary"), ("leak", "leak")])),
                (
                    "scope",
                    models.TextField(
                        choices=[
                            ("token", "token"),
                            ("session", "session"),
                            ("guest_pass", "guest pass"),
                            ("canary", "canary"),
                        ]
                    ),
                ),
                ("target", models.UUIDField(help_text="The credential's id; a session has no row that stays.")),
                ("label", models.CharField(max_length=200, verbose_name="what it is about, in words")),
                ("score", models.PositiveSmallIntegerField()),
                ("signals", models.JSONField()),
                (
                    "seen",
                    models.JSONField(
                        help_text="Network ranges, programs, where it was found; erased in time.", null=True
                    ),
                ),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "open"),
                            ("explained", "explained"),
                            ("rotated", "rotated"),
                            ("confirmed", "confirmed"),
                            ("dismissed", "dismissed"),
                        ],
                        default="open",
                    ),
                ),
                ("explanation", models.TextField(blank=True)),
                ("explained_at", models.DateTimeField(null=True)),
                ("answer", models.TextField(blank=True, verbose_name="why it was confirmed or dismissed")),
                ("answered_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddConstraint(
            model_name="brake",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("source", "sighting"), _negated=True),
                    ("scope__in", ("token", "session", "guest_pass")),
                    _connector="OR",
                ),
                name="a_sighting_brakes_one_credential",
            ),
        ),
        migrations.AddField(
            model_name="canary",
            name="planted_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="sighting",
            name="answered_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="sighting",
            name="brake",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="sighting", to="gateway.brake"
            ),
        ),
        migrations.AddField(
            model_name="sighting",
            name="owner",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sightings",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="sighting",
            index=models.Index(fields=["owner", "-id"], name="sighting_of_an_owner"),
        ),
        migrations.AddIndex(
            model_name="sighting",
            index=models.Index(
                condition=models.Q(("brake__isnull", False)), fields=["-id"], name="sighting_that_froze"
            ),
        ),
        migrations.AddConstraint(
            model_name="sighting",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")), fields=("scope", "target"), name="one_open_sighting_a_credential"
            ),
        ),
        migrations.AddConstraint(
            model_name="sighting",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope", "canary"), ("owner__isnull", False), _connector="OR"),
                name="a_credential_has_an_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="sighting",
            constraint=models.CheckConstraint(
                condition=models.Q(("brake__isnull", True), ("kind", "use"), _connector="OR"),
                name="only_a_use_is_frozen",
            ),
        ),
        migrations.AddConstraint(
            model_name="sighting",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answered_at__isnull", True), ("state", "open")),
                    models.Q(models.Q(("state", "open"), _negated=True), ("answered_at__isnull", False)),
                    _connector="OR",
                ),
                name="an_answered_sighting_says_when",
            ),
        ),
        migrations.AddConstraint(
            model_name="sighting",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "explained"), _negated=True), ("explanation__regex", "\\S"), _connector="OR"
                ),
                name="an_explanation_has_words",
            ),
        ),
        obeys(
            "gateway_sighting",
            "open",
            {
                "open": ["explained", "rotated", "confirmed", "dismissed"],
                "explained": [],
                "rotated": [],
                "confirmed": [],
                "dismissed": [],
            },
        ),
        fixed(
            "gateway_sighting",
            *("kind", "scope", "target", "label", "owner_id", "score", "signals", "brake_id", "created_at"),
        ),
        fixed("gateway_canary", "label", "digest", "last_four", "planted_by_id", "created_at"),
    ]

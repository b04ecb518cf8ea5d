"""Brakes: what is stopped, why, until when."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import fixed, obeys

# For statements that are written by hand; the same question as BrakeQuerySet.in_force().on(…). PostgreSQL inlines it.
BRAKED = """
create function braked(token uuid, guest_pass uuid, artist uuid, cohort uuid, model uuid) returns boolean
language sql stable as $$
    select exists (
        select from gateway_brake brake
         where brake.state = 'pulled' and (brake.ends_at is null or brake.ends_at > statement_timestamp())
           and (brake.scope = 'all' or (brake.scope, brake.target) in (
                ('token', token), ('guest_pass', guest_pass), ('artist', artist), ('cohort', cohort), ('model', model)))
    )
$$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0003_audit"),
    ]

    operations = [
        migrations.CreateModel(
            name="Brake",
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
                    "scope",
                    models.TextField(
                        choices=[
                            ("token", "token"),
                            ("session", "session"),
                            ("guest_pass", "guest pass"),
                            ("artist", "artist"),
                            ("cohort", "cohort"),
                            ("model", "model"),
                            ("publication", "publication"),
                            ("all", "all"),
                        ]
                    ),
                ),
                (
                    "target",
                    models.UUIDField(help_text="The row's id; not a key: some of them live downstream.", null=True),
                ),
                ("label", models.CharField(max_length=200, verbose_name="what it is on, in words")),
                ("reason", models.TextField()),
                ("closes", models.BooleanField(default=False, verbose_name="pages, downloads and public works too")),
                (
                    "source",
                    models.TextField(
                        choices=[("admin", "admin"), ("command", "command"), ("sighting", "sighting")], default="admin"
                    ),
                ),
                ("state", models.TextField(choices=[("pulled", "pulled"), ("released", "released")], default="pulled")),
                ("ends_at", models.DateTimeField(null=True)),
                ("released_at", models.DateTimeField(null=True)),
                ("why_released", models.TextField(blank=True)),
                (
                    "pulled_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "released_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pulled")), fields=["scope", "target"], name="brake_pulled"
                    ),
                    models.Index(fields=["-id"], name="brake_latest"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scope", "all"), ("target__isnull", True)),
                            models.Q(models.Q(("scope", "all"), _negated=True), ("target__isnull", False)),
                            _connector="OR",
                        ),
                        name="a_brake_is_on_something_or_on_all",
                    ),
                    models.CheckConstraint(condition=models.Q(("reason__regex", "\\S")), name="a_brake_has_a_reason"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("released_at__isnull", True), ("state", "pulled")),
                            models.Q(("released_at__isnull", False), ("state", "released")),
                            _connector="OR",
                        ),
                        name="a_released_brake_says_when",
                    ),
                ],
            },
        ),
        migrations.RunSQL(BRAKED, "drop function braked(uuid, uuid, uuid, uuid, uuid)"),
        obeys("gateway_brake", "pulled", {"pulled": ["released"], "released": []}),
        fixed(
            "gateway_brake",
            *("scope", "target", "label", "reason", "closes", "source", "ends_at", "pulled_by_id", "created_at"),
        ),
    ]

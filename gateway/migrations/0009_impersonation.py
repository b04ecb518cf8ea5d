"""An admin looks as an artist: whom, why and until when is written once."""

import datetime

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import fixed

ONLY_ARTISTS = """
create function only_artists_are_impersonated() returns trigger language plpgsql as $$
begin
    if exists (select from gateway_user where id = new.artist_id and (is_staff or is_reviewer))
        or not exists (select from gateway_user where id = new.admin_id and is_staff and is_active) then
        raise exception 'an admin looks as an artist, and nobody else as anybody' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger only_artists_are_impersonated before insert on gateway_impersonation
    for each row execute function only_artists_are_impersonated();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0008_coming_in"),
    ]

    operations = [
        migrations.CreateModel(
            name="Impersonation",
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
                            django.db.models.functions.datetime.Now(),
                            "+",
                            models.Value(datetime.timedelta(seconds=1800)),
                        )
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "admin",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "artist",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="visits", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["artist", "-created_at"], name="visit_latest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "\\S")), name="an_impersonation_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("admin", models.F("artist")), _negated=True),
                        name="nobody_impersonates_themselves",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__gt", models.F("created_at")),
                            (
                                "ends_at__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("created_at"), "+", models.Value(datetime.timedelta(seconds=3600))
                                ),
                            ),
                        ),
                        name="an_impersonation_ends_within_the_hour",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("admin",),
                        name="one_impersonation_at_a_time",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            ONLY_ARTISTS,
            "drop trigger only_artists_are_impersonated on gateway_impersonation; "
            "drop function only_artists_are_impersonated();",
        ),
        fixed("gateway_impersonation", "admin_id", "artist_id", "reason", "created_at", "ends_at"),
    ]

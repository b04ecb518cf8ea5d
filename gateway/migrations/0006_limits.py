import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
import gateway.models.tokens


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0005_rate_cards"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="allowance",
            name="an_allowance_is_never_overdrawn",
        ),
        migrations.RemoveConstraint(
            model_name="ledgerentry",
            name="a_movement_names_its_subject",
        ),
        migrations.AddField(
            model_name="allowance",
            name="expired",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="cohort",
            name="concurrent",
            field=models.PositiveSmallIntegerField(default=10, verbose_name="clips at a time, waiting or being drawn"),
        ),
        migrations.AddField(
            model_name="cohort",
            name="daily",
            field=models.PositiveIntegerField(default=200, verbose_name="clips a day"),
        ),
        migrations.AddField(
            model_name="cohort",
            name="requests_a_minute",
            field=models.PositiveIntegerField(default=600),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="reason",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="token",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="gateway.token"
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="concurrent",
            field=models.PositiveSmallIntegerField(
                blank=True, null=True, verbose_name="clips at a time, if not the cohort's"
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="daily",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="clips a day, if not the cohort's"),
        ),
        migrations.AddField(
            model_name="membership",
            name="requests_a_minute",
            field=models.PositiveIntegerField(
                blank=True, null=True, verbose_name="requests a minute, if not the cohort's"
            ),
        ),
        migrations.AddField(
            model_name="token",
            name="credits_limit",
            field=models.PositiveIntegerField(null=True, verbose_name="credits a month"),
        ),
        migrations.AddField(
            model_name="token",
            name="family",
            field=models.UUIDField(
                default=gateway.models.base.new_id, verbose_name="shared by those that were rotated one into the next"
            ),
        ),
        migrations.AddField(
            model_name="token",
            name="last_address",
            field=models.GenericIPAddressField(null=True),
        ),
        migrations.AddField(
            model_name="token",
            name="last_use",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="token",
            name="mode",
            field=models.TextField(choices=[("live", "live"), ("test", "test")], default="live"),
        ),
        migrations.AddField(
            model_name="token",
            name="networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=gateway.models.tokens.Network(),
                blank=True,
                default=list,
                size=None,
                verbose_name="from where; empty is anywhere",
            ),
        ),
        migrations.AddField(
            model_name="token",
            name="replaced_by",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="replaces", to="gateway.token"
            ),
        ),
        migrations.AddField(
            model_name="token",
            name="requests_a_minute",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="token",
            name="self_made",
            field=models.BooleanField(default=False, verbose_name="made by the token before it, not by its person"),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="kind",
            field=models.TextField(
                choices=[
                    ("grant", "grant"),
                    ("reserve", "reserve"),
                    ("settle", "settle"),
                    ("give_back", "give back"),
                    ("expire", "expire"),
                ]
            ),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(fields=["allowance", "kind"], include=("amount",), name="ledger_sums"),
        ),
        migrations.AddConstraint(
            model_name="allowance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expired__gte", 0),
                    (
                        "granted__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(models.F("held"), "+", models.F("spent")),
                            "+",
                            models.F("expired"),
                        ),
                    ),
                    ("held__gte", 0),
                    ("spent__gte", 0),
                ),
                name="an_allowance_is_never_overdrawn",
            ),
        ),
        migrations.AddConstraint(
            model_name="cohort",
            constraint=models.CheckConstraint(
                condition=models.Q(("requests_a_minute__gte", 1)), name="cohort_pace_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["grant", "expire"]), ("subject__isnull", False), _connector="OR"),
                name="a_movement_names_its_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("by__isnull", True),
                    models.Q(("kind", "grant"), models.Q(("reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="a_grant_by_a_person_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("requests_a_minute__isnull", True), ("requests_a_minute__gte", 1), _connector="OR"),
                name="membership_pace_is_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="token",
            constraint=models.CheckConstraint(
                condition=models.Q(("mode__in", ["live", "test"])), name="token_mode_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="token",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("mode", "test"), _negated=True),
                    models.Q(("membership__isnull", False), ("scopes__contained_by", ["generate"])),
                    _connector="OR",
                ),
                name="a_test_token_only_generates",
            ),
        ),
        migrations.AddConstraint(
            model_name="token",
            constraint=models.CheckConstraint(
                condition=models.Q(("requests_a_minute__isnull", True), ("requests_a_minute__gte", 1), _connector="OR"),
                name="token_pace_is_positive",
            ),
        ),
    ]

"""Webhooks: where people want to be told, what there is to tell, and how that went."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import obeys


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0020_retries"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookDelivery",
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
                    "state",
                    models.TextField(
                        choices=[("waiting", "waiting"), ("delivered", "delivered"), ("failed", "failed")],
                        default="waiting",
                    ),
                ),
                ("again", models.BooleanField(default=False, verbose_name="sent again at somebody's wish")),
                ("test", models.BooleanField(default=False, verbose_name="a test: tried once")),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("tried_at", models.DateTimeField(null=True)),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="HTTP status of the last answer")),
                ("ms", models.PositiveIntegerField(null=True, verbose_name="milliseconds that the last attempt took")),
                ("error", models.CharField(blank=True, max_length=300, verbose_name="why there was no answer")),
                ("answer", models.CharField(blank=True, max_length=500, verbose_name="how the last answer began")),
            ],
            options={
                "verbose_name_plural": "webhook deliveries",
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
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
                ("name", models.CharField(blank=True, max_length=80)),
                ("url", models.CharField(blank=True, max_length=500)),
                ("event_types", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("secret", models.TextField(blank=True, verbose_name="encrypted")),
                ("old_secret", models.TextField(blank=True, verbose_name="the one before it, encrypted")),
                ("old_secret_until", models.DateTimeField(null=True, verbose_name="signs with both until then")),
                ("hint", models.CharField(blank=True, max_length=4, verbose_name="last four characters of the secret")),
                (
                    "state",
                    models.TextField(
                        choices=[("active", "active"), ("disabled", "disabled"), ("removed", "removed")],
                        default="active",
                    ),
                ),
                ("reason", models.TextField(blank=True, verbose_name="why it is disabled")),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="address, events, name or secret",
                    ),
                ),
                ("busy_until", models.DateTimeField(null=True, verbose_name="something is being sent there")),
            ],
        ),
        migrations.CreateModel(
            name="WebhookEvent",
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
                ("type", models.TextField()),
                ("subject", models.CharField(max_length=80)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="token",
            name="token_scopes_are_known",
        ),
        migrations.AddConstraint(
            model_name="token",
            constraint=models.CheckConstraint(
                condition=models.Q(("scopes__contained_by", ["generate", "submit", "publish", "review", "webhooks"])),
                name="token_scopes_are_known",
            ),
        ),
        migrations.AddField(
            model_name="webhookendpoint",
            name="token",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="gateway.token"
            ),
        ),
        migrations.AddField(
            model_name="webhookendpoint",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="webhook_endpoints",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="webhookdelivery",
            name="endpoint",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="gateway.webhookendpoint"
            ),
        ),
        migrations.AddField(
            model_name="webhookevent",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="webhookdelivery",
            name="event",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="gateway.webhookevent"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("state", "active")), fields=["user"], name="webhook_endpoint_listening"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(fields=["user", "-id"], name="webhook_endpoint_of_a_person"),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "disabled"), _negated=True), ("reason__regex", "\\S"), _connector="OR"
                ),
                name="a_disabled_endpoint_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("old_secret", ""), ("secret", ""), ("state", "removed"), ("url", "")),
                    models.Q(models.Q(("state", "removed"), _negated=True), models.Q(("secret", ""), _negated=True)),
                    _connector="OR",
                ),
                name="a_removed_endpoint_has_no_secret",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("old_secret", ""), ("old_secret_until__isnull", True)),
                    models.Q(models.Q(("old_secret", ""), _negated=True), ("old_secret_until__isnull", False)),
                    _connector="OR",
                ),
                name="a_second_secret_has_an_end",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookevent",
            index=models.Index(fields=["created_at"], name="webhook_event_by_age"),
        ),
        migrations.AddIndex(
            model_name="webhookevent",
            index=models.Index(fields=["user"], name="webhook_event_of_a_person"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["next_at", "id"], name="webhook_delivery_due"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["endpoint", "-id"], name="webhook_delivery_of_endpoint"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting")),
                fields=("endpoint", "event"),
                name="one_waiting_delivery_of_an_event",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "delivered"), _negated=True),
                    models.Q(("status__gte", 200), ("status__lt", 300)),
                    _connector="OR",
                ),
                name="what_is_delivered_was_taken",
            ),
        ),
        obeys(
            "gateway_webhookendpoint",
            "active",
            {"active": ["disabled", "removed"], "disabled": ["active", "removed"], "removed": []},
        ),
        obeys(
            "gateway_webhookdelivery",
            "waiting",
            {"waiting": ["delivered", "failed"], "delivered": [], "failed": []},
        ),
    ]

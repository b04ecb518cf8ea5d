"""Where people want to be told of what happens, what there was to tell, and how that went."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from .base import Living, Row, states
from .members import User
from .tokens import Token


class WebhookEndpoint(Living):
    """An address of a person's. Its secrets are encrypted: they are needed to sign, so that a digest would not do.

    `token` is the one by which its address was last set, if it was one: the endpoint stops with it. One that is removed
    keeps its row, without address and secrets, because the log refers to it.
    """

    NOUN = "webhook_endpoint"
    MOVES = {"active": {"disabled", "removed"}, "disabled": {"active", "removed"}, "removed": set()}

    user = models.ForeignKey(User, models.PROTECT, related_name="webhook_endpoints")
    token = models.ForeignKey(Token, models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=80, blank=True)
    url = models.CharField(max_length=500, blank=True)
    event_types = ArrayField(models.TextField())
    secret = models.TextField("encrypted", blank=True)
    old_secret = models.TextField("the one before it, encrypted", blank=True)
    old_secret_until = models.DateTimeField("signs with both until then", null=True)
    hint = models.CharField("last four characters of the secret", max_length=4, blank=True)
    state = states("active", "disabled", "removed")
    reason = models.TextField("why it is disabled", blank=True)
    changed_at = models.DateTimeField("address, events, name or secret", db_default=Now())
    busy_until = models.DateTimeField("something is being sent there", null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user"], condition=Q(state="active"), name="webhook_endpoint_listening"),
            models.Index(fields=["user", "-id"], name="webhook_endpoint_of_a_person"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="disabled") | Q(reason__regex=r"\S"), name="a_disabled_endpoint_says_why"
            ),
            models.CheckConstraint(
                condition=Q(state="removed", url="", secret="", old_secret="") | ~Q(state="removed") & ~Q(secret=""),
                name="a_removed_endpoint_has_no_secret",
            ),
            models.CheckConstraint(
                condition=Q(old_secret="", old_secret_until__isnull=True)
                | ~Q(old_secret="") & Q(old_secret_until__isnull=False),
                name="a_second_secret_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"webhook endpoint {self.pk}"  # never its address: admins read this


class WebhookEvent(Row):
    """Something happened: written with it, in one transaction, when somebody listens. `subject` is the id of what."""

    NOUN = "webhook_event"

    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    type = models.TextField()
    subject = models.CharField(max_length=80)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="webhook_event_by_age"),
            models.Index(fields=["user"], name="webhook_event_of_a_person"),
        ]


class WebhookDelivery(Living):
    """One event on its way to one endpoint. What is sent again at somebody's wish is a delivery of its own."""

    NOUN = "webhook_delivery"
    MOVES = {"waiting": {"delivered", "failed"}, "delivered": set(), "failed": set()}

    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, models.PROTECT, related_name="deliveries")
    state = states("waiting", "delivered", "failed")
    again = models.BooleanField("sent again at somebody's wish", default=False)
    test = models.BooleanField("a test: tried once", default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now())
    tried_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField("HTTP status of the last answer", null=True)
    ms = models.PositiveIntegerField("milliseconds that the last attempt took", null=True)
    error = models.CharField("why there was no answer", max_length=300, blank=True)
    answer = models.CharField("how the last answer began", max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["next_at", "id"], condition=Q(state="waiting"), name="webhook_delivery_due"),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_of_endpoint"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event"], condition=Q(state="waiting"), name="one_waiting_delivery_of_an_event"
            ),
            models.CheckConstraint(
                condition=~Q(state="delivered") | Q(status__gte=200, status__lt=300), name="what_is_delivered_was_taken"
            ),
        ]

"""Keys for clients."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from .base import Row, new_id
from .members import Membership, User


class TokenQuerySet(models.QuerySet["Token"]):
    def live(self) -> "TokenQuerySet":
        return self.filter(models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=Now()), revoked_at__isnull=True)


class Network(models.Field):  # type: ignore[type-arg]
    """PostgreSQL's cidr, read and written as text: the database refuses what is no network."""

    def db_type(self, connection: Any) -> str:
        return "cidr"


class Token(Row):
    """A key of one person's. Only its SHA-256 is stored; the secret is shown once.

    `last_address` says where somebody was: it is personal, and emptied when its person leaves or asks for it.
    """

    NOUN = "token"
    SCOPES = ("generate", "submit", "publish", "review", "webhooks")
    MODES = ("live", "test")

    user = models.ForeignKey(User, models.PROTECT, related_name="tokens")
    membership = models.ForeignKey(Membership, models.PROTECT, null=True, related_name="tokens")
    mode = models.TextField(choices=[(mode, mode) for mode in MODES], default="live")
    label = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, unique=True)
    last_four = models.CharField(max_length=4)
    scopes = ArrayField(models.TextField())
    networks = ArrayField(Network(), verbose_name="from where; empty is anywhere", default=list, blank=True)
    requests_a_minute = models.PositiveIntegerField(null=True)
    credits_limit = models.PositiveIntegerField("credits a month", null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_address = models.GenericIPAddressField(null=True)
    last_use = models.CharField(max_length=200, blank=True)
    family = models.UUIDField("shared by those that were rotated one into the next", default=new_id)
    replaced_by = models.OneToOneField("self", models.PROTECT, null=True, related_name="replaces")
    self_made = models.BooleanField("made by the token before it, not by its person", default=False)

    objects = TokenQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"], name="token_of_a_person")]
        constraints = [
            models.CheckConstraint(condition=models.Q(mode__in=["live", "test"]), name="token_mode_is_known"),
            models.CheckConstraint(
                condition=~models.Q(mode="test")
                | models.Q(scopes__contained_by=["generate"], membership__isnull=False),
                name="a_test_token_only_generates",
            ),
            models.CheckConstraint(
                condition=models.Q(requests_a_minute__isnull=True) | models.Q(requests_a_minute__gte=1),
                name="token_pace_is_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=["generate", "submit", "publish", "review", "webhooks"]),
                name="token_scopes_are_known",
            ),
        ]

    @property
    def is_test(self) -> bool:
        """Whether it draws with the small model only, for nothing, and nothing of it is ever shown."""
        return self.mode == "test"

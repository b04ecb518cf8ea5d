"""Uses that look like a leak, and the traps that are laid for them."""

from django.db import models
from django.db.models import Q

from .base import Living, Row, states
from .brakes import Brake
from .members import User


class Canary(Row):
    """A token that opens nothing, planted where only somebody who searches would find it. Its use is certain proof."""

    NOUN = "canary"

    label = models.CharField("where it is planted", max_length=200)
    digest = models.BinaryField(max_length=32, unique=True)
    last_four = models.CharField(max_length=4)
    planted_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    uses = models.PositiveIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "canaries"

    def __str__(self) -> str:
        return f"canary …{self.last_four}"


class Sighting(Living):
    """A credential was used, or found, where it should not be. It waits for its owner's word, or for an admin's.

    `signals` is the evidence in counts and plain words; `seen` holds network ranges and programs, and is erased after
    some time. A sighting brakes one credential at most, which is its own.
    """

    NOUN = "sighting"
    KINDS = ("use", "canary", "leak")
    SCOPES = ("token", "session", "guest_pass", "canary")
    MOVES = {
        "open": {"explained", "rotated", "confirmed", "dismissed"},
        "explained": set(),
        "rotated": set(),
        "confirmed": set(),
        "dismissed": set(),
    }

    kind = models.TextField(choices=[(kind, kind) for kind in KINDS])
    scope = models.TextField(choices=[(scope, scope.replace("_", " ")) for scope in SCOPES])
    target = models.UUIDField(help_text="The credential's id; a session has no row that stays.")
    label = models.CharField("what it is about, in words", max_length=200)
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="sightings")
    score = models.PositiveSmallIntegerField()
    signals = models.JSONField()
    seen = models.JSONField(null=True, help_text="Network ranges, programs, where it was found; erased in time.")
    brake = models.OneToOneField(Brake, models.PROTECT, null=True, related_name="sighting")
    state = states("open", "explained", "rotated", "confirmed", "dismissed")
    explanation = models.TextField(blank=True)
    explained_at = models.DateTimeField(null=True)
    answer = models.TextField("why it was confirmed or dismissed", blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-id"], name="sighting_of_an_owner"),
            models.Index(fields=["-id"], condition=Q(brake__isnull=False), name="sighting_that_froze"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "target"], condition=Q(state="open"), name="one_open_sighting_a_credential"
            ),
            models.CheckConstraint(
                condition=Q(scope="canary") | Q(owner__isnull=False), name="a_credential_has_an_owner"
            ),
            models.CheckConstraint(condition=Q(brake__isnull=True) | Q(kind="use"), name="only_a_use_is_frozen"),
            models.CheckConstraint(
                condition=Q(state="open", answered_at__isnull=True) | (~Q(state="open") & Q(answered_at__isnull=False)),
                name="an_answered_sighting_says_when",
            ),
            models.CheckConstraint(
                condition=~Q(state="explained") | Q(explanation__regex=r"\S"), name="an_explanation_has_words"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.label}"

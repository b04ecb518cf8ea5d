"""Who goes for good."""

from django.db import models
from django.db.models import Q

from .base import Living, states
from .members import User


class Departure(Living):
    """Somebody asks that what is personal of them be erased. They can change their mind until that begins.

    `keeps_public` leaves what they published and signed on view; `digest` is of the link by which they take it back
    later, without an account.
    """

    NOUN = "departure"
    KINDS = ("anonymise", "delete")
    MOVES = {"asked": {"cancelled", "done"}, "cancelled": set(), "done": set()}

    user = models.ForeignKey(User, models.PROTECT, related_name="departures")
    kind = models.TextField(choices=[(kind, kind) for kind in KINDS])
    keeps_public = models.BooleanField("what is public stays on view", default=False)
    state = states("asked", "cancelled", "done")
    due_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    farewell = models.UUIDField("the letter that confirms it, until it has gone out", null=True)
    digest = models.BinaryField("of the link by which what is public is taken back", max_length=32, null=True)
    figures = models.JSONField("what was erased and what stays, counted", default=dict)

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=Q(state="asked"), name="departure_due")]
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(state="asked"), name="one_departure_a_person"),
            models.UniqueConstraint(fields=["digest"], name="one_link_a_departure"),
            models.CheckConstraint(condition=Q(kind__in=["anonymise", "delete"]), name="departure_kinds_are_known"),
            models.CheckConstraint(
                condition=Q(kind="anonymise") | Q(keeps_public=False), name="who_deletes_keeps_nothing_public"
            ),
            models.CheckConstraint(
                condition=Q(state="asked", ended_at__isnull=True)
                | Q(state="cancelled", ended_at__isnull=False, begun_at__isnull=True)
                | Q(state="done", ended_at__isnull=False, begun_at__isnull=False),
                name="a_departure_that_has_begun_is_not_cancelled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}, asked {self.created_at:%-d %B %Y}"

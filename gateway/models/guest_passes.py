"""What an artist lends to guests, by link."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from .base import Living, states
from .members import Membership
from .tokens import Token


class GuestPassQuerySet(models.QuerySet["GuestPass"]):
    def in_force(self) -> "GuestPassQuerySet":
        """Neither revoked nor ended. One that was issued with a token ends with it, whatever ended that."""
        with_token = Q(token__revoked_at__isnull=True) & (
            Q(token__expires_at__isnull=True) | Q(token__expires_at__gt=Now())
        )
        return self.filter(Q(token__isnull=True) | with_token, state="open", ends_at__gt=Now())


class GuestPass(Living):
    """A part of an artist's allowance, lent by a link. Only the link's SHA-256 is stored; it is shown once.

    `generations` and `credits` are what all its guests together may use; no `slugs` of models means all that there are.
    """

    NOUN = "guest_pass"
    MOVES = {"open": {"revoked"}, "revoked": set()}

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="guest_passes")
    token = models.ForeignKey(Token, models.PROTECT, null=True, blank=True, related_name="guest_passes")
    label = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, unique=True)
    last_four = models.CharField(max_length=4)
    generations = models.PositiveIntegerField("clips in all")
    credits = models.PositiveIntegerField("credits in all")
    slugs = ArrayField(models.TextField(), verbose_name="models", default=list, blank=True)
    per_address = models.PositiveSmallIntegerField("clips a day from one address", default=3)
    may_download = models.BooleanField("guests may download", default=False)
    ends_at = models.DateTimeField()
    state = states("open", "revoked")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = GuestPassQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "guest passes"
        indexes = [models.Index(fields=["membership", "-id"], name="guest_pass_of_a_member")]
        constraints = [
            models.CheckConstraint(
                condition=Q(generations__gte=1, credits__gte=1, per_address__gte=1),
                name="a_guest_pass_lends_something",
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("created_at")), name="a_guest_pass_has_an_end"),
            models.CheckConstraint(
                condition=Q(state="revoked", revoked_at__isnull=False) | Q(state="open", revoked_at__isnull=True),
                name="a_revoked_guest_pass_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"guest pass …{self.last_four}"  # not its label: admins read this

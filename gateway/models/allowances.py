"""What a member may spend, and every credit's way."""

from django.db import models
from django.db.models import F, Q

from .base import Row
from .members import Membership, User
from .tokens import Token


class Allowance(Row):
    """The credits of one membership in one period. `held` is set aside for generations that have not ended.

    A deferred trigger compares the row with its ledger: no transaction that leaves them apart is committed.
    """

    NOUN = "allowance"

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="allowances")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    granted = models.PositiveIntegerField()
    held = models.PositiveIntegerField(default=0)
    spent = models.PositiveIntegerField(default=0)
    expired = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["membership", "starts_at"], name="one_allowance_a_period"),
            models.CheckConstraint(
                condition=Q(
                    held__gte=0, spent__gte=0, expired__gte=0, granted__gte=F("held") + F("spent") + F("expired")
                ),
                name="an_allowance_is_never_overdrawn",
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="a_period_has_an_end"),
        ]

    @property
    def free(self) -> int:
        """Credits that can still be set aside."""
        return self.granted - self.held - self.spent - self.expired


class LedgerEntry(Row):
    """One movement of credits. Append-only; a subject is reserved once and then settled or given back once."""

    NOUN = "ledger_entry"
    KINDS = ("grant", "reserve", "settle", "give_back", "expire")

    allowance = models.ForeignKey(Allowance, models.PROTECT, related_name="entries")
    kind = models.TextField(choices=[(kind, kind.replace("_", " ")) for kind in KINDS])
    amount = models.PositiveIntegerField()
    subject = models.UUIDField(
        null=True, help_text="The generation that it is about; not a key: that lives downstream."
    )
    token = models.ForeignKey(Token, models.PROTECT, null=True, related_name="+")
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [models.Index(fields=["allowance", "kind"], include=["amount"], name="ledger_sums")]
        constraints = [
            models.UniqueConstraint(fields=["subject"], condition=Q(kind="reserve"), name="reserved_once"),
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(kind__in=["settle", "give_back"]),
                name="settled_or_given_back_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["grant", "expire"]) | Q(subject__isnull=False),
                name="a_movement_names_its_subject",
            ),
            models.CheckConstraint(
                condition=Q(by__isnull=True) | Q(kind="grant") & ~Q(reason=""), name="a_grant_by_a_person_has_a_reason"
            ),
        ]

    @property
    def effect(self) -> int:
        """What it did to the free credits; a charge takes what was set aside before."""
        return {"grant": 1, "reserve": -1, "settle": 0, "give_back": 1, "expire": -1}[self.kind] * self.amount

"""What a member may spend, and every credit's way."""

from django.db import models
from django.db.models import F, Q

from .base import Row
from .members import Membership


class Allowance(Row):
    """The credits of one membership in one period. `held` is set aside for generations that have not ended."""

    NOUN = "allowance"

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="allowances")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    granted = models.PositiveIntegerField()
    held = models.PositiveIntegerField(default=0)
    spent = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["membership", "starts_at"], name="one_allowance_a_period"),
            models.CheckConstraint(
                condition=Q(held__gte=0, spent__gte=0, granted__gte=F("held") + F("spent")),
                name="an_allowance_is_never_overdrawn",
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="a_period_has_an_end"),
        ]

    @property
    def free(self) -> int:
        """Credits that can still be set aside."""
        return self.granted - self.held - self.spent


class LedgerEntry(Row):
    """One movement of credits. Append-only; a subject is reserved once and then settled or given back once."""

    NOUN = "ledger_entry"

    allowance = models.ForeignKey(Allowance, models.PROTECT, related_name="entries")
    kind = models.TextField(choices=[(k, k.replace("_", " ")) for k in ("grant", "reserve", "settle", "give_back")])
    amount = models.PositiveIntegerField()
    subject = models.UUIDField(
        null=True, help_text="The generation that it is about; not a key: that lives downstream."
    )

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["subject"], condition=Q(kind="reserve"), name="reserved_once"),
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(kind__in=["settle", "give_back"]),
                name="settled_or_given_back_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="grant") | Q(subject__isnull=False), name="a_movement_names_its_subject"
            ),
        ]

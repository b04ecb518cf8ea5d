"""What artists did for the program, and what is owed to them."""

from django.db import models
from django.db.models import F, Q

from .base import Living, states
from .members import User
from .program import Rate, money


class Contribution(Living):
    """One thing that an artist did for the program, priced at once by the rate card that they had accepted.

    Accepted is owed. What was reported is never changed, nor is anything that was said about it.
    """

    NOUN = "contribution"
    MOVES = {
        "reported": {"accepted", "declined"},
        "declined": {"disputed"},
        "disputed": {"accepted", "upheld"},
        "accepted": {"paid"},
        "upheld": set(),
        "paid": set(),
    }
    UNDECIDED = ("reported", "disputed")

    user = models.ForeignKey(User, models.PROTECT, related_name="contributions")
    rate = models.ForeignKey(Rate, models.PROTECT, related_name="contributions")
    state = states("reported", "accepted", "declined", "disputed", "upheld", "paid")
    kind = models.TextField(choices=[(kind, kind.replace("_", " ")) for kind in Rate.KINDS])
    minutes = models.PositiveIntegerField(null=True)
    cents = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    title = models.CharField(max_length=120)
    body = models.TextField()
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reason = models.TextField("why it was declined", blank=True)
    dispute = models.TextField("what the artist says to that", blank=True)
    heard_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answer = models.TextField("the answer to the dispute", blank=True)
    paid_at = models.DateTimeField(null=True)
    paid_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reference = models.CharField("reference of the payment", max_length=120, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], name="contribution_of_a_person"),
            models.Index(
                fields=["id"], condition=Q(state__in=["reported", "disputed", "accepted"]), name="contribution_open"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="test_hour", minutes__gte=1, minutes__lte=1440)
                | (~Q(kind="test_hour") & Q(minutes__isnull=True)),
                name="test_time_is_in_minutes",
            ),
            models.CheckConstraint(
                condition=Q(title__regex=r"\S") & Q(body__regex=r"\S"), name="a_contribution_says_what"
            ),
            models.CheckConstraint(
                condition=Q(state="reported", decided_by__isnull=True)
                | ~Q(state="reported") & Q(decided_by__isnull=False),
                name="a_decision_names_who",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["declined", "disputed", "upheld"]) | Q(reason__regex=r"\S"),
                name="a_declined_contribution_has_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["disputed", "upheld"]) | Q(dispute__regex=r"\S"),
                name="a_dispute_says_why",
            ),
            models.CheckConstraint(
                condition=Q(heard_by__isnull=True)
                | Q(answer__regex=r"\S") & Q(dispute__regex=r"\S") & ~Q(heard_by=F("decided_by")),
                name="a_dispute_is_heard_by_somebody_else",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["upheld", "accepted", "paid"]) | Q(dispute="") | Q(heard_by__isnull=False),
                name="a_dispute_that_ended_was_heard",
            ),
            models.CheckConstraint(
                condition=Q(state="paid", paid_at__isnull=False, paid_by__isnull=False, reference__regex=r"\S")
                | ~Q(state="paid") & Q(paid_at__isnull=True, paid_by__isnull=True, reference=""),
                name="a_payment_says_when_and_by_what",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{who}__isnull": True}) | ~Q(**{who: F("user")}), name=f"never_{who}_oneself"
                )
                for who in ("decided_by", "heard_by", "paid_by")
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def amount(self) -> str:
        """As people read it."""
        return money(self.cents, self.currency)

"""What an artist agrees to, by version, and what the program pays for and is set to."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from .base import Row
from .members import User

SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


def money(cents: int, currency: str) -> str:
    """An amount as people read it: 1,240.00 €."""
    return f"{cents // 100:,}.{cents % 100:02} {SIGNS.get(currency, currency)}"


class Program(Row):
    """The one row of what an admin switches for the whole program."""

    NOUN = "program"

    only = models.BooleanField(default=True, unique=True, editable=False)
    takes_requests = models.BooleanField("anybody may ask for access", default=False)
    request_hours = models.PositiveIntegerField("hours until a request is answered", default=7 * 24)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(only=True), name="there_is_one_program"),
            models.CheckConstraint(condition=Q(request_hours__gte=1), name="answers_to_requests_take_time"),
        ]


class Terms(Row):
    """One version of the program's terms; its rates are its rate card. Never edited: a change is a new version."""

    NOUN = "terms"

    version = models.PositiveIntegerField(unique=True)
    body = models.TextField()
    currency = models.CharField("currency of the rate card", max_length=3, db_default="EUR")
    in_force_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-version"]
        verbose_name_plural = "terms"
        constraints = [
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="a_currency_is_three_letters"),
            models.CheckConstraint(condition=Q(in_force_at__gte=F("created_at")), name="terms_are_never_backdated"),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"

    def card(self) -> list["Rate"]:
        """The rates, in the order in which they are always shown."""
        return sorted(self.rates.all(), key=lambda rate: Rate.KINDS.index(rate.kind))


class Rate(Row):
    """What the program pays for one kind of contribution. Append-only, and no rate joins a card that was accepted."""

    NOUN = "rate"
    KINDS = ("test_hour", "bug_report", "feedback", "showcase")

    terms = models.ForeignKey(Terms, models.PROTECT, related_name="rates")
    kind = models.TextField(choices=[(kind, kind.replace("_", " ")) for kind in KINDS])
    words = models.CharField("what it is paid for", max_length=200)
    cents = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["terms", "kind"], name="one_rate_a_kind"),
            models.CheckConstraint(
                condition=Q(kind__in=["test_hour", "bug_report", "feedback", "showcase"]), name="rate_kinds_are_known"
            ),
            models.CheckConstraint(condition=Q(words__regex=r"\S"), name="a_rate_says_what_for"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.terms}"

    @property
    def unit(self) -> str:
        """What the amount is for one of."""
        return "hour" if self.kind == "test_hour" else "piece"

    @property
    def amount(self) -> str:
        """As people read it."""
        return money(self.cents, self.terms.currency)


class TermsAcceptance(Row):
    """Who accepted which version, and when. Append-only."""

    NOUN = "terms_acceptance"

    terms = models.ForeignKey(Terms, models.PROTECT, related_name="acceptances")
    user = models.ForeignKey(User, models.PROTECT, related_name="acceptances")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["terms", "user"], name="terms_are_accepted_once")]

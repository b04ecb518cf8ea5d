"""What somebody from outside says against a published work, and what they are answered."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from gateway.models import User
from gateway.models.base import Living, states

from .policy import Clause
from .publications import Publication
from .submissions import Decision


class ReportQuerySet(models.QuerySet["Report"]):
    def waiting(self) -> "ReportQuerySet":
        """Those that are owed an answer."""
        return self.filter(state__in=Report.WAITING)

    def overdue(self) -> "ReportQuerySet":
        return self.waiting().filter(due_at__lt=Now())

    def listed(self) -> "ReportQuerySet":
        return self.select_related("publication__revision", "clause", "answered_by", "heard_by")


class Report(Living):
    """Anybody says why a published work should not be public. The link to its page is stored as a digest; who holds it
    reads the answer, and may ask once that somebody else looks at it again.

    A report whose work went meanwhile is `settled`: nothing is left to decide.
    """

    NOUN = "report"
    MOVES = {
        "open": {"upheld", "declined", "settled", "withdrawn"},
        "declined": {"disputed"},
        "disputed": {"upheld", "confirmed", "settled", "withdrawn"},
        "upheld": set(),
        "confirmed": set(),
        "settled": set(),
        "withdrawn": set(),
    }
    WAITING = ("open", "disputed")
    #: By these somebody could be known: emptied when they are not needed any more.
    PERSONAL: ClassVar[tuple[str, ...]] = ("name", "email", "sender")

    publication = models.ForeignKey(Publication, models.PROTECT, related_name="reports")
    clause = models.ForeignKey(Clause, models.PROTECT, null=True, blank=True, related_name="+")
    words = models.TextField()
    good_faith = models.BooleanField("says that it is accurate and complete")
    name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    sender = models.BinaryField("from where it came, as a fingerprint", max_length=32)
    digest = models.BinaryField(max_length=32, unique=True)
    state = states("open", "upheld", "declined", "disputed", "confirmed", "settled", "withdrawn")
    due_at = models.DateTimeField("an answer is due")
    reminded_at = models.DateTimeField("admins were reminded", null=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)
    reason = models.TextField("the answer", blank=True)
    dispute = models.TextField("why somebody else should look again", blank=True)
    heard_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    finding = models.TextField("the second answer", blank=True)
    decision = models.ForeignKey(Decision, models.PROTECT, null=True, related_name="reports")
    closed_at = models.DateTimeField("nothing waits any more", null=True)
    forgotten_at = models.DateTimeField(null=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=["open", "disputed"]), name="report_to_answer"),
            models.Index(fields=["-closed_at"], condition=Q(closed_at__isnull=False), name="report_latest_answer"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(words__regex=r"\S"), name="a_report_has_words"),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("words"), 5000) & LessThanOrEqual(Length("dispute"), 5000),
                name="a_report_has_a_limit",
            ),
            models.CheckConstraint(condition=Q(good_faith=True), name="a_report_is_made_in_good_faith"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "disputed"], closed_at__isnull=True)
                | ~Q(state__in=["open", "disputed"]) & Q(closed_at__isnull=False),
                name="a_report_waits_or_is_closed",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["declined", "disputed", "confirmed"])
                | Q(answered_by__isnull=False, answered_at__isnull=False, reason__regex=r"\S"),
                name="who_declines_a_report_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["disputed", "confirmed"]) | Q(dispute__regex=r"\S"),
                name="a_dispute_of_a_report_has_words",
            ),
            models.CheckConstraint(
                condition=~Q(state="confirmed") | Q(heard_by__isnull=False, finding__regex=r"\S"),
                name="a_second_answer_says_by_whom_and_why",
            ),
            models.CheckConstraint(
                condition=Q(heard_by__isnull=True) | ~Q(heard_by=F("answered_by")),
                name="a_report_is_heard_by_somebody_else",
            ),
            models.CheckConstraint(
                condition=Q(state="upheld", decision__isnull=False, answered_by__isnull=False)
                | ~Q(state="upheld") & Q(decision__isnull=True),
                name="an_upheld_report_names_the_take_down",
            ),
        ]

    def __str__(self) -> str:
        return f"report of {self.created_at:%-d %B %Y}"

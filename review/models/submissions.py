"""From a submission to a verdict: what is asked, what is answered."""

from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from gateway.actors import Actor
from gateway.models import Membership, User
from gateway.models.base import Living, Row, states
from generation.models import Generation, Output

if TYPE_CHECKING:
    from .publications import Publication

LICENCES = (
    ("all-rights-reserved", "All rights reserved"),
    ("CC-BY-4.0", "CC BY 4.0"),
    ("CC-BY-SA-4.0", "CC BY-SA 4.0"),
    ("CC-BY-NC-4.0", "CC BY-NC 4.0"),
    ("CC-BY-NC-ND-4.0", "CC BY-NC-ND 4.0"),
    ("CC0-1.0", "CC0 1.0"),
)


def _pending() -> "models.QuerySet[Decision]":
    """Of a submission (the outer query): the decisions about its current revision that can still be undone."""
    return Decision.objects.filter(revision=models.OuterRef("current"), undone_at__isnull=True, effective_at__gt=Now())


class SubmissionQuerySet(models.QuerySet["Submission"]):
    def visible_to(self, actor: Actor) -> "SubmissionQuerySet":
        """To its artist; to reviewers while they hold it or after they decided on it."""
        if actor.user is None:
            return self.none()
        mine = Q(membership__user=actor.user)
        if not actor.is_reviewer:
            return self.filter(mine)
        held = Q(holder=actor.user, lease_until__gt=Now())
        decided = models.Exists(
            Decision.objects.filter(revision__submission=models.OuterRef("pk"), reviewer=actor.user)
        )
        return self.filter(mine | held | decided)

    def waiting(self) -> "SubmissionQuerySet":
        """What waits for a reviewer: a query, not a push."""
        return self.filter(Q(holder__isnull=True) | Q(lease_until__lte=Now()), state__in=Submission.WAITING)

    def shown_as(self, *states: str) -> "SubmissionQuerySet":
        """Those whose artist knows them in one of `states`: nothing tells of a decision that can still be undone."""
        hidden = Q(state="escalated") | models.Exists(_pending()) & ~Q(state="withdrawn")
        found = Q(state__in=states) & ~hidden
        return self.filter(found | hidden if "submitted" in states else found)

    def listed(self) -> "SubmissionQuerySet":
        """Everything that a row of a list shows, in a constant number of queries."""
        verdicts = Decision.objects.effective().exclude(verdict="escalate")
        return (
            self.annotate(pending=models.Exists(_pending()))
            .select_related(
                "membership__user",
                "membership__cohort",
                "generation__model",
                "current__output__generation__model",
                "publication",
            )
            .prefetch_related("generation__outputs", models.Prefetch("current__decisions", verdicts, "verdicts"))
        )


class Submission(Living):
    """An artist asks whether a work may become public. Taking it is a lease, not a state."""

    NOUN = "submission"
    MOVES = {
        "submitted": {"changes_requested", "escalated", "approved", "rejected", "withdrawn"},
        "changes_requested": {"submitted", "escalated", "withdrawn"},
        "escalated": {"changes_requested", "approved", "rejected", "submitted", "withdrawn"},
        "approved": {"submitted", "escalated", "withdrawn"},
        "rejected": {"submitted", "escalated", "withdrawn"},
        "withdrawn": set(),
    }
    WAITING = ("submitted", "escalated")

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="submissions")
    generation = models.ForeignKey(Generation, models.PROTECT, related_name="submissions")
    current = models.OneToOneField("Revision", models.PROTECT, null=True, related_name="+")
    state = states("submitted", "changes_requested", "escalated", "approved", "rejected", "withdrawn")
    due_at = models.DateTimeField()
    holder = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    lease_until = models.DateTimeField(null=True)
    renewals = models.PositiveSmallIntegerField(default=0)

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["membership", "-id"], name="submission_of_a_member"),
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state__in=["submitted", "escalated"]),
                name="submission_due",
            ),
            models.Index(fields=["holder"], condition=Q(holder__isnull=False), name="submission_held"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["generation"],
                condition=~Q(state__in=["withdrawn", "rejected"]),
                name="one_live_submission_a_work",
            ),
            models.CheckConstraint(
                condition=Q(holder__isnull=True, lease_until__isnull=True)
                | Q(holder__isnull=False, lease_until__isnull=False),
                name="a_lease_has_a_holder_and_an_end",
            ),
        ]

    def must_have_revision(self) -> "Revision":
        """Its current revision: every submission has one from the transaction on that made it."""
        if self.current is None:
            raise ValueError(f"submission {self.pk} has no revision")
        return self.current

    @property
    def shown_state(self) -> str:
        """What the artist knows: nothing of a decision that can still be undone, nor of who asked a colleague.

        Of rows out of `listed()` only.
        """
        if self.state == "withdrawn" or not (self.pending or self.state == "escalated"):  # type: ignore[attr-defined]
            return self.state
        return "submitted"

    @property
    def verdict(self) -> "Decision | None":
        """The decision in effect about the current revision. Of rows out of `listed()` only."""
        return next(iter(self.current.verdicts), None) if self.current else None  # type: ignore[attr-defined]

    @property
    def public(self) -> "Publication | None":
        """Its publication, if the artist signed."""
        return getattr(self, "publication", None)


class Revision(Row):
    """What exactly is asked for: this file by its hash, this credit, this licence, this description. Immutable."""

    NOUN = "revision"

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="revisions")
    number = models.PositiveSmallIntegerField()
    output = models.ForeignKey(Output, models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)
    title = models.CharField(max_length=120)
    credit = models.CharField(max_length=120)
    licence = models.CharField(max_length=40, choices=LICENCES)
    description = models.TextField(blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "number"], name="revisions_are_numbered"),
            models.CheckConstraint(condition=~Q(title="") & ~Q(credit=""), name="a_revision_has_title_and_credit"),
        ]


class DecisionQuerySet(models.QuerySet["Decision"]):
    def effective(self) -> "DecisionQuerySet":
        """Those whose undo window has ended without an undo."""
        return self.filter(undone_at__isnull=True, effective_at__lte=Now())


class Decision(Row):
    """A verdict about one revision. It takes effect when its undo window ends."""

    NOUN = "decision"
    VERDICTS = ("approve", "request_changes", "reject", "escalate")

    revision = models.ForeignKey(Revision, models.PROTECT, related_name="decisions")
    reviewer = models.ForeignKey(User, models.PROTECT, related_name="decisions")
    verdict = models.TextField(choices=[(verdict, verdict.replace("_", " ")) for verdict in VERDICTS])
    clauses = ArrayField(models.UUIDField(), default=list, help_text="The clauses that it names; a trigger knows them.")
    facts = models.TextField(blank=True)
    from_seconds = models.FloatField(null=True)
    to_seconds = models.FloatField(null=True)
    region = models.CharField(max_length=200, blank=True)
    note = models.TextField("note for colleagues", blank=True)
    state_before = models.TextField()
    effective_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)
    announced_at = models.DateTimeField(null=True)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["effective_at"],
                condition=Q(announced_at__isnull=True, undone_at__isnull=True),
                name="decision_to_announce",
            ),
            models.Index(fields=["reviewer", "-id"], name="decision_of_a_reviewer"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["revision"],
                condition=Q(undone_at__isnull=True) & ~Q(verdict="escalate"),
                name="one_verdict_a_revision",
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["approve", "escalate"])
                | (
                    Q(clauses__len__gte=1)
                    & Q(facts__regex=r"\S")
                    & (Q(from_seconds__isnull=False) | Q(region__regex=r"\S"))
                ),
                name="a_refusal_owes_clause_facts_and_place",
            ),
            # Below a day, which neither infinity nor "not a number" is.
            models.CheckConstraint(
                condition=Q(from_seconds__isnull=True) | Q(from_seconds__gte=0, from_seconds__lt=86400),
                name="a_place_begins_in_a_clip",
            ),
            models.CheckConstraint(
                condition=Q(to_seconds__isnull=True) | Q(to_seconds__gte=0, to_seconds__lt=86400),
                name="a_place_ends_in_a_clip",
            ),
            models.CheckConstraint(condition=LessThanOrEqual(Length("facts"), 5000), name="facts_have_a_limit"),
            models.CheckConstraint(
                condition=Q(to_seconds__isnull=True) | Q(to_seconds__gte=F("from_seconds")),
                name="a_place_runs_forwards",
            ),
        ]

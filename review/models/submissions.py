"""From a submission to a verdict: what is asked, what is answered."""

from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Length, Now
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
DEEDS = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "CC-BY-NC-ND-4.0": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}


def _pending() -> "models.QuerySet[Decision]":
    """Of a submission (the outer query): the decisions about its current revision that can still be undone.

    None of them is announced, which an index knows: they are few, of however many.
    """
    return Decision.objects.filter(
        revision=OuterRef("current"), undone_at__isnull=True, announced_at__isnull=True, effective_at__gt=Now()
    )


def _before() -> Subquery:
    """Of a submission (the outer query): the state from which a decision moved it that can still be undone."""
    return Subquery(_pending().order_by("id").values("state_before")[:1])


class SubmissionQuerySet(models.QuerySet["Submission"]):
    def visible_to(self, actor: Actor) -> "SubmissionQuerySet":
        """To its artist; to reviewers while they hold it or after they decided on it."""
        if actor.user is None:
            return self.none()
        mine = Q(membership__user=actor.user)
        if not actor.is_reviewer:
            return self.filter(mine)
        held = Q(holder=actor.user, lease_until__gt=Now())
        decided = Exists(Decision.objects.filter(revision__submission=OuterRef("pk"), reviewer=actor.user))
        return self.filter(mine | held | decided)

    def waiting(self) -> "SubmissionQuerySet":
        """What waits for a reviewer: a query, not a push. What can still be undone waits for nobody yet."""
        free = Q(holder__isnull=True) | Q(lease_until__lte=Now())
        return self.filter(free, ~Exists(_pending()), lane__isnull=False)

    def undecided(self) -> "SubmissionQuerySet":
        """Those about which somebody can still undo an answer."""
        return self.filter(Exists(_pending())).exclude(state="withdrawn")

    def shown_as(self, *states: str) -> "SubmissionQuerySet":
        """Those whose artist knows them in one of `states`: nothing tells of a decision that can still be undone."""
        known = Case(
            When(state="withdrawn", then=F("state")),
            default=Coalesce(_before(), F("state")),
            output_field=models.TextField(),
        )
        wanted = {state for state in self.model.MOVES if self.model.HIDDEN.get(state, state) in states}
        return self.alias(known=known).filter(known__in=wanted)

    def listed(self) -> "SubmissionQuerySet":
        """Everything that a row of a list shows, in a constant number of queries."""
        verdicts = Decision.objects.effective().filter(decides=True).order_by("-id")
        return (
            self.annotate(before=_before())
            .select_related(
                "membership__user",
                "membership__cohort",
                "generation__model",
                "current__output__generation__model",
                "publication",
            )
            .prefetch_related("generation__outputs", models.Prefetch("current__decisions", verdicts, "verdicts"))
        )

    def told(self) -> "SubmissionQuerySet":
        """`listed`, with every answer that the artist was given, its appeal, and whether the work was sent anew."""
        answers = Decision.objects.told().select_related("appeal").prefetch_related("reports").order_by("id")
        revisions = Revision.objects.prefetch_related(models.Prefetch("decisions", answers, "answers"))
        anew = self.model.objects.filter(generation=OuterRef("generation"), pk__gt=OuterRef("pk"))
        return (
            self.listed()
            .annotate(anew=Exists(anew.exclude(state="withdrawn")))
            .prefetch_related(models.Prefetch("revisions", revisions, "history"))
        )


class Submission(Living):
    """An artist asks whether a work may become public. Taking it is a lease, not a state."""

    NOUN = "submission"
    MOVES = {
        "submitted": {"awaiting_second", "changes_requested", "escalated", "approved", "rejected", "withdrawn"},
        "awaiting_second": {"submitted", "changes_requested", "escalated", "approved", "rejected", "withdrawn"},
        "escalated": {"submitted", "awaiting_second", "changes_requested", "approved", "rejected", "withdrawn"},
        "changes_requested": {"submitted", "awaiting_second", "escalated", "approved", "withdrawn"},
        "rejected": {"submitted", "awaiting_second", "escalated", "approved", "withdrawn"},
        "approved": {"submitted", "awaiting_second", "escalated", "changes_requested", "rejected", "withdrawn"},
        "withdrawn": set(),
    }
    WAITING = ("submitted", "awaiting_second", "escalated")
    LANES = ("first", "second", "escalated", "appeal")
    #: What the artist knows it as: nothing of who asked a colleague.
    HIDDEN = {"awaiting_second": "submitted", "escalated": "submitted"}

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="submissions")
    generation = models.ForeignKey(Generation, models.PROTECT, related_name="submissions")
    current = models.OneToOneField("Revision", models.PROTECT, null=True, related_name="+")
    state = states(
        "submitted", "awaiting_second", "changes_requested", "escalated", "approved", "rejected", "withdrawn"
    )
    second = models.TextField(
        "why two look at it",
        blank=True,
        choices=[("policy", "each work"), ("sample", "the sample"), ("clause", "the clause that was named")],
    )
    hearing = models.BooleanField("an appeal is open", default=False)
    lane = models.GeneratedField(
        expression=Case(
            When(hearing=True, then=Value("appeal")),
            When(state="submitted", then=Value("first")),
            When(state="awaiting_second", then=Value("second")),
            When(state="escalated", then=Value("escalated")),
        ),
        output_field=models.TextField(null=True),
        db_persist=True,
    )
    due_at = models.DateTimeField()
    overdue_at = models.DateTimeField("the answer was late", null=True)
    holder = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    lease_until = models.DateTimeField(null=True)
    renewals = models.PositiveSmallIntegerField(default=0)

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["membership", "-id"], name="submission_of_a_member"),
            models.Index(fields=["due_at", "id"], condition=Q(lane__isnull=False), name="submission_due"),
            models.Index(fields=["lane", "due_at", "id"], condition=Q(lane__isnull=False), name="submission_in_lane"),
            models.Index(fields=["holder"], condition=Q(holder__isnull=False), name="submission_held"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["generation"],
                condition=~Q(state__in=["withdrawn", "rejected"]) | Q(hearing=True),
                name="one_live_submission_a_work",
            ),
            models.CheckConstraint(
                condition=Q(hearing=False) | Q(state__in=["changes_requested", "rejected", "approved"]),
                name="an_appeal_is_heard_after_an_answer",
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
        if self.state == "withdrawn":
            return self.state
        known: str = self.before or self.state  # type: ignore[attr-defined]
        return self.HIDDEN.get(known, known)

    @property
    def verdict(self) -> "Decision | None":
        """The decision in effect about the current revision, an appeal's before what it overturned. Of rows out of
        `listed()` only."""
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

    @property
    def deed(self) -> str:
        """Where its licence can be read; nothing when all rights are reserved."""
        return DEEDS.get(self.licence, "")


class Skip(Row):
    """A reviewer let a work go: for the length of a lease it is not the next one that they get."""

    NOUN = "skip"

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="+")
    reviewer = models.ForeignKey(User, models.CASCADE, related_name="+")
    until = models.DateTimeField()
    renewals = models.PositiveSmallIntegerField("how often it had been kept longer")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["submission", "reviewer"], name="one_skip_a_pair")]


class DecisionQuerySet(models.QuerySet["Decision"]):
    def effective(self) -> "DecisionQuerySet":
        """Those whose undo window has ended without an undo."""
        return self.filter(undone_at__isnull=True, effective_at__lte=Now())

    def told(self) -> "DecisionQuerySet":
        """Of those, what the artist was given as an answer: nothing of a look that settled nothing."""
        return self.effective().filter(Q(decides=True) | Q(role__in=["appeal", "take_down"]))

    def against(self) -> "DecisionQuerySet":
        """Those in effect that speak against a work: refusals, requests for changes, take-downs."""
        return self.effective().filter(Q(decides=True) | Q(role="take_down"), verdict__in=Decision.REFUSALS)


class Decision(Row):
    """A verdict about one revision. It takes effect when its undo window ends.

    `role` is the look in which it was made: the `sole` one, the `first` or the `second` of two, the `final` one after
    an escalation, by `default` (silence past the due date, nobody's), on `appeal`, or a `take_down` of what was public.
    `decides` says that it brought the submission's answer; a first look that waits for the second does not, nor does
    one that disagreed.
    """

    NOUN = "decision"
    VERDICTS = ("approve", "request_changes", "reject", "escalate", "take_down", "uphold")
    REFUSALS = ("request_changes", "reject", "take_down")
    ROLES = ("sole", "first", "second", "final", "default", "appeal", "take_down")
    OUTCOMES = ("sole", "second", "final", "default")

    revision = models.ForeignKey(Revision, models.PROTECT, related_name="decisions")
    reviewer = models.ForeignKey(User, models.PROTECT, null=True, related_name="decisions")
    role = models.TextField(choices=[(role, role.replace("_", " ")) for role in ROLES])
    decides = models.BooleanField("brought the answer")
    verdict = models.TextField(choices=[(verdict, verdict.replace("_", " ")) for verdict in VERDICTS])
    clauses = ArrayField(models.UUIDField(), default=list, help_text="The clauses that it names; a trigger knows them.")
    facts = models.TextField(blank=True)
    from_seconds = models.FloatField(null=True)
    to_seconds = models.FloatField(null=True)
    region = models.CharField(max_length=200, blank=True)
    note = models.TextField("note for colleagues", blank=True)
    state_before = models.TextField()
    state_after = models.TextField()
    due_at = models.DateTimeField("was due", null=True)
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
            models.Index(
                fields=["-effective_at", "-id"],
                condition=Q(undone_at__isnull=True) & ~Q(clauses=[]),
                name="decision_as_precedent",
            ),
            models.Index(fields=["effective_at"], condition=Q(undone_at__isnull=True), name="decision_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["revision"],
                condition=Q(undone_at__isnull=True, decides=True, role__in=["sole", "second", "final", "default"]),
                name="one_verdict_a_revision",
            ),
            models.UniqueConstraint(
                fields=["revision", "role"],
                condition=Q(undone_at__isnull=True, role__in=["first", "second"]),
                name="one_look_of_a_kind_a_revision",
            ),
            models.CheckConstraint(
                condition=Q(role="default", reviewer__isnull=True) | ~Q(role="default") & Q(reviewer__isnull=False),
                name="a_decision_has_a_reviewer_or_is_silence",
            ),
            models.CheckConstraint(
                condition=~Q(role="appeal") | Q(facts__regex=r"\S"), name="an_appeal_is_answered_in_words"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["approve", "escalate", "uphold"])
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


class AppealQuerySet(models.QuerySet["Appeal"]):
    def visible_to(self, actor: Actor) -> "AppealQuerySet":
        """To its artist."""
        return self.filter(decision__revision__submission__membership__user=actor.user) if actor.user else self.none()


class Appeal(Living):
    """An artist asks somebody else to look at a refusal again: free, once for each decision.

    A hearing is a decision of its own and can be undone like any other: hence the ways back to `open`.
    """

    NOUN = "appeal"
    MOVES = {
        "open": {"upheld", "overturned", "withdrawn"},
        "upheld": {"open"},
        "overturned": {"open"},
        "withdrawn": set(),
    }

    decision = models.OneToOneField(Decision, models.PROTECT, related_name="appeal")
    original_reviewer = models.ForeignKey(User, models.PROTECT, related_name="+")
    words = models.TextField()
    state = states("open", "upheld", "overturned", "withdrawn")
    due_at = models.DateTimeField()
    heard_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    hearing = models.OneToOneField(Decision, models.PROTECT, null=True, related_name="heard")

    objects = AppealQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(heard_by__isnull=True) | ~Q(heard_by=F("original_reviewer")),
                name="an_appeal_is_heard_by_somebody_else",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["upheld", "overturned"], heard_by__isnull=False, hearing__isnull=False)
                | Q(state__in=["open", "withdrawn"], heard_by__isnull=True, hearing__isnull=True),
                name="a_heard_appeal_says_by_whom",
            ),
            models.CheckConstraint(condition=Q(words__regex=r"\S"), name="an_appeal_has_words"),
            models.CheckConstraint(condition=LessThanOrEqual(Length("words"), 5000), name="an_appeal_has_a_limit"),
        ]

"""A reviewer decides about one revision; the decision takes effect when its undo window has ended.

The move carries the lease in its `when`: ten reviewers deciding at once write one verdict. Until `effective_at`
nothing is said to the artist, nothing can be signed, and the reviewer can undo.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import DateTimeField, Func, Q
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, audit, notices, refusals, states
from gateway.actors import Actor
from review import queue
from review.models import Clause, Decision, Submission

FOREVER = 86_400  # seconds; a clip is shorter
BECOMES = {
    "approve": "approved",
    "request_changes": "changes_requested",
    "reject": "rejected",
    "escalate": "escalated",
}


class ClockTimestamp(Func):
    """PostgreSQL's clock at the moment of asking."""

    function = "clock_timestamp"
    output_field = DateTimeField()


@dataclass(frozen=True)
class Reasons:
    """What a refusal owes: clauses of the policy, the facts, and the place: seconds into the clip, or a region."""

    clauses: Sequence[UUID] = ()
    facts: str = ""
    from_seconds: float | None = None
    to_seconds: float | None = None
    region: str = ""

    def must_be_whole(self, length: float) -> None:
        """For a clip of `length` seconds. Raises ReasonsMissing that names each missing one, UnknownClause."""
        missing = [
            name
            for name, there in (
                ("a clause of the policy", bool(self.clauses)),
                ("the facts", bool(self.facts.strip())),
                ("the place in the clip", self.from_seconds is not None or bool(self.region.strip())),
            )
            if not there
        ]
        if missing:
            raise refusals.ReasonsMissing(missing=" and ".join(missing))
        if self.from_seconds is not None and not 0 <= self.from_seconds <= length:
            raise refusals.ReasonsMissing(missing=f"a place in the clip, 0 to {length:.1f} s", param="from_seconds")
        if self.to_seconds is not None and not (self.from_seconds or 0) <= self.to_seconds < FOREVER:
            raise refusals.ReasonsMissing(missing="a place that ends after it begins", param="to_seconds")
        known = Clause.objects.filter(pk__in=self.clauses, retired_at__isnull=True).count()
        if known != len(set(self.clauses)):
            raise refusals.UnknownClause(param="clauses")


NONE = Reasons()


def in_force() -> list[Clause]:
    """The policy."""
    return list(Clause.objects.filter(retired_at__isnull=True))


def approve(submission: Submission, *, by: Actor, note: str = "") -> Decision:
    """Nothing in the policy stands against it: the artist may sign. Raises NotHeld, ReviewersOnly, MissingScope."""
    return _decide(submission, "approve", NONE, note, by)


def request_changes(submission: Submission, *, by: Actor, reasons: Reasons, note: str = "") -> Decision:
    """Ask for a new version, with reasons.

    Raises ReasonsMissing, UnknownClause, NotHeld, ReviewersOnly, MissingScope.
    """
    reasons.must_be_whole(submission.must_have_revision().output.seconds)
    return _decide(submission, "request_changes", reasons, note, by)


def reject(submission: Submission, *, by: Actor, reasons: Reasons, note: str = "") -> Decision:
    """Refuse it, with reasons. Raises ReasonsMissing, UnknownClause, NotHeld, ReviewersOnly, MissingScope."""
    reasons.must_be_whole(submission.must_have_revision().output.seconds)
    return _decide(submission, "reject", reasons, note, by)


def escalate(submission: Submission, *, by: Actor, note: str = "") -> Decision:
    """Hand it to another reviewer. Raises NotHeld, ReviewersOnly, MissingScope, WrongState when it is escalated."""
    return _decide(submission, "escalate", NONE, note, by)


def undo(decision: Decision, *, by: Actor) -> None:
    """Take one's decision back while its window is open; one holds the work again.

    Raises NotYoursToUndo, TooLateToUndo.
    """
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    if decision.reviewer_id != reviewer.pk:
        raise refusals.NotYoursToUndo
    submission = decision.revision.submission
    with atomic():
        # The submission first, as everywhere. Then the clock, not the statement's beginning: it may have waited.
        Submission.objects.select_for_update().get(pk=submission.pk)
        undoable = Decision.objects.filter(
            pk=decision.pk, undone_at__isnull=True, announced_at__isnull=True, effective_at__gt=ClockTimestamp()
        )
        if not undoable.update(undone_at=Now()):
            raise refusals.TooLateToUndo
        free_or_mine = Q(holder__isnull=True) | Q(holder=reviewer) | Q(lease_until__lte=Now())
        as_decided = Q(state=BECOMES[decision.verdict])
        states.move(
            submission,
            decision.state_before,
            by=by,
            when=free_or_mine & as_decided,
            holder=reviewer,
            lease_until=Now() + queue.lease(),
        )
        audit.record("decision.undone", by=by, subject=decision)


def announce() -> int:
    """Tell artists of the decisions that have taken effect, each once; return how many."""
    told = 0
    due = (
        Decision.objects.effective()
        .filter(announced_at__isnull=True)
        .select_related("revision__submission__membership__user")
    )
    for decision in due:
        with atomic():
            if not Decision.objects.filter(pk=decision.pk, announced_at__isnull=True, undone_at__isnull=True).update(
                announced_at=Now()
            ):
                continue
            audit.record("decision.in_effect", by=actors.SYSTEM, subject=decision)
            submission = decision.revision.submission
            if decision.verdict != "escalate" and submission.state != "withdrawn":
                notices.tell(
                    submission.membership.user,
                    *letter(decision),
                    path=f"/mine/{submission.generation_id.hex}",
                )
        told += 1
    return told


def letter(decision: Decision, clauses: Sequence[Clause] | None = None) -> tuple[str, str]:
    """What the artist is written: subject and text. `clauses` are the decision's, when they are at hand."""
    title = decision.revision.title
    if decision.verdict == "approve":
        return f"“{title}” is approved", (
            f"“{title}” is approved. Nothing is public: it waits for your signature. "
            "Sign it to publish, or leave it private; both are yours to decide."
        )
    named = clauses_of(decision) if clauses is None else clauses
    under = "; ".join(f"clause {clause.number}, {clause.title.lower()}" for clause in named)
    asks = "We ask for a change" if decision.verdict == "request_changes" else "We can't approve it"
    after = (
        "You can send a new version, or withdraw it."
        if decision.verdict == "request_changes"
        else "It stays yours: you can keep and download it."
    )
    return (
        f"“{title}”: " + ("a change is asked for" if decision.verdict == "request_changes" else "not approved"),
        f"{asks} under {under}, {place(decision)}:\n\n{decision.facts}\n\n{after} Criticism is never a reason.",
    )


def place(decision: Decision) -> str:
    """Where in the clip, in words."""
    if decision.from_seconds is None:
        return decision.region
    where = f"from {decision.from_seconds:.1f} s"
    if decision.to_seconds is not None:
        where += f" to {decision.to_seconds:.1f} s"
    return f"{where}, {decision.region}" if decision.region else where


def clauses_of(decision: Decision) -> list[Clause]:
    """The clauses that a decision names, in the wording that was in force."""
    return list(Clause.objects.filter(pk__in=decision.clauses)) if decision.clauses else []


def _decide(submission: Submission, verdict: str, reasons: Reasons, note: str, by: Actor) -> Decision:
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    if submission.membership.user_id == reviewer.pk:
        raise refusals.OwnWork
    held = Q(holder=reviewer, lease_until__gt=Now())
    with atomic():
        # Who holds it has seen this revision: a new one begins a new wait.
        before = Submission.objects.select_for_update().filter(held, pk=submission.pk).first()
        if before is None:
            raise refusals.NotHeld
        decision = Decision(
            revision=before.must_have_revision(),
            reviewer=reviewer,
            verdict=verdict,
            clauses=list(reasons.clauses),
            facts=reasons.facts.strip(),
            from_seconds=reasons.from_seconds,
            to_seconds=reasons.to_seconds,
            region=reasons.region.strip(),
            note=note.strip(),
            state_before=before.state,
            effective_at=Now() + timedelta(seconds=settings.UNDO_SECONDS),
        )
        states.move(submission, BECOMES[verdict], by=by, when=held, holder=None, lease_until=None, renewals=0)
        decision.save(force_insert=True)
        decision.refresh_from_db(fields=["effective_at"])
        audit.record(
            f"decision.{verdict}",
            by=by,
            subject=decision,
            facts={
                "submission": submission.pk,
                "revision": decision.revision_id,
                "clauses": decision.clauses,
            },
            detail={"facts": decision.facts, "note": decision.note} if decision.facts or decision.note else None,
        )
    return decision

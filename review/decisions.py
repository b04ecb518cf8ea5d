"""A reviewer decides about one revision; the decision takes effect when its undo window has ended.

The move carries the lease in its `when`: ten reviewers deciding at once write one verdict. Until `effective_at`
nothing is said to the artist, nothing can be signed, and the reviewer can undo.

Where two are to look, the first look settles nothing: the second, blind to it, either agrees, and that is the answer,
or does not, and then a third person decides.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import DateTimeField, Func, Q, QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, audit, notices, refusals, states
from gateway.actors import Actor
from review import conflicts, policies, publishing, queue
from review.models import Appeal, Clause, Decision, Publication, Submission
from review.reasons import NONE, Reasons, letter

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


def approve(submission: Submission, *, by: Actor, note: str = "", considered: Sequence[UUID] = ()) -> Decision:
    """Nothing in the policy stands against it: the artist may sign. `considered` names clauses that one has weighed.

    Raises NotHeld, AppealWaits, UnknownClause, ReviewersOnly, MissingScope.
    """
    reasons = Reasons(clauses=considered)
    reasons.must_be_known()
    return _decide(submission, "approve", reasons, note, by)


def request_changes(submission: Submission, *, by: Actor, reasons: Reasons, note: str = "") -> Decision:
    """Ask for a new version, with reasons.

    Raises ReasonsMissing, UnknownClause, NotHeld, AppealWaits, ReviewersOnly, MissingScope.
    """
    reasons.must_be_whole(submission.must_have_revision().output.seconds)
    return _decide(submission, "request_changes", reasons, note, by)


def reject(submission: Submission, *, by: Actor, reasons: Reasons, note: str = "") -> Decision:
    """Refuse it, with reasons.

    Raises ReasonsMissing, UnknownClause, NotHeld, AppealWaits, ReviewersOnly, MissingScope.
    """
    reasons.must_be_whole(submission.must_have_revision().output.seconds)
    return _decide(submission, "reject", reasons, note, by)


def escalate(submission: Submission, *, by: Actor, note: str = "") -> Decision:
    """Hand it to another reviewer.

    Raises NotHeld, AppealWaits, ReviewersOnly, MissingScope, WrongState when it is escalated.
    """
    return _decide(submission, "escalate", NONE, note, by)


def undo(decision: Decision, *, by: Actor) -> None:
    """Take one's decision back while its window is open; one holds the work again, unless a conflict was named since.

    Raises NotYoursToUndo, TooLateToUndo.
    """
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    if decision.reviewer_id != reviewer.pk:
        raise refusals.NotYoursToUndo
    submission = decision.revision.submission
    with atomic():
        # The submission first, as everywhere. Then the clock, not the statement's beginning: it may have waited.
        locked = Submission.objects.select_for_update().get(pk=submission.pk)
        undoable = Decision.objects.filter(
            pk=decision.pk, undone_at__isnull=True, announced_at__isnull=True, effective_at__gt=ClockTimestamp()
        )
        if locked.state != decision.state_after or not undoable.update(undone_at=Now()):
            raise refusals.TooLateToUndo
        if decision.role == "appeal":
            states.move(Appeal.objects.get(hearing=decision), "open", by=by, heard_by=None, hearing=None)
        again: dict[str, Any] = {"hearing": decision.role == "appeal"}
        if Submission.objects.filter(conflicts.none_for(reviewer), pk=locked.pk).exists():
            again |= {"holder": reviewer, "lease_until": Now() + queue.lease()}
        if decision.state_before == decision.state_after:
            Submission.objects.filter(pk=locked.pk).update(**again)
        else:
            states.move(submission, decision.state_before, by=by, **again)
        audit.record("decision.undone", by=by, subject=decision)


def earlier(submission: Submission) -> QuerySet[Decision]:
    """The answers to this work so far, as its next reviewer may know them: a second look is blind to the first.

    Of earlier versions it sees what the artist was told, and no more.
    """
    known = Decision.objects.effective().filter(revision__submission__generation=submission.generation_id)
    if submission.lane == "second":
        known = known.filter(decides=True).exclude(revision=submission.current)
    return known.select_related("revision__submission").order_by("id")


def announce() -> int:
    """Let decisions whose window has ended take effect, each once, and tell their artists; return how many."""
    due = (
        Decision.objects.effective()
        .filter(announced_at__isnull=True)
        .select_related("revision__submission__membership__user")
        .order_by("effective_at")
    )
    return sum(_announce(decision) for decision in due)


def _announce(decision: Decision) -> bool:
    with atomic():
        # The submission first, as everywhere: its artist may be withdrawing it at this moment.
        rows = Submission.objects.select_for_update(of=("self",)).select_related("membership__user")
        submission = rows.get(pk=decision.revision.submission_id)
        unsaid = Decision.objects.filter(pk=decision.pk, announced_at__isnull=True, undone_at__isnull=True)
        if not unsaid.update(announced_at=Now()):
            return False
        audit.record("decision.in_effect", by=actors.SYSTEM, subject=decision)
        told = decision.decides or decision.role in ("appeal", "take_down")
        if decision.role == "appeal" and decision.verdict == "approve" and not decision.decides:
            down = Publication.objects.filter(revision=decision.revision, state="taken_down").first()
            if down is None:
                told = False  # its artist has withdrawn it meanwhile
            else:
                publishing.restore(down, by=actors.SYSTEM)
        if told and submission.state != "withdrawn":
            notices.tell(
                submission.membership.user,
                *letter(decision),
                path=f"/mine/{submission.generation_id.hex}",
            )
            _tell_programs(decision, submission)
    return True


def _tell_programs(decision: Decision, submission: Submission) -> None:
    """What the letter says; that a work was taken down, or is public again, they heard when it was done."""
    if decision.verdict == "uphold":
        publishing.tell("appeal_upheld", submission)
    elif decision.decides:
        publishing.tell(BECOMES[decision.verdict], submission)


def _decide(submission: Submission, verdict: str, reasons: Reasons, note: str, by: Actor) -> Decision:
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    if submission.membership.user_id == reviewer.pk:
        raise refusals.OwnWork
    held = Q(holder=reviewer, lease_until__gt=Now())
    with atomic():
        # Who holds it has seen this revision: a new one begins a new wait.
        before = queue.in_hand(submission, by=by).select_related("membership__cohort", "generation").first()
        if before is None:
            raise refusals.NotHeld
        if before.hearing:
            raise refusals.AppealWaits
        role, after, second = _outcome(before, verdict, reasons)
        decision = Decision(
            revision=before.must_have_revision(),
            reviewer=reviewer,
            verdict=verdict,
            role=role,
            decides=after == BECOMES[verdict] and verdict != "escalate",
            clauses=list(reasons.clauses),
            facts=reasons.facts.strip(),
            from_seconds=reasons.from_seconds,
            to_seconds=reasons.to_seconds,
            region=reasons.region.strip(),
            note=note.strip(),
            state_before=before.state,
            state_after=after,
            due_at=before.due_at,
            effective_at=Now() + timedelta(seconds=settings.UNDO_SECONDS),
        )
        states.move(submission, after, by=by, when=held, holder=None, lease_until=None, renewals=0, second=second)
        try:
            decision.save(force_insert=True)
        except IntegrityError as error:
            if "conflict of interest" in str(error):  # it was named at this very moment
                raise refusals.NotHeld from error
            raise
        decision.refresh_from_db(fields=["effective_at"])
        publishing.record(decision, by=by)
    return decision


def _outcome(before: Submission, verdict: str, reasons: Reasons) -> tuple[str, str, str]:
    """The look in which this verdict is given, the state that it leads to, and why two look at it (or nothing)."""
    if before.state == "escalated":
        return "final", BECOMES[verdict], before.second
    if before.state == "awaiting_second":
        first = Decision.objects.get(revision=before.current_id, role="first", undone_at__isnull=True)
        return "second", BECOMES[verdict] if first.verdict == verdict else "escalated", before.second
    if verdict == "escalate":
        return "first", "escalated", before.second
    second = before.second or _asked_by_clause(before, reasons)
    return ("first", "awaiting_second", second) if second else ("sole", BECOMES[verdict], "")


def _asked_by_clause(submission: Submission, reasons: Reasons) -> str:
    wanted = policies.of(submission.membership.cohort).second_clauses
    if wanted and Clause.objects.filter(pk__in=reasons.clauses, number__in=wanted).exists():
        return "clause"
    return ""

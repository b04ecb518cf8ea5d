"""The letters that an artist was written about a work, each with its appeal as far as the artist may know it.

Of a hearing that can still be undone nothing is known: its appeal is open, as before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from gateway import refusals
from gateway.models import User
from review import reasons
from review.models import Appeal, Clause, Decision, Submission

NEWS = timedelta(days=14)


@dataclass(frozen=True)
class Letter:
    """A refusal, a request for changes or a take-down that its artist was told of.

    `stands` while it is the last word; `answer` is what the hearing of its appeal brought, once that is in effect.
    """

    decision: Decision
    clauses: list[Clause]
    stands: bool
    last: bool
    appeal: Appeal | None
    answer: Decision | None
    may_appeal: bool

    @property
    def appeal_state(self) -> str:
        """`open`, `upheld`, `overturned` or `withdrawn`; nothing without an appeal."""
        if self.appeal is None or self.appeal.state == "withdrawn" or self.answer is not None:
            return self.appeal.state if self.appeal else ""
        return "open"

    @property
    def until(self) -> datetime:
        """Until when it can be appealed; the database, which counts months, allows a day or two more."""
        return appeal_until(self.decision)

    @property
    def late(self) -> bool:
        """Whether its appeal should have been heard by now."""
        return self.appeal is not None and self.appeal_state == "open" and self.appeal.due_at <= timezone.now()

    @property
    def asks(self) -> str:
        """How it begins."""
        return reasons.asks(self.decision)

    @property
    def after(self) -> str:
        """What is left to its artist."""
        return reasons.AFTER[self.decision.verdict]

    @property
    def place(self) -> str:
        """Where in the clip, in words."""
        return reasons.place(self.decision)

    @property
    def seconds(self) -> str:
        """The same as a media fragment (W3C Media Fragments URI 1.0), when it is seconds."""
        begin, end = self.decision.from_seconds, self.decision.to_seconds
        if begin is None:
            return ""
        return f"{begin:g}" if end is None else f"{begin:g},{end:g}"


def appeal_until(decision: Decision) -> datetime:
    """Until when this answer can be appealed."""
    return decision.effective_at + timedelta(days=reasons.APPEAL_DAYS)


def of(*submissions: Submission, clauses: Mapping[UUID, Clause] | None = None) -> list[Letter]:
    """All letters about these, the latest first, of rows out of `told()` that come latest first.

    `clauses` are those at hand; without them one query asks for all that are named.
    """
    if clauses is None:
        clauses = _named(submissions)
    return [letter for submission in submissions for letter in _of(submission, clauses)]


def foremost(submission: Submission, letters: Iterable[Letter]) -> Letter | None:
    """The letter that its artist should read now: the one that stands, or that an appeal has just overturned."""
    for letter in letters:
        if letter.decision.revision.submission_id != submission.pk:
            continue
        back = letter.decision.role == "take_down" or submission.public is None
        overturned = letter.last and letter.appeal_state == "overturned" and back
        if letter.stands or (overturned and submission.state != "withdrawn"):
            return letter
    return None


def lately(user: User) -> list[tuple[Submission, Letter]]:
    """The letters of the last two weeks that their artist should still read: refusals, and what appeals brought."""
    news = Decision.objects.told().filter(
        Q(verdict__in=Decision.REFUSALS) | Q(role="appeal"), effective_at__gt=Now() - NEWS
    )
    rows = Submission.objects.told().filter(
        Exists(news.filter(revision__submission=OuterRef("pk"))), membership__user=user
    )
    found = [(row, foremost(row, of(row, clauses={}))) for row in rows.order_by("-id")[:20]]
    return [(row, letter) for row, letter in found if letter is not None]


def at_issue(submission: Submission, decision: UUID | None = None) -> Decision:
    """The answer that an appeal is about now, which is `decision` when the artist named one. Raises NothingToAppeal."""
    letter = foremost(submission, of(submission, clauses={}))
    if letter is None or decision not in (None, letter.decision.pk):
        raise refusals.NothingToAppeal
    return letter.decision


def appeal_about(submission: Submission) -> Appeal:
    """The appeal that its artist filed last about the answer that they should read now. Raises NotFound."""
    letter = foremost(submission, of(submission, clauses={}))
    if letter is None or letter.appeal is None:
        raise refusals.NotFound
    return letter.appeal


def _of(submission: Submission, clauses: Mapping[UUID, Clause]) -> list[Letter]:
    told = _told(submission)
    refused = [decision for decision in told if decision.verdict in Decision.REFUSALS]
    hearings = {decision.pk: decision for decision in told if decision.role == "appeal"}
    standing = _standing(submission, refused)
    last = max((decision.pk for decision in told), default=None)
    found = []
    for decision in reversed(refused):
        appeal: Appeal | None = getattr(decision, "appeal", None)
        answer = hearings.get(appeal.hearing_id) if appeal is not None and appeal.hearing_id else None
        stands = decision == standing
        found.append(
            Letter(
                decision=decision,
                clauses=[clauses[pk] for pk in decision.clauses if pk in clauses],
                stands=stands,
                last=last in (decision.pk, answer.pk if answer else None),
                appeal=appeal,
                answer=answer,
                may_appeal=stands
                and appeal is None
                and not submission.anew  # type: ignore[attr-defined]
                and timezone.now() < appeal_until(decision),
            )
        )
    return found


def _told(submission: Submission) -> list[Decision]:
    return [decision for revision in submission.history for decision in revision.answers]  # type: ignore[attr-defined]


def _standing(submission: Submission, refused: list[Decision]) -> Decision | None:
    if submission.public is not None and submission.public.state == "taken_down":
        return next((row for row in reversed(refused) if row.role == "take_down"), None)
    if submission.shown_state in ("changes_requested", "rejected"):
        return submission.verdict
    return None


def _named(submissions: Iterable[Submission]) -> dict[UUID, Clause]:
    named = {pk for submission in submissions for decision in _told(submission) for pk in decision.clauses}
    return {clause.pk: clause for clause in Clause.objects.filter(pk__in=named)} if named else {}

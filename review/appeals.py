"""An artist asks somebody else to look at a refusal again: free, once for each decision, within six months."""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import audit, refusals, states
from gateway.actors import Actor
from review import decisions, publishing, queue
from review.models import Appeal, Decision, Publication, Submission

LONGEST = 5000


def file(decision: Decision, *, by: Actor, words: str) -> Appeal:
    """Appeal against a rejection, a request for changes or a take-down. Who is suspended or has left may, too.

    Raises NotFound for somebody else's, MissingScope, WordsMissing, NothingToAppeal, AlreadyAppealed.
    """
    by.must_have("submit")
    membership = decision.revision.submission.membership
    if by.user is None or membership.user_id != by.user.pk:
        raise refusals.NotFound
    words = words.strip()
    if not words or len(words) > LONGEST:
        raise refusals.WordsMissing(what=f"what the answer got wrong, in {LONGEST:,} characters at most", param="words")
    try:
        with atomic():
            submission = Submission.objects.select_for_update().get(pk=decision.revision.submission_id)
            if Appeal.objects.filter(decision=decision).exists():
                raise refusals.AlreadyAppealed
            if not _stands(decision, submission) or decision.reviewer is None:
                raise refusals.NothingToAppeal
            due_at = timezone.now() + timedelta(hours=membership.cohort.review_hours)
            appeal = Appeal.objects.create(
                decision=decision, original_reviewer=decision.reviewer, words=words, due_at=due_at
            )
            Submission.objects.filter(pk=submission.pk).update(hearing=True, due_at=due_at, overdue_at=None)
            audit.record(
                "appeal.open",
                by=by,
                subject=appeal,
                facts={"decision": decision.pk, "submission": submission.pk},
                detail={"words": words},
            )
    except IntegrityError as error:
        raise refusals.NothingToAppeal from error  # too late, or the work was submitted anew meanwhile
    return appeal


def open_about(submission: Submission) -> Appeal | None:
    """The appeal that waits to be heard about this work, with the answer that it is against."""
    open_now = Appeal.objects.filter(decision__revision__submission=submission, state="open")
    return open_now.select_related("decision__revision").first()


def withdraw(appeal: Appeal, *, by: Actor) -> None:
    """Take an appeal back before it is heard.

    Raises NotFound for somebody else's, MissingScope, WrongState, AnswerComing while a hearing can still be undone.
    """
    by.must_have("submit")
    submission = appeal.decision.revision.submission
    if by.user is None or submission.membership.user_id != by.user.pk:
        raise refusals.NotFound
    with atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        if Appeal.objects.filter(pk=appeal.pk, hearing__effective_at__gt=Now()).exists():
            raise refusals.AnswerComing  # and of what it is, nothing yet
        states.move(appeal, "withdrawn", by=by)
        _heard(submission)


def uphold(submission: Submission, *, by: Actor, message: str, note: str = "") -> Decision:
    """The answer stands, and `message` tells the artist why. What `overturn` raises."""
    return _hear(submission, "upheld", message, note, by)


def overturn(submission: Submission, *, by: Actor, message: str, note: str = "") -> Decision:
    """The answer does not stand: the work is approved, or public again when it had been taken down.

    Raises NotHeld, NoAppealOpen, HeardByAnother, WordsMissing, ReviewersOnly, MissingScope.
    """
    return _hear(submission, "overturned", message, note, by)


def _hear(submission: Submission, outcome: str, message: str, note: str, by: Actor) -> Decision:
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    message = message.strip()
    if not message or len(message) > LONGEST:
        raise refusals.WordsMissing(what=f"what the artist is told, in {LONGEST:,} characters at most", param="message")
    with atomic():
        before = queue.in_hand(submission, by=by).first()
        if before is None:
            raise refusals.NotHeld
        appeal = (
            Appeal.objects.select_related("decision__revision")
            .filter(decision__revision__submission=before, state="open")
            .first()
        )
        if appeal is None:
            raise refusals.NoAppealOpen
        approves = outcome == "overturned" and appeal.decision.role != "take_down"
        hearing = Decision(
            revision=appeal.decision.revision,
            reviewer=reviewer,
            verdict="approve" if outcome == "overturned" else "uphold",
            role="appeal",
            decides=approves,
            facts=message,
            note=note.strip(),
            state_before=before.state,
            state_after="approved" if approves else before.state,
            due_at=before.due_at,
            effective_at=Now() + timedelta(seconds=settings.UNDO_SECONDS),
        )
        try:
            with atomic():
                hearing.save(force_insert=True)
                states.move(appeal, outcome, by=by, heard_by=reviewer, hearing=hearing)
        except IntegrityError as error:  # the database knows who has decided on this work
            raise refusals.HeardByAnother from error
        hearing.refresh_from_db(fields=["effective_at"])
        _heard(submission)
        if approves:
            states.move(submission, "approved", by=by)
        publishing.record(hearing, by=by)
    return hearing


def _heard(submission: Submission) -> None:
    """No appeal is open any more, so nobody holds it."""
    Submission.objects.filter(pk=submission.pk).update(**publishing.UNHELD)


def _stands(decision: Decision, submission: Submission) -> bool:
    """Whether this refusal is what holds at this moment, and the artist has been told of it."""
    if decision.role == "take_down":
        return Publication.objects.filter(revision=decision.revision, state="taken_down").exists()
    in_effect = Decision.objects.effective().filter(pk=decision.pk, decides=True, verdict__in=Decision.REFUSALS)
    now = Submission.objects.listed().get(pk=submission.pk)
    return in_effect.exists() and now.verdict == decision and now.state == decisions.BECOMES[decision.verdict]

"""What waits for a reviewer, and who holds it. Taking is a lease, asked and taken in one UPDATE."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, refusals
from gateway.actors import Actor
from review.models import Decision, Submission, SubmissionQuerySet

RENEWALS = 10


def lease() -> timedelta:
    """How long a reviewer holds a work."""
    return timedelta(seconds=settings.REVIEW_LEASE_SECONDS)


def waiting_for(by: Actor) -> SubmissionQuerySet:
    """What `by` could take, oldest due first: not their own, not what they escalated, not what somebody holds."""
    reviewer = by.must_be_reviewer()
    judged = Decision.objects.filter(
        revision__submission=OuterRef("pk"), reviewer=reviewer, undone_at__isnull=True, verdict="escalate"
    )
    return (
        Submission.objects.waiting().filter(~Exists(judged)).exclude(membership__user=reviewer).order_by("due_at", "id")
    )


def held_by(by: Actor) -> SubmissionQuerySet:
    """What `by` holds at this moment."""
    return Submission.objects.filter(holder=by.must_be_reviewer(), lease_until__gt=Now(), state__in=Submission.WAITING)


def look(pk: UUID, *, by: Actor) -> Submission:
    """A submission that `by` holds, opened: its artist can read that somebody looked. Raises NotHeld.

    Looks of one minute are one: a player asks for a clip in many parts.
    """
    found = held_by(by).listed().filter(pk=pk).first()
    if found is None:
        raise refusals.NotHeld
    assert by.user is not None
    lately = audit.of(found).filter(
        action="submission.viewed", actor_id=by.user.pk, at__gt=Now() - timedelta(minutes=1)
    )
    if not lately.exists():
        audit.record("submission.viewed", by=by, subject=found)
    return found


def take_next(*, by: Actor) -> Submission:
    """Take what is due first. Raises ReviewersOnly, MissingScope, NothingWaiting."""
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    with atomic():
        # Skipping locked rows, ten reviewers at once get ten works, and nobody waits.
        submission = waiting_for(by).select_for_update(skip_locked=True, of=("self",)).first()
        if submission is None:
            raise refusals.NothingWaiting
        _hold(submission, reviewer.pk, by)
    return submission


def take(submission: Submission, *, by: Actor) -> Submission:
    """Take this one. Raises OwnWork, HeldByAnother, NothingWaiting when it does not wait, ReviewersOnly."""
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    if submission.membership.user_id == reviewer.pk:
        raise refusals.OwnWork
    with atomic():
        found = Submission.objects.select_for_update().get(pk=submission.pk)
        if not waiting_for(by).filter(pk=found.pk).exists():
            if held_by(by).filter(pk=found.pk).exists():
                return submission
            held = Submission.objects.filter(pk=found.pk, lease_until__gt=Now(), state__in=Submission.WAITING).exists()
            raise refusals.HeldByAnother if held else refusals.NothingWaiting
        _hold(submission, reviewer.pk, by)
    return submission


def renew(submission: Submission, *, by: Actor) -> None:
    """Hold it for another ten minutes, ten times at most. Raises NotHeld, NoMoreRenewals."""
    by.must_have("review")
    mine = held_by(by).filter(pk=submission.pk)
    if not mine.filter(renewals__lt=RENEWALS).update(lease_until=Now() + lease(), renewals=F("renewals") + 1):
        raise refusals.NoMoreRenewals if mine.exists() else refusals.NotHeld
    submission.refresh_from_db()


def release(submission: Submission, *, by: Actor) -> None:
    """Let it go without a word: the next reviewer may take it. Raises NotHeld."""
    by.must_have("review")
    with atomic():
        if not held_by(by).filter(pk=submission.pk).update(holder=None, lease_until=None, renewals=0):
            raise refusals.NotHeld
        audit.record("submission.released", by=by, subject=submission)


def _hold(submission: Submission, reviewer_id: object, by: Actor) -> None:
    Submission.objects.filter(pk=submission.pk).update(holder=reviewer_id, lease_until=Now() + lease(), renewals=0)
    audit.record("submission.taken", by=by, subject=submission)
    submission.refresh_from_db()

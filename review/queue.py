"""What waits for a reviewer, and who holds it. Taking is a lease, asked and taken in one UPDATE.

Four lanes, each its own line, oldest due first: first looks, second looks, escalated works, appeals. A row's lane is a
column that the database makes of its state, so nothing slips from one into another.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import (
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    TextField,
    When,
)
from django.db.models.functions import Greatest, Now
from django.db.transaction import atomic

from gateway import audit, refusals
from gateway.actors import Actor
from gateway.models import User
from gateway.prepared import prepared
from review import conflicts
from review.models import Decision, Skip, Submission, SubmissionQuerySet

RENEWALS = 10
MANY = 1000


def lease() -> timedelta:
    """How long a reviewer holds a work."""
    return timedelta(seconds=settings.REVIEW_LEASE_SECONDS)


def waiting_for(by: Actor, lane: str | None = None) -> SubmissionQuerySet:
    """What `by` could take, oldest due first: not what somebody holds, and nothing that they must not judge.

    That is their own, what a conflict keeps away; for another look what they have judged; for an appeal any work on
    which they have decided; and what they have kept longer as often as one may.
    """
    reviewer = by.must_be_reviewer()
    # Each condition stands alone, and none is an OR of subqueries: then the line's index is read from its beginning,
    # and each row is looked up, until one is found. Else all that somebody ever judged would be read before.
    judged = Decision.objects.filter(reviewer=reviewer, undone_at__isnull=True).alias(
        lane=ExpressionWrapper(OuterRef("lane"), TextField())
    )
    rows = Submission.objects.waiting().filter(conflicts.none_for(reviewer))
    if lane:
        rows = rows.filter(lane=lane)
    if lane in (None, "second", "escalated"):
        rows = rows.exclude(Exists(judged.filter(lane__in=("second", "escalated"), revision=OuterRef("current"))))
    if lane in (None, "appeal"):
        work = OuterRef("generation")
        rows = rows.exclude(Exists(judged.filter(lane="appeal", revision__submission__generation=work)))
    worn_out = Q(holder=reviewer, renewals__gte=RENEWALS, lease_until__gt=Now() - lease())
    return rows.exclude(worn_out).order_by("due_at", "id")


def lanes() -> dict[str, int]:
    """How many wait in each lane, for anybody."""
    counted = Submission.objects.filter(lane__isnull=False).values_list("lane").annotate(n=Count("pk"))
    return dict.fromkeys(Submission.LANES, 0) | dict(counted)


def lanes_for(by: Actor) -> dict[str, int]:
    """How many wait in each lane that `by` could take. Nobody counts further than MANY."""
    return {lane: waiting_for(by, lane).order_by()[:MANY].count() for lane in Submission.LANES}


def held_by(by: Actor) -> SubmissionQuerySet:
    """What `by` holds at this moment."""
    return held().filter(holder=by.must_be_reviewer())


def held() -> SubmissionQuerySet:
    """What any reviewer holds at this moment."""
    return Submission.objects.filter(lease_until__gt=Now(), lane__isnull=False)


def in_hand(submission: Submission, *, by: Actor) -> SubmissionQuerySet:
    """This one, locked until the transaction ends, if `by` holds it at this moment and has named no conflict since."""
    reviewer = by.must_be_reviewer()
    rows = Submission.objects.select_for_update(of=("self",)).filter(conflicts.none_for(reviewer), pk=submission.pk)
    return rows.filter(holder=reviewer, lease_until__gt=Now())


def held_beside(by: Actor) -> SubmissionQuerySet:
    """What is held at this moment, by `by` and by colleagues; not by whom their own works are, nor a conflict's."""
    reviewer = by.must_be_reviewer()
    rows = held().filter(conflicts.none_for(reviewer))
    return rows.select_related("holder").order_by("lease_until", "id")


def skipped_by(by: Actor, rows: Sequence[Submission]) -> dict[UUID, datetime]:
    """Which of `rows` they have let go lately, and until when those come after all others."""
    skipped = Skip.objects.filter(reviewer=by.must_be_reviewer(), submission__in=rows, until__gt=Now())
    return dict(skipped.values_list("submission_id", "until"))


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


def take_next(*, by: Actor, lane: str | None = None) -> Submission:
    """Take what is due first, in one lane or in all. What one has let go comes again after everything else, or later.

    Raises ReviewersOnly, MissingScope, NothingWaiting.
    """
    by.must_have("review")
    with atomic():
        submission = _take_first(by, lane) or _take_first(by, lane, again=True)
        if submission is None:
            raise refusals.NothingWaiting
    return submission


def skip(submission: Submission, *, by: Actor, lane: str | None = None) -> Submission | None:
    """Let it go without a word and take the next instead, in one lane or in all; nothing where nothing else waits.

    Raises NotHeld.
    """
    with atomic():
        release(submission, by=by)
        return _take_first(by, lane)


def take(submission: Submission, *, by: Actor) -> Submission:
    """Take this one.

    Raises OwnWork, HeldByAnother, NothingWaiting when it does not wait for them, NoMoreRenewals, ReviewersOnly.
    """
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    if submission.membership.user_id == reviewer.pk:
        raise refusals.OwnWork
    with atomic():
        found = Submission.objects.select_for_update().get(pk=submission.pk)
        if not waiting_for(by).filter(pk=found.pk).exists():
            if held_by(by).filter(pk=found.pk).exists():
                return submission
            if found.holder_id != reviewer.pk and held().filter(pk=found.pk).exists():
                raise refusals.HeldByAnother
            raise refusals.NothingWaiting
        _hold(submission, reviewer, by)
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
        mine = held_by(by).select_for_update().filter(pk=submission.pk).first()
        if mine is None:
            raise refusals.NotHeld
        Skip.objects.update_or_create(
            submission=mine, reviewer=by.user, defaults={"until": Now() + lease(), "renewals": mine.renewals}
        )
        Submission.objects.filter(pk=mine.pk).update(holder=None, lease_until=None, renewals=0)
        audit.record("submission.released", by=by, subject=submission)


def decline(submission: Submission, *, by: Actor) -> None:
    """I know this artist: let it go, and get none of theirs from now on. Raises NotHeld, AlreadyNamed."""
    by.must_have("review")
    reviewer = by.must_be_reviewer()
    with atomic():
        mine = held_by(by).select_related("membership__user").filter(pk=submission.pk).first()
        if mine is None:
            raise refusals.NotHeld
        conflicts.name(reviewer, mine.membership.user, by=by)


def _take_first(by: Actor, lane: str | None, *, again: bool = False) -> Submission | None:
    """`again`: also what one has let go. Skipping locked rows, ten reviewers at once get ten works, and none waits."""
    reviewer = by.must_be_reviewer()
    skipped = Skip.objects.filter(submission=OuterRef("pk"), reviewer=reviewer, until__gt=Now())
    kept_away = skipped.filter(renewals__gte=RENEWALS) if again else skipped
    rows = waiting_for(by, lane).select_for_update(skip_locked=True, of=("self",))
    with prepared():  # to plan it takes longer than to carry it out
        submission = rows.filter(~Exists(kept_away)).first()
    if submission is not None:
        _hold(submission, reviewer, by)
    return submission


def _hold(submission: Submission, reviewer: User, by: Actor) -> None:
    """For one who held it a moment ago, holding goes on: else release and take would be a lease without an end."""
    lapsed = Case(When(holder=reviewer, lease_until__gt=Now() - lease(), then=F("renewals")))
    let_go = Skip.objects.filter(submission=OuterRef("pk"), reviewer=reviewer, until__gt=Now()).values("renewals")
    kept = Greatest(lapsed, Subquery(let_go), output_field=IntegerField())
    before = Submission.objects.filter(pk=submission.pk).values_list(kept, flat=True).get()
    if before is not None:
        if before >= RENEWALS:
            raise refusals.NoMoreRenewals
        Skip.objects.filter(submission=submission, reviewer=reviewer).delete()
    Submission.objects.filter(pk=submission.pk).update(
        holder=reviewer, lease_until=Now() + lease(), renewals=0 if before is None else before + 1
    )
    audit.record("submission.taken", by=by, subject=submission)
    submission.refresh_from_db()

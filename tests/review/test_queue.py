"""What waits for a reviewer, and who holds it."""

import pytest
from django.db.models import F
from django.db.models.functions import Now

from gateway import refusals
from review import queue, submissions
from review.models import Submission
from tests import makers

pytestmark = pytest.mark.django_db


def test_ten_reviewers_for_one_submission_and_one_gets_it(at_once, transactional_db):
    submission = makers.submitted(makers.artist())
    reviewers = [makers.reviewer() for _ in range(10)]

    answers = at_once(*[lambda who=who: queue.take_next(by=who) for who in reviewers])

    taken = [answer for answer in answers if isinstance(answer, Submission)]
    assert len(taken) == 1
    assert {type(answer) for answer in answers if answer not in taken} == {refusals.NothingWaiting}
    submission.refresh_from_db()
    assert submission.holder_id == taken[0].holder_id


def test_ten_reviewers_and_ten_works_and_each_gets_another(at_once, transactional_db):
    for _ in range(10):
        makers.submitted(makers.artist())
    reviewers = [makers.reviewer() for _ in range(10)]

    answers = at_once(*[lambda who=who: queue.take_next(by=who) for who in reviewers])

    assert len({answer.pk for answer in answers}) == 10


def test_nobody_is_given_their_own_work(artist):
    makers.submitted(artist)
    artist.user.is_reviewer = True
    artist.user.save()
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=artist)
    with pytest.raises(refusals.OwnWork):
        queue.take(Submission.objects.get(), by=artist)


def test_what_is_due_first_comes_first(artist, reviewer):
    later, sooner = makers.submitted(artist), makers.submitted(artist)
    Submission.objects.filter(pk=sooner.pk).update(due_at=Now())
    assert queue.take_next(by=reviewer) == sooner
    assert queue.take_next(by=reviewer) == later


def test_a_lease_that_ran_out_is_another_reviewers_chance(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    colleague = makers.reviewer()
    with pytest.raises(refusals.HeldByAnother):
        queue.take(submission, by=colleague)
    Submission.objects.update(lease_until=Now())
    assert queue.take_next(by=colleague) == submission
    with pytest.raises(refusals.NotHeld):
        queue.renew(submission, by=reviewer)


def test_a_lease_is_renewed_ten_times(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    for _ in range(queue.RENEWALS):
        queue.renew(submission, by=reviewer)
    with pytest.raises(refusals.NoMoreRenewals):
        queue.renew(submission, by=reviewer)


def test_what_is_released_waits_again(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    queue.release(submission, by=reviewer)
    assert queue.take_next(by=makers.reviewer()) == submission
    with pytest.raises(refusals.NotHeld):
        queue.release(submission, by=reviewer)


def test_an_escalated_work_goes_to_somebody_else(artist, reviewer):
    submission = makers.submitted(artist)
    escalated = makers.decided(submission, "escalate", by=reviewer)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=makers.reviewer())  # it can still be undone, so nobody has it yet
    makers.in_effect(escalated)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    assert queue.take_next(by=makers.reviewer()) == submission


def test_only_reviewers_take(artist, stranger):
    makers.submitted(artist)
    with pytest.raises(refusals.ReviewersOnly):
        queue.take_next(by=stranger)


def test_who_escalated_is_not_told_that_somebody_else_holds_it(artist, reviewer):
    submission = makers.submitted(artist)
    makers.decided(submission, "escalate", by=reviewer)
    with pytest.raises(refusals.NothingWaiting):
        queue.take(makers.seen(submission), by=reviewer)


def test_taking_what_one_holds_already_is_no_refusal_and_no_renewal(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    before = makers.seen(submission).lease_until
    queue.take(makers.seen(submission), by=reviewer)
    assert makers.seen(submission).lease_until == before


def test_a_lease_is_as_long_as_the_program_says(artist, reviewer, settings):
    settings.REVIEW_LEASE_SECONDS = 120
    makers.submitted(artist)
    taken = queue.take_next(by=reviewer)
    left = Submission.objects.annotate(left=F("lease_until") - Now()).get(pk=taken.pk).left.total_seconds()
    assert 110 < left <= 120


def test_ten_takes_and_a_withdrawal_at_once_leave_nobody_with_a_withdrawn_work(at_once, transactional_db):
    artist = makers.artist()
    submission = makers.submitted(artist)
    reviewers = [makers.reviewer() for _ in range(9)]

    answers = at_once(
        *[lambda who=who: queue.take(makers.seen(submission), by=who) for who in reviewers],
        lambda: submissions.withdraw(makers.seen(submission), by=artist),
    )

    assert answers[-1] is None
    assert makers.seen(submission).holder_id is None
    assert all(not queue.held_by(who).exists() for who in reviewers)


@pytest.mark.parametrize("state", ["approve", "reject", "request_changes"])
def test_what_does_not_wait_can_not_be_taken(artist, reviewer, state):
    submission = makers.submitted(artist)
    makers.decided(submission, state)
    with pytest.raises(refusals.NothingWaiting):
        queue.take(makers.seen(submission), by=reviewer)
    assert not queue.waiting_for(reviewer).exists()


def test_a_reviewer_who_was_let_go_takes_and_decides_nothing(artist, reviewer):
    makers.submitted(artist)
    taken = queue.take_next(by=reviewer)
    reviewer.user.is_active = False
    reviewer.user.save()
    for attempt in (
        lambda: queue.take_next(by=reviewer),
        lambda: queue.renew(taken, by=reviewer),
        lambda: queue.release(taken, by=reviewer),
    ):
        with pytest.raises(refusals.ReviewersOnly):
            attempt()


def test_what_one_skips_comes_again_after_everything_else(artist, reviewer):
    one, two = makers.submitted(artist), makers.submitted(artist)
    assert queue.take_next(by=reviewer) == one
    queue.release(one, by=reviewer)
    assert queue.take_next(by=reviewer) == two
    queue.release(two, by=reviewer)
    assert queue.take_next(by=reviewer) == one, "there is nothing else"


def test_letting_go_and_taking_again_is_no_lease_without_an_end(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    for _ in range(queue.RENEWALS):
        queue.release(submission, by=reviewer)
        queue.take(submission, by=reviewer)
    queue.release(submission, by=reviewer)
    with pytest.raises(refusals.NoMoreRenewals):
        queue.take(submission, by=reviewer)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    assert queue.take_next(by=makers.reviewer()) == submission


def test_nor_is_letting_it_lapse(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    Submission.objects.update(renewals=queue.RENEWALS, lease_until=Now())
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    Submission.objects.update(lease_until=Now() - queue.lease())
    assert queue.take_next(by=reviewer) == submission


def test_each_lane_is_a_line_of_its_own(artist, reviewer, no_undo):
    first, escalated = makers.submitted(artist), makers.submitted(artist)
    makers.decided(escalated, "escalate")
    assert queue.lanes() == {"first": 1, "second": 0, "escalated": 1, "appeal": 0}
    assert queue.take_next(by=reviewer, lane="escalated") == escalated
    assert queue.take_next(by=reviewer, lane="first") == first

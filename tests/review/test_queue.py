"""What waits for a reviewer, and who holds it."""

import pytest
from django.db.models.functions import Now

from gateway import refusals
from review import queue
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
    makers.decided(submission, "escalate", by=reviewer)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    assert queue.take_next(by=makers.reviewer()) == submission


def test_only_reviewers_take(artist, stranger):
    makers.submitted(artist)
    with pytest.raises(refusals.ReviewersOnly):
        queue.take_next(by=stranger)

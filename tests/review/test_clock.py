"""Silence past the due date works for the artist."""

import pytest
from django.db.models.functions import Now

from gateway.models import Entry, Notice
from review import clock, decisions, queue
from review.models import Decision, ReviewPolicy, Submission
from tests import makers

pytestmark = pytest.mark.django_db


def late(submission):
    Submission.objects.filter(pk=submission.pk).update(due_at=Now())
    return submission


def test_a_late_answer_is_escalated_once_and_both_sides_are_told(artist, admin):
    submission = late(makers.submitted(artist))
    assert (clock.strike(), clock.strike()) == (1, 0)
    row = makers.seen(submission)
    assert (row.state, row.shown_state) == ("escalated", "submitted") and row.overdue_at is not None
    assert Entry.objects.filter(action="submission.overdue").count() == 1
    assert "is late" in Notice.objects.get(user=artist.user).subject
    assert Notice.objects.filter(user=admin.user).count() == 1


def test_what_somebody_holds_is_theirs_until_they_let_it_go(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take(submission, by=reviewer)
    late(submission)
    assert clock.strike() == 0
    makers.lease_over(submission)
    assert clock.strike() == 1


def test_silence_approves_where_the_program_says_so_and_is_recorded_as_silence(artist):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, by_default=True)
    submission = late(makers.submitted(artist))
    makers.screened(submission)
    clock.strike()
    decisions.announce()
    decision = Decision.objects.get()
    assert (decision.role, decision.reviewer, makers.seen(submission).shown_state) == ("default", None, "approved")
    assert "by default" in Notice.objects.filter(user=artist.user).get().body


def test_silence_approves_nothing_that_was_not_screened_or_that_a_signal_speaks_of(artist):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, by_default=True)
    late(makers.submitted(artist))
    makers.screened(late(makers.submitted(artist)), "flashes")
    makers.screened(late(makers.submitted(artist)), "near_copy")
    assert clock.strike() == 3
    assert not Decision.objects.exists()


def test_silence_never_approves_what_two_are_to_look_at_or_what_was_refused_before(artist, no_undo):
    policy = ReviewPolicy.objects.create(cohort=artist.membership.cohort, by_default=True, reviewers=2)
    twice = makers.submitted(artist)
    half = makers.submitted(artist)
    makers.decided(half)
    policy.reviewers = 1
    policy.save()
    refused = makers.submitted(artist)
    makers.decided(refused, "reject")
    anew = makers.submitted(artist, refused.generation)
    for submission in (twice, half, anew):
        late(submission)
    assert clock.strike() == 3
    assert {makers.seen(row).state for row in (twice, half, anew)} == {"escalated"}

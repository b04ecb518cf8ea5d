"""How old the queues are."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from review import ageing, appeals, queue
from review.models import ReviewPolicy, Submission
from tests import makers

pytestmark = pytest.mark.django_db


def lanes():
    return {lane.name: lane for lane in ageing.lanes()}


def due(submission, **after):
    Submission.objects.filter(pk=submission.pk).update(due_at=Now() + timedelta(**after))


def test_each_lane_counts_its_own(artist, reviewer, no_undo):
    makers.policy()
    late, soon, held = (makers.submitted(artist) for _ in range(3))
    due(late, minutes=-5)
    due(soon, minutes=30)
    queue.take(held, by=reviewer)
    refused = makers.decided(makers.submitted(artist), "reject")
    appeals.file(refused, by=artist, words="It is a slow pulse.")
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    makers.decided(makers.submitted(artist))
    makers.decided(makers.submitted(artist), "escalate")
    found = lanes()
    first = found["first"]
    assert (first.waiting, first.late, first.soon) == (3, 1, 1)
    assert first.due == Submission.objects.get(pk=late.pk).due_at
    assert first.oldest == Submission.objects.get(pk=late.pk).current.created_at
    assert [row.holder for row in first.held] == [reviewer.user]
    assert [found[name].waiting for name in ("second", "escalated", "appeal")] == [1, 1, 1]
    assert found["appeal"].oldest == refused.appeal.created_at
    assert (first.answered, found["appeal"].answered) == (3, 0)
    assert first.half == "1 min" and found["appeal"].half == "–"
    assert found["second"].words == "Second looks"


def test_the_page_shows_every_lane_and_who_holds_what(artist, reviewer, admin, browser_of):
    queue.take(makers.submitted(artist), by=reviewer)
    page = browser_of(admin).get("/program/queues").content.decode()
    assert all(words in page for words in ageing.WORDS.values()) and "Rosa Velázquez" in page

"""A reviewer's own record, and nobody else's."""

from datetime import timedelta

import pytest
from django.db.models import F

from review import appeals, decisions, queue, statistics
from review.models import Decision, Submission
from tests import makers
from tests.review.test_desk import appealed, second_look

pytestmark = pytest.mark.django_db


def test_what_one_answered_by_verdict_and_in_which_time(artist, reviewer, no_undo):
    makers.decided(makers.submitted(artist), by=reviewer)
    late = makers.submitted(artist)
    Submission.objects.filter(pk=late.pk).update(due_at=F("due_at") - timedelta(days=2))
    makers.decided(late, "reject", by=reviewer)
    makers.decided(makers.submitted(artist))  # a colleague's
    found = statistics.of(reviewer.user)
    assert {row.verdict: (row.today, row.week, row.month) for row in found.answered} == {
        "approve": (1, 1, 1), "reject": (1, 1, 1),
    }  # fmt: skip
    assert (found.in_time, found.late, found.total.month) == (1, 1, 2)
    assert found.median_held < timedelta(minutes=1) and found.median_waited < timedelta(minutes=1)


def test_what_was_undone_counts_as_that(artist, reviewer):
    decision = makers.decided(makers.submitted(artist), by=reviewer)
    decisions.undo(Decision.objects.select_related("revision__submission").get(pk=decision.pk), by=reviewer)
    found = statistics.of(reviewer.user)
    assert (found.undone, found.total.month) == (1, 0)


def test_two_looks_that_agree_or_differ_count_for_both(artist, reviewer, no_undo):
    submission = second_look(artist, reviewer, "reject")
    decisions.approve(makers.seen(submission), by=reviewer)
    first = Decision.objects.get(role="first").reviewer
    for person in (reviewer.user, first):
        found = statistics.of(person)
        assert (found.agreed, found.differed) == (0, 1)
    assert statistics.of(makers.reviewer().user).differed == 0


def test_what_did_not_stand_on_appeal(artist, reviewer, no_undo):
    submission = appealed(artist)
    queue.take(submission, by=reviewer)
    appeals.overturn(submission, by=reviewer, message="One a second.")
    refused = statistics.of(Decision.objects.get(role="sole").reviewer)
    assert (refused.appealed, refused.overturned) == (1, 1)
    heard = statistics.of(reviewer.user)
    assert [(row.verdict, row.month) for row in heard.answered] == [("overturn", 1)]
    assert heard.appealed == 0


def test_the_page_asks_as_often_for_one_answer_as_for_four(
    artist, reviewer, browser_of, django_assert_num_queries, no_undo
):
    makers.decided(makers.submitted(artist), by=reviewer)
    with django_assert_num_queries(5):
        statistics.of(reviewer.user)
    for _ in range(3):
        makers.decided(makers.submitted(artist), by=reviewer)
    with django_assert_num_queries(5):
        statistics.of(reviewer.user)
    page = browser_of(reviewer).get("/review/record").content.decode()
    assert "4 answers in 30 days" in page and "no target" in page

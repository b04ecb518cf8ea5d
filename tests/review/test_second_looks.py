"""Two looks by two people: the second is blind, agreement is the answer, disagreement a third person's."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from gateway import refusals
from gateway.models import Notice
from review import decisions, policies, queue
from review.models import Decision, ReviewPolicy
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.fixture
def twice(artist, no_undo):
    """A submission of a cohort whose works are all looked at by two."""
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    makers.policy()
    return makers.submitted(artist)


def test_the_first_look_settles_nothing_and_tells_nothing(twice, artist):
    first = makers.decided(twice)
    assert (first.role, first.decides) == ("first", False)
    row = makers.seen(twice)
    assert (row.state, row.lane, row.shown_state, row.verdict) == ("awaiting_second", "second", "submitted", None)
    decisions.announce()
    assert not Notice.objects.filter(user=artist.user).exists()


def test_a_second_that_agrees_is_the_answer(twice):
    makers.decided(twice)
    second = makers.decided(twice)
    assert (second.role, second.decides) == ("second", True)
    assert makers.seen(twice).verdict == second
    assert makers.seen(twice).shown_state == "approved"


def test_a_second_that_disagrees_is_decided_by_a_third(twice):
    one, two, three = makers.reviewer(), makers.reviewer(), makers.reviewer()
    makers.decided(twice, "approve", by=one)
    makers.decided(twice, "reject", by=two)
    assert makers.seen(twice).lane == "escalated"
    for judged in (one, two):
        with pytest.raises(refusals.NothingWaiting):
            queue.take_next(by=judged)
    final = makers.decided(twice, "approve", by=three)
    assert (final.role, final.decides) == ("final", True)
    assert makers.seen(twice).shown_state == "approved"


def test_who_looked_first_does_not_look_twice(twice, reviewer):
    makers.decided(twice, by=reviewer)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer, lane="second")
    with pytest.raises(IntegrityError, match="another reviewer's"), transaction.atomic():
        Decision.objects.create(
            revision_id=twice.current_id, reviewer=reviewer.user, role="second", verdict="approve", decides=True,
            state_before="awaiting_second", state_after="approved", effective_at=Now(),
        )  # fmt: skip


def test_the_database_refuses_a_single_look_where_two_are_asked_for(twice, reviewer):
    with pytest.raises(IntegrityError, match="two look at this work"), transaction.atomic():
        Decision.objects.create(
            revision_id=twice.current_id, reviewer=reviewer.user, role="sole", verdict="approve", decides=True,
            state_before="submitted", state_after="approved", effective_at=Now(),
        )  # fmt: skip


def test_the_database_refuses_a_second_that_decides_against_the_first(twice):
    makers.decided(twice, "reject")
    with pytest.raises(IntegrityError, match="differ"), transaction.atomic():
        Decision.objects.create(
            revision_id=twice.current_id, reviewer=makers.reviewer().user, role="second", verdict="approve",
            decides=True, state_before="awaiting_second", state_after="approved", effective_at=Now(),
        )  # fmt: skip


def test_a_clause_that_asks_for_a_second_look_gets_one(artist, no_undo):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, second_clauses=[4])
    makers.policy()
    plain, delicate, weighed = (makers.submitted(artist) for _ in range(3))
    assert makers.decided(plain).role == "sole"
    assert makers.decided(delicate, "reject").role == "first"
    reviewer = makers.reviewer()
    queue.take(weighed, by=reviewer)
    considered = makers.reasons().clauses
    assert decisions.approve(makers.seen(weighed), by=reviewer, considered=considered).role == "first"
    assert makers.seen(weighed).second == "clause"


def test_the_sample_is_a_share_and_the_same_for_the_same_work(artist):
    policy = ReviewPolicy(cohort=artist.membership.cohort, sample_percent=20)
    generation = makers.completed(artist)
    assert len({policies.second_look(generation, policy) for _ in range(5)}) == 1
    lots = [policies.second_look(type(generation)(), policy) for _ in range(1000)]
    assert 140 < lots.count("sample") < 260


def test_a_first_look_is_undone_before_anybody_else_gets_the_work(artist):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    submission, reviewer = makers.submitted(artist), makers.reviewer()
    decision = makers.decided(submission, by=reviewer)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=makers.reviewer())
    decisions.undo(Decision.objects.select_related("revision__submission").get(pk=decision.pk), by=reviewer)
    assert (makers.seen(submission).state, makers.seen(submission).holder) == ("submitted", reviewer.user)


def test_taking_the_next_asks_an_index(artist, reviewer):
    makers.submitted(artist)
    with connection.cursor() as cursor:
        # A table of one row is soonest read and sorted; what is asked here is whether an index can give the order.
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("set local enable_bitmapscan = off")
        cursor.execute("set local enable_sort = off")
        plan = queue.waiting_for(reviewer, "first")[:1].explain()
    assert "submission_in_lane" in plan or "submission_due" in plan
    assert "Sort" not in plan

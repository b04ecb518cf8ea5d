"""A reviewer decides about one revision."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gateway import refusals
from gateway.models import Notice
from review import decisions, queue, submissions
from review.models import Decision, Submission
from tests import makers

pytestmark = pytest.mark.django_db


def fresh(submission: Submission) -> Submission:
    return Submission.objects.listed().get(pk=submission.pk)


def test_ten_decisions_at_once_are_one_verdict(at_once, transactional_db):
    submission = makers.submitted(makers.artist())
    reviewer = makers.reviewer()
    queue.take_next(by=reviewer)

    answers = at_once(*[lambda: decisions.approve(fresh(submission), by=reviewer)] * 10)

    assert sum(isinstance(answer, Decision) for answer in answers) == 1
    assert sum(isinstance(answer, refusals.NotHeld) for answer in answers) == 9
    assert Decision.objects.count() == 1


def test_ten_reviewers_deciding_without_the_lease_decide_nothing(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    for _ in range(10):
        with pytest.raises(refusals.NotHeld):
            decisions.approve(fresh(submission), by=makers.reviewer())
    Submission.objects.update(lease_until=Now())
    with pytest.raises(refusals.NotHeld):
        decisions.approve(fresh(submission), by=reviewer)
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ({"clauses": []}, "a clause"),
        ({"facts": " \n"}, "the facts"),
        ({"from_seconds": None}, "the place"),
        ({"from_seconds": 2, "to_seconds": 1}, "ends after it begins"),
    ],
)
def test_a_refusal_owes_clause_facts_and_place(artist, reviewer, told, missing):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    with pytest.raises(refusals.ReasonsMissing, match=missing):
        decisions.reject(submission, by=reviewer, reasons=makers.reasons(**told))
    assert fresh(submission).state == "submitted"


@pytest.mark.parametrize("told", [{"clauses": []}, {"facts": " "}, {"from_seconds": None}])
@pytest.mark.parametrize("verdict", ["reject", "request_changes"])
def test_the_database_refuses_a_refusal_without_reasons(artist, reviewer, told, verdict):
    submission = makers.submitted(artist)
    reasons = makers.reasons(**told)
    with pytest.raises(IntegrityError, match="a_refusal_owes"), transaction.atomic():
        Decision.objects.create(
            revision_id=submission.current_id,
            reviewer=reviewer.user,
            verdict=verdict,
            clauses=list(reasons.clauses),
            facts=reasons.facts,
            from_seconds=reasons.from_seconds,
            state_before="submitted",
            effective_at=Now(),
        )


def test_the_database_refuses_a_decision_on_ones_own_work(artist):
    submission = makers.submitted(artist)
    with pytest.raises(IntegrityError, match="nobody reviews their own"), transaction.atomic():
        Decision.objects.create(
            revision_id=submission.current_id,
            reviewer=artist.user,
            verdict="approve",
            state_before="submitted",
            effective_at=Now(),
        )


def test_a_decision_is_not_rewritten(artist, reviewer):
    decision = makers.decided(makers.submitted(artist), by=reviewer)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Decision.objects.filter(pk=decision.pk).update(verdict="reject")


def test_a_decision_can_be_undone_within_its_window(artist, reviewer):
    submission = makers.submitted(artist)
    decision = makers.decided(submission, "reject", by=reviewer)
    decisions.undo(Decision.objects.get(), by=reviewer)
    assert fresh(submission).state == "submitted"
    assert queue.held_by(reviewer).filter(pk=submission.pk).exists()
    decisions.approve(fresh(submission), by=reviewer)
    with pytest.raises(refusals.NotYoursToUndo):
        decisions.undo(Decision.objects.latest("id"), by=makers.reviewer())
    assert decision.pk != Decision.objects.latest("id").pk


def test_after_its_window_it_can_not(artist, reviewer, no_undo):
    makers.decided(makers.submitted(artist), by=reviewer)
    with pytest.raises(refusals.TooLateToUndo):
        decisions.undo(Decision.objects.get(), by=reviewer)


def test_the_artist_hears_nothing_before_it_is_in_effect(artist, reviewer, browser_of, client_of):
    submission = makers.submitted(artist)
    makers.decided(submission, "reject", by=reviewer)
    assert decisions.announce() == 0
    assert not Notice.objects.filter(user=artist.user).exists()
    page = browser_of(artist).get(f"/mine/{submission.generation_id.hex}").content.decode()
    assert "It blinks." not in page
    shown = client_of(artist).get(f"/v1/submissions/submission_{submission.pk.hex}").json()
    assert (shown["status"], shown["decision"]) == ("submitted", None)


def test_two_workers_announce_a_decision_once(at_once, transactional_db, settings):
    settings.UNDO_SECONDS = 0
    artist = makers.artist()
    makers.decided(makers.submitted(artist), "request_changes")

    assert sorted(at_once(decisions.announce, decisions.announce)) == [0, 1]

    notice = Notice.objects.get(user=artist.user)
    assert "clause 4" in notice.body and "It blinks." in notice.body


def test_changes_are_answered_with_a_new_revision(artist, reviewer, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes", by=reviewer)
    other = makers.completed(artist, seed=2)
    words = {"title": "Kiln, softer", "credit": "An artist", "licence": "CC-BY-4.0"}
    submissions.resubmit(fresh(submission), by=artist, generation=other, **words)
    again = fresh(submission)
    assert (again.state, again.current.number, again.current.title) == ("submitted", 2, "Kiln, softer")
    makers.decided(submission, by=reviewer)
    assert fresh(submission).state == "approved"

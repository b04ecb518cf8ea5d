"""A reviewer decides about one revision."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from gateway import refusals
from gateway.models import Entry, Notice
from review import decisions, publishing, queue, submissions
from review.models import Clause, Decision, Submission
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
        ({"from_seconds": 1, "to_seconds": 0.5}, "ends after it begins"),
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
            state_after="rejected",
            role="sole",
            decides=True,
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
            state_after="rejected",
            role="sole",
            decides=True,
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


# ---------------------------------------------------------------- what meets at the end of the undo window


def waits_for_a_lock() -> None:
    """Until somebody does."""
    until = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute("select exists (select from pg_locks where not granted)")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    pytest.fail("nobody waits")


def wait_until_in_effect(decision: Decision) -> None:
    while not Decision.objects.effective().filter(pk=decision.pk).exists():
        time.sleep(0.02)


def in_a_thread(pool: ThreadPoolExecutor, call):
    def caught():
        try:
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    return pool.submit(caught)


def test_an_undo_that_waited_for_the_signature_is_too_late(transactional_db, settings):
    settings.UNDO_SECONDS = 0.6
    artist, reviewer = makers.artist(), makers.reviewer()
    decision = makers.decided(makers.submitted(artist), by=reviewer)
    found = Decision.objects.select_related("revision__submission").get(pk=decision.pk)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            submission = Submission.objects.select_for_update().get()
            undone = in_a_thread(pool, lambda: decisions.undo(found, by=reviewer))
            waits_for_a_lock()
            wait_until_in_effect(decision)
            publishing.sign_off(submission, by=artist, revision=1, name="An artist")
        assert isinstance(undone.result(), refusals.TooLateToUndo)
    assert fresh(submission).state == "approved"
    assert Decision.objects.get().undone_at is None


def test_what_the_artist_was_told_is_not_undone(transactional_db, settings):
    settings.UNDO_SECONDS = 0.6
    artist, reviewer = makers.artist(), makers.reviewer()
    decision = makers.decided(makers.submitted(artist), "reject", by=reviewer)
    found = Decision.objects.select_related("revision__submission").get(pk=decision.pk)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Submission.objects.select_for_update().get()
            undone = in_a_thread(pool, lambda: decisions.undo(found, by=reviewer))
            waits_for_a_lock()
            wait_until_in_effect(decision)
            assert decisions.announce() == 1
        assert isinstance(undone.result(), refusals.TooLateToUndo)
    assert Notice.objects.filter(user=artist.user).count() == 1
    assert Decision.objects.get().undone_at is None


def test_ten_undoes_at_once_are_one(at_once, transactional_db):
    reviewer = makers.reviewer()
    decision = makers.decided(makers.submitted(makers.artist()), "reject", by=reviewer)
    found = Decision.objects.select_related("revision__submission").get(pk=decision.pk)

    answers = at_once(*[lambda: decisions.undo(found, by=reviewer)] * 10)

    assert answers.count(None) == 1
    assert sum(isinstance(answer, refusals.TooLateToUndo) for answer in answers) == 9
    assert Entry.objects.filter(action="decision.undone", subject_id=decision.pk).count() == 1


def test_the_database_refuses_to_undo_what_is_in_effect(artist, no_undo):
    makers.decided(makers.submitted(artist))
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.update(undone_at=Now())


def test_an_undo_stays_undone(artist, reviewer):
    makers.decided(makers.submitted(artist), by=reviewer)
    decisions.undo(Decision.objects.get(), by=reviewer)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.update(undone_at=None)


# ---------------------------------------------------------------- reasons


def test_a_clause_that_was_retired_or_made_up_is_not_in_the_policy(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    makers.policy()
    retired = Clause.objects.get(number=2)
    Clause.objects.filter(pk=retired.pk).update(retired_at=Now())
    for clause in (retired.pk, submission.pk):
        with pytest.raises(refusals.UnknownClause):
            decisions.reject(submission, by=reviewer, reasons=makers.reasons(clauses=[clause]))
    assert not Decision.objects.exists()


@pytest.mark.parametrize("told", [{"from_seconds": -1.0}, {"from_seconds": 1e9}, {"to_seconds": float("inf")}])
def test_the_place_is_in_the_clip(artist, reviewer, told):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    with pytest.raises(refusals.ReasonsMissing):
        decisions.reject(submission, by=reviewer, reasons=makers.reasons(**told))


@pytest.mark.parametrize("told", [{"from_seconds": float("nan")}, {"to_seconds": float("nan")}])
def test_no_number_is_no_place(artist, reviewer, told):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    with pytest.raises(refusals.ReasonsMissing):
        decisions.reject(submission, by=reviewer, reasons=makers.reasons(**told))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1"])
def test_the_database_refuses_a_place_that_is_none(artist, reviewer, number):
    submission = makers.submitted(artist)
    reasons = makers.reasons()
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(
            revision_id=submission.current_id,
            reviewer=reviewer.user,
            verdict="reject",
            clauses=list(reasons.clauses),
            facts="It blinks.",
            from_seconds=float(number),
            state_before="submitted",
            state_after="rejected",
            role="sole",
            decides=True,
            effective_at=Now(),
        )


def test_the_database_knows_every_clause_that_a_decision_names(artist, reviewer):
    submission = makers.submitted(artist)
    with pytest.raises(IntegrityError, match="names clauses of the policy"), transaction.atomic():
        Decision.objects.create(
            revision_id=submission.current_id,
            reviewer=reviewer.user,
            verdict="reject",
            clauses=[submission.pk],
            facts="It blinks.",
            from_seconds=1,
            state_before="submitted",
            state_after="rejected",
            role="sole",
            decides=True,
            effective_at=Now(),
        )


# ---------------------------------------------------------------- what the artist hears


def test_who_has_withdrawn_is_not_asked_to_sign(artist, reviewer):
    submission = makers.submitted(artist)
    decision = makers.decided(submission, by=reviewer)
    submissions.withdraw(fresh(submission), by=artist)
    makers.in_effect(decision)
    decisions.announce()
    assert not Notice.objects.filter(user=artist.user, body__contains="Sign it").exists()


def test_what_was_undone_is_never_told(artist, reviewer):
    decision = makers.decided(makers.submitted(artist), "reject", by=reviewer)
    decisions.undo(Decision.objects.get(), by=reviewer)
    makers.in_effect(decision)
    assert decisions.announce() == 0
    assert not Notice.objects.filter(user=artist.user).exists()


def test_an_escalation_is_no_news_for_the_artist(artist, no_undo):
    makers.decided(makers.submitted(artist), "escalate")
    assert decisions.announce() == 1
    assert not Notice.objects.filter(user=artist.user).exists()


@pytest.mark.parametrize("verdict", ["approve", "reject", "request_changes", "escalate"])
def test_no_list_tells_of_a_decision_that_can_be_undone(artist, reviewer, browser_of, verdict):
    undecided, decided = makers.submitted(artist), makers.submitted(artist)
    makers.decided(decided, verdict, by=reviewer)
    browser = browser_of(artist)
    for show in ("all", "private", "submitted", "approved", "public"):
        shown = {row.pk: row.status for row in browser.get(f"/mine?show={show}").context["page"]}
        assert shown.get(undecided.generation_id) == shown.get(decided.generation_id), show


@pytest.mark.parametrize("verdict", ["approve", "reject", "request_changes", "escalate"])
def test_no_page_tells_of_a_decision_that_can_be_undone(artist, reviewer, browser_of, client_of, verdict):
    undecided, decided = makers.submitted(artist), makers.submitted(artist)
    makers.decided(undecided, "escalate", by=reviewer)  # both were looked at
    decisions.undo(Decision.objects.select_related("revision__submission").get(), by=reviewer)
    queue.release(fresh(undecided), by=reviewer)
    makers.decided(decided, verdict, by=reviewer)
    browser, client = browser_of(artist), client_of(artist)
    told = []
    for row in (undecided, decided):
        context = browser.get(f"/mine/{row.generation_id.hex}").context
        shown = client.get(f"/v1/submissions/submission_{row.pk.hex}").json()
        told.append(
            (
                context["shown_state"],
                context["status"],
                context["can"],
                context["letter"],
                [event.sentence for event in context["events"]],
                [shown[key] for key in ("status", "decision", "appeal", "publication", "published", "actions")],
            )
        )
    assert told[0] == told[1]
    assert browser.get("/dashboard").context["waits"] == []

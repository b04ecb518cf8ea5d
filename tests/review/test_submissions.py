"""An artist lays a work before the reviewers, sends a new version, or takes it back."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from gateway import actors, members, refusals
from gateway.models import Entry
from generation import generations
from review import decisions, queue, submissions
from review.models import Decision, Revision, Submission
from tests import makers

pytestmark = pytest.mark.django_db
WORDS = {"title": "Kiln, softer", "credit": "An artist", "licence": "CC-BY-4.0"}
PENDING = ["approve", "reject", "request_changes", "escalate"]


def answer_of(call) -> str:
    """What an attempt says: the refusal's code and sentence, or that it went through."""
    try:
        call()
    except refusals.Refused as refusal:
        return f"{refusal.code}: {refusal.sentence}"
    return "done"


def test_ten_submits_at_once_of_one_work_are_one_submission(at_once, transactional_db):
    artist = makers.artist()
    generation = makers.completed(artist)

    answers = at_once(*[lambda: submissions.submit(generation, by=artist, **WORDS)] * 10)

    assert sum(isinstance(answer, Submission) for answer in answers) == 1
    assert sum(isinstance(answer, refusals.AlreadySubmitted) for answer in answers) == 9
    assert Submission.objects.count() == Revision.objects.count() == 1


def test_a_work_of_somebody_else_is_not_there(artist, stranger, reviewer, admin):
    generation = makers.completed(artist)
    submission = makers.submitted(artist, generation)
    for somebody in (stranger, reviewer, admin):
        with pytest.raises(refusals.NotFound):
            submissions.submit(generation, by=somebody, **WORDS)
        with pytest.raises(refusals.NotFound):
            submissions.resubmit(submission, by=somebody, **WORDS)
        with pytest.raises(refusals.NotFound):
            submissions.withdraw(submission, by=somebody)
    assert makers.seen(submission).state == "submitted"


@pytest.mark.parametrize("state", ["queued", "cancelled"])
def test_only_a_completed_work_can_be_submitted(artist, state):
    generation = makers.queued(artist)
    if state == "cancelled":
        generations.cancel(generation, by=artist)
    with pytest.raises(refusals.NothingToSubmit, match=f"This generation is {state}"):
        submissions.submit(generation, by=artist, **WORDS)


def test_a_suspended_artist_submits_nothing_and_can_still_take_back(artist, admin):
    submission = makers.submitted(artist)
    generation = makers.completed(artist, seed=2)
    members.suspend(artist.membership, by=admin, reason="A conversation is due.")
    artist = actors.person(artist.user)
    with pytest.raises(refusals.Suspended):
        submissions.submit(generation, by=artist, **WORDS)
    submissions.withdraw(submission, by=artist)
    assert makers.seen(submission).state == "withdrawn"


def test_an_answer_is_due_within_the_cohorts_hours():
    artist = makers.artist(cohort=makers.cohort(review_hours=3))
    submission = makers.submitted(artist)
    assert 2.99 < (submission.due_at - submission.created_at).total_seconds() / 3600 < 3.01


def test_another_clip_for_the_new_version_is_ones_own_and_completed(artist, stranger, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes")
    with pytest.raises(refusals.NotFound):
        submissions.resubmit(submission, by=artist, generation=makers.completed(stranger), **WORDS)
    with pytest.raises(refusals.NothingToSubmit):
        submissions.resubmit(submission, by=artist, generation=makers.queued(artist), **WORDS)
    assert makers.seen(submission).current.number == 1


def test_ten_new_versions_at_once_are_one_revision(at_once, transactional_db, settings):
    settings.UNDO_SECONDS = 0
    artist = makers.artist()
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes")

    answers = at_once(*[lambda: submissions.resubmit(makers.seen(submission), by=artist, **WORDS)] * 10)

    assert sum(isinstance(answer, Submission) for answer in answers) == 1
    assert sum(isinstance(answer, refusals.WrongState) for answer in answers) == 9
    assert [revision.number for revision in submission.revisions.all()] == [1, 2]


def test_each_way_to_take_it_back(artist, reviewer, no_undo):
    for verdict in (None, "escalate", "request_changes", "approve", "reject"):
        submission = makers.submitted(artist)
        if verdict:
            makers.decided(submission, verdict, by=reviewer)
        submissions.withdraw(submission, by=artist)
        assert makers.seen(submission).state == "withdrawn", verdict
    with pytest.raises(refusals.WrongState, match="This submission is withdrawn"):
        submissions.withdraw(submission, by=artist)


def test_taking_it_back_frees_the_reviewers_desk_at_once(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take_next(by=reviewer)
    submissions.withdraw(submission, by=artist)
    assert not queue.held_by(reviewer).exists()
    with pytest.raises(refusals.NotHeld):
        decisions.approve(makers.seen(submission), by=reviewer)
    with pytest.raises(refusals.NothingWaiting):
        queue.take(submission, by=reviewer)


# ---------------------------------------------------------------- while a decision can still be undone


@pytest.mark.parametrize("verdict", PENDING)
def test_a_work_under_a_pending_decision_is_not_submitted_a_second_time(artist, reviewer, verdict):
    submission = makers.submitted(artist)
    makers.decided(submission, verdict, by=reviewer)
    with pytest.raises(refusals.AlreadySubmitted):
        submissions.submit(submission.generation, by=artist, **WORDS)


def test_a_reviewer_can_undo_a_rejection_whatever_the_artist_tried_meanwhile(artist, reviewer):
    submission = makers.submitted(artist)
    decision = makers.decided(submission, "reject", by=reviewer)
    answer_of(lambda: submissions.submit(submission.generation, by=artist, **WORDS))
    decisions.undo(Decision.objects.get(pk=decision.pk), by=reviewer)
    assert makers.seen(submission).state == "submitted"


@pytest.mark.parametrize("verdict", PENDING)
def test_a_new_version_tells_nothing_of_a_pending_decision(artist, reviewer, verdict):
    undecided, decided = makers.submitted(artist), makers.submitted(artist)
    makers.decided(decided, verdict, by=reviewer)
    said = [
        answer_of(lambda row=row: submissions.resubmit(makers.seen(row), by=artist, **WORDS))
        for row in (undecided, decided)
    ]
    assert said[0] == said[1]


# ---------------------------------------------------------------- the database's word


def test_the_database_refuses_a_second_live_submission_of_a_work(artist):
    submission = makers.submitted(artist)
    with pytest.raises(IntegrityError, match="one_live_submission_a_work"), transaction.atomic():
        Submission.objects.create(
            membership=submission.membership, generation=submission.generation, due_at=submission.due_at
        )


@pytest.mark.parametrize("state", ["approved", "rejected", "escalated", "withdrawn"])
def test_the_database_refuses_a_submission_that_does_not_begin_as_submitted(artist, state):
    generation = makers.completed(artist)
    with pytest.raises(IntegrityError, match="begins as submitted"), transaction.atomic():
        Submission.objects.create(
            membership=artist.membership, generation=generation, due_at=generation.created_at, state=state
        )


def test_the_database_refuses_to_approve_what_was_asked_to_change(artist, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes")
    with pytest.raises(IntegrityError, match="from a refusal to an approval leads an appeal"), transaction.atomic():
        Submission.objects.filter(pk=submission.pk).update(state="approved")


def test_the_database_refuses_another_submissions_revision_as_the_current_one(artist, stranger, no_undo):
    """Else a stranger's clip could be approved and signed in one's own name."""
    theirs = makers.submitted(stranger)
    makers.decided(theirs, "request_changes")
    submissions.resubmit(makers.seen(theirs), by=stranger, **WORDS)
    earlier = theirs.revisions.get(number=1)  # nobody's current revision any more
    mine = makers.submitted(artist)
    with pytest.raises(IntegrityError), transaction.atomic():
        Submission.objects.filter(pk=mine.pk).update(current=earlier)


@pytest.mark.parametrize("column", ["membership_id", "generation_id"])
def test_the_database_refuses_to_give_a_submission_to_somebody_else(artist, stranger, column):
    mine, theirs = makers.submitted(artist), makers.completed(stranger)
    other = {"membership_id": stranger.membership.pk, "generation_id": theirs.pk}[column]
    with pytest.raises(IntegrityError), transaction.atomic():
        Submission.objects.filter(pk=mine.pk).update(**{column: other})


def test_a_revision_names_the_file_by_its_own_hash(artist):
    submission = makers.submitted(artist)
    video = submission.generation.output("video")
    with pytest.raises(IntegrityError, match="by its hash"), transaction.atomic():
        Revision.objects.create(
            submission=submission, number=2, output=video, sha256="0" * 64, title="x", credit="y", licence="z"
        )


def test_every_change_is_in_the_log_with_who_did_it(artist, reviewer, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes", by=reviewer)
    submissions.resubmit(makers.seen(submission), by=artist, **WORDS)
    submissions.withdraw(makers.seen(submission), by=artist)
    rows = Entry.objects.filter(subject_id=submission.pk).order_by("id").values_list("action", "actor_id")
    mine, theirs = artist.user.pk, reviewer.user.pk
    assert list(rows) == [
        ("submission.submitted", mine),
        ("submission.taken", theirs),
        ("submission.changes_requested", theirs),
        ("submission.submitted", mine),
        ("submission.withdrawn", mine),
    ]


def test_a_change_without_its_entry_does_not_happen(artist):
    submission = makers.submitted(artist)
    with connection.cursor() as cursor:
        cursor.execute("create function no() returns trigger language plpgsql as 'begin raise ''full''; end'")
        cursor.execute("create trigger no before insert on audit.entry for each row execute function no()")
    with pytest.raises(Exception, match="full"), transaction.atomic():
        submissions.withdraw(submission, by=artist)
    assert makers.seen(submission).state == "submitted"


def test_a_work_is_not_submitted_again_while_its_rejection_is_being_undone(transactional_db, settings):
    """The undo began in time and is slow; the window ends; the artist submits. Else two would be live, and one an error."""
    settings.UNDO_SECONDS = 0.5
    artist, reviewer = makers.artist(), makers.reviewer()
    submission = makers.submitted(artist)
    decision = makers.decided(submission, "reject", by=reviewer)
    found = Decision.objects.select_related("revision__submission").get(pk=decision.pk)
    slow = "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1); return new; end'"
    with connection.cursor() as cursor:
        cursor.execute(slow)
        cursor.execute("create trigger zz_slow before update on review_decision for each row execute function slow()")
    try:
        with ThreadPoolExecutor(1) as pool:
            undone = pool.submit(lambda: (answer_of(lambda: decisions.undo(found, by=reviewer)), connection.close())[0])
            while not Decision.objects.effective().exists():
                time.sleep(0.02)
            again = answer_of(lambda: submissions.submit(submission.generation, by=artist, **WORDS))
            assert undone.result() == "done"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop function slow() cascade")
    assert again.startswith("already_submitted")
    assert makers.seen(submission).state == "submitted"

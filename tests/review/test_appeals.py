"""An appeal: free, once, in time, and heard by somebody else."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from gateway import audit, members, refusals
from gateway.models import Entry, Notice
from review import appeals, decisions, publishing, queue, submissions
from review.models import Appeal, Decision, Publication, Submission
from tests import makers

pytestmark = pytest.mark.django_db
WORDS = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}


@pytest.fixture
def refused(artist, reviewer, no_undo):
    """A decision of `reviewer` that refused a work of `artist`."""
    return makers.decided(makers.submitted(artist), "reject", by=reviewer)


def fresh(decision):
    return Decision.objects.select_related("revision__submission__membership__cohort").get(pk=decision.pk)


def heard(appeal, outcome, by=None):
    """Somebody else took the appeal and answered it."""
    submission = Submission.objects.get(pk=appeal.decision.revision.submission_id)
    by = by or makers.reviewer()
    queue.take(submission, by=by)
    rule = appeals.overturn if outcome == "overturned" else appeals.uphold
    return rule(submission, by=by, message="The light is slow, and no clause speaks of that.")


def test_an_appeal_waits_in_a_lane_of_its_own_for_somebody_else(refused, artist, reviewer):
    appeal = appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    submission = makers.seen(refused.revision.submission)
    assert (submission.state, submission.lane, submission.due_at) == ("rejected", "appeal", appeal.due_at)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    assert queue.take_next(by=makers.reviewer(), lane="appeal") == submission


def test_overturned_the_work_is_approved_by_itself(refused, artist, reviewer):
    appeal = appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    heard(appeal, "overturned")
    decisions.announce()
    row = makers.seen(refused.revision.submission)
    assert row.shown_state == "approved" and row.verdict.role == "appeal"
    assert Notice.objects.filter(user=artist.user).latest("created_at").subject.endswith("you were right")
    assert publishing.sign_off(row, by=artist, revision=1, name="Ines").state == "published"


def test_upheld_it_stays_as_it_was_and_the_artist_reads_why(refused, artist):
    appeal = appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    heard(appeal, "upheld")
    decisions.announce()
    appeal.refresh_from_db()
    assert appeal.state == "upheld" and makers.seen(refused.revision.submission).lane is None
    assert "no clause speaks of that" in Notice.objects.filter(user=artist.user).latest("created_at").body
    with pytest.raises(refusals.AlreadyAppealed):
        appeals.file(fresh(refused), by=artist, words="Once more.")


def test_a_hearing_can_be_undone_like_any_answer(refused, artist, settings):
    appeal = appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    settings.UNDO_SECONDS = 30
    judge = makers.reviewer()
    hearing = heard(appeal, "overturned", by=judge)
    assert makers.seen(refused.revision.submission).shown_state == "rejected", "nothing is said yet"
    decisions.undo(fresh(hearing), by=judge)
    appeal.refresh_from_db()
    row = makers.seen(refused.revision.submission)
    assert (appeal.state, row.state, row.lane, row.holder) == ("open", "rejected", "appeal", judge.user)


def test_the_database_keeps_the_first_reviewer_and_the_appeal_apart(refused, artist, reviewer):
    appeal = appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    Submission.objects.update(holder=reviewer.user, lease_until=Now() + timedelta(minutes=5))  # however they got it
    with pytest.raises(refusals.HeardByAnother):
        appeals.uphold(refused.revision.submission, by=reviewer, message="I was right.")
    with pytest.raises(IntegrityError, match="somebody_else"), transaction.atomic():
        Appeal.objects.filter(pk=appeal.pk).update(heard_by=reviewer.user, state="upheld", hearing=refused)


@pytest.mark.parametrize("who", ["suspended", "left"])
def test_who_is_suspended_or_has_left_appeals_too(refused, artist, admin, who):
    if who == "suspended":
        members.suspend(artist.membership, by=admin, reason="A reason.")
    else:
        members.end(artist.membership, by=admin, reason="A reason.")
    assert appeals.file(fresh(refused), by=artist, words="It is one slow pulse.").state == "open"


def test_nobody_appeals_for_another_nor_without_words_nor_twice(refused, artist, stranger):
    with pytest.raises(refusals.NotFound):
        appeals.file(fresh(refused), by=stranger, words="Mine.")
    with pytest.raises(refusals.WordsMissing):
        appeals.file(fresh(refused), by=artist, words=" ")
    appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    with pytest.raises(refusals.AlreadyAppealed):
        appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")


def test_after_six_months_it_is_too_late(refused, artist):
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table review_decision disable trigger fixed")
        Decision.objects.filter(pk=refused.pk).update(effective_at=Now() - timedelta(days=185))
        cursor.execute("alter table review_decision enable trigger fixed")
    with pytest.raises(refusals.NothingToAppeal):
        appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")


def test_an_approval_and_an_answer_that_can_be_undone_are_not_appealed(artist, settings):
    settings.UNDO_SECONDS = 30
    approved = makers.decided(makers.submitted(artist))
    unsaid = makers.decided(makers.submitted(artist), "reject")
    for decision in (approved, unsaid):
        with pytest.raises(refusals.NothingToAppeal):
            appeals.file(fresh(decision), by=artist, words="It is one slow pulse.")


def test_a_take_down_is_a_letter_and_an_appeal_brings_the_work_back(artist, admin, no_undo):
    publication = makers.published(artist)
    down = makers.taken_down(publication, by=admin)
    decisions.announce()
    assert not Publication.objects.public().exists()
    assert "We have taken it down under clause 4" in Notice.objects.filter(user=artist.user).latest("created_at").body
    appeal = appeals.file(fresh(down), by=artist, words="It is one slow pulse.")
    assert not Publication.objects.public().exists()
    heard(appeal, "overturned")
    decisions.announce()
    assert Publication.objects.public().get() == publication
    again = makers.taken_down(Publication.objects.listed().get(), by=admin)
    with pytest.raises(IntegrityError, match="comes back by an appeal"), transaction.atomic():
        Publication.objects.update(state="published", ended_at=None)
    assert again.pk != down.pk


def test_the_database_takes_nothing_down_without_a_decision(artist, no_undo):
    makers.published(artist)
    with pytest.raises(IntegrityError, match="a decision with reasons"), transaction.atomic():
        Publication.objects.update(state="taken_down", ended_at=Now(), reason="Because.")


def test_a_new_version_and_a_withdrawal_end_an_appeal(artist, no_undo):
    one, two = makers.submitted(artist), makers.submitted(artist)
    for submission in (one, two):
        decision = makers.decided(submission, "request_changes")
        appeals.file(fresh(decision), by=artist, words="It is one slow pulse.")
    submissions.resubmit(makers.seen(one), by=artist, **WORDS)
    submissions.withdraw(makers.seen(two), by=artist)
    assert set(Appeal.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert [makers.seen(row).lane for row in (one, two)] == ["first", None]


def test_while_an_appeal_is_open_the_work_is_not_submitted_anew(refused, artist):
    appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    with pytest.raises(refusals.AlreadySubmitted):
        submissions.submit(refused.revision.submission.generation, by=artist, **WORDS)


def test_every_appeal_and_every_hearing_is_in_the_log(refused, artist):
    appeal = appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")
    heard(appeal, "upheld")
    assert [entry.action for entry in audit.of(appeal)] == ["appeal.open", "appeal.upheld"]
    assert Entry.objects.filter(action="decision.uphold").count() == 1

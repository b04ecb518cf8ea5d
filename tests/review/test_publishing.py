"""What is public, and why."""

import pytest
from django.db import IntegrityError, transaction

from gateway import refusals
from review import decisions, publishing, submissions
from review.models import Decision, Publication, SignOff, Submission
from tests import makers

pytestmark = pytest.mark.django_db


def sign(submission: Submission, by, revision: int = 1, name: str = "An artist") -> Publication:
    return publishing.sign_off(Submission.objects.get(pk=submission.pk), by=by, revision=revision, name=name)


def test_nothing_is_published_before_approval(artist, stranger, reviewer):
    submission = makers.submitted(artist)
    with pytest.raises(refusals.NotApproved, match="This submission is submitted"):
        sign(submission, artist)
    makers.decided(submission, by=reviewer)
    with pytest.raises(refusals.NotYetInEffect):
        sign(submission, artist)
    assert not Publication.objects.exists() and not SignOff.objects.exists()


def test_only_its_artist_signs_the_approved_revision_with_a_name(artist, stranger, admin, reviewer, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, by=reviewer)
    for somebody in (stranger, admin, reviewer):
        with pytest.raises(refusals.NotFound):
            sign(submission, somebody)
    with pytest.raises(refusals.OutdatedRevision):
        sign(submission, artist, revision=2)
    with pytest.raises(refusals.NotSignedOff):
        sign(submission, artist, name="  ")
    assert sign(submission, artist).state == "published"


@pytest.mark.parametrize("verdict", ["reject", "request_changes", "escalate"])
def test_what_was_not_approved_can_not_be_signed(artist, verdict, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, verdict)
    with pytest.raises(refusals.NotApproved):
        sign(submission, artist)


def test_ten_signatures_at_once_are_one_publication(at_once, transactional_db, settings):
    settings.UNDO_SECONDS = 0
    artist = makers.artist()
    submission = makers.submitted(artist)
    makers.decided(submission)

    answers = at_once(*[lambda: sign(submission, artist)] * 10)

    assert len({answer.pk for answer in answers}) == 1
    assert Publication.objects.count() == SignOff.objects.count() == 1


@pytest.mark.parametrize("attempt", range(3))
def test_withdrawing_while_signing_never_leaves_it_public(at_once, transactional_db, settings, attempt):
    settings.UNDO_SECONDS = 0
    artist = makers.artist()
    submission = makers.submitted(artist)
    makers.decided(submission)

    at_once(
        *[lambda: sign(submission, artist)] * 3,
        *[lambda: submissions.withdraw(Submission.objects.get(pk=submission.pk), by=artist)] * 3,
    )

    assert Submission.objects.get().state == "withdrawn"
    assert not Publication.objects.public().exists()


def test_undoing_while_signing_is_too_late_or_refuses_the_signature(at_once, transactional_db, settings):
    settings.UNDO_SECONDS = 1
    artist, reviewer = makers.artist(), makers.reviewer()
    submission = makers.submitted(artist)
    decision = makers.decided(submission, by=reviewer)
    with pytest.raises(refusals.NotYetInEffect):
        sign(submission, artist)
    found = Decision.objects.select_related("revision__submission").get(pk=decision.pk)
    at_once(lambda: decisions.undo(found, by=reviewer), *[lambda: sign(submission, artist)] * 4)
    assert not Publication.objects.exists()
    assert Submission.objects.get().state == "submitted"


def insert(submission: Submission) -> None:
    with transaction.atomic():
        Publication.objects.create(submission=submission, revision_id=submission.current_id)


def test_the_database_refuses_a_publication_without_approval_or_signature(artist, reviewer, settings):
    submission = makers.submitted(artist)
    with pytest.raises(IntegrityError, match="approved and signed"):
        insert(submission)
    makers.decided(submission, by=reviewer)
    SignOff.objects.create(revision_id=submission.current_id, user=artist.user, name="An artist")
    with pytest.raises(IntegrityError, match="approved and signed"):  # not in effect yet
        insert(submission)


def test_the_database_refuses_a_strangers_signature(artist, stranger, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission)
    with pytest.raises(IntegrityError, match="approved and signed"):
        insert(submission)
    SignOff.objects.create(revision_id=submission.current_id, user=stranger.user, name="Not the artist")
    with pytest.raises(IntegrityError, match="approved and signed"):
        insert(submission)


def test_the_database_refuses_a_foreign_file_and_a_swapped_text(artist, stranger, no_undo):
    submission = makers.submitted(artist)
    foreign = makers.completed(stranger).output("video")
    revision = submission.current
    with pytest.raises(IntegrityError, match="video of its artist"), transaction.atomic():
        type(revision).objects.create(
            submission=submission, number=2, output=foreign, sha256=foreign.sha256, title="x", credit="y", licence="z"
        )
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        type(revision).objects.filter(pk=revision.pk).update(title="Swapped after approval")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        type(foreign).objects.filter(pk=foreign.pk).update(path="elsewhere")


def test_the_database_keeps_a_published_work_approved(artist, no_undo):
    publication = makers.published(artist)
    with pytest.raises(IntegrityError, match="withdrawn before its submission"), transaction.atomic():
        Submission.objects.filter(pk=publication.submission_id).update(state="withdrawn")


def test_withdrawal_closes_every_public_door_at_once(artist, guest, client_of, no_undo):
    publication = makers.published(artist)
    page, file = f"/works/{publication.pk.hex}", f"/works/{publication.pk.hex}/video.mp4"
    api = f"/v1/publications/publication_{publication.pk.hex}"
    etag = guest.get(file)["ETag"]
    assert [guest.get(door).status_code for door in (page, file, api, f"{api}/content")] == [200] * 4
    publishing.withdraw(publication, by=artist)
    for door in (page, file, api, f"{api}/content", f"{page}/poster.webp"):
        for answer in (
            guest.get(door),
            guest.head(door),
            guest.get(door, headers={"range": "bytes=0-99"}),
            guest.get(door, headers={"if-none-match": etag}),
        ):
            assert answer.status_code in (404, 410, 405), (door, answer.status_code)
    assert publication.pk.hex not in guest.get("/").content.decode()
    assert guest.get("/v1/publications").json()["data"] == []


def test_a_withdrawn_work_can_be_submitted_again(artist, no_undo):
    publication = makers.published(artist)
    publishing.withdraw(publication, by=artist)
    again = makers.submitted(artist, publication.submission.generation)
    assert again.state == "submitted"


def test_a_smoke_cohort_never_reaches_the_public_list(guest, no_undo):
    artist = makers.artist(cohort=makers.cohort(smoke=True))
    publication = makers.published(artist)
    assert guest.get(f"/works/{publication.pk.hex}").status_code == 200
    assert publication.pk.hex not in guest.get("/").content.decode()

"""What is public, and why."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from gateway import actors, members, refusals
from gateway.models import Entry
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
    with pytest.raises(refusals.NotApproved):
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


def test_undoing_and_signing_at_once_is_the_one_or_the_other(at_once, transactional_db, settings):
    settings.UNDO_SECONDS = 0.5
    artist, reviewer = makers.artist(), makers.reviewer()
    submission = makers.submitted(artist)
    decision = makers.decided(submission, by=reviewer)
    found = Decision.objects.select_related("revision__submission").get(pk=decision.pk)
    while not Decision.objects.filter(effective_at__lte=Now() + timedelta(milliseconds=30)).exists():
        time.sleep(0.002)

    answers = at_once(*[lambda: decisions.undo(found, by=reviewer), lambda: sign(submission, artist)] * 4)

    assert all(isinstance(answer, (refusals.Refused, Publication)) or answer is None for answer in answers), answers
    undone = Decision.objects.get().undone_at is not None
    assert not (undone and Publication.objects.exists())
    assert makers.seen(submission).state == ("submitted" if undone else "approved")


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


# ---------------------------------------------------------------- withdrawing by two doors


def test_withdrawing_the_work_and_its_submission_at_once_is_one_withdrawal(transactional_db, settings):
    """Both doors lock in the same order, else the database ends one of them with an error."""
    settings.UNDO_SECONDS = 0
    artist = makers.artist()
    publication = makers.published(artist)
    found = Publication.objects.listed().get()

    def by_the_other_door():
        try:
            return publishing.withdraw(found, by=artist)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            submission = Submission.objects.select_for_update().get()  # as submissions.withdraw begins
            other = pool.submit(by_the_other_door)
            until = time.monotonic() + 10
            waiting = False
            while not waiting and time.monotonic() < until:
                cursor.execute("select exists (select from pg_locks where not granted)")
                waiting = cursor.fetchone()[0]
                time.sleep(0.01)
            assert waiting
            submissions.withdraw(submission, by=artist)
        assert isinstance(other.result(), refusals.WrongState)
    assert Publication.objects.get().state == Submission.objects.get().state == "withdrawn"
    assert Entry.objects.filter(action="publication.withdrawn", subject_id=publication.pk).count() == 1


def test_ten_withdrawals_at_once_are_one(at_once, transactional_db, settings):
    settings.UNDO_SECONDS = 0
    artist = makers.artist()
    makers.published(artist)

    answers = at_once(
        *[lambda: publishing.withdraw(Publication.objects.listed().get(), by=artist)] * 5,
        *[lambda: submissions.withdraw(Submission.objects.get(), by=artist)] * 5,
    )

    assert answers.count(None) == 1
    assert {type(answer) for answer in answers if answer is not None} == {refusals.WrongState}


# ---------------------------------------------------------------- who may sign, and when


@pytest.mark.parametrize("verdict", ["approve", "reject", "request_changes", "escalate"])
def test_trying_to_sign_tells_nothing_of_a_decision_that_can_be_undone(artist, reviewer, verdict):
    undecided, decided = makers.submitted(artist), makers.submitted(artist)
    makers.decided(decided, verdict, by=reviewer)
    said = []
    for submission in (undecided, decided):
        with pytest.raises(refusals.Refused) as refused:
            sign(submission, artist)
        said.append((refused.value.code, refused.value.sentence))
    assert said[0] == said[1]
    assert not SignOff.objects.exists()


def test_a_suspended_artist_publishes_nothing_new_and_can_still_withdraw(artist, admin, no_undo):
    published = makers.published(artist)
    submission = makers.submitted(artist, makers.completed(artist, seed=2))
    makers.decided(submission)
    members.suspend(artist.membership, by=admin, reason="A conversation is due.")
    suspended = actors.person(artist.user)
    with pytest.raises(refusals.Suspended):
        sign(submission, suspended)
    publishing.withdraw(Publication.objects.listed().get(pk=published.pk), by=suspended)
    assert not Publication.objects.public().exists()


def test_the_words_that_were_approved_are_what_is_public(artist, guest, no_undo):
    """After a new version the old approval, the old words and the old file count for nothing."""
    submission = makers.submitted(artist, title="First words")
    makers.decided(submission, "request_changes")
    other = makers.completed(artist, seed=99, prompt="a green square")
    words = {"title": "Second words", "credit": "Somebody", "licence": "CC0-1.0"}
    submissions.resubmit(makers.seen(submission), by=artist, generation=other, **words)
    with pytest.raises(refusals.NotApproved):
        sign(submission, artist, revision=2)
    makers.decided(submission)
    with pytest.raises(refusals.OutdatedRevision):
        sign(submission, artist, revision=1)
    publication = sign(submission, artist, revision=2)
    page = guest.get(f"/works/{publication.pk.hex}").content.decode()
    assert "Second words" in page and "First words" not in page


def test_the_database_refuses_a_publication_of_another_revision(artist, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes")
    words = {"title": "Second", "credit": "Somebody", "licence": "CC0-1.0"}
    submissions.resubmit(makers.seen(submission), by=artist, **words)
    makers.decided(submission)
    approved = makers.seen(submission).current
    SignOff.objects.create(revision=approved, user=artist.user, name="An artist")
    for revision in submission.revisions.exclude(pk=approved.pk):
        SignOff.objects.create(revision=revision, user=artist.user, name="An artist")
        with pytest.raises(IntegrityError, match="approved and signed"), transaction.atomic():
            Publication.objects.create(submission=submission, revision=revision)
    theirs = makers.submitted(makers.artist())
    with pytest.raises(IntegrityError, match="approved and signed"), transaction.atomic():
        Publication.objects.create(submission=theirs, revision=approved)
    assert Publication.objects.create(submission=submission, revision=approved).state == "published"


def test_the_database_keeps_an_ended_publication_ended(artist, no_undo):
    publication = makers.published(artist)
    publishing.withdraw(publication, by=artist)
    for sql in (
        "update review_publication set state = 'published', ended_at = null",
        "update review_submission set state = 'approved'",
        "delete from review_publication",
        "delete from review_signoff",
        "update review_signoff set name = 'Somebody else'",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


# ---------------------------------------------------------------- caches


def test_no_cache_keeps_a_work_beyond_its_withdrawal(artist, guest, no_undo):
    publication = makers.published(artist)
    doors = [
        "/",
        f"/works/{publication.pk.hex}",
        f"/works/{publication.pk.hex}/video.mp4",
        f"/works/{publication.pk.hex}/poster.webp",
        "/v1/publications",
        f"/v1/publications/publication_{publication.pk.hex}",
        f"/v1/publications/publication_{publication.pk.hex}/content",
    ]
    stored = [door for door in doors if "no-cache" not in guest.get(door).get("Cache-Control", "")]
    assert stored == []


def test_no_cache_keeps_a_refusal_beyond_its_cause(artist, guest, no_undo):
    """404 and 410 may be stored by a cache unless they say otherwise (RFC 9110, section 15.1)."""
    publication = makers.published(artist)
    publishing.withdraw(publication, by=artist)
    for door in (f"/works/{publication.pk.hex}", f"/works/{publication.pk.hex}/video.mp4"):
        answer = guest.get(door)
        assert answer.status_code == 410
        assert "no-cache" in answer.get("Cache-Control", "") or "no-store" in answer.get("Cache-Control", ""), door

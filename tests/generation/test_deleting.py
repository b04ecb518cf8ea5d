"""An artist deletes a clip, or makes a new one out of one."""

import io
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from PIL import Image

from gateway import allowances, audit, refusals
from generation import generations
from generation import limits as generation_limits
from generation.media import orphans
from generation.models import Generation, ModelProfile
from review import submissions
from review.models import Fingerprint, Submission
from tests import makers

pytestmark = pytest.mark.django_db


def files() -> set[str]:
    root = Path(default_storage.path(""))
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def with_picture(by) -> Generation:
    """A clip of a model that begins from a picture."""
    twin = makers.twin(makers.sketch(), "animate")
    ModelProfile.objects.filter(pk=twin.pk).update(modality="image-to-video")
    png = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(png, "PNG")
    return makers.completed(by, model="animate", picture=SimpleUploadedFile("a.png", png.getvalue()))


# ---------------------------------------------------------------- deleting


def test_a_deleted_clip_is_gone_with_its_files(artist, client_of, browser_of, django_capture_on_commit_callbacks):
    generation = with_picture(artist)
    path, browser = f"/v1/videos/video_{generation.pk.hex}", browser_of(artist)
    client = client_of(artist)
    assert len(files()) == 4
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.delete(path)
    assert (answer.status_code, answer.json()) == (
        200,
        {"id": f"video_{generation.pk.hex}", "object": "video.deleted", "deleted": True},
    )
    assert files() == set()
    assert client.get(path).status_code == client.get(f"{path}/content").status_code == 404
    assert client.post(f"{path}/remix", {"prompt": "x"}, format="json").status_code == 404
    assert client.get("/v1/videos").json()["data"] == []
    assert browser.get(f"/mine/{generation.pk.hex}").status_code == 404
    assert browser.get(f"/generations/{generation.pk.hex}/video.mp4").status_code == 404
    assert audit.of(generation).filter(action="generation.deleted").count() == 1


def test_deleting_again_is_no_error_and_nothing_more(artist, stranger, client_of):
    """A client whose answer got lost asks again."""
    generation = makers.completed(artist)
    path = f"/v1/videos/video_{generation.pk.hex}"
    first, again = client_of(artist).delete(path), client_of(artist).delete(path)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert audit.of(generation).filter(action="generation.deleted").count() == 1
    assert client_of(stranger).delete(path).status_code == 404


def test_what_was_used_stays_used(artist):
    generation = makers.completed(artist)
    spent, taken = allowances.current(artist.membership).spent, generation_limits.use(artist.membership)
    generations.delete(generation, by=artist)
    assert (allowances.current(artist.membership).spent, generation_limits.use(artist.membership)) == (spent, taken)
    kept = Generation.objects.get(pk=generation.pk)
    assert (kept.state, kept.prompt) == ("completed", generation.prompt)


def test_one_that_waits_or_is_drawn_is_cancelled_first(artist, client_of):
    queued, drawn = makers.queued(artist), makers.queued(artist)
    makers.drawing(drawn)
    client = client_of(artist)
    for generation, state in ((queued, "queued"), (drawn, "in progress")):
        answer = client.delete(f"/v1/videos/video_{generation.pk.hex}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "still_under_way")
        assert f"This video is {state}:" in answer.json()["detail"]
    generations.cancel(queued, by=artist)
    assert client.delete(f"/v1/videos/video_{queued.pk.hex}").status_code == 200


def test_a_work_that_is_judged_or_public_is_withdrawn_first(artist, client_of, no_undo):
    makers.policy()
    publication = makers.published(artist)
    generation, client = publication.submission.generation, client_of(artist)
    refused = client.delete(f"/v1/videos/video_{generation.pk.hex}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_withdrawn")
    submissions.withdraw(publication.submission, by=artist)
    assert client.delete(f"/v1/videos/video_{generation.pk.hex}").status_code == 200
    page = client.get(f"/works/{publication.pk.hex}")
    assert page.status_code == 410


def test_it_is_deleted_on_its_page_where_it_can_be(artist, stranger, browser_of):
    made, page = makers.completed(artist), browser_of(artist)
    at, door = f"/mine/{made.pk.hex}", f"/generations/{made.pk.hex}/delete"
    submission = makers.submitted(artist, made)
    assert door not in page.get(at).content.decode()
    assert page.post(door).status_code == 409
    submissions.withdraw(submission, by=artist)
    assert door in page.get(at).content.decode()
    assert browser_of(stranger).post(door).status_code == 404
    assert "It is deleted" in page.post(door, follow=True).content.decode()
    assert page.get(at).status_code == 404 and page.post(door).status_code == 404


def test_what_can_be_done_with_it_is_said_as_it_is_at_that_moment(artist, client_of):
    made, client = makers.completed(artist), client_of(artist)
    at = f"/v1/videos/video_{made.pk.hex}"
    first = client.get(at)
    assert first.json()["actions"] == ["remix", "delete"]
    submission = makers.submitted(artist, made)
    again = client.get(at, headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.json()["actions"]) == (200, ["remix"])
    assert client.get(at, headers={"if-none-match": again["ETag"]}).status_code == 304
    assert client.get("/v1/videos").json()["data"][0]["actions"] == ["remix"]
    submissions.withdraw(submission, by=artist)
    assert client.get(at, headers={"if-none-match": again["ETag"]}).json()["actions"] == ["remix", "delete"]


@pytest.mark.parametrize("verdict", ["reject", "request_changes"])
def test_also_one_that_was_refused(artist, verdict, no_undo):
    generation = makers.completed(artist)
    makers.decided(makers.submitted(artist, generation), verdict)
    with pytest.raises(refusals.NotWithdrawn):
        generations.delete(generation, by=artist)


def test_also_a_clip_that_took_the_place_of_another(artist, no_undo):
    submission, other = makers.submitted(artist), makers.completed(artist)
    makers.decided(submission, "request_changes")
    words = {"title": "Kiln", "credit": "An artist", "licence": "CC0-1.0"}
    submissions.resubmit(Submission.objects.get(), by=artist, generation=other, **words)
    with pytest.raises(refusals.NotWithdrawn):
        generations.delete(other, by=artist)


def test_a_deleted_clip_is_not_submitted_and_not_found_by_its_copies(artist):
    generation = makers.completed(artist)
    submission, video = makers.submitted(artist, generation), generation.output("video")
    Fingerprint.objects.create(output=video, version=1, hashes=b"", colours=b"", bands=[])
    submissions.withdraw(submission, by=artist)
    seen = Generation.objects.get(pk=generation.pk)
    generations.delete(generation, by=artist)
    assert not Fingerprint.objects.exists()
    with pytest.raises(refusals.NotFound):
        makers.submitted(artist, seen)
    for change in ({"deleted_at": None}, {"deleted_at": Now()}):
        with pytest.raises(IntegrityError, match="stays deleted"), atomic():
            Generation.objects.update(**change)


def test_of_deleting_and_submitting_at_once_one_happens(transactional_db, at_once, artist):
    for _ in range(4):
        generation = makers.completed(artist)
        ended = at_once(
            lambda generation=generation: generations.delete(Generation.objects.get(pk=generation.pk), by=artist),
            lambda generation=generation: makers.submitted(artist, Generation.objects.get(pk=generation.pk)),
        )
        assert all(error is None or isinstance(error, (Submission, refusals.Refused)) for error in ended)
        gone = Generation.objects.get(pk=generation.pk).deleted_at is not None
        assert gone != Submission.objects.filter(generation=generation).exists()


def test_what_a_death_left_of_the_files_a_chore_throws_away(artist):
    generation = with_picture(artist)
    generations.delete(generation, by=artist)  # the transaction of the test does not commit: no file was touched
    assert len(files()) == 4
    assert orphans.sweep() == 3
    (picture,) = files()  # it is an hour old before it goes
    assert picture == generation.picture.path


# ---------------------------------------------------------------- remixing


def test_a_remix_has_other_words_and_all_else_the_same(artist, client_of):
    source = makers.completed(artist, seed=7, steps=9, guidance=2.5)
    answer = client_of(artist).post(f"/v1/videos/video_{source.pk.hex}/remix", {"prompt": "a blue ring"}, format="json")
    video = answer.json()
    assert answer.status_code == 200 and answer["openai-poll-after-ms"]
    assert (video["remixed_from_video_id"], video["prompt"]) == (f"video_{source.pk.hex}", "a blue ring")
    made = Generation.objects.exclude(pk=source.pk).get()
    for same in ("model", "seconds", "width", "height", "seed", "steps", "guidance"):
        assert getattr(made, same) == getattr(source, same), same
    assert made.state == "queued"


def test_a_remix_of_a_clip_from_a_picture_has_a_picture_of_its_own(artist, client_of):
    source = with_picture(artist)
    made = generations.remix(source, by=artist, prompt="a blue ring")
    assert made.picture.sha256 == source.picture.sha256 and made.picture.path != source.picture.path
    assert {made.picture.path, source.picture.path} <= files()


def test_what_is_not_offered_any_more_is_not_remixed(artist, stranger, client_of):
    source = makers.completed(artist)
    path = f"/v1/videos/video_{source.pk.hex}/remix"
    assert client_of(stranger).post(path, {"prompt": "x"}, format="json").status_code == 404
    with pytest.raises(refusals.NotFound):
        generations.remix(source, by=stranger, prompt="x")
    assert client_of(artist).post(path, {"prompt": " "}, format="json").json()["error"]["code"] == "prompt_missing"
    ModelProfile.objects.filter(slug="sketch").update(sizes=["128x128"])
    assert client_of(artist).post(path, {"prompt": "x"}, format="json").json()["error"]["code"] == "not_offered"
    ModelProfile.objects.filter(slug="sketch").update(enabled=False)
    assert client_of(artist).post(path, {"prompt": "x"}, format="json").json()["error"]["code"] == "unknown_model"


def test_where_a_remix_came_from_is_written_once(artist):
    source = makers.completed(artist)
    generations.remix(source, by=artist, prompt="a blue ring")
    with pytest.raises(IntegrityError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute("update generation_generation set remixed_from_id = null")


@pytest.mark.parametrize(
    ("path", "words"), [("edits", "remix one"), ("extensions", "ask for a longer one"), ("characters", "describe it")]
)
def test_what_no_model_here_can_do_is_said_in_words(artist, client_of, path, words):
    answer = client_of(artist).post(f"/v1/videos/{path}", {"prompt": "x"}, format="multipart")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported")
    assert answer.json()["detail"].startswith("No model here can") and words in answer.json()["detail"]

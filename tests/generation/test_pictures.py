"""A picture that a clip begins from: who may bring which, where it lies, who sees it, and how it is fitted."""

import hashlib
import html
import io
from base64 import b64encode
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from PIL import Image

from gateway import actors, allowances, refusals
from gateway.actors import Actor
from generation import generations, media, scheduling
from generation.media import fit
from generation.models import Generation, ModelProfile, Picture
from review import dossier
from tests import makers
from tests.generation.engines.families import CASES
from tests.generation.test_families import offered

pytestmark = pytest.mark.django_db


@pytest.fixture
def animate(db: None) -> ModelProfile:
    """A model that is offered and begins from a picture."""
    return ModelProfile.objects.create(
        slug="animate",
        name="Animate",
        pipeline="CogVideoXImageToVideoPipeline",
        source="animate",
        modality="image-to-video",
        sizes=["96x64"],
        seconds=[1],
        fps=8,
        steps=4,
        max_steps=50,
        guidance=6.0,
        prompt_words=50,
        credits_per_second=2,
        licence="x",
        training_data="x",
    )


def picture(width: int = 200, height: int = 100, kind: str = "PNG", **options: Any) -> SimpleUploadedFile:
    """Red on the left, blue on the right."""
    drawn = Image.new("RGB", (width, height), "red")
    drawn.paste("blue", (width // 2, 0, width, height))
    file = io.BytesIO()
    drawn.save(file, kind, **options)
    return SimpleUploadedFile("IMG_0001.xyz", file.getvalue(), "application/x-claims-anything")


def asked(by: Actor, brought: Any, **words: Any) -> Generation:
    return generations.submit(by=by, prompt="it turns", model="animate", picture=brought, **words)


@pytest.mark.parametrize(("kind", "told"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_it_is_kept_with_what_it_is_whatever_it_is_called(animate, artist, kind, told):
    brought = picture(kind=kind)
    kept = asked(artist, brought).picture
    assert kept is not None
    assert (kept.media_type, kept.width, kept.height, kept.size) == (told, 200, 100, brought.size)
    brought.seek(0)
    with media.open_for(artist, "own picture", kept).file as file:
        assert file.read() == brought.read()
    assert "IMG_0001" not in kept.path


def test_where_it_was_taken_does_not_come_in_with_it(animate, artist):
    told = Image.Exif()
    told[0x010F] = "A camera of Ines"
    kept = asked(artist, picture(kind="JPEG", exif=told, comment="at home")).picture
    with media.open_for(artist, "own picture", kept).file as file:
        body = file.read()
    assert b"Ines" not in body and b"at home" not in body
    assert (kept.sha256, kept.size) == (hashlib.sha256(body).hexdigest(), len(body))
    assert Image.open(io.BytesIO(body)).size == (200, 100)


@pytest.mark.parametrize(
    ("brought", "refused", "words"),
    [
        (lambda: None, refusals.PictureNeeded, "Animate begins from a picture"),
        (lambda: SimpleUploadedFile("x.png", b"\x89PNG\r\n\x1a\nno more"), refusals.PictureUnreadable, "PNG, JPEG"),
        (lambda: SimpleUploadedFile("x.png", b""), refusals.PictureUnreadable, "PNG, JPEG"),
        (lambda: picture(kind="GIF"), refusals.PictureUnreadable, "PNG, JPEG"),
        (lambda: picture(63, 200), refusals.PictureSides, "63 × 200 pixels; each side has to have 64 to 8192"),
        (lambda: picture(8193, 64), refusals.PictureSides, "8193 × 64"),
        (lambda: SimpleUploadedFile("x.png", bytes(20_000_001)), refusals.PictureTooLarge, "20.0 MB; at most 20"),
    ],
)
def test_what_is_no_picture_is_refused_and_nothing_is_charged_or_kept(animate, artist, brought, refused, words):
    with pytest.raises(refused, match=words) as no:
        asked(artist, brought())
    assert (no.value.param, no.value.status) == ("picture", 400)
    assert not Generation.objects.exists() and not Picture.objects.exists()
    assert not default_storage.exists("inputs")


def test_a_model_that_draws_from_words_takes_none(artist):
    makers.sketch()
    with pytest.raises(refusals.PictureNotTaken, match="Sketch draws from words alone"):
        generations.submit(by=artist, prompt="a red circle", picture=picture())


def test_what_can_not_be_paid_leaves_no_file(animate, artist):
    type(artist.membership).objects.filter(pk=artist.membership.pk).update(credits=1)
    with pytest.raises(refusals.NotEnoughCredits):
        asked(makers.actors.person(artist.user), picture())
    assert not Picture.objects.exists()
    assert default_storage.listdir("inputs")[1] == []


def test_one_press_is_one_clip_and_one_file_and_another_picture_is_another(animate, artist):
    once = makers.new_id()
    first, again = (asked(artist, picture(), once=once, seed=1) for _ in range(2))
    other = asked(artist, picture(210), once=once, seed=1)
    assert first.pk == again.pk != other.pk
    assert len(default_storage.listdir("inputs")[1]) == Picture.objects.count() == 2


def test_its_artist_sees_it_and_the_worker_and_nobody_else(
    animate, artist, stranger, reviewer, admin, guest, browser_of
):
    work = asked(artist, picture())
    path = f"/generations/{work.pk.hex}/picture"
    mine = browser_of(artist).get(path)
    assert mine.status_code == 200 and mine["Content-Type"] == "image/png"
    assert mine["Cache-Control"] == "private, no-store"
    for somebody in (stranger, reviewer, admin):
        assert browser_of(somebody).get(path).status_code == 404
        with pytest.raises(refusals.NotFound):
            media.open_for(somebody, "own picture", work.picture)
        with pytest.raises(refusals.NotFound):
            media.open_for(somebody, "worker's input", work.picture)
    assert guest.get(path).status_code == 302
    for purpose in ("own work", "public", "review", "export", "opened"):
        with pytest.raises(refusals.NotFound):
            media.open_for(artist, purpose, work.picture)


def test_it_is_written_once_and_goes_with_its_work(animate, artist):
    work = asked(artist, picture())
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Picture.objects.update(path="elsewhere")
    other = asked(artist, picture(210))
    with pytest.raises(IntegrityError), transaction.atomic():
        Generation.objects.filter(pk=work.pk).update(picture=None)
    media.erase(Generation.objects.get(pk=work.pk))
    assert not default_storage.exists(work.picture.path)
    assert default_storage.exists(other.picture.path)


def test_by_the_studio_and_by_rest(animate, artist, browser_of, client_of):
    browser = browser_of(artist)
    page = browser.get("/studio").content.decode()
    assert 'enctype="multipart/form-data"' in page and 'name="picture"' in page
    form = {"prompt": "it turns", "model": "animate", "seconds": 1, "size": "96x64"}
    assert browser.post("/studio", {**form, "picture": picture()}).status_code == 302
    assert "begins from a picture" in browser.post("/studio", form).content.decode()
    sent = {"prompt": "it turns", "model": "animate", "input_reference": picture()}
    video = client_of(artist).post("/v1/videos", sent, format="multipart")
    assert video.status_code == 200, video.content
    assert video.json()["input_reference"]["size"] == "200x100"
    assert Picture.objects.count() == 2


@pytest.mark.parametrize(
    ("brought", "code", "words"),
    [
        (None, "picture_needed", "Animate begins from a picture: bring one, as PNG, JPEG or WebP."),
        (lambda: picture(kind="GIF"), "picture_unreadable", "PNG, JPEG and WebP can."),
        (lambda: picture(63, 200), "picture_sides", "63 × 200 pixels; each side has to have 64 to 8192."),
        (lambda: SimpleUploadedFile("x.png", bytes(20_000_001)), "picture_too_large", "at most 20 MB are taken."),
    ],
)
def test_each_door_says_what_is_allowed_and_charges_nothing(
    animate, artist, browser_of, client_of, brought, code, words
):
    form = {"prompt": "it turns, slowly", "model": "animate", "seconds": 1, "size": "96x64"}
    answer = browser_of(artist).post("/studio", {**form, "picture": brought()} if brought else form)
    page = answer.content.decode()
    assert answer.status_code == 400 and words in html.unescape(page) and "it turns, slowly" in page
    assert ("Choose the picture again" in page) is (brought is not None), "a browser does not send it back by itself"
    sent = {"prompt": "it turns", "model": "animate", **({"input_reference": brought()} if brought else {})}
    answer = client_of(artist).post("/v1/videos", sent, format="multipart")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, "input_reference")
    assert words in error["message"]
    assert not Generation.objects.exists() and allowances.current(artist.membership).held == 0


def test_what_is_no_file_is_refused_by_rest_and_so_is_a_picture_for_a_model_of_words(animate, artist, client_of):
    makers.sketch()
    client, asked = client_of(artist), {"prompt": "it turns", "model": "animate"}
    for nothing in (SimpleUploadedFile("x.png", b""), "https://example.org/a.png"):
        answer = client.post("/v1/videos", {**asked, "input_reference": nothing}, format="multipart")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input_reference")
    for told in (
        {"image_url": "https://example.org/a.png"},
        {"file_id": "file_1"},
        {"image_url": "data:image/png;base64,%"},
    ):
        nested = {f"input_reference[{key}]": value for key, value in told.items()}
        for answer in (
            client.post("/v1/videos", {**asked, "input_reference": told}, format="json"),
            client.post("/v1/videos", {**asked, **nested}, format="multipart"),
        ):
            assert answer.status_code == 400 and "data: URL" in answer.json()["error"]["message"]
    answer = client.post("/v1/videos", {"prompt": "it turns", "input_reference": picture()}, format="multipart")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "picture_not_taken")
    assert not Generation.objects.exists()


def test_a_data_url_is_a_picture_too_as_the_sdk_and_json_write_it(animate, artist, client_of):
    url = f"data:image/png;base64,{b64encode(picture().read()).decode()}"
    client, asked = client_of(artist), {"prompt": "it turns", "model": "animate"}
    for answer in (
        client.post("/v1/videos", {**asked, "input_reference": {"image_url": url}}, format="json"),
        client.post("/v1/videos", {**asked, "input_reference[image_url]": url}, format="multipart"),
    ):
        assert answer.status_code == 200, answer.content
    assert len(set(Picture.objects.values_list("sha256", flat=True))) == 1 and Picture.objects.count() == 2
    large = {**asked, "input_reference": {"image_url": url + "A" * 2_700_000}}
    answer = client.post("/v1/videos", large, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert "at most 2.6 MB beside its files" in answer.json()["detail"]


def test_a_guest_is_offered_no_model_that_begins_from_a_picture(animate, artist):
    """There is no place on their page to bring one."""
    secret = makers.lent(artist)
    guest = makers.visitor(secret)
    assert [model.slug for model in generations.offered(guest)] == ["sketch"]
    with pytest.raises(refusals.UnknownModel):
        generations.submit(by=guest, prompt="it turns", model="animate", picture=picture())
    with pytest.raises(refusals.UnknownModel):
        makers.lent(artist, models=["animate"])


def test_without_such_a_model_the_studio_asks_for_none(artist, browser_of):
    makers.sketch()
    assert 'name="picture"' not in browser_of(artist).get("/studio").content.decode()


def test_a_clip_is_drawn_from_it_whichever_door_it_came_by(
    transactional_db, tmp_path, settings, artist, stranger, browser_of, client_of, draw
):
    """The tiny pipeline of a real family, by the real worker; another picture makes another clip."""
    case = CASES["cogvideox-i2v"]
    settings.MODELS_DIR = tmp_path
    case.save(tmp_path / "tiny")
    offered(case, "tiny", modality="image-to-video")
    asked = {"prompt": "it turns", "model": "tiny", "seed": 7}
    browser, client = browser_of(artist), client_of(artist)
    sent = client.post("/v1/videos", {**asked, "input_reference": picture(kind="JPEG")}, format="multipart").json()
    for brought in (picture(kind="JPEG"), picture(100, 200)):
        form = {**asked, "seconds": 1, "size": "16x24", "picture": brought}
        assert browser.post("/studio", form).status_code == 302
    for _ in range(3):
        assert draw().state == "completed"
    video = client.get(f"/v1/videos/{sent['id']}").json()
    assert (video["status"], video["input_reference"]["size"]) == ("completed", "200x100")
    assert client.get(f"/v1/videos/{sent['id']}/content").status_code == 200
    first, same, other = Generation.objects.order_by("id")
    sums = [work.outputs.get(kind="video").sha256 for work in (first, same, other)]
    assert sums[0] == sums[1] != sums[2]

    page = browser.get(f"/mine/{first.pk.hex}").content.decode()
    assert f'src="/generations/{first.pk.hex}/picture"' in page
    assert "reference: as its makers run it" in page and "<dt>Took</dt>" in page
    archive = ZipFile(io.BytesIO(b"".join(dossier.stream(dossier.begin(by=artist), by=artist))))
    found = [name for name in archive.namelist() if f"{first.pk.hex}/begins-from" in name]
    assert [hashlib.sha256(archive.read(name)).hexdigest() for name in found] == [first.picture.sha256]
    assert dossier.size(artist).files == 3 * 4
    for answer in (
        browser_of(stranger).get(f"/generations/{first.pk.hex}/picture"),
        client_of(stranger).get(f"/v1/videos/{sent['id']}"),
        client_of(stranger).get(f"/v1/videos/{sent['id']}/content"),
    ):
        assert answer.status_code == 404


# ---------------------------------------------------------------- how it is fitted


def fitted(brought: SimpleUploadedFile, size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    brought.seek(0)
    return fit.fitted(brought, size)


def test_it_is_cropped_around_its_middle_and_that_is_said():
    seen, notes = fitted(picture(200, 100), (64, 64))
    assert (seen.shape, seen.dtype) == ((64, 64, 3), np.uint8)
    assert tuple(seen[32, 2]) == (255, 0, 0) and tuple(seen[32, 61]) == (0, 0, 255)
    assert notes == ["The picture was cropped to 64 × 64, around its middle."]


@pytest.mark.parametrize("size", [(200, 100), (400, 200), (201, 100)])
def test_of_one_that_fits_nothing_is_said(size):
    assert fitted(picture(*size), (96, 48))[1] == []


def test_a_telephones_picture_is_turned_upright():
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter, clockwise
    seen, _ = fitted(picture(200, 100, "JPEG", exif=turned, quality=95), (50, 100))
    top, bottom = seen[10, 25], seen[90, 25]
    assert top[0] > 200 and bottom[2] > 200


def test_what_is_transparent_becomes_white():
    file = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(file, "PNG")
    assert fitted(SimpleUploadedFile("x.png", file.getvalue()), (64, 64))[0].min() == 255


def test_a_damaged_one_fails_with_a_word(animate, artist):
    brought = picture(300, 300, "JPEG")
    cut = SimpleUploadedFile("x.jpg", brought.read()[:900])
    work = asked(artist, cut)
    with pytest.raises(fit.PictureBroken, match="damaged"):
        fitted(cut, (64, 64))
    assert scheduling.claim(work.pool, worker="gpu-1").picture == work.picture
    assert media.open_for(actors.worker("gpu-1"), "worker's input", work.picture).file.size == 900

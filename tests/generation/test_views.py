"""The studio, and an artist's own files."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from gateway import allowances
from gateway.actors import Actor
from generation import generations, scheduling, views
from generation.models import Generation, ModelProfile
from tests import makers

pytestmark = pytest.mark.django_db

ASKED = {"prompt": "a red circle", "model": "sketch", "seconds": "1", "size": "256x256"}


@pytest.fixture
def studio(artist: Actor, browser_of: Callable[..., Client]) -> Client:
    makers.sketch()
    return browser_of(artist)


def test_a_prompt_is_queued_and_the_page_shows_it(studio: Client, artist: Actor):
    assert studio.get("/studio").status_code == 200
    answer = studio.post("/studio", ASKED)
    assert (answer.status_code, answer["Location"]) == (302, "/studio")
    generation = Generation.objects.get()
    assert (generation.prompt, generation.seconds, generation.token) == ("a red circle", 1, None)
    page = studio.get("/studio").content.decode()
    assert "a red circle" in page
    assert generation.pk.hex in page


def test_the_studio_offers_the_words_that_the_model_knows(studio: Client):
    page = studio.get("/studio").content.decode()
    for word in ("purple", "triangle", "shrinking", "to the left", "background"):
        assert f">{word}</span>" in page


def test_a_word_that_the_model_does_not_know_is_accepted_and_named(studio: Client):
    assert studio.post("/studio", {**ASKED, "prompt": "A red kiln, glowing"}).status_code == 302
    generation = Generation.objects.get()
    for path in ("/studio", "/studio/live", f"/mine/{generation.pk.hex}"):
        assert "This model does not know: kiln, glowing." in studio.get(path).content.decode()
    assert "does not know" not in studio.get("/mine").content.decode()


def test_what_is_typed_is_text_and_never_markup(studio: Client):
    studio.post("/studio", {**ASKED, "prompt": "<script>alert(1)</script>"})
    for path in ("/studio", "/studio/live", "/dashboard", "/mine"):
        assert b"<script>alert(1)" not in studio.get(path).content


@pytest.mark.parametrize(
    ("changed", "status", "sentence"),
    [
        ({"prompt": "word " * 23}, 400, "The prompt has 23 words; Sketch reads 22."),
        ({"steps": "51"}, 400, "Sketch does not offer steps “51”. It offers: 1 to 50."),
        ({"prompt": ""}, 422, "This field is required."),
        ({"seconds": "9"}, 422, "Select a valid choice. 9 is not one of the available choices."),
        ({"seed": str(2**32)}, 422, "4294967295"),
    ],
)
def test_a_no_stands_on_the_page_in_its_own_sentence_and_what_was_typed_stays(
    studio: Client, changed: dict[str, str], status: int, sentence: str
):
    answer = studio.post("/studio", {**ASKED, "seed": "271828", **changed})
    page = unescape(answer.content.decode())
    assert answer.status_code == status
    assert sentence in page
    kept = {**ASKED, "seed": "271828", **changed}
    assert kept["prompt"].strip() in page
    assert f'value="{kept["seed"]}"' in page
    assert not Generation.objects.exists()


def test_a_studio_without_models_says_so_and_does_not_break(artist: Actor, browser_of: Callable[..., Client]):
    assert browser_of(artist).get("/studio").status_code == 200
    assert browser_of(artist).post("/studio", ASKED).status_code in {400, 422}


def test_a_clip_that_is_wanted_within_an_hour_says_so_while_it_waits(studio: Client):
    assert studio.post("/studio", {**ASKED, "cancel_after": "3600"}).status_code == 302
    left = Generation.objects.annotate(left=F("cancel_after") - Now()).get().left
    assert left.total_seconds() == pytest.approx(3600, abs=60)
    assert "cancelled if not begun by" in studio.get("/studio/live").content.decode()
    refused = studio.post("/studio", {**ASKED, "cancel_after": "61"})
    assert refused.status_code == 422


# ---------------------------------------------------------------- live


def seen(page: str) -> str:
    """The mark that a page carries along when it asks again."""
    found = re.search(r"seen=([0-9a-f-]+)", unescape(page))
    assert found, "the page says what it has shown"
    return found[1]


def test_nothing_new_is_no_content(studio: Client, artist: Actor):
    makers.queued(artist)
    mark = seen(studio.get("/studio").content.decode())
    answer = studio.get("/studio/live", {"seen": mark})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_step_further_is_shown_and_has_a_mark_of_its_own(studio: Client, artist: Actor):
    generation = makers.queued(artist)
    mark = seen(studio.get("/studio").content.decode())
    scheduling.claim("default", worker="gpu@test")
    begun = studio.get("/studio/live", {"seen": mark})
    assert begun.status_code == 200
    assert "HX-Refresh" not in begun
    Generation.objects.update(step=7)
    further = studio.get("/studio/live", {"seen": mark})
    assert re.search(r"\b7\b", further.content.decode())
    now = views.mark(views.running(artist))
    assert studio.get("/studio/live", {"seen": now}).status_code == 204
    assert generation.pk.hex in now


def test_when_something_has_ended_the_page_is_drawn_anew(studio: Client, artist: Actor):
    generation = makers.queued(artist)
    mark = views.mark(views.running(artist))
    generations.cancel(generation, by=artist)
    answer = studio.get("/studio/live", {"seen": mark})
    assert answer["HX-Refresh"] == "true"


@pytest.mark.parametrize("mark", ["", "x", "-", "a-b-c", "%00", "0" * 4000])
def test_a_mark_that_nobody_gave_is_answered(studio: Client, artist: Actor, mark: str):
    makers.queued(artist)
    assert studio.get("/studio/live", {"seen": mark}).status_code == 200


def test_a_stranger_watches_nothing_of_it(artist: Actor, stranger: Actor, browser_of: Callable[..., Client]):
    generation = makers.queued(artist, "grandmother kneading")
    for path in ("/studio", "/studio/live", "/mine", "/dashboard"):
        page = browser_of(stranger).get(path).content.decode()
        assert generation.pk.hex not in page
        assert "grandmother" not in page


# ---------------------------------------------------------------- cancelling


def test_a_double_click_on_cancel_gives_back_once_and_is_no_server_error(studio: Client, artist: Actor):
    generation = makers.queued(artist)
    path = f"/studio/{generation.pk.hex}/cancel"
    assert studio.post(path, {"back": "/studio"})["Location"] == "/studio"
    again = studio.post(path, {"back": "/studio"})
    assert again.status_code == 409
    assert "This generation is cancelled" in unescape(again.content.decode())
    assert artist.membership is not None
    assert allowances.current(artist.membership).free == 20


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/studio/../x", ""])
def test_a_way_back_leads_nowhere_else(studio: Client, artist: Actor, back: str):
    generation = makers.queued(artist)
    answer = studio.post(f"/studio/{generation.pk.hex}/cancel", {"back": back})
    assert answer["Location"] == f"/mine/{generation.pk.hex}"


def test_cancelling_is_no_get(studio: Client, artist: Actor):
    generation = makers.queued(artist)
    assert studio.get(f"/studio/{generation.pk.hex}/cancel").status_code == 405
    assert Generation.objects.get().state == "queued"


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("kind", ["video.mp4", "poster.webp", "sheet.webp"])
def test_there_is_no_file_before_its_end(studio: Client, artist: Actor, kind: str):
    assert studio.get(f"/generations/{makers.queued(artist).pk.hex}/{kind}").status_code == 404


@pytest.mark.parametrize("path", ["/generations/{}/video.webm", "/generations/{}/../video.mp4", "/generations/{}"])
def test_there_is_no_other_file(studio: Client, artist: Actor, path: str):
    assert studio.get(path.format(makers.completed(artist).pk.hex)).status_code == 404


def test_without_a_model_the_studio_says_so(artist, browser_of):
    makers.sketch()
    ModelProfile.objects.update(enabled=False)
    page = browser_of(artist).get("/studio")
    assert page.status_code == 200
    assert "No model is offered at the moment." in page.content.decode()
    assert "<textarea" not in page.content.decode()

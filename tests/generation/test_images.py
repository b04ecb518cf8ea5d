"""/v1/images/generations: waited for as long as a web thread may, and asked for again."""

import threading
import time
from base64 import b64decode

import pytest
from django.db import connection

from gateway import refusals
from generation import generations
from generation.models import Generation, ModelProfile
from generation.videos import images
from tests import makers

pytestmark = pytest.mark.django_db
ASKED = {"prompt": "a red circle"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(images, "WAIT", 0.0)
    monkeypatch.setattr(images, "LOOK", 0.05)


@pytest.fixture
def still(db) -> ModelProfile:
    """A model that draws pictures."""
    twin = makers.twin(makers.sketch(), "still")
    ModelProfile.objects.filter(pk=twin.pk).update(modality="text-to-image", seconds=[0])
    return twin


def ask(client, retry: int = 0, **asked):
    headers = {"x-stainless-retry-count": str(retry)}
    return client.post("/v1/images/generations", {**ASKED, **asked}, format="json", headers=headers)


def test_a_picture_that_takes_longer_is_asked_for_again_and_drawn_once(artist, client_of, still):
    client = client_of(artist)
    late = ask(client)
    assert (late.status_code, late.json()["error"]["code"], late["Retry-After"]) == (503, "still_drawing", "2")
    assert "x-should-retry" not in late
    generation = Generation.objects.get()
    assert f"/v1/videos/video_{generation.pk.hex}" in late.json()["detail"]
    makers.drawn(generation)
    found = ask(client, retry=1).json()
    assert b64decode(found["data"][0]["b64_json"])[8:12] == b"WEBP"
    assert (found["video"], isinstance(found["created"], int)) == (f"video_{generation.pk.hex}", True)
    assert Generation.objects.count() == 1


def test_by_key_too(artist, client_of, still):
    client = client_of(artist)
    client.credentials(**client._credentials, HTTP_IDEMPOTENCY_KEY="once")
    assert ask(client).status_code == 503
    makers.drawn(Generation.objects.get())
    first, again = ask(client), ask(client)
    assert (first.status_code, again.content, Generation.objects.count()) == (200, first.content, 1)


def test_it_is_waited_for(transactional_db, artist, client_of, still, monkeypatch):
    monkeypatch.setattr(images, "WAIT", 60)
    client = client_of(artist)

    def draw() -> None:
        try:
            while not (found := Generation.objects.first()):
                time.sleep(0.05)
            makers.drawn(found)
        finally:
            connection.close()

    drawing = threading.Thread(target=draw)
    drawing.start()
    assert ask(client).status_code == 200
    drawing.join()


def test_who_finds_all_places_taken_does_not_wait(artist, client_of, still, monkeypatch):
    monkeypatch.setattr(images, "WAIT", 60)
    monkeypatch.setattr(images, "_waiting", threading.BoundedSemaphore(1))
    with images._place() as first:
        assert first
        assert ask(client_of(artist)).status_code == 503
    assert images._waiting.acquire(blocking=False)  # it was given back


def test_one_that_was_not_drawn_says_where_to_look(artist, client_of, still):
    client = client_of(artist)
    ask(client)
    generations.cancel(Generation.objects.get(), by=artist)
    answer = ask(client, retry=1)
    assert (answer.status_code, answer.json()["error"]["code"], answer["x-should-retry"]) == (409, "not_drawn", "false")


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"model": "sketch"}, "invalid", "draws no pictures here. There are: still"),
        ({"n": 2}, "invalid", "n:"),
        ({"response_format": "url"}, "invalid", "response_format"),
        ({"size": "1x1"}, "not_offered", "It offers: 256x256"),
        ({"prompt": ""}, "prompt_missing", ""),
    ],
)
def test_what_it_can_not_do_it_says(artist, client_of, still, asked, code, words):
    answer = ask(client_of(artist), **asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert words in answer.json()["detail"]
    assert not Generation.objects.exists()


def test_without_a_model_for_pictures_there_are_none(artist, client_of):
    makers.sketch()
    answer = ask(client_of(artist))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, refusals.Unsupported.word())

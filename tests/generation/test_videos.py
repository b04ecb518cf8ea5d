"""/v1/videos: what the openai SDK sends and reads."""

import pytest

from gateway import members
from generation import generations
from generation.models import Generation
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("form", ["json", "multipart"])
def test_a_video_is_asked_for_as_the_sdk_does(artist, client_of, form):
    makers.sketch()
    answer = client_of(artist).post("/v1/videos", {"prompt": "a red circle", "seconds": "2"}, format=form)
    video = answer.json()
    assert answer.status_code == 200 and answer["openai-poll-after-ms"]
    assert {key: video[key] for key in ("object", "status", "progress", "seconds", "size", "model")} == {
        "object": "video", "status": "queued", "progress": 0, "seconds": "2", "size": "256x256", "model": "sketch",
    }  # fmt: skip
    assert video["queue"]["position"] == 1 and video["credits"] == 2 and video["actions"] == ["cancel"]


REFUSED = [
    ({"prompt": " "}, 400, "prompt_missing", "the prompt is empty"),
    ({"prompt": "word " * 31}, 400, "prompt_too_long", "has 31 words"),
    ({"prompt": "x", "model": "sora-9"}, 400, "unknown_model", "There are: sketch"),
    ({"prompt": "x", "seconds": 9}, 400, "not_offered", "It offers: 2, 1"),
    ({"prompt": "x", "size": "99x99"}, 400, "not_offered", "It offers: 256x256"),
    ({"prompt": "x", "steps": 51}, 400, "not_offered", "1 to 50"),
    ({"prompt": "x", "seed": 2**32}, 400, "not_offered", "0 to 4294967295"),
    ({"prompt": "x", "seconds": "soon"}, 400, "invalid", "seconds"),
    ({}, 400, "invalid", "prompt"),
]


@pytest.mark.parametrize(("asked", "status", "code", "words"), REFUSED)
def test_each_refusal_has_its_own_sentence(artist, client_of, asked, status, code, words):
    makers.sketch()
    answer = client_of(artist).post("/v1/videos", asked, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert words in answer.json()["detail"]
    assert not Generation.objects.exists()


def test_no_credits_no_membership_and_suspended(artist, admin, reviewer, client_of):
    makers.sketch()
    poor = client_of(makers.artist(credits=1)).post("/v1/videos", {"prompt": "x"}, format="json")
    assert poor.status_code == 402 and "costs 2 credits, and 1 of 1 are free" in poor.json()["detail"]
    client = client_of(artist)
    members.suspend(artist.membership, by=admin, reason="…")
    assert client.post("/v1/videos", {"prompt": "x"}, format="json").json()["error"]["code"] == "suspended"
    nobody = client_of(reviewer, "review")
    assert nobody.post("/v1/videos", {"prompt": "x"}, format="json").json()["error"]["code"] == "missing_scope"


def test_a_cancelled_video_reads_failed(artist, client_of):
    generation = makers.queued(artist)
    client = client_of(artist)
    video = client.post(f"/v1/videos/video_{generation.pk.hex}/cancel").json()
    assert (video["status"], video["error"]["code"]) == ("failed", "cancelled")
    again = client.post(f"/v1/videos/video_{generation.pk.hex}/cancel")
    assert again.status_code == 409
    assert again.json()["detail"] == "This generation is cancelled, so it can't become cancelled."


def test_content_in_three_variants_and_not_before_it_is_there(artist, client_of):
    client = client_of(artist)
    queued = makers.queued(artist)
    assert client.get(f"/v1/videos/video_{queued.pk.hex}/content").status_code == 409
    done = f"/v1/videos/video_{makers.completed(artist).pk.hex}/content"
    for variant, kind in (("video", "video/mp4"), ("thumbnail", "image/webp"), ("spritesheet", "image/webp")):
        answer = client.get(done, {"variant": variant}, headers={"accept": "application/binary"})
        assert (answer.status_code, answer["Content-Type"]) == (200, kind)
    assert client.get(done, {"variant": "audio"}).status_code == 400


def test_a_stranger_finds_nothing(artist, stranger, client_of, browser_of):
    generation = makers.completed(artist)
    client, browser, hexadecimal = client_of(stranger), browser_of(stranger), generation.pk.hex
    for path in (f"/v1/videos/video_{hexadecimal}", f"/v1/videos/video_{hexadecimal}/content"):
        assert client.get(path).status_code == 404
    assert client.post(f"/v1/videos/video_{hexadecimal}/cancel").status_code == 404
    assert client.get("/v1/videos").json()["data"] == []
    for path in ("video.mp4", "poster.webp", "sheet.webp"):
        assert browser.get(f"/generations/{hexadecimal}/{path}").status_code == 404
    assert browser.get(f"/mine/{hexadecimal}").status_code == 404
    assert browser.post(f"/studio/{hexadecimal}/cancel").status_code == 404


def test_a_broker_that_is_away_loses_nothing(artist, settings, django_capture_on_commit_callbacks):
    from gateway.celery import app

    before = app.conf.broker_url
    app.conf.broker_url = "redis+socket:///nowhere/valkey.sock"
    app.pool.force_close_all()
    app.amqp._producer_pool = None
    try:
        makers.sketch()
        with django_capture_on_commit_callbacks(execute=True):
            generation = generations.submit(by=artist, prompt="a circle")
    finally:
        app.conf.broker_url = before
        app.amqp._producer_pool = None
    assert Generation.objects.get() == generation

"""/v1/videos: what the openai SDK sends and reads."""

import hashlib
import math
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway import actors, allowances, members, refusals, states
from generation import generations, scheduling, worker
from generation.models import Generation, ModelProfile
from generation.videos.serializers import STATUS
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
    assert video["notes"] == []
    assert video["queue"] == {"position": None, "eta_seconds": None} and video["credits"] == 2
    assert client_of(artist).get(f"/v1/videos/{video['id']}").json()["queue"]["position"] == 1
    assert video["actions"] == ["remix", "cancel"]


def test_unknown_words_are_named_in_the_first_answer(artist, client_of):
    makers.sketch()
    video = client_of(artist).post("/v1/videos", {"prompt": "a red cathedral"}, format="json").json()
    assert video["status"] == "queued"
    assert video["notes"] == ["This model does not know: cathedral."]


REFUSED = [
    ({"prompt": " "}, 400, "prompt_missing", "the prompt is empty"),
    ({"prompt": "word " * 31}, 400, "prompt_too_long", "has 31 words; Sketch reads 22"),
    ({"prompt": "x", "model": "sora-9"}, 400, "unknown_model", "There are: sketch"),
    ({"prompt": "x", "seconds": 9}, 400, "not_offered", "It offers: 2, 1"),
    ({"prompt": "x", "size": "99x99"}, 400, "not_offered", "It offers: 256x256"),
    ({"prompt": "x", "size": "huge"}, 400, "not_offered", "It offers: 256x256"),
    ({"prompt": "x", "seconds": 0}, 400, "not_offered", "It offers: 2, 1"),
    ({"prompt": "x", "guidance": 101}, 400, "not_offered", "It offers: 0 to 100"),
    ({"prompt": "x", "guidance": -1}, 400, "not_offered", "It offers: 0 to 100"),
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


def test_a_failed_video_says_why(artist, client_of):
    generation = makers.queued(artist)
    with atomic():
        states.move(
            generation,
            "failed",
            by=actors.SYSTEM,
            ended_at=Now(),
            error_code="out_of_memory",
            error_message="It does not fit.",
        )
        allowances.give_back(generation.pk)
    video = client_of(artist).get(f"/v1/videos/video_{generation.pk.hex}").json()
    assert (video["status"], video["error"]) == ("failed", {"code": "out_of_memory", "message": "It does not fit."})
    assert (video["queue"], video["sha256"], video["completed_at"]) == (None, None, None)
    assert video["actions"] == ["remix", "delete"]


def test_a_completed_video_names_its_file(artist, client_of):
    generation = makers.completed(artist)
    client = client_of(artist)
    video = client.get(f"/v1/videos/video_{generation.pk.hex}").json()
    assert (video["status"], video["progress"], video["error"]) == ("completed", 100, None)
    content = client.get(f"/v1/videos/{video['id']}/content")
    assert hashlib.sha256(b"".join(content.streaming_content)).hexdigest() == video["sha256"]
    assert content["ETag"] == f'"{video["sha256"]}"'
    assert isinstance(video["completed_at"], int)


def test_every_status_is_one_that_the_sdk_knows():
    known = {"queued", "in_progress", "completed", "failed"}
    assert {STATUS.get(state, state) for state in Generation.MOVES} == known


def test_the_line_is_told_while_it_lasts(artist, stranger, client_of):
    makers.queued(stranger)
    first, second = makers.queued(artist), makers.queued(artist)
    client = client_of(artist)
    assert client.get(f"/v1/videos/video_{second.pk.hex}").json()["queue"]["position"] == 3
    scheduling.claim("default", worker="gpu@test")
    assert client.get(f"/v1/videos/video_{second.pk.hex}").json()["queue"]["position"] == 2
    generations.cancel(first, by=artist)
    assert client.get(f"/v1/videos/video_{second.pk.hex}").json()["queue"]["position"] == 1


def test_a_list_is_a_page_of_ones_own_videos(artist, stranger, client_of):
    makers.queued(stranger)
    mine = [f"video_{makers.queued(artist).pk.hex}" for _ in range(3)]
    found = client_of(artist).get("/v1/videos", {"limit": 2}).json()
    assert [row["id"] for row in found["data"]] == mine[:0:-1]
    assert (found["object"], found["first_id"], found["last_id"], found["has_more"]) == ("list", mine[2], mine[1], True)


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "101", "-1", "much"])
def test_a_guidance_that_is_no_number_in_its_limits_is_refused_at_the_door(artist, client_of, value):
    """Not by the engine, minutes later, after the artist has waited in line for it."""
    makers.sketch()
    answer = client_of(artist).post("/v1/videos", {"prompt": "a red circle", "guidance": value}, format="multipart")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "guidance"
    assert not Generation.objects.exists()


@pytest.mark.parametrize("guidance", [math.nan, math.inf, -1.0, 101.0])
def test_the_rule_itself_knows_the_limits_of_guidance(artist, guidance):
    makers.sketch()
    with pytest.raises(refusals.NotOffered, match="does not offer guidance"):
        generations.submit(by=artist, prompt="a red circle", guidance=guidance)
    assert allowances.current(artist.membership).held == 0


def test_the_models_are_listed_with_what_they_offer(artist, client_of):
    makers.sketch()
    ModelProfile.objects.create(
        slug="hidden", name="Hidden", pipeline="X", source="x", sizes=["64x64"], seconds=[1], fps=8, steps=1, max_steps=1,
        guidance=1, prompt_words=1, credits_per_second=1, licence="x", training_data="x", enabled=False,
    )  # fmt: skip
    answer = client_of(artist).get("/v1/models").json()
    assert answer["object"] == "list"
    (model,) = answer["data"]
    assert (model["id"], model["object"], model["owned_by"]) == ("sketch", "model", "Apache-2.0")
    assert model["sizes"] == ["256x256"]
    refused = client_of(artist).post("/v1/videos", {"prompt": "x", "model": "hidden"}, format="json")
    assert refused.json()["error"]["code"] == "unknown_model"


def test_an_absent_or_empty_seed_is_drawn_and_a_given_one_is_kept(artist, client_of):
    makers.sketch()
    client = client_of(artist)
    drawn = {client.post("/v1/videos", {"prompt": "x", "seconds": 1}, format="json").json()["seed"] for _ in range(3)}
    assert len(drawn) == 3
    assert client.post("/v1/videos", {"prompt": "x", "seconds": 1, "seed": 0}, format="json").json()["seed"] == 0


@pytest.mark.parametrize("form", ["json", "multipart"])
@pytest.mark.parametrize("asked", ["seconds", "moment"])
def test_a_clip_is_wanted_by_then_or_not_at_all(artist, client_of, form, asked):
    makers.sketch()
    client, then = client_of(artist), timezone.now() + timedelta(hours=2)
    by = 7200 if asked == "seconds" else then.isoformat()
    answer = client.post("/v1/videos", {"prompt": "a red circle", "cancel_after": by}, format=form)
    assert answer.status_code == 200
    assert answer.json()["cancel_after"] == pytest.approx(then.timestamp(), abs=3)


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (0, "deadline_out_of_reach"),
        (7 * 86400 + 60, "deadline_out_of_reach"),
        ("2020-01-01T00:00:00Z", "deadline_out_of_reach"),
        ("9999-12-31T23:59:59Z", "deadline_out_of_reach"),
        ("0001-01-01T00:00:00+14:00", "deadline_out_of_reach"),
        ("2030-01-01T00:00:00", "invalid"),
        ("soon", "invalid"),
        (-5, "invalid"),
        ("9" * 400, "invalid"),
        (True, "invalid"),
        ([60], "invalid"),
    ],
)
def test_a_moment_out_of_reach_is_refused_and_nothing_charged(artist, client_of, by, code):
    makers.sketch()
    answer = client_of(artist).post("/v1/videos", {"prompt": "x", "cancel_after": by}, format="json").json()
    assert (answer["status"], answer["error"]["code"], answer["error"]["param"]) == (400, code, "cancel_after")
    assert not Generation.objects.exists()


def test_what_was_not_begun_in_time_reads_failed_with_its_own_code(artist, client_of):
    generation = makers.queued(artist, cancel_after=timedelta(minutes=1))
    Generation.objects.update(cancel_after=Now())
    worker.sweep()
    video = client_of(artist).get(f"/v1/videos/video_{generation.pk.hex}").json()
    assert (video["status"], video["error"]["code"]) == ("failed", "expired")


def test_who_asks_for_soras_model_gets_the_programs_default(artist, client_of):
    makers.sketch()
    for asked in ({"model": "sora-2"}, {"model": ""}, {}):
        video = client_of(artist).post("/v1/videos", {"prompt": "x", **asked}, format="multipart").json()
        assert video.get("model") == "sketch", video


def test_one_model_is_told_as_in_the_list(artist, client_of):
    makers.sketch()
    client = client_of(artist)
    assert client.get("/v1/models/sketch").json() == client.get("/v1/models").json()["data"][0]
    assert client.get("/v1/models/mochi-1-preview").status_code == 404  # not offered yet


def test_a_page_of_none_says_whether_there_is_anything(artist, client_of):
    client = client_of(artist)
    assert client.get("/v1/videos", {"limit": 0}).json()["has_more"] is False
    makers.queued(artist)
    page = client.get("/v1/videos", {"limit": 0}).json()
    assert (page["data"], page["has_more"]) == ([], True)


# ---------------------------------------------------------------- asked again and again


def test_what_has_ended_is_sent_once(artist, client_of):
    generation = makers.completed(artist)
    client, path = client_of(artist), f"/v1/videos/video_{generation.pk.hex}"
    first = client.get(path)
    etag = first["ETag"]
    assert etag.startswith('W/"')
    for known in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        assert again["openai-poll-after-ms"] and again["RateLimit"]
        assert "Content-Type" not in again
    assert client.get(path, headers={"If-None-Match": '"x"'}).content == first.content
    assert client_of(makers.artist()).get(path, headers={"If-None-Match": "*"}).status_code == 404


def test_each_step_is_something_new(artist, client_of):
    generation = makers.queued(artist)
    client, path = client_of(artist), f"/v1/videos/video_{generation.pk.hex}"
    waiting = client.get(path)["ETag"]
    makers.drawing(generation)
    drawing = client.get(path, headers={"If-None-Match": waiting})
    assert (drawing.status_code, drawing.json()["status"]) == (200, "in_progress")
    Generation.objects.filter(pk=generation.pk).update(step=4)
    further = client.get(path, headers={"If-None-Match": drawing["ETag"]})
    assert further.status_code == 200 and further.json()["progress"] > drawing.json()["progress"]


def test_known_news_cost_less_than_the_whole(artist, client_of):
    """The line, the files and the estimates are not asked for."""
    generation = makers.queued(artist)
    client, path = client_of(artist), f"/v1/videos/video_{generation.pk.hex}"
    client.get(path)
    with CaptureQueriesContext(connection) as whole:
        etag = client.get(path)["ETag"]
    with CaptureQueriesContext(connection) as known:
        answer = client.get(path, headers={"If-None-Match": etag})
        if answer.status_code == 200:  # five seconds were over in between
            pytest.skip("the moment was the wrong one")
    assert len(known) <= len(whole) - 4


@pytest.mark.parametrize(
    "path", ["/v1/videos", "/v1/me", "/v1/models", "/v1/submissions", "/v1/tokens", "/v1/publications"]
)
def test_what_is_polled_has_an_etag(artist, client_of, path):
    makers.submitted(artist)
    client = client_of(artist)
    client.get("/v1/models")  # when a token was last used is noted once a minute, and told
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again["ETag"] == first["ETag"] and "Content-Type" not in again
    assert client.head(path, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_an_answer_that_differs_has_another_etag(artist, client_of):
    client = client_of(artist)
    first = client.get("/v1/videos")
    makers.queued(artist)
    assert client.get("/v1/videos", headers={"If-None-Match": first["ETag"]}).status_code == 200

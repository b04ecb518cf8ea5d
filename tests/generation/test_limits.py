"""Clips a day and at once, and what test tokens draw."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from rest_framework.test import APIClient

from gateway import allowances, refusals, tokens
from gateway.actors import Actor
from gateway.models import LedgerEntry
from generation import generations, limits, scheduling, worker
from generation.models import Generation, ModelProfile
from review import history, submissions
from review.models import Revision, Submission
from tests import makers

pytestmark = pytest.mark.django_db


def member(**limit: int) -> Actor:
    makers.sketch()
    return makers.artist(credits=1000, cohort=makers.cohort(**limit))


def ask(by: Actor) -> Generation:
    return generations.submit(by=by, prompt="a red circle", seconds=1)


def nothing_was_charged(artist: Actor, held: int) -> None:
    assert artist.membership is not None
    assert allowances.current(artist.membership).held == held
    assert LedgerEntry.objects.filter(kind="reserve").count() == Generation.objects.count()


# ---------------------------------------------------------------- at once


def test_a_slot_is_a_clip_under_way_and_any_end_frees_it():
    artist = member(concurrent=2)
    first, _ = ask(artist), ask(artist)
    with pytest.raises(refusals.TooManyAtOnce, match="2 of your clips wait or are being drawn, and 2 at a time") as no:
        ask(artist)
    assert no.value.retry_after == 5
    nothing_was_charged(artist, held=2)
    generations.cancel(first, by=artist)
    third = ask(artist)
    makers.drawn(third)
    ask(artist)
    claimed = scheduling.claim("default", worker="w")
    assert claimed is not None
    with pytest.raises(refusals.TooManyAtOnce):
        ask(artist)
    worker._fail(claimed, makers.actors.worker("w"), "x", "It broke.")
    ask(artist)


def test_a_dead_workers_slot_is_the_clips_until_the_sweep_and_free_when_it_has_ended():
    artist = member(concurrent=1)
    ask(artist)
    for _ in range(3):
        assert scheduling.claim("default", worker="dies") is not None
        Generation.objects.update(lease_until=Now() - timedelta(seconds=1))
        with pytest.raises(refusals.TooManyAtOnce):
            ask(artist)
        worker.sweep()
    assert Generation.objects.get().state == "failed"
    ask(artist)


def test_twenty_at_once_take_as_many_slots_as_there_are(at_once: Callable[..., list[Any]]):
    artist = member(concurrent=7)
    answers = at_once(*[partial(ask, artist)] * 20)
    assert sum(isinstance(answer, Generation) for answer in answers) == 7
    assert sum(isinstance(answer, refusals.TooManyAtOnce) for answer in answers) == 13
    nothing_was_charged(artist, held=7)


# ---------------------------------------------------------------- a day


def test_a_day_has_so_many_clips_and_the_refusal_says_when_the_next_begins():
    artist = member(daily=3)
    for _ in range(3):
        makers.drawn(ask(artist))
    with pytest.raises(refusals.TooManyToday, match="asked for 3 clips today, and 3 a day are yours") as caught:
        ask(artist)
    with connection.cursor() as cursor:
        cursor.execute("select extract(epoch from date_trunc('day', now()) + interval '1 day' - now())")
        assert caught.value.retry_after == pytest.approx(float(cursor.fetchone()[0]), abs=2)
    nothing_was_charged(artist, held=0)
    Generation.objects.update(created_at=Now() - timedelta(days=1))
    ask(artist)


def test_what_failed_is_not_counted_and_what_was_cancelled_is():
    artist = member(daily=1)
    ask(artist)
    claimed = scheduling.claim("default", worker="w")
    assert claimed is not None
    worker._fail(claimed, makers.actors.worker("w"), "x", "It broke.")
    generations.cancel(ask(artist), by=artist)
    with pytest.raises(refusals.TooManyToday):
        ask(artist)


def test_twenty_at_once_are_as_many_as_the_day_has(at_once: Callable[..., list[Any]]):
    artist = member(daily=6)
    answers = at_once(*[partial(ask, artist)] * 20)
    assert sum(isinstance(answer, Generation) for answer in answers) == 6
    assert sum(isinstance(answer, refusals.TooManyToday) for answer in answers) == 14
    nothing_was_charged(artist, held=6)


def test_a_refusal_by_rest_says_when_to_come_again(client_of: Callable[..., APIClient]):
    client = client_of(member(daily=1, concurrent=1))
    asked = {"prompt": "a red circle", "seconds": 1}
    video = client.post("/v1/videos", asked).json()["id"]
    at_once = client.post("/v1/videos", asked)
    assert (at_once.status_code, at_once.json()["error"]["code"]) == (429, "too_many_at_once")
    assert at_once["Retry-After"] == "5"
    assert "x-should-retry" not in at_once
    client.post(f"/v1/videos/{video}/cancel")
    today = client.post("/v1/videos", asked)
    assert (today.status_code, today.json()["error"]["code"]) == (429, "too_many_today")
    assert 0 < int(today["Retry-After"]) <= 86400
    if int(today["Retry-After"]) > 60:
        assert today["x-should-retry"] == "false"


# ---------------------------------------------------------------- tests


def test_a_test_token_draws_with_sketch_for_nothing_and_its_clip_is_marked():
    artist = member()
    other = ModelProfile.objects.get(slug="sketch")
    other.pk, other.slug, other.position = makers.Generation().pk, "grand", 1
    other.save(force_insert=True)
    by = makers.with_token(artist, mode="test")
    made = ask(by)
    assert (made.model.slug, made.credits, made.test) == ("sketch", 0, True)
    assert ask(artist).model.slug == "grand"
    with pytest.raises(refusals.TestsUseSketch, match="draws with sketch only"):
        generations.submit(by=by, prompt="a red circle", model="grand")
    makers.drawn(made)
    assert artist.membership is not None
    assert allowances.current(artist.membership).spent == 0


def test_without_any_credits_tests_are_still_drawn():
    makers.sketch()
    by = makers.with_token(makers.artist(credits=0), mode="test")
    makers.drawn(ask(by))


def test_tests_take_slots_and_have_days_of_their_own():
    artist = member(concurrent=2, daily=2)
    by = makers.with_token(artist, mode="test")
    ask(by)
    second = ask(by)
    with pytest.raises(refusals.TooManyAtOnce):
        ask(artist)
    generations.cancel(second, by=by)
    ask(artist)
    assert artist.membership is not None
    assert limits.use(artist.membership).today == 1
    assert limits.use(artist.membership, test=True).today == 2


def test_tests_wait_in_line_like_others():
    """A clip for nothing counts as one credit there, or tests would always be next."""
    one, other = member(), member()
    by = makers.with_token(one, mode="test")
    tests = [ask(by) for _ in range(3)]
    paid = ask(other)
    order = [scheduling.claim("default", worker="w") for _ in range(2)]
    assert {clip.pk for clip in order if clip} == {tests[0].pk, paid.pk}


def test_a_test_token_sees_tests_alone(client_of: Callable[..., APIClient]):
    artist = member()
    live = ask(artist)
    by = makers.with_token(artist, mode="test")
    test = ask(by)
    assert list(Generation.objects.visible_to(by)) == [test]
    assert set(Generation.objects.visible_to(artist)) == {live, test}
    _, secret = tokens.issue(by=artist, label="x", scopes=["generate"], mode="test")
    client = APIClient(headers={"authorization": f"Bearer {secret}"})
    assert [video["test"] for video in client.get("/v1/videos").json()["data"]] == [True]
    assert client.post(f"/v1/videos/video_{live.pk.hex}/cancel").status_code == 404
    makers.submitted(artist)
    assert client.get("/v1/submissions").json()["data"] == []


def test_no_test_reaches_a_reviewer():
    artist = member()
    made = makers.drawn(ask(makers.with_token(artist, mode="test")))
    assert history.status(made, None) == ("A test: private", "")
    words = {"title": "x", "credit": "x", "licence": "CC0-1.0"}
    with pytest.raises(refusals.OnlyATest):
        submissions.submit(made, by=artist, **words)
    asked_to_change = makers.submitted(artist)
    decision = makers.decided(asked_to_change, "request_changes")
    makers.in_effect(decision)
    with pytest.raises(refusals.OnlyATest):
        submissions.resubmit(makers.seen(asked_to_change), by=artist, generation=made, **words)


def test_the_database_lets_no_test_reach_a_reviewer():
    artist = member()
    made = makers.drawn(ask(makers.with_token(artist, mode="test")))
    row = {"membership": artist.membership, "due_at": Now()}
    with pytest.raises(IntegrityError, match="a test clip can't be submitted"), atomic():
        Submission.objects.create(generation=made, **row)
    video = made.outputs.get(kind="video")
    submission = makers.submitted(artist)
    with pytest.raises(IntegrityError, match="a test clip can't be submitted"), atomic():
        Revision.objects.create(
            submission=submission, number=2, output=video, sha256=video.sha256, title="x", credit="x", licence="CC0-1.0"
        )
    for change in ({"test": False}, {"credits": 1}):
        with pytest.raises(IntegrityError), atomic():
            Generation.objects.filter(pk=made.pk).update(**change)

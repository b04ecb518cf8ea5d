"""Requests a minute, and whose limits are in force."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import redis
from rest_framework.test import APIClient

from gateway import limits, members, refusals, states
from gateway.actors import NOBODY, Actor
from gateway.models import Membership, Notice
from tests import makers

pytestmark = pytest.mark.django_db


def member(**fields: Any) -> Actor:
    artist = makers.artist(cohort=makers.cohort(requests_a_minute=6))
    Membership.objects.filter(user=artist.user).update(**fields)
    return artist


# ---------------------------------------------------------------- whose


def test_a_membership_has_its_cohorts_limits_unless_it_has_its_own(admin: Actor):
    artist = makers.artist(cohort=makers.cohort(daily=5, concurrent=2, requests_a_minute=60))
    assert artist.membership is not None
    assert limits.of(artist.membership) == limits.Limits(daily=5, concurrent=2, requests_a_minute=60)
    limits.change(artist.membership, by=admin, daily=0, concurrent=7, requests_a_minute=None)
    assert limits.of(artist.membership) == limits.Limits(daily=0, concurrent=7, requests_a_minute=60)
    assert Notice.objects.get(user=artist.user).body.startswith("0 clips a day, 7 at a time and 60 requests")


def test_only_an_admin_changes_them(artist: Actor, reviewer: Actor):
    assert artist.membership is not None
    for by in (artist, reviewer, NOBODY):
        with pytest.raises(refusals.AdminsOnly):
            limits.change(artist.membership, by=by, daily=1, concurrent=1, requests_a_minute=1)


def test_who_was_suspended_while_they_asked_is_refused(artist: Actor, admin: Actor):
    seen = artist.membership
    assert seen is not None
    members.suspend(Membership.objects.get(pk=seen.pk), by=admin, reason="x")
    assert seen.state == "active", "as it was read when the request came"
    with pytest.raises(refusals.Suspended):
        limits.hold(seen)
    states.move(Membership.objects.get(pk=seen.pk), "left", by=admin)
    with pytest.raises(refusals.NotAMember):
        limits.hold(seen)


# ---------------------------------------------------------------- requests


def test_so_many_requests_pass_and_the_next_is_told_when_to_come_again():
    artist = member()
    left = [limits.count_request(artist)[0].left for _ in range(6)]
    assert left == [5, 4, 3, 2, 1, 0]
    with pytest.raises(refusals.TooManyRequests, match="6 a minute are allowed") as caught:
        limits.count_request(artist)
    assert caught.value.retry_after is not None
    assert 9 <= caught.value.retry_after <= 10, "a tenth of a minute is one request's part, less what has passed"


def test_what_was_refused_is_not_counted():
    artist = member()
    for _ in range(20):
        try:
            pace = limits.count_request(artist)[0]
        except refusals.TooManyRequests as refused:
            assert (refused.retry_after or 0) <= 10
    assert pace.left == 0


def test_a_token_has_the_members_limit_and_its_own_and_its_successor_shares_it():
    artist = member()
    narrow = makers.with_token(artist, requests_a_minute=2)
    assert [(pace.name, pace.quota, pace.left) for pace in limits.count_request(narrow)] == [
        ("member", 6, 5),
        ("token", 2, 1),
    ]
    limits.count_request(narrow)
    with pytest.raises(refusals.TooManyRequests, match="2 a minute"):
        limits.count_request(narrow)
    assert limits.count_request(artist)[0].left == 3, "the refused one took nothing from the member"


def test_one_artists_requests_are_not_anothers():
    one, other = member(), member()
    for _ in range(6):
        limits.count_request(one)
    assert limits.count_request(other)[0].left == 5


def test_nobody_is_not_counted():
    assert limits.count_request(NOBODY) == []


def test_forty_at_once_pass_six(at_once: Callable[..., list[Any]]):
    artist = member()
    assert artist.membership is not None
    answers = at_once(*[partial(limits.count_request, artist)] * 40)
    assert sum(isinstance(answer, refusals.TooManyRequests) for answer in answers) == 34


def test_without_valkey_requests_pass_with_a_line_in_the_log(settings: Any, monkeypatch, caplog):
    away = redis.Redis.from_url("unix:///nowhere/valkey.sock", socket_timeout=0.1)
    monkeypatch.setattr(limits, "_valkey", lambda: away)
    monkeypatch.setattr(limits, "_silent_until", 0.0)
    artist = member()
    with caplog.at_level(logging.WARNING, "gateway.limits"):
        assert [limits.count_request(artist) for _ in range(20)] == [[]] * 20
    assert len(caplog.records) == 1, "and it is not asked again with each request"


# ---------------------------------------------------------------- at the door


def test_rest_answers_say_how_many_are_left_and_a_refusal_when_to_come_again():
    artist = member()
    makers.sketch()
    client = APIClient(headers={"authorization": f"Bearer {makers.token(artist)}"})
    answer = client.get("/v1/videos")
    assert answer["RateLimit-Policy"] == '"member";q=6;w=60'
    assert answer["RateLimit"] == '"member";r=5;t=10'
    for _ in range(4):
        client.get("/v1/models")
    answer = client.post("/v1/videos", {"prompt": "a red circle", "seconds": 1})
    assert answer.status_code == 200
    refused = client.post("/v1/videos", {"prompt": "a red circle", "seconds": 1})
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert 9 <= int(refused["Retry-After"]) <= 10
    assert artist.membership is not None
    assert artist.membership.allowances.get().held == 1, "a rejected call costs nothing"


def test_a_page_for_people_is_not_counted(browser_of: Callable[..., Any]):
    browser = browser_of(member())
    assert [browser.get("/access").status_code for _ in range(8)] == [200] * 8

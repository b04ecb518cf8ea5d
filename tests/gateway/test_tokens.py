"""Keys for clients: issued once, dead at once."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from gateway import actors, audit, keys, members, refusals, tokens
from gateway.actors import NOBODY, Actor
from gateway.models import Token, User
from tests import makers

pytestmark = pytest.mark.django_db


def status(secret: str) -> int:
    return int(APIClient(headers={"authorization": f"Bearer {secret}"}).get("/v1/videos").status_code)


# ---------------------------------------------------------------- issuing


def test_an_artists_token_is_told_from_a_services_by_its_first_letters(artist: Actor, reviewer: Actor):
    assert makers.token(artist).startswith("bat_artist_")
    assert makers.token(reviewer).startswith("bat_service_")


def test_issuing_and_revoking_are_recorded_without_the_secret(artist: Actor):
    token, secret = tokens.issue(by=artist, label="my notebook", scopes=["generate"])
    tokens.revoke(token, by=artist)
    tokens.revoke(token, by=artist)
    entries = audit.of(token)
    assert [entry.action for entry in entries] == ["token.issued", "token.revoked"]
    assert not [entry for entry in entries if secret.encode() in bytes(entry.body) or b"notebook" in bytes(entry.body)]


def test_nobody_has_no_token():
    with pytest.raises(refusals.SignInFirst):
        tokens.issue(by=NOBODY, label="x", scopes=[])


def test_a_token_gives_no_other_more_than_it_has_itself(artist: Actor):
    token, _ = tokens.issue(by=artist, label="narrow", scopes=["submit"])
    narrow = Actor("token", user=artist.user, token=token)
    with pytest.raises(refusals.MissingScope, match="lacks the scope “generate”"):
        tokens.issue(by=narrow, label="wide", scopes=["submit", "generate"])
    tokens.issue(by=narrow, label="as narrow", scopes=["submit"])


def test_a_token_of_an_admin_is_no_admin(admin: Actor):
    token, _ = tokens.issue(by=admin, label="x", scopes=[])
    with pytest.raises(refusals.AdminsOnly):
        members.invite("a@example.org", by=Actor("token", user=admin.user, token=token), role="reviewer")


def test_the_database_knows_the_scopes(artist: Actor):
    with pytest.raises(IntegrityError, match="token_scopes_are_known"), atomic():
        tokens.issue(by=artist, label="x", scopes=["everything"])


def test_a_token_ends_when_it_was_said_to_or_never(artist: Actor):
    week, _ = tokens.issue(by=artist, label="x", scopes=[], days=7)
    endless, _ = tokens.issue(by=artist, label="x", scopes=[], days=None)
    assert week.expires_at is not None
    week.refresh_from_db()
    assert week.expires_at - week.created_at == pytest.approx(timedelta(days=7), abs=timedelta(seconds=5))
    assert endless.expires_at is None


# ---------------------------------------------------------------- the next request


def test_a_token_works_until_its_end_and_not_a_moment_longer(artist: Actor):
    token, secret = tokens.issue(by=artist, label="x", scopes=[])
    assert status(secret) == 200
    Token.objects.filter(pk=token.pk).update(expires_at=Now() + timedelta(minutes=1))
    assert status(secret) == 200
    Token.objects.filter(pk=token.pk).update(expires_at=Now())
    assert status(secret) == 401


@pytest.mark.parametrize("end", ["revoked by its owner", "revoked by an admin", "its person is switched off"])
def test_an_ended_token_is_dead_on_the_next_request(artist: Actor, admin: Actor, end: str):
    token, secret = tokens.issue(by=artist, label="x", scopes=[])
    assert status(secret) == 200
    if end == "its person is switched off":
        User.objects.filter(pk=token.user_id).update(is_active=False)
    else:
        tokens.revoke(token, by=artist if end == "revoked by its owner" else admin)
    assert status(secret) == 401


def test_no_stranger_and_no_reviewer_ends_it(artist: Actor, stranger: Actor, reviewer: Actor):
    token, secret = tokens.issue(by=artist, label="x", scopes=[])
    for by in (stranger, reviewer, NOBODY, actors.SYSTEM):
        with pytest.raises(refusals.AdminsOnly):
            tokens.revoke(token, by=by)
    assert status(secret) == 200


def test_a_mistyped_token_costs_the_database_nothing_but_its_entry(artist: Actor):
    secret = makers.token(artist)
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    with CaptureQueriesContext(connection) as queries:
        assert status(wrong) == 401
    assert [query["sql"] for query in queries if "audit." not in query["sql"]] == []


def test_a_well_formed_token_that_nobody_issued_is_unknown():
    assert status(keys.make("artist")) == 401


def test_a_link_is_no_token(admin: Actor):
    _, path = members.invite("a@example.org", by=admin, role="reviewer")
    with pytest.raises(refusals.BadToken):
        tokens.find(path.rpartition("/")[2])


def test_its_last_use_is_noted_once_a_minute(artist: Actor):
    token, secret = tokens.issue(by=artist, label="x", scopes=[])
    assert token.last_used_at is None
    tokens.find(secret)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    tokens.find(secret)
    token.refresh_from_db()
    assert token.last_used_at == first
    Token.objects.filter(pk=token.pk).update(last_used_at=Now() - timedelta(seconds=61))
    tokens.find(secret)
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert token.last_used_at >= first


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("generate", "post", "/v1/videos"),
        ("generate", "post", "/v1/videos/{video}/cancel"),
        ("review", "post", "/v1/reviews/next"),
    ],
)
def test_what_a_token_may_not_is_refused_by_the_name_of_the_scope(scope: str, method: str, path: str):
    both = makers.user("Both", is_reviewer=True)
    makers.Membership.objects.create(user=both, cohort=makers.cohort(), credits=20)
    actor = actors.person(both)
    video = f"video_{makers.queued(actor).pk.hex}"
    without = [other for other in Token.SCOPES if other != scope]
    client = APIClient(headers={"authorization": f"Bearer {makers.token(actor, *without)}"})
    answer = getattr(client, method)(path.format(video=video), {"prompt": "a red circle", "seconds": 1})
    assert answer.status_code == 403
    assert answer.json()["detail"] == f"This token may not do that: it lacks the scope “{scope}”."


# ---------------------------------------------------------------- the page


def test_the_secret_is_shown_once_and_kept_by_no_cache(artist: Actor, browser_of: Callable[..., Client]):
    browser = browser_of(artist)
    answer = browser.post("/access/tokens", {"label": "notebook", "scopes": ["generate"], "days": "7"})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    token = Token.objects.get()
    (secret,) = [found[0] for found in map(keys.SHAPE.search, answer.content.decode().split('"')) if found] or [""]
    assert tokens.find(secret) == token
    again = browser.get("/access").content.decode()
    assert secret not in again
    assert token.last_four in again


@pytest.mark.parametrize(
    "form", [{"label": "", "scopes": ["generate"]}, {"label": "x"}, {"label": "x", "scopes": ["review"]}]
)
def test_a_form_that_asks_for_too_much_issues_nothing(
    artist: Actor, browser_of: Callable[..., Client], form: dict[str, Any]
):
    assert browser_of(artist).post("/access/tokens", {"days": "7", **form}).status_code == 422
    assert not Token.objects.exists()


def test_ten_revocations_at_once_leave_one_entry(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    token, _ = tokens.issue(by=artist, label="x", scopes=[])
    assert at_once(*[partial(tokens.revoke, token, by=artist)] * 10) == [None] * 10
    assert audit.of(token).filter(action="token.revoked").count() == 1

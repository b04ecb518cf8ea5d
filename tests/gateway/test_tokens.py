"""Keys for clients: issued once, dead at once."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from gateway import actors, audit, keys, members, refusals, states, tokens
from gateway.actors import NOBODY, Actor
from gateway.models import Notice, Token, User
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


def test_a_token_makes_no_token_not_even_a_lesser_one(artist: Actor):
    token, _ = tokens.issue(by=artist, label="x", scopes=["submit", "generate"])
    with pytest.raises(refusals.TokensMakeNoTokens):
        tokens.issue(by=Actor("token", user=artist.user, token=token), label="less", scopes=["submit"])
    assert Token.objects.count() == 1


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
    for by in (stranger, reviewer, NOBODY, actors.worker("w")):
        with pytest.raises(refusals.AdminsOnly):
            tokens.revoke(token, by=by)
    assert status(secret) == 200


def test_the_program_itself_ends_one_that_was_found_in_public(artist: Actor):
    token, secret = tokens.issue(by=artist, label="x", scopes=[])
    tokens.revoke(token, by=actors.SYSTEM)
    assert status(secret) == 401


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


# ---------------------------------------------------------------- from where, and how long


def test_a_token_works_from_its_networks_and_nowhere_else(artist: Actor):
    token, secret = tokens.issue(by=artist, label="x", scopes=[], networks=["192.0.2.0/24", "2001:db8::/32"])
    for address in ("192.0.2.200", "2001:db8::5"):
        assert tokens.find(secret, address=address) == token
    for address in ("198.51.100.1", "2001:db9::5", "", "no address"):
        with pytest.raises(refusals.NotFromHere) as caught:
            tokens.find(secret, address=address)
        assert "192.0.2" not in caught.value.sentence, "where it works is for its owner to know"


@pytest.mark.parametrize(("address", "told"), [("192.0.2.9", 200), ("::ffff:192.0.2.9", 200), ("198.51.100.9", 403)])
def test_the_door_asks_from_where(artist: Actor, address: str, told: int):
    _, secret = tokens.issue(by=artist, label="x", scopes=[], networks=["192.0.2.0/24"])
    client = APIClient(headers={"authorization": f"Bearer {secret}"})
    answer = client.get("/v1/videos", REMOTE_ADDR=address)
    assert answer.status_code == told
    if told == 403:
        assert answer.json()["error"]["code"] == "not_from_here"


def test_an_ended_token_is_unknown_wherever_it_comes_from(artist: Actor):
    token, secret = tokens.issue(by=artist, label="x", scopes=[], networks=["192.0.2.0/24"])
    tokens.revoke(token, by=artist)
    with pytest.raises(refusals.BadToken):
        tokens.find(secret, address="198.51.100.1")


def test_the_database_knows_what_a_network_is(artist: Actor):
    token, _ = tokens.issue(by=artist, label="x", scopes=[])
    with pytest.raises(DatabaseError, match="cidr"), atomic():
        Token.objects.filter(pk=token.pk).update(networks=["192.0.2.1/24"])


@pytest.mark.parametrize("days", [-1, 3651])
def test_a_token_ends_within_ten_years(artist: Actor, days: int):
    with pytest.raises(refusals.BadEnd):
        tokens.issue(by=artist, label="x", scopes=[], expires_at=timezone.now() + timedelta(days=days))


def test_a_token_of_a_membership_that_was_left_is_dead(artist: Actor):
    _, secret = tokens.issue(by=artist, label="x", scopes=[])
    states.move(artist.membership, "left", by=artist)  # type: ignore[arg-type]
    assert status(secret) == 401


def test_what_a_token_was_issued_as_stays(artist: Actor, stranger: Actor):
    token, _ = tokens.issue(by=artist, label="x", scopes=["submit"])
    for change in ({"user": stranger.user}, {"scopes": ["publish"]}, {"mode": "test"}, {"digest": b"x" * 32}):
        with pytest.raises(DatabaseError, match="append-only"), atomic():
            Token.objects.filter(pk=token.pk).update(**change)


# ---------------------------------------------------------------- last use


def test_where_and_for_what_it_was_used_last_is_kept_without_secrets(artist: Actor):
    token, secret = tokens.issue(by=artist, label="x", scopes=[])
    client = APIClient(headers={"authorization": f"Bearer {secret}", "user-agent": f"notebook/1 {secret}"})
    client.get("/v1/videos?after=x", REMOTE_ADDR="192.0.2.9")
    token.refresh_from_db()
    assert token.last_address == "192.0.2.9"
    assert token.last_use == "GET /v1/videos notebook/1 bat_artist_…"


def test_within_the_minute_a_door_is_opened_by_one_statement(artist: Actor):
    _, secret = tokens.issue(by=artist, label="x", scopes=[])
    tokens.find(secret)
    with CaptureQueriesContext(connection) as queries:
        found = tokens.find(secret)
        actor = Actor("token", user=found.user, token=found)
        assert actor.must_be_member().cohort.name
    assert len(queries) == 1


def test_ten_requests_at_once_note_one_use(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    token, secret = tokens.issue(by=artist, label="x", scopes=[])
    answers = at_once(*[partial(tokens.find, secret, address=f"192.0.2.{n}") for n in range(10)])
    assert answers == [token] * 10
    token.refresh_from_db()
    assert token.last_address is not None


# ---------------------------------------------------------------- rotation


def test_a_rotated_token_goes_on_until_the_overlap_ends_and_its_successor_is_like_it(artist: Actor):
    told = {"networks": ["192.0.2.0/24"], "requests_a_minute": 7, "credits_limit": 3}
    old, before = tokens.issue(by=artist, label="notebook", scopes=["generate"], days=30, **told)
    new, after = tokens.rotate(old, by=artist, overlap_hours=24)
    assert before != after
    for secret in (before, after):
        tokens.find(secret, address="192.0.2.1")
    for name in ("label", "scopes", "mode", "family", "user_id", "membership_id", *told):
        assert getattr(new, name) == getattr(old, name), name
    for name, value in told.items():
        assert getattr(new, name) == value
    old.refresh_from_db()
    new.refresh_from_db()
    assert old.replaced_by == new
    assert old.expires_at is not None
    assert old.expires_at - new.created_at == pytest.approx(timedelta(hours=24), abs=timedelta(seconds=5))
    assert new.expires_at is not None
    assert new.expires_at - new.created_at == pytest.approx(timedelta(days=30), abs=timedelta(seconds=5))
    Token.objects.filter(pk=old.pk).update(expires_at=Now())
    with pytest.raises(refusals.BadToken):
        tokens.find(before, address="192.0.2.1")
    tokens.find(after, address="192.0.2.1")


def test_without_an_overlap_the_old_one_is_dead_at_once(artist: Actor):
    old, before = tokens.issue(by=artist, label="x", scopes=[], days=None)
    new, after = tokens.rotate(old, by=artist, overlap_hours=0)
    assert (status(before), status(after)) == (401, 200)
    assert new.expires_at is None


def test_an_overlap_lengthens_no_life(artist: Actor):
    old, _ = tokens.issue(by=artist, label="x", scopes=[], days=1)
    ends = old.expires_at
    tokens.rotate(old, by=artist, overlap_hours=168)
    assert old.expires_at == ends


def test_a_token_is_rotated_once(artist: Actor):
    old, _ = tokens.issue(by=artist, label="x", scopes=[])
    new, secret = tokens.rotate(old, by=artist)
    with pytest.raises(refusals.AlreadyRotated, match=f"ends in {secret[-4:]}"):
        tokens.rotate(old, by=artist)
    tokens.revoke(new, by=artist)
    with pytest.raises(refusals.BadToken):
        tokens.rotate(new, by=artist)


def test_ten_rotations_at_once_make_one_successor(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    old, _ = tokens.issue(by=artist, label="x", scopes=[])
    answers = at_once(*[partial(tokens.rotate, old, by=artist)] * 10)
    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert sum(isinstance(answer, refusals.AlreadyRotated) for answer in answers) == 9
    assert Token.objects.count() == 2


def test_a_token_rotates_itself_and_no_other_and_its_person_is_told(artist: Actor, stranger: Actor):
    one, two = makers.with_token(artist), makers.with_token(artist)
    assert one.token is not None
    with pytest.raises(refusals.TokensMakeNoTokens):
        tokens.rotate(one.token, by=two)
    with pytest.raises(refusals.NotFound):
        tokens.rotate(one.token, by=stranger)
    new, _ = tokens.rotate(one.token, by=one)
    assert new.self_made
    assert Notice.objects.get(user=artist.user).subject == "The token “test” has rotated itself"


def test_who_revokes_a_token_ends_what_it_made_of_itself(artist: Actor):
    first = makers.with_token(artist)
    assert first.token is not None
    second, _ = tokens.rotate(first.token, by=first)
    _, secret = tokens.rotate(second, by=Actor("token", user=artist.user, token=second))
    tokens.revoke(first.token, by=artist)
    with pytest.raises(refusals.BadToken):
        tokens.find(secret)
    assert Token.objects.filter(revoked_at__isnull=True).count() == 0


def test_who_cuts_an_overlap_short_keeps_the_successor_that_they_made(artist: Actor):
    old, before = tokens.issue(by=artist, label="x", scopes=[])
    _, after = tokens.rotate(old, by=artist)
    tokens.revoke(old, by=artist)
    assert (status(before), status(after)) == (401, 200)


def test_a_rotation_and_a_revocation_at_once_leave_no_secret_in_force(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    for _ in range(5):
        by = makers.with_token(artist)
        assert by.token is not None
        at_once(partial(tokens.rotate, by.token, by=by), partial(tokens.revoke, by.token, by=artist))
    assert not Token.objects.live().exists()


def test_a_token_revokes_itself_and_no_other(artist: Actor):
    one, two = makers.with_token(artist), makers.with_token(artist)
    assert one.token is not None
    with pytest.raises(refusals.TokensMakeNoTokens):
        tokens.revoke(one.token, by=two)
    tokens.revoke(one.token, by=one)
    assert list(Token.objects.live()) == [two.token]


# ---------------------------------------------------------------- test mode


def test_a_test_token_is_told_by_its_first_letters_and_only_generates(artist: Actor, reviewer: Actor):
    _, secret = tokens.issue(by=artist, label="x", scopes=["generate"], mode="test")
    assert secret.startswith("bat_test_")
    assert tokens.find(secret).is_test
    for by, scopes in ((artist, ["generate", "submit"]), (artist, ["publish"]), (reviewer, [])):
        with pytest.raises(refusals.TestsOnlyGenerate):
            tokens.issue(by=by, label="x", scopes=scopes, mode="test")


def test_the_database_gives_a_test_token_no_other_scope(artist: Actor):
    row = {"user": artist.user, "membership": artist.membership, "label": "x", "digest": b"x", "last_four": "x"}
    with pytest.raises(IntegrityError, match="a_test_token_only_generates"), atomic():
        Token.objects.create(**row, mode="test", scopes=["submit"])


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

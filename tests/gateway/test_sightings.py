"""A credential that looks shared is slowed, then frozen, alone; its owner's word or an admin's lets go."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from allauth.usersessions.models import UserSession
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway import actors, brakes, canaries, keys, refusals, sightings, tokens, traces
from gateway.actors import Actor
from gateway.models import Brake, Canary, Detail, Entry, Notice, Sighting, Token
from gateway.traces import Signal, Use
from tests import makers

pytestmark = pytest.mark.django_db
MANY = [Signal("networks", 100, "12 networks within ten minutes")]


@pytest.fixture(autouse=True)
def watched(settings: Any) -> None:
    settings.SIGHTINGS = True


def use_of(token: Token, **told: Any) -> Use:
    return Use(
        "token", token.pk, token.user_id, **{"address": "192.0.2.1", "agent": "x", "print": "x", "act": "page", **told}
    )


def issued(by: Actor, label: str = "notebook") -> tuple[Token, str]:
    return tokens.issue(by=by, label=label, scopes=["generate"])


def seen(by: Actor) -> tuple[Sighting, str]:
    """A frozen token of `by`, with its sighting and secret."""
    token, secret = issued(by)
    assert sightings.freeze(use_of(token), MANY)
    return Sighting.objects.get(target=token.pk), secret


def bearer(secret: str, address: str = "127.0.0.1", **headers: str) -> Client:
    return Client(REMOTE_ADDR=address, headers={"authorization": f"Bearer {secret}", **headers})


def age(sighting: Sighting, **back: float) -> None:
    """It lies some time back. A test moves the row, not the clock, so the trigger that fixes it rests."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table gateway_sighting disable trigger fixed")
        moved = {"created_at": Now() - timedelta(**back)}
        if sighting.answered_at:
            moved["answered_at"] = Now() - timedelta(**back)
        Sighting.objects.filter(pk=sighting.pk).update(**moved)
        cursor.execute("alter table gateway_sighting enable trigger fixed")
        cursor.execute("set constraints all deferred")


# ---------------------------------------------------------------- from the door to the freeze


def test_a_token_used_from_many_networks_is_frozen_and_no_other(artist: Actor, stranger: Actor, admin: Actor):
    token, secret = issued(artist)
    _, other_secret = issued(artist, "another")
    statuses = [bearer(secret, f"198.{n}.100.7").get("/v1/videos").status_code for n in range(14)]
    assert statuses[:9] == [200] * 9 and statuses[9:] == [403] * 5
    refused = bearer(secret).get("/v1/videos").json()
    assert refused["error"]["code"] == "braked" and "10 networks within ten minutes" in refused["detail"]
    assert bearer(other_secret).get("/v1/videos").status_code == 200
    assert bearer(issued(stranger)[1], "198.3.100.7").get("/v1/videos").status_code == 200
    brake = Brake.objects.get()
    assert (brake.scope, brake.target, brake.source, brake.pulled_by) == ("token", token.pk, "sighting", None)
    sighting = Sighting.objects.get()
    assert (sighting.brake, sighting.owner, sighting.state) == (brake, artist.user, "open")
    assert "198.3.100.0/24" in sighting.seen["networks"] and "198.3.100.7" not in str(sighting.seen)
    notice = Notice.objects.get(user=artist.user)
    assert notice.path == f"/access/sightings/{sighting.pk.hex}" and "10 networks" in notice.body


def test_slowed_means_429_with_a_time_and_only_for_that_credential(artist: Actor):
    _, secret = issued(artist)
    _, other = issued(artist, "another")
    answers = [bearer(secret, f"198.{n % 6}.100.7").get("/v1/videos") for n in range(20)]
    slow = [answer for answer in answers if answer.status_code == 429]
    assert len(slow) >= 5 and {answer.status_code for answer in answers} == {200, 429}
    assert slow[0].json()["error"]["code"] == "slowed"
    assert 1 <= int(slow[0]["Retry-After"]) <= 60
    assert bearer(other).get("/v1/videos").status_code == 200
    assert not Brake.objects.exists()


def test_a_session_is_watched_like_a_token(artist: Actor, browser_of: Callable[[Actor], Client]):
    browser, fine = browser_of(artist), browser_of(artist)
    statuses = [browser.get("/mine", REMOTE_ADDR=f"198.{n}.100.7").status_code for n in range(12)]
    assert statuses == [200] * 9 + [403] * 3
    assert fine.get("/mine").status_code == 200
    assert Brake.objects.get().scope == "session"


def test_a_guest_pass_is_for_several_people_and_not_for_a_crowd(artist: Actor, browser_of: Callable[[Actor], Client]):
    secret = makers.lent(artist)
    statuses = [Client(REMOTE_ADDR=f"198.{n}.100.7").get(f"/g/{secret}").status_code for n in range(45)]
    assert statuses[:20] == [200] * 20  # a class of twenty, each at home
    assert 429 in statuses and statuses[-1] == 403
    sighting = Sighting.objects.get()
    assert (sighting.scope, sighting.owner) == ("guest_pass", artist.user)
    browser = browser_of(artist)
    assert browser.post(f"/access/sightings/{sighting.pk.hex}/rotate").status_code == 200
    assert Client().get(f"/g/{secret}").status_code == 410


def test_also_an_admins_session(admin: Actor, browser_of: Callable[[Actor], Client]):
    browser = browser_of(admin)
    assert [browser.get("/program/brakes", REMOTE_ADDR=f"198.{n}.100.7").status_code for n in range(12)][-2:] == [
        403,
        403,
    ]
    assert browser_of(admin).get("/program/sightings").status_code == 200  # who signs in anew can release it


def test_public_pages_and_files_are_not_slowed(artist: Actor, browser_of: Callable[[Actor], Client]):
    generation = makers.completed(artist)
    browser = browser_of(artist)
    key = keys.alias(browser.session.session_key)
    assert artist.user
    traces.slow(Use("session", key, artist.user.pk, address="", agent="", print="", act="page"))
    pages = [browser.get("/mine").status_code for _ in range(9)]
    assert 429 in pages
    assert {browser.get(f"/generations/{generation.pk.hex}/poster.webp").status_code for _ in range(9)} == {200}
    assert {browser.get("/").status_code for _ in range(9)} == {200}


def test_no_signal_when_valkey_is_away(artist: Actor, settings: Any, caplog: pytest.LogCaptureFixture):
    _, secret = issued(artist)
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    traces._valkey.cache_clear()
    traces._script.cache_clear()
    try:
        assert {bearer(secret, f"198.{n}.100.7").get("/v1/models").status_code for n in range(14)} == {200}
        assert sum("unseen" in record.message for record in caplog.records) == 1
    finally:
        traces._valkey.cache_clear()
        traces._script.cache_clear()
        traces._silent_until = 0.0


def test_switched_off_nothing_is_noted(artist: Actor, settings: Any):
    settings.SIGHTINGS = False
    _, secret = issued(artist)
    assert {bearer(secret, f"198.{n}.100.7").get("/v1/models").status_code for n in range(14)} == {200}


def test_what_lies_in_valkey_ends_by_itself_and_holds_no_address(artist: Actor):
    token, secret = issued(artist)
    bearer(secret, "198.51.100.77", **{"x-forwarded-for": "203.0.113.99"}).get("/v1/models")
    valkey = traces._valkey()
    found = valkey.keys(f"trace:token:{token.pk.hex}:*")
    assert found
    for key in found:
        assert valkey.ttl(key) > 0, key
        assert b"198.51.100.77" not in b"".join(valkey.zrange(key, 0, -1))
        assert b"203.0.113.99" not in b"".join(valkey.zrange(key, 0, -1))


def test_a_request_costs_two_round_trips_and_no_query(artist: Actor, django_assert_num_queries: Any, settings: Any):
    _, secret = issued(artist)
    client = bearer(secret)
    client.get("/v1/models")
    with CaptureQueriesContext(connection) as watched:
        client.get("/v1/models")
    settings.SIGHTINGS = False
    with CaptureQueriesContext(connection) as unwatched:
        client.get("/v1/models")
    assert len(watched) == len(unwatched)


# ---------------------------------------------------------------- never more than one artist without a person


def test_the_database_refuses_a_sighting_that_brakes_more_than_a_credential(artist: Actor):
    assert artist.user and artist.membership
    for scope, target in (("artist", artist.user.pk), ("cohort", artist.membership.cohort_id), ("all", None)):
        with pytest.raises(IntegrityError, match="a_sighting_brakes_one_credential"), atomic():
            brakes.pull(scope, target, by=actors.SYSTEM, label="x", reason="y", source="sighting")


def test_after_some_artists_in_an_hour_only_admins_are_told(admin: Actor, settings: Any):
    settings.AUTOMATIC_FREEZES = 2
    artists = [makers.artist() for _ in range(3)]
    frozen = [sightings.freeze(use_of(issued(each)[0]), MANY) is not None for each in artists]
    assert frozen == [True, True, False]
    assert sightings.freeze(use_of(issued(artists[0], "second")[0]), MANY)  # not another artist
    last = Sighting.objects.get(owner=artists[2].user)
    assert last.brake is None and last.state == "open"
    assert Notice.objects.filter(user=admin.user, path=f"/program/sightings/{last.pk.hex}").count() == 1
    assert "slowed" in Notice.objects.get(user=artists[2].user).body
    for row in Sighting.objects.filter(owner=artists[0].user):
        age(row, hours=2)
    sightings.confirm(last, by=admin, answer="x")
    assert sightings.freeze(use_of(issued(artists[2], "later")[0]), MANY)


def test_a_drill_takes_nothing_of_what_a_real_leak_may_need(settings: Any):
    settings.AUTOMATIC_FREEZES = 1
    smoke = makers.cohort(smoke=True)
    for _ in range(3):
        assert sightings.freeze(use_of(issued(makers.artist(cohort=smoke))[0]), MANY)
    assert sightings.freeze(use_of(issued(makers.artist())[0]), MANY)
    assert sightings.freeze(use_of(issued(makers.artist())[0]), MANY) is None


@pytest.mark.django_db(transaction=True)
def test_eight_requests_that_are_too_many_pull_one_brake(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    token, _ = issued(artist)
    found = at_once(*[lambda: sightings.freeze(use_of(token), MANY) for _ in range(8)])
    assert len({brake.pk for brake in found}) == 1
    assert Brake.objects.count() == Sighting.objects.count() == 1
    assert Notice.objects.filter(user=artist.user).count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_artists_at_the_same_moment_are_not_all_frozen(at_once: Callable[..., list[Any]], settings: Any):
    settings.AUTOMATIC_FREEZES = 3
    held = [issued(makers.artist())[0] for _ in range(8)]
    found = at_once(*[lambda token=token: sightings.freeze(use_of(token), MANY) for token in held])
    assert sum(isinstance(brake, Brake) for brake in found) == 3
    assert Sighting.objects.count() == 8


# ---------------------------------------------------------------- the owner's word


def test_it_was_me_lets_go_at_once_the_first_time(artist: Actor, browser_of: Callable[[Actor], Client]):
    sighting, secret = seen(artist)
    assert bearer(secret).get("/v1/models").status_code == 403
    browser, path = browser_of(artist), f"/access/sightings/{sighting.pk.hex}"
    assert "12 networks" in browser.get(path).content.decode()
    assert browser.post(f"{path}/explain", {"explanation": "  "}).status_code == 422
    assert browser.post(f"{path}/explain", {"explanation": "A workshop."}).status_code == 302
    assert bearer(secret).get("/v1/models").status_code == 200
    sighting.refresh_from_db()
    assert (sighting.state, sighting.explanation) == ("explained", "A workshop.")
    assert browser.post(f"{path}/explain", {"explanation": "Again."}).status_code == 409
    assert browser.post(f"{path}/rotate").status_code == 409


def test_the_second_time_in_thirty_days_an_admin_reads_it_first(artist: Actor, admin: Actor):
    first, _ = seen(artist)
    assert sightings.explain(first, "A workshop.", by=artist)
    first.refresh_from_db()
    second, secret = seen(artist)
    assert not sightings.explain(second, "Another one.", by=artist)
    assert second.state == "open" and bearer(secret).get("/v1/models").status_code == 403
    assert Notice.objects.filter(user=admin.user, body="Another one.").exists()
    age(first, days=31)
    assert sightings.explain(second, "Another one.", by=artist)
    assert bearer(secret).get("/v1/models").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_explained_at_the_same_moment_are_not_both_the_first(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    both = [seen(artist)[0], seen(artist)[0]]
    found = at_once(*[lambda one=one: sightings.explain(one, "A workshop.", by=artist) for one in both])
    assert sorted(found) == [False, True]


def test_what_goes_on_after_an_explanation_freezes_again(artist: Actor):
    sighting, secret = seen(artist)
    sightings.explain(sighting, "It was me.", by=artist)
    assert sightings.freeze(use_of(Token.objects.get(pk=sighting.target)), MANY)
    assert bearer(secret).get("/v1/models").status_code == 403


def test_it_was_not_me_ends_it_and_gives_a_new_one_once(artist: Actor, browser_of: Callable[[Actor], Client]):
    sighting, secret = seen(artist)
    browser, path = browser_of(artist), f"/access/sightings/{sighting.pk.hex}"
    page = browser.post(f"{path}/rotate")
    assert page.status_code == 200 and page["Cache-Control"] == "no-store"
    (new,) = {match[0] for match in keys.SHAPE.finditer(page.content.decode())}
    assert new != secret
    assert bearer(secret).get("/v1/models").status_code == 401
    assert bearer(new).get("/v1/models").status_code == 200
    sighting.refresh_from_db()
    assert sighting.state == "rotated" and sighting.brake.state == "released"
    assert keys.SHAPE.search(browser.get(path).content.decode()) is None
    assert browser.post(f"{path}/rotate").status_code == 409
    assert Token.objects.filter(user=artist.user).count() == 2


def test_one_that_has_rotated_itself_ends_with_what_it_made(artist: Actor):
    token, secret = issued(artist)
    _, made = tokens.rotate(token, by=Actor("token", user=artist.user, token=token))
    assert sightings.freeze(use_of(token), MANY)
    assert sightings.rotate(Sighting.objects.get(), by=artist) == ""
    assert {bearer(each).get("/v1/models").status_code for each in (secret, made)} == {401}


def test_an_artist_under_another_brake_ends_it_all_the_same(artist: Actor):
    sighting, secret = seen(artist)
    assert artist.user
    brakes.pull("artist", artist.user.pk, by=actors.SYSTEM, label="x", reason="y")
    assert sightings.rotate(sighting, by=artist) == ""
    assert bearer(secret).get("/v1/models").status_code == 401


def test_of_a_session_it_signs_out_everywhere_else(artist: Actor, browser_of: Callable[[Actor], Client]):
    bad, good, other = browser_of(artist), browser_of(artist), browser_of(makers.artist())
    assert artist.user
    for each in (bad, good):  # as a real sign-in does
        UserSession.objects.create(user=artist.user, session_key=each.session.session_key, ip="192.0.2.1")
    target = keys.alias(bad.session.session_key)
    use = Use("session", target, artist.user.pk, address="192.0.2.1", agent="x", print="x", act="page")
    assert sightings.freeze(use, MANY)
    assert bad.get("/mine").status_code == 403
    sighting = Sighting.objects.get()
    assert good.post(f"/access/sightings/{sighting.pk.hex}/rotate").status_code == 200
    assert bad.get("/mine").status_code == 302
    assert good.get("/mine").status_code == other.get("/mine").status_code == 200


def test_an_admin_ends_every_session_of_its_owner(artist: Actor, admin: Actor, browser_of: Callable[[Actor], Client]):
    bad, other = browser_of(artist), browser_of(admin)
    assert artist.user
    UserSession.objects.create(user=artist.user, session_key=bad.session.session_key, ip="192.0.2.1")
    target = keys.alias(bad.session.session_key)
    assert sightings.freeze(Use("session", target, artist.user.pk, address="", agent="", print="", act="page"), MANY)
    sightings.confirm(Sighting.objects.get(), by=admin, answer="x")
    assert bad.get("/mine").status_code == 302
    assert other.get("/program/sightings").status_code == 200


def test_nobody_answers_for_another(
    artist: Actor, stranger: Actor, admin: Actor, browser_of: Callable[[Actor], Client]
):
    sighting, _ = seen(artist)
    for rule in (
        lambda by: sightings.explain(sighting, "x", by=by),
        lambda by: sightings.rotate(sighting, by=by),
    ):
        for somebody in (stranger, admin, actors.NOBODY, Actor("token", user=artist.user, token=Token())):
            with pytest.raises(refusals.NotFound):
                rule(somebody)
    for somebody in (stranger, artist, actors.NOBODY, actors.SYSTEM):
        for rule in (sightings.confirm, sightings.dismiss):
            with pytest.raises(refusals.AdminsOnly):
                rule(sighting, by=somebody, answer="x")
    for somebody in (stranger, admin):
        assert browser_of(somebody).get(f"/access/sightings/{sighting.pk.hex}").status_code == 404


# ---------------------------------------------------------------- an admin's


def test_an_admin_confirms_and_the_credential_ends(artist: Actor, admin: Actor, browser_of: Callable[[Actor], Client]):
    sighting, secret = seen(artist)
    office, path = browser_of(admin), f"/program/sightings/{sighting.pk.hex}"
    assert sighting.label in office.get("/program/sightings").content.decode().replace("The token", "the token")
    assert office.post(f"{path}/confirm").status_code == 422
    assert office.post(f"{path}/confirm", {"answer": "Seen on a public page."}).status_code == 302
    assert bearer(secret).get("/v1/models").status_code == 401
    assert Notice.objects.filter(user=artist.user, body__contains="Seen on a public page.").exists()
    assert not Brake.objects.in_force().exists()


def test_an_admin_dismisses_and_the_same_is_not_frozen_for_a_week(artist: Actor, admin: Actor):
    sighting, secret = seen(artist)
    sightings.dismiss(sighting, by=admin, answer="A workshop that we knew of.")
    assert bearer(secret).get("/v1/models").status_code == 200
    token = Token.objects.get(pk=sighting.target)
    assert sightings.freeze(use_of(token), MANY) is None
    assert Sighting.objects.count() == 1
    sighting.refresh_from_db()
    age(sighting, days=8)
    assert sightings.freeze(use_of(token), MANY)


def test_when_an_admin_has_released_the_brake_itself_nothing_is_frozen_anew(artist: Actor, admin: Actor):
    sighting, secret = seen(artist)
    assert sighting.brake
    brakes.release(sighting.brake, by=admin)
    assert sightings.freeze(use_of(Token.objects.get(pk=sighting.target)), MANY) is None
    assert bearer(secret).get("/v1/models").status_code == 200
    sightings.dismiss(sighting, by=admin, answer="x")


# ---------------------------------------------------------------- canaries


def test_a_canary_reads_like_any_bad_token_and_admins_hear_of_it(admin: Actor, browser_of: Callable[[Actor], Client]):
    office = browser_of(admin)
    page = office.post("/program/canaries", {"label": ".env in the old sketches"})
    secret = keys.SHAPE.search(page.content.decode())[0]  # type: ignore[index]
    assert secret.startswith("bat_artist_")
    bad = bearer("bat_artist_" + "A" * 36).get("/v1/videos")
    made_up = bearer(keys.make("artist")).get("/v1/videos")
    for _ in range(2):
        sung = bearer(secret, "198.51.100.7", **{"user-agent": "curl/8"}).get("/v1/videos")
        for other in (bad, made_up):
            assert (sung.status_code, sung.content, dict(sung.headers) | {"X-Request-ID": ""}) == (
                other.status_code, other.content, dict(other.headers) | {"X-Request-ID": ""},
            )  # fmt: skip
    canary = Canary.objects.get()
    assert canary.uses == 2
    sighting = Sighting.objects.get()  # one, however often
    assert (sighting.kind, sighting.owner, sighting.seen["networks"]) == ("canary", None, ["198.51.100.0/24"])
    assert Notice.objects.get(user=admin.user).path == f"/program/sightings/{sighting.pk.hex}"
    entry = Entry.objects.filter(action="canary.used").first()
    assert entry and b"198.51.100.7" not in bytes(entry.body)
    assert b"198.51.100.7" in bytes(Detail.objects.get(entry_id=entry.pk).body)
    assert secret not in office.get("/program/canaries").content.decode()
    assert (
        office.post(f"/program/sightings/{sighting.pk.hex}/confirm", {"answer": "The folder was public."}).status_code
        == 302
    )


def test_a_good_token_costs_no_look_for_canaries(artist: Actor):
    client = bearer(issued(artist)[1])
    with CaptureQueriesContext(connection) as queries:
        client.get("/v1/models")
    assert not [query for query in queries if "canary" in query["sql"]]


def test_only_an_admin_plants(artist: Actor, reviewer: Actor, admin: Actor):
    for somebody in (artist, reviewer, actors.NOBODY):
        with pytest.raises(refusals.AdminsOnly):
            canaries.plant("x", by=somebody)
    with pytest.raises(refusals.ExplanationMissing):
        canaries.plant(" ", by=admin)


# ---------------------------------------------------------------- what is kept


def test_from_where_it_was_used_is_erased_after_ninety_days(artist: Actor):
    old, new = seen(artist)[0], seen(artist)[0]
    age(old, days=91)
    assert sightings.forget_old() == 1
    old.refresh_from_db()
    new.refresh_from_db()
    assert old.seen is None and new.seen is not None


def test_what_was_seen_is_never_rewritten(artist: Actor):
    sighting, _ = seen(artist)
    for change in ({"signals": []}, {"score": 1}, {"owner": makers.user()}, {"target": uuid4()}):
        with pytest.raises(Exception, match="append-only"), atomic():
            Sighting.objects.filter(pk=sighting.pk).update(**change)

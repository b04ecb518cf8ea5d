"""Brakes: each door asks at its own moment, and each asks for the right one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway import actors, brakes, keys, refusals, tokens
from gateway.actors import Actor
from gateway.models import Brake, Entry, Notice
from gateway.models.brakes import SCOPES
from tests import makers

pytestmark = pytest.mark.django_db
WHY = "A token was seen in public"


def pulled(scope: str, target: Any = None, **told: Any) -> Brake:
    told = {"by": actors.SYSTEM, "label": "this", "reason": WHY, **told}
    return brakes.pull(scope, target, **told)


def over(brake: Brake) -> None:
    """Its end was a moment ago. A test moves the row, not the clock, so the trigger that fixes it rests."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table gateway_brake disable trigger fixed")
        Brake.objects.filter(pk=brake.pk).update(ends_at=Now() - timedelta(seconds=1))
        cursor.execute("alter table gateway_brake enable trigger fixed")
        cursor.execute("set constraints all deferred")


# ---------------------------------------------------------------- the row


def test_only_an_admin_or_the_program_itself_pulls_and_releases(artist: Actor, reviewer: Actor, admin: Actor):
    for nobody in (
        artist,
        reviewer,
        actors.NOBODY,
        actors.worker("w"),
        Actor("token", user=admin.user, token=object()),
    ):  # type: ignore[arg-type]
        with pytest.raises(refusals.AdminsOnly):
            pulled("all", by=nobody)
    brake = pulled("all", by=admin)
    with pytest.raises(refusals.AdminsOnly):
        brakes.release(brake, by=artist)
    brakes.release(brake, by=admin, why="It is mended.")
    assert (brake.state, brake.pulled_by, brake.released_by, brake.why_released) == (
        "released", admin.user, admin.user, "It is mended.",
    )  # fmt: skip
    with pytest.raises(refusals.WrongState):
        brakes.release(brake, by=admin)
    assert list(Entry.objects.filter(subject_id=brake.pk).order_by("id").values_list("action", flat=True)) == [
        "brake.pulled", "brake.released",
    ]  # fmt: skip


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_a_brake_says_why(reason: str):
    with pytest.raises(refusals.BrakeNeedsReason):
        pulled("all", reason=reason)
    with pytest.raises(IntegrityError), atomic():
        Brake.objects.create(scope="all", label="x", reason=reason)


def test_a_brake_ends_in_the_future():
    with pytest.raises(refusals.BrakeEndsInThePast):
        pulled("all", ends_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(("scope", "target"), [("all", "id"), *((scope, None) for scope in SCOPES if scope != "all")])
def test_a_brake_is_on_something_or_on_all(scope: str, target: str | None):
    with pytest.raises(IntegrityError, match="on_something_or_on_all"), atomic():
        pulled(scope, makers.cohort().pk if target else None)


def test_what_a_brake_is_on_and_why_is_never_rewritten():
    brake = pulled("all")
    for change in ({"reason": "x"}, {"closes": True}, {"ends_at": None, "label": "x"}, {"scope": "token"}):
        with pytest.raises(Exception, match="append-only"), atomic():
            Brake.objects.filter(pk=brake.pk).update(**change)
    with pytest.raises(Exception, match="append-only"), atomic():
        brake.delete()


def test_those_whom_it_touches_read_the_reason_and_hear_of_its_end(artist: Actor):
    assert artist.user is not None
    brake = pulled("artist", artist.user.pk, tell=[artist.user])
    brakes.release(brake, by=actors.SYSTEM, why="It was a mistake.", tell=[artist.user])
    told = list(Notice.objects.filter(user=artist.user).order_by("created_at"))
    assert WHY in told[0].body and "withdraw" in told[0].body
    assert told[1].body == "It was a mistake."


# ---------------------------------------------------------------- who is stopped


def targets(artist: Actor) -> dict[str, Any]:
    assert artist.user and artist.membership
    token = tokens.issue(by=artist, label="x", scopes=["generate"])[0]
    return {"artist": artist.user.pk, "cohort": artist.membership.cohort_id, "token": token.pk, "all": None}


@pytest.mark.parametrize("scope", ["artist", "cohort", "all"])
def test_nothing_new_is_made_under_a_brake_and_all_else_goes_on(
    scope: str, artist: Actor, client_of: Callable[..., Any], browser_of: Callable[..., Client], no_undo: None
):
    approved = makers.submitted(artist)
    makers.decided(approved)
    private = makers.completed(artist)
    client, browser = client_of(artist), browser_of(artist)
    brake = pulled(scope, targets(artist)[scope])
    words = {"title": "x", "credit": "y", "licence": "CC0-1.0"}
    for path, body in (
        ("/v1/videos", {"prompt": "a red circle"}),
        ("/v1/submissions", {"video": f"video_{private.pk.hex}", **words}),
        (f"/v1/submissions/submission_{approved.pk.hex}/sign_off", {"name": "x", "revision": 1}),
    ):
        answer = client.post(path, body, format="json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "braked"), path
        assert WHY in answer.json()["detail"]
    assert (
        browser.post(
            "/studio", {"prompt": "a red circle", "model": "sketch", "seconds": 2, "size": "256x256"}
        ).status_code
        == 403
    )
    assert browser.post("/access/tokens", {"label": "x", "scopes": ["generate"], "days": 7}).status_code == 403
    for path in (
        "/dashboard",
        "/mine",
        "/studio",
        f"/mine/{private.pk.hex}",
        f"/generations/{private.pk.hex}/video.mp4",
    ):
        assert browser.get(path).status_code == 200, path
    assert WHY in browser.get("/dashboard").content.decode()
    assert client.get(f"/v1/videos/video_{private.pk.hex}/content").status_code == 200
    assert client.post(f"/v1/submissions/submission_{approved.pk.hex}/withdraw").status_code == 200
    brakes.release(brake, by=actors.SYSTEM)
    assert client.post("/v1/videos", {"prompt": "a red circle"}, format="json").status_code == 200


@pytest.mark.parametrize("scope", ["artist", "cohort", "all"])
def test_a_brake_that_closes_shuts_pages_downloads_and_clients(
    scope: str,
    artist: Actor,
    stranger: Actor,
    admin: Actor,
    client_of: Callable[..., Any],
    browser_of: Callable[..., Client],
):
    private = makers.completed(artist)
    client, browser, other, office = client_of(artist), browser_of(artist), browser_of(stranger), browser_of(admin)
    pulled(scope, targets(artist)[scope], closes=True)
    for path in ("/dashboard", "/mine", f"/generations/{private.pk.hex}/video.mp4", "/accounts/email/"):
        answer = browser.get(path)
        assert answer.status_code == 403 and WHY in answer.content.decode(), path
    ranged = client.get(f"/v1/videos/video_{private.pk.hex}/content", headers={"Range": "bytes=0-9"})
    assert (ranged.status_code, ranged.json()["error"]["code"]) == (403, "braked")
    assert browser.post("/accounts/logout/").status_code == 302
    assert other.get("/dashboard").status_code == (403 if scope == "all" else 200)
    assert office.get("/program/brakes").status_code == 200


def test_an_admin_who_looks_as_a_braked_artist_sees_and_comes_back(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    assert artist.user is not None
    office = browser_of(admin)
    office.post("/program/impersonation", {"artist": artist.user.pk, "reason": "They ask what is shut."})
    pulled("artist", artist.user.pk, closes=True)
    assert office.get("/dashboard").status_code == 200
    assert office.post("/impersonation/end").status_code == 302
    assert office.get("/program/brakes").status_code == 200


def test_a_braked_token_opens_nothing_and_its_owner_goes_on(
    artist: Actor, client_of: Callable[..., Any], browser_of: Callable[..., Client]
):
    leaked, kept = client_of(artist), client_of(artist)
    assert leaked.get("/v1/videos").status_code == 200
    leaked_row = artist.user.tokens.order_by("id").first()  # type: ignore[union-attr]
    pulled("token", leaked_row.pk)
    assert leaked.get("/v1/videos").json()["error"]["code"] == "braked"
    assert leaked.get("/v1/publications").status_code == 403
    assert kept.get("/v1/videos").status_code == 200
    assert browser_of(artist).get("/dashboard").status_code == 200


def test_a_braked_session_opens_nothing_but_the_way_out(artist: Actor, browser_of: Callable[..., Client]):
    stolen, own = browser_of(artist), browser_of(artist)
    pulled("session", keys.alias(stolen.session.session_key or ""))
    for path in ("/dashboard", "/access", "/v1/videos", "/accounts/email/", "/accounts/password/change/"):
        assert stolen.get(path).status_code == 403, path
        assert own.get(path).status_code in (200, 302), path
    assert stolen.post("/accounts/logout/").status_code == 302


def test_a_brake_on_one_touches_nobody_else(artist: Actor, stranger: Actor, client_of: Callable[..., Any]):
    makers.sketch()
    client = client_of(stranger)
    for scope, target in targets(artist).items():
        if scope != "all":
            pulled(scope, target, closes=True)
    assert client.post("/v1/videos", {"prompt": "a red circle"}, format="json").status_code == 200


def test_a_braked_model_is_refused_and_others_are_not(artist: Actor, client_of: Callable[..., Any]):
    sketch = makers.sketch()
    pulled("model", sketch.pk)
    client = client_of(artist)
    assert client.post("/v1/videos", {"prompt": "a red circle"}, format="json").json()["error"]["code"] == "braked"
    sketch.pk, sketch.slug = makers.cohort().pk, "other"
    sketch.save(force_insert=True)
    assert client.post("/v1/videos", {"prompt": "a red circle", "model": "other"}, format="json").status_code == 200


def test_a_brake_whose_time_is_over_stops_nobody(artist: Actor, client_of: Callable[..., Any]):
    makers.sketch()
    client = client_of(artist)
    brake = pulled("all", closes=True, ends_at=timezone.now() + timedelta(hours=1))
    assert client.get("/v1/videos").status_code == 403
    over(brake)
    assert client.get("/v1/videos").status_code == 200
    assert client.post("/v1/videos", {"prompt": "a red circle"}, format="json").status_code == 200


def test_a_token_is_found_by_one_statement(artist: Actor):
    secret = makers.token(artist)
    tokens.find(secret)  # notes its use
    pulled("artist", makers.artist().user.pk)  # type: ignore[union-attr]
    with CaptureQueriesContext(connection) as queries:
        tokens.find(secret)
    assert sum(query["sql"].startswith("SELECT") for query in queries) == 1

"""An admin looks as an artist: to read, for a reason, for half an hour, and the artist sees it."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from rest_framework.test import APIClient

from gateway import audit, impersonations, refusals, states
from gateway.actors import Actor
from gateway.models import Detail, Entry, Impersonation, Notice, User
from tests import makers
from tests.test_doors import DOORS, address, cast, seldom

__all__ = ["cast"]  # the fixture

pytestmark = pytest.mark.django_db
WHY = "A clip does not play for them."


def as_artist(client: Client, artist: Actor, reason: str = WHY) -> Client:
    """This admin's browser, looking as the artist."""
    assert artist.user is not None
    answer = client.post("/program/impersonation", {"artist": artist.user.pk, "reason": reason})
    assert (answer.status_code, answer.get("Location")) == (302, "/dashboard"), answer.content.decode()
    return client


def begun(artist: Actor, admin: Actor) -> Impersonation:
    assert artist.user is not None
    return impersonations.begin(artist.user, by=admin, reason=WHY)


def moved(visit: Impersonation, **columns: Any) -> None:
    """A test moves the row, not the clock, so the trigger that fixes it rests."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table gateway_impersonation disable trigger fixed")
        Impersonation.objects.filter(pk=visit.pk).update(**columns)
        cursor.execute("alter table gateway_impersonation enable trigger fixed")
        cursor.execute("set constraints all deferred")


def everything() -> dict[str, list[Any]]:
    """All rows but those of the log, and of sessions, which note when they were used."""
    spared = {"entry", "detail", "session", "usersession"}
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models()
        if model._meta.model_name not in spared
    }


def test_an_admin_sees_what_the_artist_sees_and_says_so_on_each_page(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    mine = makers.completed(artist, prompt="a red circle over a blue field")
    client = as_artist(browser_of(admin), artist)
    for path in ("/dashboard", "/mine", f"/mine/{mine.pk.hex}", "/studio", "/access", "/access/visits", "/"):
        page = client.get(path)
        assert page.status_code == 200, path
        text = page.content.decode()
        assert "you look as Ines Marchetti until" in text, path
        assert WHY in text, path
        assert 'action="/impersonation/end"' in text, path
    assert "a red circle over a blue field" in client.get(f"/mine/{mine.pk.hex}").content.decode()
    assert client.get(f"/generations/{mine.pk.hex}/video.mp4").status_code == 200
    assert client.get("/v1/videos").json()["data"][0]["id"] == f"video_{mine.pk.hex}"


def test_without_a_reason_nobody_looks(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    for reason in ("", "   ", "\n\t"):
        answer = browser_of(admin).post("/program/impersonation", {"artist": artist.user.pk, "reason": reason})
        assert answer.status_code == 422
        with pytest.raises(IntegrityError), atomic():
            Impersonation.objects.create(admin=admin.user, artist=artist.user, reason=reason)
    assert not Impersonation.objects.exists()


@pytest.mark.parametrize("who", ["reviewer", "admin", "nobody", "artist and reviewer"])
def test_nobody_but_an_artist_is_looked_as(who: str, admin: Actor, browser_of: Callable[..., Client]):
    person = {
        "reviewer": makers.reviewer,
        "admin": makers.admin,
        "nobody": lambda: Actor("person", user=makers.user("Without a place")),
        "artist and reviewer": makers.artist,
    }[who]()
    if "and" in who:
        User.objects.filter(pk=person.user.pk).update(is_reviewer=True)
    with pytest.raises(refusals.ArtistsOnly):
        impersonations.begin(person.user, by=admin, reason=WHY)
    assert (
        browser_of(admin).post("/program/impersonation", {"artist": person.user.pk, "reason": WHY}).status_code == 422
    )
    assert str(person.user.pk) not in browser_of(admin).get("/program/impersonation?q=e").content.decode()
    if who not in ("nobody",):
        with pytest.raises(IntegrityError), atomic():
            Impersonation.objects.create(admin=admin.user, artist=person.user, reason=WHY)


def test_nobody_but_an_admin_looks(artist: Actor, stranger: Actor, reviewer: Actor):
    for by in (artist, stranger, reviewer):
        with pytest.raises(refusals.AdminsOnly):
            impersonations.begin(artist.user, by=by, reason=WHY)
        with pytest.raises(IntegrityError), atomic():
            Impersonation.objects.create(admin=by.user, artist=stranger.user, reason=WHY)


@pytest.mark.parametrize("method", ["post", "delete", *seldom("put", "patch")])
def test_no_method_of_any_door_changes_anything(
    method: str, cast: Any, artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    """Also those of Django's records and of allauth, and of REST by the session."""
    submission, _ = cast
    makers.sketch()
    client = as_artist(browser_of(admin), artist)
    before = everything()
    more = [
        "/accounts/logout/", "/accounts/email/", "/accounts/password/set/", "/accounts/2fa/totp/activate/",
        "/admin/gateway/cohort/add/", "/admin/logout/", "/admin/gateway/terms/add/",
    ]  # fmt: skip
    for path in [address(door, submission) for door in DOORS] + more:
        if path in ("/impersonation/end", "/healthz", "/readyz"):
            continue
        answer = getattr(client, method)(
            path, {"reason": "x", "prompt": "a red circle"}, content_type="application/json"
        )
        assert answer.status_code == 403, path
        assert "read_only_while_impersonating" in answer.content.decode(), path
    assert everything() == before


@pytest.mark.parametrize("method", ["get", *seldom("head", "options")])
def test_reading_changes_nothing_either(
    method: str, cast: Any, artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    submission, _ = cast
    makers.sketch()
    client = as_artist(browser_of(admin), artist)
    client.get("/dashboard")  # what is made at the first visit of a month
    before = everything()
    for door, told in DOORS.items():
        answer = getattr(client, method)(address(door, submission))
        if method == "get" and not door.startswith(("program/", "impersonation", "v1/")):
            assert answer.status_code == told[1], door
        b"".join(answer.streaming_content) if answer.streaming else None
    assert everything() == before


def test_their_own_pages_are_shut_meanwhile(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    client = as_artist(browser_of(admin), artist)
    for path in ("/admin/", "/admin/gateway/user/", "/program/members", "/program/impersonation", "/accounts/email/"):
        assert client.get(path).status_code == 403, path
    assert client.post("/impersonation/end")["Location"] == "/program/impersonation"
    for path in ("/admin/", "/admin/gateway/user/", "/program/members", "/program/impersonation"):
        assert client.get(path).status_code == 200, path


def test_a_rule_that_is_called_all_the_same_is_refused_with_its_change(artist: Actor, admin: Actor):
    """Behind the doors: no change is written down for who only looks, so none is made."""
    looking = impersonations.as_artist(begun(artist, admin).pk.hex, admin)
    assert looking.user == artist.user
    with pytest.raises(refusals.ReadOnlyWhileImpersonating):
        states.move(artist.membership, "suspended", by=looking)
    artist.membership.refresh_from_db()
    assert artist.membership.state == "active"


def test_it_ends_by_itself_at_the_next_request(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    client = as_artist(browser_of(admin), artist)
    moved(Impersonation.objects.get(), created_at=Now() - timedelta(minutes=31), ends_at=Now() - timedelta(minutes=1))
    assert client.get("/admin/").status_code == 200
    assert "you look as" not in client.get("/dashboard").content.decode()
    client.post("/impersonation/end")
    again = as_artist(client, artist)
    first, second = Impersonation.objects.order_by("created_at")
    assert first.ended_at == first.ends_at, "never later than its end"
    assert second.ended_at is None
    assert again.get("/admin/").status_code == 403


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
def test_who_is_an_admin_no_more_looks_no_more(
    change: dict[str, bool], artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    mine = makers.completed(artist)
    client = as_artist(browser_of(admin), artist)
    User.objects.filter(pk=admin.user.pk).update(**change)
    assert client.get(f"/generations/{mine.pk.hex}/video.mp4").status_code in (302, 404)


def test_an_artist_who_becomes_a_reviewer_is_looked_as_no_more(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    client = as_artist(browser_of(admin), artist)
    User.objects.filter(pk=artist.user.pk).update(is_reviewer=True)
    assert client.get("/review").status_code == 403
    assert "you look as" not in client.get("/access").content.decode()


def test_another_session_of_the_same_admin_is_not_looking(
    artist: Actor, admin: Actor, stranger: Actor, browser_of: Callable[..., Client]
):
    as_artist(browser_of(admin), artist)
    other = browser_of(admin)
    assert other.get("/admin/").status_code == 200
    visit = Impersonation.objects.get().pk.hex
    assert impersonations.as_artist(visit, stranger) == stranger, "somebody else's visit is nobody's"
    assert impersonations.as_artist(visit, makers.admin()).impersonation is None


def test_both_stand_in_each_entry_and_the_artist_reads_it(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    client = as_artist(browser_of(admin), artist)
    mine = makers.completed(artist)
    for _ in range(3):
        answer = client.get(f"/mine/{mine.pk.hex}")
    body = json.loads(bytes(Entry.objects.get(request_id=UUID(answer["X-Request-ID"])).body))
    visit = Impersonation.objects.get()
    assert body["actor"] == {
        "kind": "person",
        "id": str(artist.user.pk),
        "impersonator": str(admin.user.pk),
        "impersonation": str(visit.pk),
    }
    client.post(f"/mine/{mine.pk.hex}/submit")
    client.post("/impersonation/end")
    assert [entry.action for entry in audit.of(visit)] == ["impersonation.begun", "impersonation.ended"]
    notice = Notice.objects.get(user=artist.user)
    assert (notice.subject, notice.path) == ("Ada Lindqvist looks as you", "/access/visits")
    assert WHY in notice.body
    page = browser_of(artist).get("/access/visits").content.decode()
    for told in ("Ada Lindqvist", WHY, f"/mine/{mine.pk.hex}</code> · 3 times", "/mine/&lt;hex:generation&gt;/submit"):
        assert told in page, told
    assert "/program/" not in page, "only what was looked at as them"


def test_an_erased_detail_leaves_the_route(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    as_artist(browser_of(admin), artist).get("/mine")
    Detail.objects.all().delete()
    assert "<code>/mine</code>" in browser_of(artist).get("/access/visits").content.decode()


def test_a_stranger_reads_nothing_of_it(
    artist: Actor, admin: Actor, stranger: Actor, browser_of: Callable[..., Client]
):
    as_artist(browser_of(admin), artist).get("/mine")
    page = browser_of(stranger).get("/access/visits").content.decode()
    assert "Ada Lindqvist" not in page
    assert "Nobody has." in page


def test_it_is_written_once(artist: Actor, stranger: Actor, admin: Actor):
    visit = begun(artist, admin)
    for columns in ({"reason": "another"}, {"artist": stranger.user}, {"ends_at": Now() + timedelta(minutes=50)}):
        with pytest.raises(IntegrityError), atomic():
            Impersonation.objects.filter(pk=visit.pk).update(**columns)
    with pytest.raises(IntegrityError), atomic():
        visit.delete()


def test_a_token_beside_the_cookie_lends_no_hand(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client], client_of: Callable[..., APIClient]
):
    makers.sketch()
    client = as_artist(browser_of(admin), artist)
    bearer = f"Bearer {makers.token(artist)}"
    answer = client.post(
        "/v1/videos", {"prompt": "a red circle"}, content_type="application/json", headers={"authorization": bearer}
    )
    assert answer.status_code == 403


def test_ten_windows_at_once_leave_one(artist: Actor, stranger: Actor, admin: Actor, at_once: Callable[..., list[Any]]):
    people = [artist, stranger] * 5
    made = at_once(*(partial(impersonations.begin, one.user, by=admin, reason=WHY) for one in people))
    assert [error for error in made if isinstance(error, Exception)] == []
    assert Impersonation.objects.filter(ended_at__isnull=True).count() == 1
    assert Impersonation.objects.count() == 10

"""Tokens, credits and limits as people see them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from gateway import allowances, consents, contributions, keys, limits, refusals, tokens
from gateway.actors import Actor
from gateway.models import Membership, Token
from gateway.models.base import new_id
from tests import makers

pytestmark = pytest.mark.django_db


def secret_in(answer: Any) -> str:
    (found,) = {match[0] for match in keys.SHAPE.finditer(answer.content.decode())}
    return str(found)


# ---------------------------------------------------------------- tokens in the browser


def test_all_that_a_person_chooses_is_in_the_token(artist: Actor, browser_of: Callable[..., Client]):
    day = (timezone.now() + timedelta(days=10)).date()
    asked = {
        "label": "studio",
        "scopes": ["generate", "submit"],
        "days": "7",
        "last_day": day.isoformat(),
        "networks": "192.0.2.0/24\r\n\r\n2001:db8::1",
        "credits_limit": "5",
        "requests_a_minute": "30",
    }
    answer = browser_of(artist).post("/access/tokens", asked)
    assert answer.status_code == 200
    token = Token.objects.get()
    assert (token.scopes, token.networks) == (["generate", "submit"], ["192.0.2.0/24", "2001:db8::1/128"])
    assert (token.credits_limit, token.requests_a_minute, token.mode) == (5, 30, "live")
    assert token.expires_at == datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    page = answer.content.decode()
    assert "192.0.2.0/24, 2001:db8::1/128" in page
    assert "5 credits a month" in page


def test_in_test_mode_it_only_generates_whatever_is_ticked(artist: Actor, browser_of: Callable[..., Client]):
    asked = {"label": "ci", "scopes": ["generate", "submit", "publish"], "days": "7", "test": "on"}
    answer = browser_of(artist).post("/access/tokens", asked)
    token = Token.objects.get()
    assert (token.mode, token.scopes) == ("test", ["generate"])
    assert secret_in(answer).startswith("bat_test_")
    assert "test mode" in answer.content.decode()


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"networks": "home"}, 400, "“home” is no network"),
        ({"days": "0"}, 422, "Select a valid choice"),
        ({"last_day": "2001-01-01"}, 400, "A token ends between now and"),
        ({"requests_a_minute": "0"}, 422, "greater than or equal to 1"),
    ],
)
def test_what_can_not_be_is_said_and_what_was_typed_stays(
    artist: Actor, browser_of: Callable[..., Client], change: dict[str, str], status: int, sentence: str
):
    asked = {"label": "my label", "scopes": ["generate"], "days": "7", **change}
    answer = browser_of(artist).post("/access/tokens", asked)
    assert answer.status_code == status
    page = answer.content.decode()
    assert sentence in page
    assert "my label" in page
    assert not Token.objects.exists()


def test_a_person_rotates_with_the_overlap_that_they_choose(artist: Actor, browser_of: Callable[..., Client]):
    old, before = tokens.issue(by=artist, label="x", scopes=["generate"])
    answer = browser_of(artist).post(f"/access/tokens/{old.pk.hex}/rotate", {"overlap_hours": "1"})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    after = secret_in(answer)
    assert after != before
    assert f"The one that ends in <code>{before[-4:]}</code> works until" in answer.content.decode()
    old.refresh_from_db()
    assert old.expires_at is not None
    assert old.expires_at - timezone.now() == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=10))
    again = browser_of(artist).post(f"/access/tokens/{old.pk.hex}/rotate", {"overlap_hours": "1"})
    assert again.status_code == 409


def test_a_stranger_rotates_and_revokes_nothing(artist: Actor, stranger: Actor, browser_of: Callable[..., Client]):
    token, _ = tokens.issue(by=artist, label="x", scopes=[])
    for act in ("rotate", "revoke"):
        assert browser_of(stranger).post(f"/access/tokens/{token.pk.hex}/{act}").status_code == 404
    assert Token.objects.live().count() == 1


def test_the_page_says_where_a_token_was_used_last(artist: Actor, browser_of: Callable[..., Client]):
    secret = makers.token(artist)
    APIClient(headers={"authorization": f"Bearer {secret}", "user-agent": "notebook/1"}).get("/v1/me")
    page = browser_of(artist).get("/access").content.decode()
    assert "from 127.0.0.1: GET /v1/me notebook/1" in page


# ---------------------------------------------------------------- tokens by REST


def in_person(actor: Actor) -> APIClient:
    client = APIClient()
    client.force_login(actor.user)  # type: ignore[arg-type]
    return client


def test_a_person_makes_lists_and_ends_tokens_by_rest(artist: Actor):
    client = in_person(artist)
    asked = {"label": "x", "scopes": ["generate"], "networks": ["192.0.2.0/24"], "days": 5, "credits_limit": 3}
    made = client.post("/v1/tokens", asked, format="json")
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    told = made.json()
    token = tokens.find(told["secret"], address="192.0.2.1")
    assert told["id"] == f"token_{token.pk.hex}"
    assert told["actions"] == ["rotate", "revoke"]
    (listed,) = client.get("/v1/tokens").json()["data"]
    assert "secret" not in listed
    assert listed["last_used"]["address"] == "192.0.2.1"
    ended = client.delete(f"/v1/tokens/{told['id']}").json()
    assert ended["revoked_at"] is not None
    assert ended["actions"] == []
    with pytest.raises(refusals.BadToken):
        tokens.find(told["secret"], address="192.0.2.1")


def test_a_token_sees_itself_and_makes_none(artist: Actor, client_of: Callable[..., APIClient]):
    other, _ = tokens.issue(by=artist, label="other", scopes=[])
    client = client_of(artist, "generate")
    assert [row["label"] for row in client.get("/v1/tokens").json()["data"]] == ["test"]
    assert client.get("/v1/tokens/self").json()["label"] == "test"
    for method, path in (("get", ""), ("delete", ""), ("post", "/rotate")):
        assert getattr(client, method)(f"/v1/tokens/token_{other.pk.hex}{path}").status_code == 404
    made = client.post("/v1/tokens", {"label": "x", "scopes": ["generate"]}, format="json")
    assert (made.status_code, made.json()["error"]["code"]) == (403, "tokens_make_no_tokens")
    assert Token.objects.count() == 2


def test_a_token_rotates_itself_and_then_ends_itself(artist: Actor):
    secret = makers.token(artist, "generate")
    client = APIClient(headers={"authorization": f"Bearer {secret}"})
    told = client.post("/v1/tokens/self/rotate", {"overlap_hours": 1}, format="json").json()
    assert told["replaces"]["replaced_by"] == told["id"]
    assert client.get("/v1/me").status_code == 200, "the overlap"
    after = APIClient(headers={"authorization": f"Bearer {told['secret']}"})
    assert after.get("/v1/me").json()["token"]["id"] == told["id"]
    assert after.delete("/v1/tokens/self").status_code == 200
    assert after.get("/v1/me").status_code == 401


def test_a_browser_is_no_token(artist: Actor):
    assert in_person(artist).get("/v1/tokens/self").status_code == 404


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"scopes": ["everything"]}, "scopes"),
        ({"networks": ["home"]}, "networks"),
        ({"days": 0}, "days"),
        ({"mode": "test", "scopes": ["submit"]}, "scopes"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"requests_a_minute": 0}, "requests_a_minute"),
    ],
)
def test_what_can_not_be_is_refused_by_the_name_of_the_field(artist: Actor, change: dict[str, Any], param: str):
    answer = in_person(artist).post("/v1/tokens", {"label": "x", "scopes": ["generate"], **change}, format="json")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert not Token.objects.exists()


# ---------------------------------------------------------------- /v1/me


def test_me_says_who_asks_and_what_is_left():
    artist = makers.artist("Ines Marchetti", credits=20, cohort=makers.cohort(daily=9, concurrent=4))
    makers.queued(artist)
    makers.drawn(makers.queued(artist))
    by = makers.with_token(artist, "generate", credits_limit=6)
    assert by.token is not None
    assert artist.membership is not None
    allowances.reserve(artist.membership, 2, subject=new_id(), token=by.token)
    _, secret = tokens.issue(by=artist, label="x", scopes=["generate"], credits_limit=6)
    told = APIClient(headers={"authorization": f"Bearer {secret}"}).get("/v1/me").json()
    assert (told["name"], told["roles"], told["actions"]) == ("Ines Marchetti", ["artist"], ["generate"])
    figures = {name: told["allowance"][name] for name in ("granted", "held", "spent", "free")}
    assert figures == {"granted": 20, "held": 3, "spent": 1, "free": 16}
    assert told["allowance"]["of_this_token"] == {"limit": 6, "used": 0, "free": 6}
    daily = told["limits"]["daily"]
    assert (daily["limit"], daily["used"], daily["left"]) == (9, 2, 7)
    assert told["limits"]["concurrent"] == {"limit": 4, "used": 1, "left": 3}
    assert told["token"]["label"] == "x"
    assert (told["consents"], told["contributions"]["cents"]) == ([], [])


def test_me_says_what_was_consented_to_and_what_is_owed(
    artist: Actor, admin: Actor, client_of: Callable[..., APIClient]
):
    makers.policy()
    consents.grant("exhibit", by=artist)
    report = contributions.report(by=artist, kind="test_hour", title="An evening", body="With the studio.", minutes=90)
    contributions.accept(report, by=admin)
    told = client_of(artist).get("/v1/me").json()
    assert told["consents"] == ["exhibit"]
    assert told["contributions"]["cents"] == [{"currency": "EUR", "undecided": 0, "owed": 7200, "paid": 0}]
    assert told["contributions"]["minutes"] == {"unpaid": 90, "undecided": 0}


def test_me_of_somebody_without_a_membership(reviewer: Actor, client_of: Callable[..., APIClient]):
    told = client_of(reviewer).get("/v1/me").json()
    assert (told["roles"], told["membership"], told["allowance"], told["limits"]) == (["reviewer"], None, None, None)
    assert told["actions"] == ["review"]


# ---------------------------------------------------------------- credits


def test_an_artist_reads_what_happened_to_each_credit(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    assert artist.membership is not None
    drawn = makers.drawn(makers.queued(artist))
    allowances.grant(artist.membership, 7, by=admin, reason="For the exhibition.")
    page = browser_of(artist).get("/access/allowance").content.decode()
    for words in ("Granted by Ada Lindqvist: For the exhibition.", "Charged:", "Set aside for", "+7", "−1"):
        assert words in page
    assert f"/mine/{drawn.pk.hex}" in page


def test_a_stranger_reads_their_own(artist: Actor, stranger: Actor, browser_of: Callable[..., Client]):
    drawn = makers.drawn(makers.queued(artist))
    assert drawn.pk.hex not in browser_of(stranger).get("/access/allowance").content.decode()


def test_an_admin_grants_on_the_page_and_reads_no_work_there(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    assert artist.membership is not None
    drawn = makers.drawn(makers.queued(artist))
    browser, path = browser_of(admin), f"/program/allowances/{artist.membership.pk.hex}"
    assert "1 used, 0 set aside" in browser.get("/program/allowances").content.decode()
    assert browser.post(f"{path}/grant", {"amount": "5", "reason": " "}).status_code == 422
    assert browser.post(f"{path}/grant", {"amount": "5", "reason": "A prize."}).status_code == 302
    assert allowances.current(artist.membership).granted == 25
    page = browser.get(path).content.decode()
    assert "A prize." in page
    assert drawn.pk.hex not in page


def test_an_admin_sets_limits_on_the_page(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    assert artist.membership is not None
    path = f"/program/allowances/{artist.membership.pk.hex}/limits"
    browser = browser_of(admin)
    assert browser.post(path, {"daily": "-1"}).status_code == 422
    asked = {"daily": "3", "concurrent": "", "requests_a_minute": "9"}
    assert browser.post(path, asked).status_code == 302
    found = limits.of(Membership.objects.select_related("cohort").get(pk=artist.membership.pk))
    assert (found.daily, found.concurrent, found.requests_a_minute) == (3, 100, 9)


def test_looking_at_everybodys_figures_makes_no_allowance(artist: Actor, admin: Actor, browser_of):
    assert "nothing used this month" in browser_of(admin).get("/program/allowances").content.decode()
    assert artist.membership is not None
    assert not artist.membership.allowances.exists()

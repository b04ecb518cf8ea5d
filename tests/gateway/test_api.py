"""What all REST resources share: ids, pages, and how a "no" reads."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db.models import QuerySet
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from gateway import api, refusals
from gateway.actors import Actor
from gateway.models import User
from gateway.models.base import new_id
from tests import makers

pytestmark = pytest.mark.django_db

RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# ---------------------------------------------------------------- ids


@given(st.uuids(), st.sampled_from(["video", "submission", "guest_pass"]))
def test_an_id_is_read_as_it_was_written(pk: UUID, noun: str):
    assert api.read_id(noun, api.show_id(noun, pk)) == pk


@given(st.text() | st.uuids().map(str) | st.uuids().map(lambda pk: api.show_id("submission", pk)))
@example("video_")
@example("video_" + "0" * 31)
@example("_" + "0" * 32)
@example("0" * 32)
def test_what_is_no_id_of_this_kind_is_not_found(text: str):
    with pytest.raises(refusals.NotFound):
        api.read_id("video", text)


# ---------------------------------------------------------------- pages


def show(user: User) -> dict[str, Any]:
    return {"id": api.show_id("user", user.pk)}


def cut(rows: QuerySet[User], **query: Any) -> dict[str, Any]:
    return api.page(Request(APIRequestFactory().get("/", query)), rows, "user", show)


@pytest.fixture
def users() -> QuerySet[User]:
    User.objects.bulk_create(User(email=f"{number}@example.org") for number in range(23))
    return User.objects.all()


@RELAXED
@given(limit=st.integers(1, 100), order=st.sampled_from(["asc", "desc"]))
def test_pages_together_are_all_rows_once_and_in_order(users: QuerySet[User], limit: int, order: str):
    wanted = [show(user)["id"] for user in users.order_by("id" if order == "asc" else "-id")]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": limit, "order": order}
    for _ in range(len(wanted) // limit + 1):
        found = cut(users, **query)
        seen += [row["id"] for row in found["data"]]
        assert (found["first_id"], found["last_id"]) == (found["data"][0]["id"], found["data"][-1]["id"])
        if not found["has_more"]:
            break
        assert len(found["data"]) == limit
        query["after"] = found["last_id"]
    assert seen == wanted


def test_a_page_is_stable_while_rows_come_in(users: QuerySet[User]):
    first = cut(users, limit=10)
    makers.user()
    second = cut(users, limit=10, after=first["last_id"])
    both = [row["id"] for row in first["data"] + second["data"]]
    assert len(set(both)) == 20
    assert both == sorted(both, reverse=True)


def test_an_empty_page_is_a_page(users: QuerySet[User]):
    assert cut(users.none()) == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_without_a_word_a_page_has_twenty_rows_latest_first(users: QuerySet[User]):
    found = cut(users)
    assert len(found["data"]) == 20
    assert found["has_more"]
    assert found["first_id"] == show(users.latest("id"))["id"]


@RELAXED
@given(limit=st.text(max_size=8) | st.integers().map(str))
@example(limit="0")
@example(limit="101")
@example(limit="-1")
@example(limit="1.0")
@example(limit="1e1")
@example(limit="²")
@example(limit="9" * 5000)  # more digits than int() reads
def test_a_limit_is_a_number_from_0_to_100_or_a_clear_no(users: QuerySet[User], limit: str):
    allowed = limit.isdecimal() and len(limit) < 4000 and int(limit) <= 100
    if allowed:
        assert len(cut(users, limit=limit)["data"]) == min(23, int(limit))
    else:
        with pytest.raises(api.Invalid, match="limit: “") as no:
            cut(users, limit=limit)
        assert (no.value.status, no.value.param) == (400, "limit")


@pytest.mark.parametrize("order", ["", "up", "DESC", "id"])
def test_an_order_that_nobody_knows_is_a_clear_no(users: QuerySet[User], order: str):
    with pytest.raises(api.Invalid, match=f"order: “{order}” is neither asc nor desc."):
        cut(users, order=order)


def test_a_place_that_is_no_id_is_not_found(users: QuerySet[User]):
    with pytest.raises(refusals.NotFound):
        cut(users, after="video_" + "0" * 32)


def test_a_place_after_the_last_row_is_an_empty_page(users: QuerySet[User]):
    assert cut(users, after=api.show_id("user", UUID(int=0)))["data"] == []
    assert cut(users, after=api.show_id("user", new_id()), order="asc")["data"] == []


# ---------------------------------------------------------------- how a "no" reads


def no(response: Any, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, once it is sure that it reads the same for both families of clients."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"type", "title", "status", "detail", "error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["status"] == status
    assert body["error"]["message"] == body["detail"] != ""
    assert body["error"]["code"] == code
    assert body["type"].endswith(f"/docs/refusals#{code}")
    return body


def test_without_a_token_one_is_told_how_to_come_in():
    answer = APIClient().get("/v1/videos")
    no(answer, 401, "sign_in_first")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer x", "bearer bat_artist_", "Bearer \xff", "BEARER " + "a" * 5000]
)
def test_a_token_that_is_none_is_unauthenticated(header: str):
    answer = APIClient(headers={"authorization": header}).get("/v1/videos")
    assert no(answer, 401, "bad_token")["error"]["type"] == "authentication_error"
    assert answer["WWW-Authenticate"] == "Bearer"


def test_another_scheme_is_nobody():
    no(APIClient(headers={"authorization": "Basic YTpi"}).get("/v1/videos"), 401, "sign_in_first")


def test_a_session_works_too_but_not_without_its_csrf_token(artist: Actor, browser_of: Callable[..., Client]):
    makers.sketch()
    browser = browser_of(artist)
    assert browser.get("/v1/videos").status_code == 200
    browser.handler.enforce_csrf_checks = True
    answer = browser.post("/v1/videos", {"prompt": "a red circle"}, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert answer.json()["error"]["type"] == "permission_error", "403 is not a fault in the request's words"


@pytest.mark.parametrize(
    ("method", "path", "data", "content_type", "status"),
    [
        ("post", "/v1/videos", b"{not json", "application/json", 400),
        ("post", "/v1/videos", b"[]", "application/json", 400),
        ("post", "/v1/videos", b'"text"', "application/json", 400),
        ("post", "/v1/videos", b"null", "application/json", 400),
        ("post", "/v1/videos", b'{"prompt": "\\ud800"}', "application/json", 400),
        ("post", "/v1/videos", b'{"prompt": "a\\u0000b"}', "application/json", 400),
        ("post", "/v1/videos", b'{"prompt": ["a"]}', "application/json", 400),
        ("post", "/v1/videos", b'{"prompt": "a", "guidance": NaN}', "application/json", 400),
        ("post", "/v1/videos", b"a=b", "text/csv", 415),
        ("delete", "/v1/videos", b"", "application/json", 405),
        ("patch", "/v1/videos", b"{}", "application/json", 405),
    ],
)
def test_a_request_that_can_not_be_read_gets_a_clear_no(
    artist: Actor,
    client_of: Callable[..., APIClient],
    method: str,
    path: str,
    data: bytes,
    content_type: str,
    status: int,
):
    makers.sketch()
    answer = client_of(artist).generic(method.upper(), path, data, content_type=content_type)
    no(answer, status, "invalid")


def test_the_field_at_fault_is_named(artist: Actor, client_of: Callable[..., APIClient]):
    makers.sketch()
    answer = client_of(artist).post("/v1/videos", {"prompt": "a red circle", "seconds": "soon"}, format="json")
    body = no(answer, 400, "invalid")
    assert body["error"]["param"] == "seconds"
    assert body["detail"] == "seconds: A valid integer is required."


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/videos/", "/v1/videos/video_1/nothing"])
def test_an_address_that_is_none_is_refused_in_json_too(artist: Actor, client_of: Callable[..., APIClient], path: str):
    no(client_of(artist).get(path), 404, "not_found")


def test_the_sdk_is_told_not_to_try_again_what_will_not_change(artist: Actor, client_of: Callable[..., APIClient]):
    client = client_of(artist)
    assert client.get(f"/v1/videos/video_{new_id().hex}")["x-should-retry"] == "false"
    assert "x-should-retry" not in client.get("/v1/videos")


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (refusals.NotEnoughCredits(price=1, free=0, granted=0, until="June"), "false"),
        (refusals.AlreadySubmitted(), "false"),
        (refusals.UnknownFormat(form="csv"), "false"),
        (refusals.DiskFull(retry_after=300), "false"),  # sooner than its person can wait
        (refusals.TooManyAtOnce(used=1, limit=1, retry_after=5), None),
        (refusals.StillRunning(seconds=1, retry_after=1), None),
        (refusals.LogUnavailable(), None),
    ],
)
def test_what_helps_to_try_again_is_not_discouraged(refusal: refusals.Refused, told: str | None):
    answer = api.error(refusal, {})
    assert answer is not None and answer.headers.get("x-should-retry") == told

"""The two things that every request passes: the log, and the place where a "no" becomes an answer."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from gateway import refusals
from gateway.actors import Actor
from gateway.middleware import problem, refuse
from gateway.models import Entry
from tests import makers

pytestmark = pytest.mark.django_db


KINDS = [kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, refusals.Refused)]
PLAIN = [kind for kind in KINDS if "{" not in str(kind.__doc__)]


@pytest.mark.parametrize("path", ["/", "/nothing", "/studio", "/v1/videos", "/v1/nothing", "/admin/"])
def test_every_answer_bears_the_id_of_its_entries(guest: Client, path: str):
    for answer in (guest.get(path), guest.post(path)):
        entries = Entry.objects.filter(request_id=UUID(answer["X-Request-ID"]))
        assert entries.filter(action="request.answered").count() == 1


def test_no_two_requests_share_an_id_whatever_the_client_sends(guest: Client):
    sent = "00000000-0000-4000-8000-000000000000"
    answers = [guest.get("/", headers={"x-request-id": sent}) for _ in range(2)]
    assert len({answer["X-Request-ID"] for answer in answers} | {sent}) == 3


def test_a_no_is_a_page_for_people_and_json_for_clients(
    artist: Actor, stranger: Actor, browser_of: Callable[..., Client], client_of: Callable[..., APIClient]
):
    generation = makers.queued(artist)
    sentence = "There is nothing here, or nothing that you may see."
    page = browser_of(stranger).get(f"/mine/{generation.pk.hex}")
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")
    assert sentence in unescape(page.content.decode())
    answer = client_of(stranger).get(f"/v1/videos/video_{generation.pk.hex}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == sentence


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_sentence_and_a_status(kind: type[refusals.Refused]):
    assert " ".join(str(kind.__doc__).split())[-1] == "."
    assert 400 <= kind.status < 600


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_one_body_serves_both_families_of_clients(kind: type[refusals.Refused]):
    refusal = kind(param="field")
    body = problem(refusal)
    inside: Any = body.pop("error")
    assert body == {
        "type": f"http://localhost:8000/docs/refusals#{refusal.code}",
        "title": kind.__name__,
        "status": kind.status,
        "detail": refusal.sentence,
    }
    assert inside == {"message": refusal.sentence, "type": inside["type"], "param": "field", "code": refusal.code}


def test_codes_are_words_for_machines_and_none_is_used_twice():
    codes = [kind.__new__(kind).code for kind in KINDS]
    assert sorted(codes) == sorted(set(codes))
    assert "not_enough_credits" in codes
    assert all(code.replace("_", "").isalpha() and code == code.lower() for code in codes)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (refusals.PromptMissing, "invalid_request_error"),
        (refusals.SignInFirst, "authentication_error"),
        (refusals.AdminsOnly, "permission_error"),
        (refusals.NotFound, "not_found_error"),
        (refusals.HeldByAnother, "conflict_error"),
    ],
)
def test_the_type_of_an_error_is_what_openai_clients_switch_on(kind: type[refusals.Refused], expected: str):
    body = problem(kind())
    assert body["error"]["type"] == expected  # type: ignore[index]


def test_a_log_that_is_away_is_no_conflict_of_the_client():
    assert problem(refusals.LogUnavailable())["error"]["type"] not in {"conflict_error", "invalid_request_error"}  # type: ignore[index]


def test_what_a_person_typed_is_shown_as_text_never_as_markup():
    request = RequestFactory().get("/studio")
    refusal = refusals.UnknownModel(model="<script>alert(1)</script>", models="{sketch}")
    page = refuse(request, refusal).content.decode()
    assert "<script>alert(1)" not in page
    assert "{sketch}" in page


AWAY = """
import json, django
from django.conf import settings
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
django.setup()
from django.test import Client
found = {}
for who in ("guest", "member"):
    client = Client(raise_request_exception=False)
    if who == "member":
        client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    doors = [("get", "/"), ("post", "/accounts/login/"), ("get", "/v1/videos"), ("get", "/healthz")]
    for method, path in doors + ([("get", "/readyz")] if who == "guest" else []):
        answer = getattr(client, method)(path)
        found[f"{who} {method} {path}"] = [answer.status_code, answer.content.decode()]
print(json.dumps(found))
"""


def test_without_a_database_each_door_says_so_and_the_process_lives():
    """Asked of a process of its own, whose database and broker are nowhere."""
    env = {
        **os.environ,
        "DATABASE_URL": "postgresql://gateway_app@/gateway?host=/nowhere",
        "DATABASE_OWNER_URL": "postgresql://gateway_app@/gateway?host=/nowhere",
        "REDIS_URL": "unix:///nowhere/valkey.sock?db=0",
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "ALLOWED_HOSTS": "testserver",
        "LOG_LEVEL": "CRITICAL",
    }
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AWAY], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    assert found.pop("guest get /healthz") == found.pop("member get /healthz") == [200, "ok\n"]
    status, text = found.pop("guest get /readyz")
    assert status == 503
    parts = json.loads(text)
    assert {name for name, part in parts.items() if not part["ok"]} == {
        "database",
        "broker",
        "gpu",
        "scheduler",
        "chores",
    }
    assert parts["database"]["why"] == "OperationalError"
    assert parts["broker"]["why"]
    assert {door: status for door, (status, _) in found.items()} == dict.fromkeys(found, 503)
    for door, (_, text) in found.items():
        assert "The audit log can't be written at the moment" in unescape(text), door

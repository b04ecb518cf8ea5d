"""Whether the gateway lives, how a "no" reads, and what the web process does not load."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import pulses, refusals
from gateway.models.base import new_id
from tests import makers

pytestmark = pytest.mark.django_db


def test_healthz_says_that_the_process_lives(guest):
    assert guest.get("/healthz").content == b"ok\n"


def test_readyz_names_each_part(guest):
    for kind in ("gpu", "scheduler"):
        pulses.beat(kind, f"{kind}@here")
    answer = guest.get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()
    assert {name for name, part in parts.items() if part["ok"]} == {"database", "broker", "gpu", "scheduler"}
    assert "no sign of life" in parts["chores"]["why"]
    pulses.beat("chores", "chores@here")
    assert guest.get("/readyz").status_code == 200


def test_the_web_process_loads_no_engine():
    program = """
import sys
from gateway.wsgi import application
from django.urls import get_resolver
def walk(patterns):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"): walk(pattern.url_patterns)
        else: pattern.callback
walk(get_resolver().url_patterns)
from django.test import Client
loaded = {"torch", "diffusers", "transformers", "av", "numpy", "PIL"} & set(sys.modules)
print(sorted(loaded))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_refusal_is_one_sentence_in_both_doors(artist, stranger, browser_of, client_of):
    generation = makers.queued(artist)
    page = browser_of(stranger).get(f"/mine/{generation.pk.hex}")
    json = client_of(stranger).get(f"/v1/videos/video_{generation.pk.hex}")
    assert page.status_code == json.status_code == 404
    body = json.json()
    assert body["detail"] == body["error"]["message"] == "There is nothing here, or nothing that you may see."
    assert body["error"]["code"] == "not_found" and body["status"] == 404
    assert body["detail"] in page.content.decode()


def test_the_type_of_a_problem_is_an_address_that_explains_it(artist, guest, client_of):
    body = client_of(artist).get("/v1/videos/video_none").json()
    _, _, code = body["type"].partition("/docs/refusals#")
    page = guest.get("/docs/refusals").content.decode()
    assert f'<dt id="{code}">' in page and body["detail"] in page
    assert page.count("<dt ") == len(refusals.every())


def test_what_is_tried_too_often_is_refused_in_our_own_words(guest):
    """Letters to reset a password, asked for by one address faster than allauth allows."""
    answers = [guest.post("/accounts/password/reset/", {"email": "nobody@example.org"}) for _ in range(21)]
    last = answers[-1]
    assert (answers[0].status_code, last.status_code) == (302, 429)
    assert last["Retry-After"] == "300"
    assert "try again in five minutes" in last.content.decode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.one_of(st.none(), st.text(max_size=5)), after=st.text(max_size=40), order=st.text(max_size=5))
def test_a_bad_page_is_a_clear_no(artist, client_of, limit, after, order):
    query = {"after": after, "order": order, **({} if limit is None else {"limit": limit})}
    answer = client_of(artist).get("/v1/videos", query)
    assert answer.status_code in (200, 400, 404)
    if answer.status_code != 200:
        assert answer.json()["detail"]


def test_pages_follow_each_other_without_gap_or_double(artist, client_of):
    ids = [f"video_{makers.queued(artist).pk.hex}" for _ in range(7)]
    client, seen, after = client_of(artist), [], None
    while True:
        page = client.get("/v1/videos", {"limit": 3, **({"after": after} if after else {})}).json()
        seen += [row["id"] for row in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == ids[::-1]
    assert client.get("/v1/videos", {"order": "asc"}).json()["first_id"] == ids[0]
    assert new_id() < new_id()


@pytest.mark.parametrize("path", ["/", "/terms", "/healthz", "/home", "/studio", "/access", "/dashboard", "/mine"])
def test_a_head_is_answered_like_a_get_without_its_body(artist, browser_of, path):
    """RFC 9110, section 9.1: GET and HEAD are the two methods that every server must support."""
    browser = browser_of(artist)
    head = browser.head(path)
    assert head.status_code == browser.get(path).status_code
    assert head.content == b""

"""/v1/audit: one's own entries and nobody else's, as they were written."""

import json

import pytest

from gateway import consents
from gateway.models import Entry
from tests import makers

pytestmark = pytest.mark.django_db


def test_one_reads_ones_own_entries_byte_for_byte(artist, stranger, client_of):
    consents.grant("exhibit", by=artist, work=None)
    consents.grant("train", by=stranger, work=None)
    shown = client_of(artist).get("/v1/audit").json()["data"]
    given = [row for row in shown if row["action"].startswith("consent.")]
    assert len(given) == 1
    kept = Entry.objects.get(pk=json.loads(given[0]["body"])["id"])
    assert bytes(kept.body).decode() == given[0]["body"]
    assert {json.loads(row["body"])["actor"]["id"] for row in shown} == {str(artist.user.pk)}


def test_they_come_page_by_page_while_each_request_adds_one(artist, client_of):
    client = client_of(artist)
    for _ in range(3):
        client.get("/v1/me")
    first = client.get("/v1/audit?limit=2").json()
    second = client.get(f"/v1/audit?limit=2&after={first['last_id']}").json()
    ids = [row["id"] for row in first["data"] + second["data"]]
    assert len(set(ids)) == 4 and ids == sorted(ids, reverse=True)


def test_a_token_that_may_not_export_may_not_read_it(artist, client_of):
    assert client_of(artist, "generate").get("/v1/audit").json()["error"]["code"] == "missing_scope"


def test_no_detail_is_in_it(artist, client_of):
    generation = makers.queued(artist, prompt="a red circle nobody else may read of")
    text = client_of(artist).get("/v1/audit").content.decode()
    assert str(generation.pk) in text
    assert "nobody else may read" not in text and "127.0.0.1" not in text

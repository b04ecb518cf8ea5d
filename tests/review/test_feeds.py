"""Atom, read by a reader that is not ours, and JSON Feed, held against what its specification asks for."""

from datetime import datetime, timedelta
from xml.etree import ElementTree

import feedparser
import pytest
from django.conf import settings as gateway_settings
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from review import consents, publishing
from review.models import Publication
from tests import makers

pytestmark = pytest.mark.django_db
BASE = gateway_settings.BASE_URL
ATOM, TOMBS = "{http://www.w3.org/2005/Atom}", "{http://purl.org/atompub/tombstones/1.0}"


def withdraw(publication: Publication, artist) -> None:
    publishing.withdraw(Publication.objects.listed().get(pk=publication.pk), by=artist)


def tidy(told: dict) -> list[str]:
    """What JSON Feed 1.1 asks for and this feed lacks."""
    wrong = []

    def must(condition: bool, what: str) -> None:
        if not condition:
            wrong.append(what)

    must(told["version"] == "https://jsonfeed.org/version/1.1", "version")
    must(bool(told["title"]) and isinstance(told["items"], list), "title, items")
    for name in ("home_page_url", "feed_url", "next_url"):
        must(name not in told or told[name].startswith(f"{BASE}/"), name)
    for item in told["items"]:
        must(isinstance(item["id"], str) and bool(item["id"]), "id")
        must(bool(item.get("content_html") or item.get("content_text")), "content")
        must(datetime.fromisoformat(item["date_published"]).tzinfo is not None, "date_published")
        must(all(set(author) & {"name", "url", "avatar"} for author in item["authors"]), "authors")
        must("author" not in item, "author, which 1.1 no longer has")
        for attachment in item["attachments"]:
            must(bool(attachment["url"]) and "/" in attachment["mime_type"], "attachments")
            must(isinstance(attachment["size_in_bytes"], int), "size_in_bytes")
            must(isinstance(attachment["duration_in_seconds"], (int, float)), "duration_in_seconds")
        known = {
            "id",
            "url",
            "title",
            "content_html",
            "image",
            "date_published",
            "date_modified",
            "authors",
            "attachments",
        }
        must(all(name in known or name.startswith("_") for name in item), "a name of ours without an underscore")
    must(len({item["id"] for item in told["items"]}) == len(told["items"]), "ids")
    return wrong


def test_both_feeds_say_the_same_of_a_work(artist, guest, no_undo):
    submission = makers.submitted(
        artist, title="Kiln & <fire>", credit="Ines “M”", description="Slow.\n\nThen <b>not</b>."
    )
    makers.decided(submission)
    publication = publishing.sign_off(makers.seen(submission), by=artist, revision=1, name="Ines")
    output = publication.revision.output

    answer = guest.get("/feed.atom")
    assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
    read = feedparser.parse(answer.content)
    assert not read.bozo and read.version == "atom10", read.get("bozo_exception")
    (entry,) = read.entries
    assert (entry.title, entry.author) == ("Kiln & <fire>", "Ines “M”")
    assert entry.id.startswith("tag:") and entry.id.endswith(f":/works/{publication.pk.hex}")
    assert entry.link == f"{BASE}/works/{publication.pk.hex}"
    assert entry.rights == "Ines “M”, CC BY 4.0"
    assert {link.rel: link.href for link in entry.links}["license"] == publication.revision.deed
    (clip,) = entry.enclosures
    assert (clip.href, clip.type, clip.length) == (f"{entry.link}/video.mp4", "video/mp4", str(output.size))
    assert "<b>" not in entry.summary and "&lt;b&gt;not" in entry.summary
    assert read.feed.updated == entry.updated == entry.published

    answer = guest.get("/feed.json")
    assert answer["Content-Type"] == "application/feed+json; charset=utf-8"
    told = answer.json()
    assert tidy(told) == []
    (item,) = told["items"]
    assert (item["id"], item["title"]) == (entry.id, "Kiln & <fire>")
    assert item["authors"] == [{"name": "Ines “M”"}]
    assert item["_licence"]["id"] == "CC-BY-4.0" and item["_licence"]["allowed_uses"] == []
    consents.give("exhibit", by=artist)
    assert guest.get("/feed.json").json()["items"][0]["_licence"]["allowed_uses"] == ["exhibit"]


def test_what_was_withdrawn_is_gone_at_once_and_named_by_its_id_alone(artist, guest, no_undo):
    gone, stays = makers.published(artist), makers.published(artist)
    ids = {item["url"].rpartition("/")[2]: item["id"] for item in guest.get("/feed.json").json()["items"]}
    withdraw(gone, artist)
    atom = guest.get("/feed.atom").content
    read = feedparser.parse(atom)
    assert not read.bozo and [entry.id for entry in read.entries] == [ids[stays.pk.hex]]
    assert [item["id"] for item in guest.get("/feed.json").json()["items"]] == [ids[stays.pk.hex]]
    feed = ElementTree.fromstring(atom)
    (tomb,) = feed.findall(f"{TOMBS}deleted-entry")
    assert tomb.get("ref") == ids[gone.pk.hex] and not list(tomb) and not tomb.text
    assert tomb.get("when") == feed.findtext(f"{ATOM}updated")  # the last thing that happened
    Publication.objects.filter(pk=gone.pk).update(ended_at=Now() - timedelta(days=31))
    assert b"deleted-entry" not in guest.get("/feed.atom").content


def test_pages_of_a_feed_lead_on_and_cost_the_same(artist, guest, no_undo, monkeypatch):
    monkeypatch.setattr("review.public.feeds.A_PAGE", 2)
    shown = [makers.published(artist) for _ in range(3)]
    with CaptureQueriesContext(connection) as two:
        first = guest.get("/feed.json").json()
    assert tidy(first) == [] and [item["url"][-32:] for item in first["items"]] == [shown[2].pk.hex, shown[1].pk.hex]
    second = guest.get(first["next_url"].removeprefix(BASE)).json()
    assert [item["url"][-32:] for item in second["items"]] == [shown[0].pk.hex] and "next_url" not in second
    links = {link.rel: link.href for link in feedparser.parse(guest.get("/feed.atom").content).feed.links}
    assert links["next"].endswith(first["next_url"].rpartition("?")[2])
    assert links["self"] == f"{BASE}/feed.atom"
    withdraw(shown[0], artist)
    withdraw(shown[1], artist)
    with CaptureQueriesContext(connection) as one:
        guest.get("/feed.json")
    assert len(one) == len(two)
    assert guest.get("/feed.json?before=nothing").status_code == 404


def test_an_empty_feed_is_a_feed_that_does_not_change(guest, db):
    for door in ("/feed.atom", "/feed.json"):
        first = guest.get(door)
        assert first.status_code == 200 and first["ETag"] == guest.get(door)["ETag"]
    read = feedparser.parse(guest.get("/feed.atom").content)
    assert not read.bozo and read.feed.updated and read.entries == []
    assert tidy(guest.get("/feed.json").json()) == []

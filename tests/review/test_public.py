"""What anybody may see: home, a work's page and its tombstone, frames on other sites, and what machines are told."""

import re
from xml.etree import ElementTree

import pytest
from django.conf import settings as gateway_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway import brakes
from review import consents, publishing
from review.models import Publication
from tests import makers

pytestmark = pytest.mark.django_db
BASE = gateway_settings.BASE_URL


def at(publication: Publication, more: str = "") -> str:
    return f"/works/{publication.pk.hex}{more}"


def doors(publication: Publication) -> list[str]:
    """Every public door that tells of this work while it is on view."""
    about = f"/v1/publications/publication_{publication.pk.hex}"
    own = [at(publication, more) for more in ("", "/embed", "/video.mp4", "/poster.webp")]
    return [*own, about, f"{about}/content", "/", "/feed.atom", "/feed.json", "/v1/publications", oembed(publication)]


def oembed(publication: Publication, **asked: object) -> str:
    more = "".join(f"&{name}={value}" for name, value in asked.items())
    return f"/oembed?url={BASE}{at(publication)}{more}"


def text(answer) -> str:
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode(errors="replace")


def withdraw(publication: Publication, artist) -> None:
    publishing.withdraw(Publication.objects.listed().get(pk=publication.pk), by=artist)


# ---------------------------------------------------------------- the page


def test_a_work_s_page_says_what_it_is_and_whose(artist, guest, no_undo):
    publication = makers.published(artist)
    revision = publication.revision
    page = text(guest.get(at(publication)))
    for told in (
        f'<link rel="canonical" href="{BASE}{at(publication)}">',
        f'property="og:video" content="{BASE}{at(publication)}/video.mp4"',
        'type="application/json+oembed"',
        'type="text/xml+oembed"',
        'href="/feed.atom"',
        'href="/feed.json"',
        f'<a rel="license" href="{revision.deed}">CC BY 4.0</a>',
        f"sha256 <code>{revision.sha256}</code>",
        "Sketch",
        '<meta name="robots" content="noai, noimageai">',
        '<meta name="tdm-reservation" content="1">',
        "none: not to promote the program",
    ):
        assert told in page, told
    assert "autoplay" not in page  # player.js begins, unless motion is unwelcome; the clip has its controls
    consents.give("train", by=artist)
    page = text(guest.get(at(publication)))
    assert "noai" not in page and '<meta name="tdm-reservation" content="0">' in page


def test_home_goes_page_by_page_by_the_same_number_of_queries(artist, guest, no_undo, monkeypatch):
    shown = [makers.published(artist) for _ in range(3)]
    monkeypatch.setattr("review.public.pages.A_PAGE", 2)
    with CaptureQueriesContext(connection) as two:
        first = text(guest.get("/"))
    with CaptureQueriesContext(connection) as one:
        second = text(guest.get("/?page=2"))
    assert len(two) == len(one)
    assert [row.pk.hex in first for row in shown] == [False, True, True]
    assert [row.pk.hex in second for row in shown] == [True, False, False]
    assert 'rel="next"' in first and 'rel="prev"' in second
    assert 'href="/feed.atom"' in first


# ---------------------------------------------------------------- caches


def test_no_public_answer_may_be_used_again_without_asking(artist, guest, browser_of, no_undo):
    publication = makers.published(artist)
    machines = ["/robots.txt", "/.well-known/tdmrep.json"]
    for door in [*doors(publication), *machines]:
        answer = guest.get(door)
        kept = answer["Cache-Control"]
        assert answer.status_code == 200 and "no-cache" in kept, door
        assert not re.search(r"max-age|immutable|stale", kept) and "Expires" not in answer, door
        assert "Cookie" in answer["Vary"], door
        if not door.startswith("/v1") or door.endswith("content"):
            assert kept == "public, no-cache", door
            known = guest.get(door, headers={"if-none-match": answer["ETag"]})
            assert known.status_code == 304 and "no-cache" in known["Cache-Control"], door
    signed_in = browser_of(artist)
    assert signed_in.get("/")["Cache-Control"] == signed_in.get(at(publication))["Cache-Control"] == "private, no-cache"


def test_who_asks_whether_a_withdrawn_work_still_holds_is_told_that_it_is_gone(artist, guest, no_undo):
    publication, other = makers.published(artist), makers.published(artist)
    own = doors(publication)[:6]
    lists = ["/", "/feed.atom", "/feed.json"]
    known = {door: guest.get(door).get("ETag") for door in [*own, *lists, oembed(publication)]}
    withdraw(publication, artist)
    for door in own:
        answer = guest.get(door, headers={"if-none-match": known[door] or "*"})
        assert answer.status_code == 410 and "no-" in answer["Cache-Control"], door
    for door in lists:
        answer = guest.get(door, headers={"if-none-match": known[door]})
        assert answer.status_code == 200, door
        assert f"{at(publication)}/" not in text(answer) and at(other) in text(answer), door
    gone = guest.get(oembed(publication), headers={"if-none-match": known[oembed(publication)]})
    assert gone.status_code == 404


def test_a_brake_takes_a_work_off_every_public_door(artist, guest, admin, no_undo):
    publication = makers.published(artist)
    brakes.pull("publication", publication.pk, by=admin, label="it", reason="A question.")
    told = {door: guest.get(door).status_code for door in doors(publication)}
    assert {status for door, status in told.items() if publication.pk.hex in door} == {403, 404}
    assert told[oembed(publication)] == 404
    assert publication.pk.hex not in text(guest.get("/")) + text(guest.get("/feed.atom")) + text(
        guest.get("/feed.json")
    )
    framed = guest.get(at(publication, "/embed"))
    assert "This work is not shown at the moment." in text(framed) and "X-Frame-Options" not in framed


# ---------------------------------------------------------------- frames


def test_only_the_embed_stands_in_a_frame_also_when_it_is_gone(artist, guest, no_undo):
    publication = makers.published(artist)
    framed = guest.get(at(publication, "/embed"))
    withdraw(publication, artist)
    gone = guest.get(at(publication, "/embed"))
    assert (framed.status_code, gone.status_code) == (200, 410)
    for answer in (framed, gone):
        assert "X-Frame-Options" not in answer
        assert "frame-ancestors *" in answer["Content-Security-Policy"]
        assert "<script" not in text(answer)
    assert publication.revision.title not in text(gone) and "Its artist withdrew it" in text(gone)
    for door in ("/", at(publication), "/feed.atom", oembed(publication)):
        answer = guest.get(door)
        assert answer["X-Frame-Options"] == "DENY", door
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], door


def test_oembed_in_json_and_in_xml(artist, guest, no_undo):
    publication = makers.published(artist)
    told = guest.get(oembed(publication)).json()
    assert (told["type"], told["version"], told["title"], told["author_name"]) == ("video", "1.0", "Kiln", "An artist")
    assert told["cache_age"] == 0
    assert f'src="{BASE}{at(publication)}/embed"' in told["html"]
    assert (told["width"], told["height"]) == (640, 640 + 56)  # a square clip, and the line under it
    assert told["thumbnail_url"] == f"{BASE}{at(publication)}/poster.webp"
    answer = guest.get(oembed(publication, format="xml"))
    assert answer["Content-Type"] == "text/xml"
    assert {element.tag: element.text for element in ElementTree.fromstring(answer.content)} == {
        name: str(value) for name, value in told.items()
    }


@pytest.mark.parametrize(
    "asked", [{"maxwidth": 300}, {"maxheight": 200}, {"maxwidth": 120, "maxheight": 900}, {"maxheight": 20}]
)
def test_an_embed_keeps_within_what_is_asked_for(artist, guest, no_undo, asked):
    told = guest.get(oembed(makers.published(artist), **asked)).json()
    assert 1 <= told["width"] <= asked.get("maxwidth", 9999) and 1 <= told["height"] <= asked.get("maxheight", 9999)
    assert f'width="{told["width"]}" height="{told["height"]}"' in told["html"]
    small = min(asked.values()) < 256
    assert ("thumbnail_url" in told) is not small
    if "maxheight" not in asked:
        assert told["width"] == asked["maxwidth"]


def test_oembed_says_no_in_its_own_statuses(artist, guest, no_undo):
    publication = makers.published(artist)
    unknown = publication.submission_id.hex
    for url in ("", f"{BASE}/", f"{BASE}/works/{unknown}", f"https://elsewhere.example{at(publication)}", "http://[x"):
        assert guest.get("/oembed", {"url": url}).status_code == 404, url
    assert guest.get(oembed(publication, format="yaml")).status_code == 501
    for size in ("0", "-1", "wide", "1e3", "９", "100000"):
        assert guest.get(oembed(publication, maxwidth=size)).status_code == 400, size
    for url in (f"{BASE}{at(publication)}/", f"{BASE}{at(publication)}/embed", f"{BASE}{at(publication)}?x=1#top"):
        assert guest.get("/oembed", {"url": url}).status_code == 200, url


# ---------------------------------------------------------------- machines


def test_machines_are_told_the_same_by_robots_reservation_and_header(artist, stranger, guest, no_undo):
    publication = makers.published(artist)
    makers.published(stranger)

    def told() -> tuple[bool, bool, set[str | None]]:
        rules = guest.get("/.well-known/tdmrep.json").json()
        first = next(rule for rule in rules if at(publication).startswith(rule["location"]))
        reserved = {guest.get(at(publication, more))["tdm-reservation"] for more in ("", "/embed", "/video.mp4")}
        return "GPTBot" in text(guest.get("/robots.txt")), first["tdm-reservation"] == 1, reserved

    assert told() == (True, True, {"1"})
    consents.give("train", by=artist)
    assert told() == (False, False, {"0"})
    assert guest.get("/feed.atom")["X-Robots-Tag"] == "noai, noimageai"  # the other artist did not
    withdraw(publication, artist)
    assert "GPTBot" in text(guest.get("/robots.txt"))
    assert guest.get("/.well-known/tdmrep.json").json() == [{"location": "/", "tdm-reservation": 1}]


def test_robots_shuts_private_doors_and_no_public_one(guest):
    lines = text(guest.get("/robots.txt")).split("User-agent: AI2Bot")[0].splitlines()
    shut = tuple(line.partition(" ")[2] for line in lines if line.startswith("Disallow"))
    private = "access mine/x export program/members review/x reports/x g/x invitations/x sign-in/x apply/x v1/videos"
    assert all(f"/{door}".startswith(shut) for door in private.split())
    assert not any(
        f"/{door}".startswith(shut) for door in ("", "works/x", "feed.atom", "oembed", "apply", "terms", "policy")
    )


def test_a_self_test_is_in_no_list_and_asks_not_to_be_indexed(guest, no_undo):
    publication = makers.published(makers.artist(cohort=makers.cohort(smoke=True)))
    page = guest.get(at(publication))
    assert page["X-Robots-Tag"].startswith("noindex") and 'content="noindex, noai' in text(page)
    lists = "".join(text(guest.get(door)) for door in ("/", "/feed.atom", "/feed.json", "/v1/publications"))
    assert publication.pk.hex not in lists

"""Every door that the resolver knows × who stands before it. An unlisted door fails the test.

Other methods than GET: test_doors_by_method.py; what comes out of them: test_doors_bytes.py.
"""

from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver

from gateway import tokens
from gateway.actors import Actor
from gateway.models import Invitation, Membership
from generation.models import Generation
from review import queue
from review.models import Publication, Submission
from tests import makers

pytestmark = pytest.mark.django_db

OUTSIDE = ("admin/", "accounts/")  # Django's and allauth's own, by prefix
DETOUR = 302  # to the sign-in page
# door → what GET answers to (guest, its artist, stranger, reviewer who does not hold it, reviewer who holds it, admin).
# The API's doors are asked with a token; 405 where a door has no GET.
DOORS = {
    "healthz": (200,) * 6,
    "readyz": (503,) * 6,
    "metrics": (404,) * 6,
    "terms": (200,) * 6,
    "terms/accept": (DETOUR, 200, 200, 200, 200, 200),
    "terms/<int:version>": (404,) * 6,
    "docs/refusals": (200,) * 6,
    "home": (302,) * 6,
    "invitations/<str:secret>": (410,) * 6,
    "apply": (200,) * 6,
    "apply/<str:secret>": (404,) * 6,
    "apply/<str:secret>/withdraw": (405,) * 6,
    "sign-in/<str:secret>": (410,) * 6,
    "access": (DETOUR, 200, 200, 200, 200, 200),
    "access/tokens": (DETOUR, 405, 405, 405, 405, 405),
    "access/tokens/<hex:token>/revoke": (DETOUR, 405, 405, 405, 405, 405),
    "access/visits": (DETOUR, 200, 200, 200, 200, 200),
    "program/impersonation": (DETOUR, 403, 403, 403, 403, 200),
    "impersonation/end": (DETOUR, 405, 405, 405, 405, 405),
    "access/security": (DETOUR, 200, 200, 200, 200, 200),
    "access/sessions/end-others": (DETOUR, 405, 405, 405, 405, 405),
    "access/sessions/<int:session>/end": (DETOUR, 405, 405, 405, 405, 405),
    "access/tokens/<hex:token>/rotate": (DETOUR, 405, 405, 405, 405, 405),
    "access/webhooks": (DETOUR, 200, 200, 200, 200, 200),
    "access/webhooks/<hex:endpoint>": (DETOUR, 404, 404, 404, 404, 404),
    **{
        f"access/webhooks/<hex:endpoint>/{act}": (DETOUR, 405, 405, 405, 405, 405)
        for act in ("rotate", "test", "enable", "disable", "remove", "deliveries/<hex:delivery>/replay")
    },
    "access/allowance": (DETOUR, 200, 200, 200, 200, 200),
    "program/allowances": (DETOUR, 403, 403, 403, 403, 200),
    "program/allowances/<hex:membership>": (DETOUR, 403, 403, 403, 403, 200),
    "program/allowances/<hex:membership>/grant": (DETOUR, 403, 403, 403, 403, 405),
    "program/allowances/<hex:membership>/limits": (DETOUR, 403, 403, 403, 403, 405),
    "access/sightings": (DETOUR, 200, 200, 200, 200, 200),
    "access/sightings/<hex:sighting>": (DETOUR, 404, 404, 404, 404, 404),
    "access/sightings/<hex:sighting>/explain": (DETOUR, 405, 405, 405, 405, 405),
    "access/sightings/<hex:sighting>/rotate": (DETOUR, 405, 405, 405, 405, 405),
    "program/sightings": (DETOUR, 403, 403, 403, 403, 200),
    "program/sightings/<hex:sighting>": (DETOUR, 403, 403, 403, 403, 404),
    "program/sightings/<hex:sighting>/confirm": (DETOUR, 403, 403, 403, 403, 405),
    "program/sightings/<hex:sighting>/dismiss": (DETOUR, 403, 403, 403, 403, 405),
    "program/canaries": (DETOUR, 403, 403, 403, 403, 200),
    "v1/leaks": (405,) * 6,
    "program/invitations": (DETOUR, 403, 403, 403, 403, 200),
    "program/invitations/<hex:invitation>/revoke": (DETOUR, 403, 403, 403, 403, 405),
    "program": (DETOUR, 403, 403, 403, 403, 200),
    **{
        f"transparency{more}": (404 if "<" in more else 200,) * 6
        for more in ("", ".json", "/<slug:name>", "/<slug:name>.json")
    },
    "program/queues": (DETOUR, 403, 403, 403, 403, 200),
    "program/fleet": (DETOUR, 403, 403, 403, 403, 200),
    "program/fleet/<hex:worker>/drain": (DETOUR, 403, 403, 403, 403, 405),
    "program/fleet/<hex:worker>/resume": (DETOUR, 403, 403, 403, 403, 405),
    "program/transparency": (DETOUR, 403, 403, 403, 403, 200),
    "program/transparency.csv": (DETOUR, 403, 403, 403, 403, 200),
    "program/transparency/brakes/<hex:brake>": (DETOUR, 403, 403, 403, 403, 405),
    "program/brakes": (DETOUR, 403, 403, 403, 403, 200),
    "program/brakes/<hex:brake>/release": (DETOUR, 403, 403, 403, 403, 405),
    "schemas/statement.json": (200,) * 6,
    "submissions/<hex:submission>/statement.json": (DETOUR, 404, 404, 404, 404, 404),
    "v1/submissions/<str:submission_id>/statement": (401, 404, 404, 404, 404, 404),
    "program/review": (DETOUR, 403, 403, 403, 403, 200),
    "program/review/<hex:cohort>": (DETOUR, 403, 403, 403, 403, 405),
    "program/statements": (DETOUR, 403, 403, 403, 403, 200),
    "program/statements/export.jsonl": (DETOUR, 403, 403, 403, 403, 200),
    "program/statements/export.csv": (DETOUR, 403, 403, 403, 403, 200),
    "policy": (200,) * 6,
    "policy.json": (200,) * 6,
    "policy/<int:number>": (404,) * 6,
    "v1/policy": (200,) * 6,
    "program/policy": (DETOUR, 403, 403, 403, 403, 200),
    "program/policy/new": (DETOUR, 403, 403, 403, 403, 200),
    "program/policy/new/publish": (DETOUR, 403, 403, 403, 403, 405),
    "program/policy/<int:number>": (DETOUR, 403, 403, 403, 403, 404),
    "program/policy/<int:number>/publish": (DETOUR, 403, 403, 403, 403, 405),
    "program/policy/<int:number>/retire": (DETOUR, 403, 403, 403, 403, 405),
    "program/terms": (DETOUR, 403, 403, 403, 403, 200),
    "program/terms/publish": (DETOUR, 403, 403, 403, 403, 405),
    "access/conflicts": (DETOUR, 200, 200, 200, 200, 200),
    **{
        f"access/conflicts/{act}": (DETOUR, 405, 405, 405, 405, 405)
        for act in ("name", "studio", "<hex:conflict>/lift")
    },
    "v1/conflicts": (401, 200, 200, 403, 403, 403),
    "v1/conflicts/<str:conflict_id>": (401, 405, 405, 405, 405, 405),
    "access/consents": (DETOUR, 200, 200, 200, 200, 200),
    "access/consents/receipts/<hex:consent>": (DETOUR, 404, 404, 404, 404, 404),
    **{
        f"{at}/consents/<slug:purpose>/{act}": (DETOUR, 405, 405, 405, 405, 405)
        for at in ("access", "mine/<hex:generation>")
        for act in ("give", "take-back")
    },
    "v1/consents": (401, 200, 200, 200, 200, 200),
    "v1/consents/revoke": (401, 405, 405, 405, 405, 405),
    "v1/consents/<str:consent_id>": (401, 404, 404, 404, 404, 404),
    "contributions": (DETOUR, 200, 200, 200, 200, 200),
    "contributions/<hex:contribution>/dispute": (DETOUR, 405, 405, 405, 405, 405),
    "contributions/statement": (DETOUR, 200, 200, 200, 200, 200),
    "contributions/statement.csv": (DETOUR, 200, 200, 200, 200, 200),
    "program/contributions": (DETOUR, 403, 403, 403, 403, 200),
    "program/contributions.csv": (DETOUR, 403, 403, 403, 403, 200),
    **{
        f"program/contributions/{act}": (DETOUR, 403, 403, 403, 403, 405)
        for act in ("pay", *(f"<hex:contribution>/{verdict}" for verdict in ("accept", "decline", "uphold")))
    },
    "v1/contributions": (401, 200, 200, 200, 200, 200),
    "v1/contributions/<str:contribution_id>": (401, 404, 404, 404, 404, 404),
    "v1/contributions/<str:contribution_id>/dispute": (401, 405, 405, 405, 405, 405),
    "v1/terms": (401, 404, 404, 404, 404, 404),
    "v1/terms/accept": (401, 405, 405, 405, 405, 405),
    "program/invitations/<hex:invitation>/again": (DETOUR, 403, 403, 403, 403, 405),
    "program/requests": (DETOUR, 403, 403, 403, 403, 200),
    "program/requests/door": (DETOUR, 403, 403, 403, 403, 405),
    "program/requests/<hex:asked>": (DETOUR, 403, 403, 403, 403, 404),
    "program/requests/<hex:asked>/accept": (DETOUR, 403, 403, 403, 403, 405),
    "program/requests/<hex:asked>/decline": (DETOUR, 403, 403, 403, 403, 405),
    "program/works": (DETOUR, 403, 403, 403, 403, 200),
    "program/works/<hex:generation>": (DETOUR, 403, 403, 403, 403, 200),
    "program/works/<hex:generation>/video.mp4": (DETOUR, 403, 403, 403, 403, 404),
    "program/works/<hex:generation>/poster.webp": (DETOUR, 403, 403, 403, 403, 404),
    "program/members": (DETOUR, 403, 403, 403, 403, 200),
    "program/members/<hex:membership>": (DETOUR, 403, 403, 403, 403, 200),
    **{
        f"program/members/<hex:membership>/{act}": (DETOUR, 403, 403, 403, 403, 405)
        for act in ("suspend", "resume", "move", "credits", "end", "place")
    },
    "program/cohorts/<hex:cohort>/seats": (DETOUR, 403, 403, 403, 403, 405),
    "export": (DETOUR, 200, 200, 200, 200, 200),
    "v1/export": (401, 200, 200, 200, 200, 200),
    "membership": (DETOUR, 200, 200, 200, 200, 200),
    "leave/stay": (DETOUR, 405, 405, 405, 405, 405),
    "departed/<str:secret>": (404,) * 6,
    "departed/<str:secret>/take-back": (405,) * 6,
    "leave": (DETOUR, 200, 200, 200, 200, 200),
    "studio": (DETOUR, 200, 200, 200, 200, 200),
    "studio/live": (DETOUR, 200, 200, 200, 200, 200),
    "studio/<hex:generation>/cancel": (DETOUR, 405, 405, 405, 405, 405),
    "generations/<hex:generation>/video.mp4": (DETOUR, 200, 404, 404, 404, 404),
    "generations/<hex:generation>/poster.webp": (DETOUR, 200, 404, 404, 404, 404),
    "generations/<hex:generation>/delete": (DETOUR, 405, 405, 405, 405, 405),
    "generations/<hex:generation>/picture": (DETOUR, *(404,) * 5),  # this one begins from words alone
    "generations/<hex:generation>/sheet.webp": (DETOUR, 200, 404, 404, 404, 404),
    "access/guest-passes": (DETOUR, 200, 200, 200, 200, 200),
    "access/guest-passes/<hex:guest_pass>/revoke": (DETOUR, 405, 405, 405, 405, 405),
    "access/guest-passes/<hex:guest_pass>/downloads": (DETOUR, 405, 405, 405, 405, 405),
    # Who has no pass is nobody here, whoever they are elsewhere; who has one: tests/test_doors_guests.py.
    "g/<str:secret>": (404,) * 6,
    "g/<str:secret>/<hex:clip>": (404,) * 6,
    "g/<str:secret>/<hex:clip>/live": (404,) * 6,
    "g/<str:secret>/<hex:clip>/cancel": (405,) * 6,
    "g/<str:secret>/<hex:clip>/video.mp4": (404,) * 6,
    "g/<str:secret>/<hex:clip>/poster.webp": (404,) * 6,
    "v1/guest_passes": (401, 200, 200, 200, 200, 200),
    "v1/guest_passes/<str:pass_id>": (401, 404, 404, 404, 404, 404),
    "v1/guest_passes/<str:pass_id>/revoke": (401, 405, 405, 405, 405, 405),
    "v1/guest_passes/<str:pass_id>/downloads": (401, 405, 405, 405, 405, 405),
    "v1/audit": (401, 200, 200, 403, 403, 403),
    "v1/schema": (200,) * 6,
    "v1/docs": (200,) * 6,
    "v1/me": (401, 200, 200, 200, 200, 200),
    "v1/tokens": (401, 200, 200, 200, 200, 200),
    "v1/tokens/<str:token_id>": (401, 404, 404, 404, 404, 404),
    "v1/tokens/<str:token_id>/rotate": (401, 405, 405, 405, 405, 405),
    "v1/webhook_event_types": (401, 200, 200, 200, 200, 200),
    # Their tokens lack the scope; with it: tests/gateway/test_webhooks.py.
    "v1/webhook_endpoints": (401, 403, 403, 403, 403, 403),
    "v1/webhook_endpoints/<str:endpoint_id>": (401, 403, 403, 403, 403, 403),
    "v1/webhook_endpoints/<str:endpoint_id>/deliveries": (401, 403, 403, 403, 403, 403),
    **{
        f"v1/webhook_endpoints/<str:endpoint_id>/{act}": (401, 405, 405, 405, 405, 405)
        for act in ("rotate_secret", "test", "deliveries/<str:delivery_id>/replay")
    },
    "v1/models": (401, 200, 200, 200, 200, 200),
    "v1/images/generations": (401, 405, 405, 405, 405, 405),
    "v1/models/<str:model_id>": (401, 404, 404, 404, 404, 404),
    **{f"v1/videos/{act}": (401, 405, 405, 405, 405, 405) for act in ("edits", "extensions", "characters")},
    "v1/videos/<str:video_id>/remix": (401, 405, 405, 405, 405, 405),
    "v1/videos": (401, 200, 200, 200, 200, 200),
    "v1/videos/<str:video_id>": (401, 200, 404, 404, 404, 404),
    "v1/videos/<str:video_id>/cancel": (401, 405, 405, 405, 405, 405),
    "v1/videos/<str:video_id>/content": (401, 200, 404, 404, 404, 404),
    "": (200,) * 6,
    "works/<hex:publication>/report": (404,) * 6,
    "reports/<str:secret>": (404,) * 6,
    "reports/<str:secret>/withdraw": (405,) * 6,
    "reports/<str:secret>/dispute": (405,) * 6,
    "program/reports": (DETOUR, 403, 403, 403, 403, 200),
    "program/reports/<hex:report>": (DETOUR, 403, 403, 403, 403, 404),
    "program/reports/<hex:report>/decline": (DETOUR, 403, 403, 403, 403, 405),
    "program/reports/<hex:report>/uphold": (DETOUR, 403, 403, 403, 403, 405),
    "program/works/<hex:publication>/take-down": (DETOUR, 403, 403, 403, 403, 404),
    "v1/reports": (405,) * 6,
    "v1/reports/<str:secret>": (404,) * 6,
    "v1/reports/<str:secret>/withdraw": (405,) * 6,
    "v1/reports/<str:secret>/dispute": (405,) * 6,
    "feed.atom": (200,) * 6,
    "feed.json": (200,) * 6,
    "oembed": (404,) * 6,
    "robots.txt": (200,) * 6,
    ".well-known/tdmrep.json": (200,) * 6,
    "works/<hex:publication>": (404,) * 6,
    "works/<hex:publication>/embed": (404,) * 6,
    "works/<hex:publication>/video.mp4": (404,) * 6,
    "works/<hex:publication>/poster.webp": (404,) * 6,
    "dashboard": (DETOUR, 200, 200, 200, 200, 200),
    "notices/read": (DETOUR, 405, 405, 405, 405, 405),
    "mine": (DETOUR, 200, 200, 200, 200, 200),
    "mine/<hex:generation>": (DETOUR, 200, 404, 404, 404, 404),
    "mine/<hex:generation>/live": (DETOUR, 200, 404, 404, 404, 404),
    "mine/<hex:generation>/submit": (DETOUR, 405, 405, 405, 405, 405),
    "submissions/<hex:submission>/withdraw": (DETOUR, 405, 405, 405, 405, 405),
    "submissions/<hex:submission>/sign-off": (DETOUR, 405, 405, 405, 405, 405),
    "submissions/<hex:submission>/appeal": (DETOUR, 405, 405, 405, 405, 405),
    "submissions/<hex:submission>/appeal/withdraw": (DETOUR, 405, 405, 405, 405, 405),
    "publications/<hex:publication>/withdraw": (DETOUR, 405, 405, 405, 405, 405),
    "review": (DETOUR, 403, 403, 200, 200, 403),
    "review/next": (DETOUR, 403, 403, 405, 405, 403),
    "review/<hex:submission>": (DETOUR, 403, 403, 409, 200, 403),
    **{
        f"review/<hex:submission>/{act}": (DETOUR, 403, 403, 405, 405, 403)
        for act in ("take", "renew", "release", "skip", "conflict", "approve", "request-changes", "reject", "escalate")
    },
    **{f"review/<hex:submission>/{act}": (DETOUR, 403, 403, 405, 405, 403) for act in ("uphold", "overturn")},
    "review/record": (DETOUR, 403, 403, 200, 200, 403),
    "review/keys": (DETOUR, 403, 403, 200, 200, 403),
    "review/precedents/<int:number>": (DETOUR, 403, 403, 404, 404, 403),
    "review/conflicts/<hex:conflict>/lift": (DETOUR, 403, 403, 405, 405, 403),
    "review/<hex:submission>/video.mp4": (DETOUR, 403, 403, 404, 200, 403),
    "review/<hex:submission>/poster.webp": (DETOUR, 403, 403, 404, 200, 403),
    "review/<hex:submission>/sheet.webp": (DETOUR, 403, 403, 404, 200, 403),
    "review/decisions/<hex:decision>/undo": (DETOUR, 403, 403, 405, 405, 403),
    "v1/submissions": (401, 200, 200, 200, 200, 200),
    "v1/submissions/<str:submission_id>": (401, 200, 404, 404, 404, 404),
    **{
        f"v1/submissions/<str:submission_id>/{act}": (401, 405, 405, 405, 405, 405)
        for act in ("withdraw", "sign_off", "revise", "appeal", "withdraw_appeal")
    },
    "v1/reviews": (401, 403, 403, 200, 200, 403),
    "v1/reviews/next": (401, 405, 405, 405, 405, 405),
    "v1/reviews/<str:submission_id>": (401, 403, 403, 404, 200, 403),
    "v1/reviews/<str:submission_id>/content": (401, 403, 403, 404, 200, 403),
    **{
        f"v1/reviews/<str:submission_id>/{act}": (401, 405, 405, 405, 405, 405)
        for act in (
            *("take", "renew", "release", "conflict", "approve", "reject", "request_changes", "escalate", "undo"),
            *("uphold", "overturn"),
        )
    },
    "v1/brakes": (401, 403, 403, 403, 403, 403),
    "v1/brakes/preview": (401, 403, 403, 403, 403, 403),
    "v1/brakes/<str:brake_id>/release": (401, 405, 405, 405, 405, 405),
    "v1/publications": (200,) * 6,
    "v1/publications/<str:publication_id>": (404,) * 6,
    "v1/publications/<str:publication_id>/content": (404,) * 6,
    "v1/publications/<str:publication_id>/withdraw": (401, 405, 405, 405, 405, 405),
}


def seldom(*methods: str) -> list[Any]:
    """Methods that no door has a use for, as parameters: every door is asked by them in the soak."""
    return [pytest.param(method, marks=pytest.mark.soak) for method in methods]


def doors(patterns=None, prefix="") -> list[str]:
    found = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        found += [route] if isinstance(pattern, URLPattern) else doors(pattern.url_patterns, route)
    return found


def test_every_door_is_listed():
    assert {door for door in doors() if not door.startswith(OUTSIDE)} == set(DOORS)


@pytest.fixture
def cast(artist, stranger, reviewer, admin):
    """A submitted work of `artist`, held by one reviewer and not by another."""
    submission = makers.submitted(artist)
    holder = makers.reviewer("Rui Tanaka")
    queue.take_next(by=holder)
    return submission, (None, artist, stranger, reviewer, holder, admin)


def address(door: str, submission: Submission) -> str:
    unknown = "0" * 32
    generation = submission.generation_id.hex
    for part, value in {
        "<hex:generation>": generation,
        "<hex:submission>": submission.pk.hex,
        "<str:video_id>": f"video_{generation}",
        "<str:submission_id>": f"submission_{submission.pk.hex}",
        "<str:model_id>": "no-such-model",
        "<str:publication_id>": f"publication_{submission.pk.hex}",
        "<hex:publication>": submission.pk.hex,
        "<str:secret>": "bat_invitation_made-up",
        "<int:version>": "1",
        "<int:number>": "1",
        "<hex:contribution>": unknown,
        "<hex:consent>": unknown,
        "<hex:conflict>": unknown,
        "<str:conflict_id>": f"conflict_{unknown}",
        "<str:consent_id>": f"consent_{unknown}",
        "<slug:purpose>": "train",
        "<slug:name>": "2024-01",
        "<str:contribution_id>": f"contribution_{unknown}",
        "<hex:token>": unknown,
        "<int:session>": "0",
        "<hex:guest_pass>": unknown,
        "<hex:clip>": generation,
        "<str:pass_id>": f"guest_pass_{unknown}",
        "<str:token_id>": f"token_{unknown}",
        "<hex:sighting>": unknown,
        "<hex:invitation>": unknown,
        "<hex:asked>": unknown,
        "<hex:membership>": submission.membership_id.hex,
        "<hex:cohort>": submission.membership.cohort_id.hex,
        "<hex:decision>": unknown,
        "<hex:brake>": unknown,
        "<hex:worker>": unknown,
        "<hex:report>": unknown,
        "<hex:endpoint>": unknown,
        "<hex:delivery>": unknown,
        "<str:endpoint_id>": f"webhook_endpoint_{unknown}",
        "<str:delivery_id>": f"webhook_delivery_{unknown}",
        "<str:brake_id>": f"brake_{unknown}",
    }.items():
        door = door.replace(part, value)
    return "/" + door


def caller(actor: Actor | None, door: str) -> Client:
    if actor is None:
        return Client()
    if door.startswith("v1/"):
        scopes = [*(["generate", "submit", "publish"] if actor.membership else [])]
        scopes += ["review"] if actor.is_reviewer else []
        return Client(headers={"authorization": f"Bearer {makers.token(actor, *scopes) if scopes else _bare(actor)}"})
    client = Client()
    client.force_login(actor.user)
    return client


def _bare(actor: Actor) -> str:
    return tokens.issue(by=actor, label="bare", scopes=[])[1]


def test_every_door_answers_each_caller_as_listed(cast):
    submission, people = cast
    clients = [(caller(actor, "v1/"), caller(actor, "")) for actor in people]
    wrong = []
    for door, expected in DOORS.items():
        for place, (api, browser) in enumerate(clients):
            answer = (api if door.startswith("v1/") else browser).get(address(door, submission))
            if answer.status_code != expected[place]:
                wrong.append((door, place, answer.status_code, expected[place]))
    assert wrong == []


@pytest.mark.parametrize("method", ["post", "delete", *seldom("put", "patch", "options")])
def test_no_method_of_a_stranger_changes_anything(cast, stranger, method):
    submission, _ = cast
    before = snapshot()
    clients = [(caller(actor, "v1/"), caller(actor, "")) for actor in (None, stranger)]
    for door in DOORS:
        if door.startswith(OUTSIDE) or door in ("access/tokens", "studio", "v1/videos", "notices/read"):
            continue  # what a stranger may do for themselves
        for api, browser in clients:
            client = api if door.startswith("v1/") else browser
            answer = getattr(client, method)(address(door, submission), {}, content_type="application/json")
            assert answer.status_code < 500, door
    assert snapshot() == before


def snapshot() -> list[object]:
    return [
        list(model.objects.order_by("pk").values())
        for model in (Submission, Publication, Generation, Membership, Invitation)
    ]

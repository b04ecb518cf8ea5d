"""Every door by every method: what a POST answers stands in a table, and what a door has no use for is refused."""

import itertools
from collections.abc import Callable, Iterable

import pytest
from django.db import transaction
from django.test import Client

from gateway import actors, members
from review.models import Decision, Publication, Submission
from tests import makers
from tests.test_doors import DETOUR, DOORS, OUTSIDE, address, caller, cast, doors, seldom

__all__ = ["cast"]  # the fixture

pytestmark = pytest.mark.django_db
NOT_MINE = (404, 404, 404, 404)  # stranger, reviewer, holder, admin
# door → what a POST with nothing in it answers to (guest, its artist, stranger, reviewer, reviewer who holds it, admin).
POSTS = {
    "access/tokens": (DETOUR, 422, 422, 422, 422, 422),
    "access/tokens/<hex:token>/revoke": (DETOUR, 404, *NOT_MINE),
    "program/impersonation": (DETOUR, 403, 403, 403, 403, 422),
    "impersonation/end": (DETOUR, 302, 302, 302, 302, 302),
    "access/sessions/end-others": (DETOUR, 302, 302, 302, 302, 302),
    "access/sessions/<int:session>/end": (DETOUR, 404, *NOT_MINE),
    "access/tokens/<hex:token>/rotate": (DETOUR, 404, *NOT_MINE),
    "program/allowances/<hex:membership>/grant": (DETOUR, 403, 403, 403, 403, 422),
    "program/allowances/<hex:membership>/limits": (DETOUR, 403, 403, 403, 403, 302),
    "access/webhooks": (DETOUR, 422, 422, 422, 422, 422),
    "access/webhooks/<hex:endpoint>": (DETOUR, 404, *NOT_MINE),
    **{
        f"access/webhooks/<hex:endpoint>/{act}": (DETOUR, 404, *NOT_MINE)
        for act in ("rotate", "test", "enable", "disable", "remove", "deliveries/<hex:delivery>/replay")
    },
    "v1/webhook_endpoints": (401, 400, 400, 400, 400, 400),
    **{
        f"v1/webhook_endpoints/<str:endpoint_id>{act}": (401, 403, 403, 403, 403, 403)
        for act in ("", "/rotate_secret", "/test", "/deliveries/<str:delivery_id>/replay")
    },
    "v1/tokens": (401, 400, 400, 400, 400, 400),
    "v1/tokens/<str:token_id>/rotate": (401, 404, *NOT_MINE),
    "access/sightings/<hex:sighting>/explain": (DETOUR, 404, *NOT_MINE),
    "access/sightings/<hex:sighting>/rotate": (DETOUR, 404, *NOT_MINE),
    "program/sightings/<hex:sighting>/confirm": (DETOUR, 403, 403, 403, 403, 404),
    "program/sightings/<hex:sighting>/dismiss": (DETOUR, 403, 403, 403, 403, 404),
    "program/canaries": (DETOUR, 403, 403, 403, 403, 422),
    "v1/leaks": (404,) * 6,
    "program/invitations": (DETOUR, 403, 403, 403, 403, 422),
    "program/invitations/<hex:invitation>/revoke": (DETOUR, 403, 403, 403, 403, 404),
    "program/brakes": (DETOUR, 403, 403, 403, 403, 422),
    "program/brakes/<hex:brake>/release": (DETOUR, 403, 403, 403, 403, 404),
    "program/fleet/<hex:worker>/drain": (DETOUR, 403, 403, 403, 403, 404),
    "program/fleet/<hex:worker>/resume": (DETOUR, 403, 403, 403, 403, 404),
    "program/transparency/brakes/<hex:brake>": (DETOUR, 403, 403, 403, 403, 404),
    "v1/brakes": (401, 403, 403, 403, 403, 403),
    "v1/brakes/<str:brake_id>/release": (401, 403, 403, 403, 403, 403),
    "terms/accept": (DETOUR, 422, 422, 422, 422, 422),
    "program/review/<hex:cohort>": (DETOUR, 403, 403, 403, 403, 422),
    "program/policy/new": (DETOUR, 403, 403, 403, 403, 422),
    "program/policy/new/publish": (DETOUR, 403, 403, 403, 403, 422),
    "program/policy/<int:number>": (DETOUR, 403, 403, 403, 403, 404),
    "program/policy/<int:number>/publish": (DETOUR, 403, 403, 403, 403, 404),
    "program/policy/<int:number>/retire": (DETOUR, 403, 403, 403, 403, 404),
    "program/terms": (DETOUR, 403, 403, 403, 403, 422),
    "program/terms/publish": (DETOUR, 403, 403, 403, 403, 422),
    "access/conflicts/name": (DETOUR, 422, 422, 422, 422, 422),
    "access/conflicts/studio": (DETOUR, 302, 302, 302, 302, 302),
    "access/conflicts/<hex:conflict>/lift": (DETOUR, 404, *NOT_MINE),
    "v1/conflicts": (401, 400, 400, 400, 400, 400),
    "access/consents/<slug:purpose>/give": (DETOUR, 302, 302, 302, 302, 302),
    "access/consents/<slug:purpose>/take-back": (DETOUR, 409, 409, 409, 409, 409),
    "mine/<hex:generation>/consents/<slug:purpose>/give": (DETOUR, 302, *NOT_MINE),
    "mine/<hex:generation>/consents/<slug:purpose>/take-back": (DETOUR, 302, *NOT_MINE),
    "v1/consents": (401, 400, 400, 400, 400, 400),
    "v1/consents/revoke": (401, 400, 400, 400, 400, 400),
    "contributions": (DETOUR, 422, 422, 422, 422, 422),
    "contributions/<hex:contribution>/dispute": (DETOUR, 404, *NOT_MINE),
    "program/contributions/pay": (DETOUR, 403, 403, 403, 403, 400),
    **{
        f"program/contributions/<hex:contribution>/{verdict}": (DETOUR, 403, 403, 403, 403, 404)
        for verdict in ("accept", "decline", "uphold")
    },
    "v1/contributions": (401, 400, 400, 400, 400, 400),
    "v1/contributions/<str:contribution_id>/dispute": (401, 404, *NOT_MINE),
    "v1/terms/accept": (401, 403, 403, 403, 403, 403),
    "program/invitations/<hex:invitation>/again": (DETOUR, 403, 403, 403, 403, 404),
    "program/works/<hex:generation>": (DETOUR, 403, 403, 403, 403, 422),
    "program/requests/door": (DETOUR, 403, 403, 403, 403, 422),
    "program/requests/<hex:asked>/accept": (DETOUR, 403, 403, 403, 403, 404),
    "program/requests/<hex:asked>/decline": (DETOUR, 403, 403, 403, 403, 404),
    **{
        f"program/members/<hex:membership>/{act}": (DETOUR, 403, 403, 403, 403, told)
        for act, told in {"suspend": 422, "resume": 409, "move": 422, "credits": 422, "end": 422, "place": 422}.items()
    },
    "program/cohorts/<hex:cohort>/seats": (DETOUR, 403, 403, 403, 403, 302),
    "export": (DETOUR, 200, 200, 200, 200, 200),
    "v1/export": (401, 200, 200, 403, 403, 403),
    "leave/stay": (DETOUR, 404, *NOT_MINE),
    "departed/<str:secret>/take-back": (404,) * 6,
    "leave": (DETOUR, 422, 422, 422, 422, 422),
    "apply": (403,) * 6,  # closed, until an admin opens it
    "apply/<str:secret>/withdraw": (404,) * 6,
    "invitations/<str:secret>": (410,) * 6,
    "sign-in/<str:secret>": (410,) * 6,
    "notices/read": (DETOUR, 302, 302, 302, 302, 302),
    "studio": (DETOUR, 422, 422, 422, 422, 422),
    "studio/<hex:generation>/cancel": (DETOUR, 409, *NOT_MINE),
    "generations/<hex:generation>/delete": (DETOUR, 409, *NOT_MINE),
    "mine/<hex:generation>/submit": (DETOUR, 422, *NOT_MINE),
    "submissions/<hex:submission>/withdraw": (DETOUR, 302, *NOT_MINE),
    "submissions/<hex:submission>/sign-off": (DETOUR, 422, *NOT_MINE),
    "submissions/<hex:submission>/appeal": (DETOUR, 422, *NOT_MINE),
    "submissions/<hex:submission>/appeal/withdraw": (DETOUR, 404, *NOT_MINE),
    "publications/<hex:publication>/withdraw": (DETOUR, 404, *NOT_MINE),
    "works/<hex:publication>/report": (404,) * 6,
    "reports/<str:secret>/withdraw": (404,) * 6,
    "reports/<str:secret>/dispute": (404,) * 6,
    "program/reports/<hex:report>/decline": (DETOUR, 403, 403, 403, 403, 404),
    "program/reports/<hex:report>/uphold": (DETOUR, 403, 403, 403, 403, 404),
    "program/works/<hex:publication>/take-down": (DETOUR, 403, 403, 403, 403, 404),
    "v1/reports": (400,) * 6,
    "v1/reports/<str:secret>/withdraw": (404,) * 6,
    "v1/reports/<str:secret>/dispute": (404,) * 6,
    "review/next": (DETOUR, 403, 403, 404, 404, 403),
    "review/<hex:submission>/take": (DETOUR, 403, 403, 409, 302, 403),
    "review/<hex:submission>/renew": (DETOUR, 403, 403, 409, 200, 403),
    "review/<hex:submission>/release": (DETOUR, 403, 403, 409, 302, 403),
    "review/<hex:submission>/approve": (DETOUR, 403, 403, 409, 302, 403),
    "review/<hex:submission>/escalate": (DETOUR, 403, 403, 409, 302, 403),
    "review/<hex:submission>/reject": (DETOUR, 403, 403, 400, 400, 403),
    "review/<hex:submission>/request-changes": (DETOUR, 403, 403, 400, 400, 403),
    "review/<hex:submission>/skip": (DETOUR, 403, 403, 409, 302, 403),
    "review/<hex:submission>/conflict": (DETOUR, 403, 403, 409, 302, 403),
    "review/<hex:submission>/uphold": (DETOUR, 403, 403, 400, 400, 403),
    "review/<hex:submission>/overturn": (DETOUR, 403, 403, 400, 400, 403),
    "review/keys": (DETOUR, 403, 403, 302, 302, 403),
    "review/conflicts/<hex:conflict>/lift": (DETOUR, 403, 403, 404, 404, 403),
    "review/decisions/<hex:decision>/undo": (DETOUR, 403, 403, 404, 404, 403),
    "access/guest-passes": (DETOUR, 422, 422, 422, 422, 422),
    "access/guest-passes/<hex:guest_pass>/revoke": (DETOUR, 404, *NOT_MINE),
    "access/guest-passes/<hex:guest_pass>/downloads": (DETOUR, 404, *NOT_MINE),
    "g/<str:secret>": (404,) * 6,
    "g/<str:secret>/<hex:clip>/cancel": (404,) * 6,
    "v1/guest_passes": (401, 400, 400, 400, 400, 400),
    "v1/guest_passes/<str:pass_id>/revoke": (401, 404, *NOT_MINE),
    "v1/guest_passes/<str:pass_id>/downloads": (401, 404, *NOT_MINE),
    "v1/images/generations": (401, 400, 400, 400, 400, 400),
    "v1/videos": (401, 400, 400, 400, 400, 400),
    "v1/videos/<str:video_id>/cancel": (401, 409, *NOT_MINE),
    "v1/videos/<str:video_id>/remix": (401, 400, *NOT_MINE),
    **{f"v1/videos/{act}": (401, 400, 400, 400, 400, 400) for act in ("edits", "extensions", "characters")},
    "v1/submissions": (401, 400, 400, 400, 400, 400),
    "v1/submissions/<str:submission_id>/withdraw": (401, 200, *NOT_MINE),
    "v1/submissions/<str:submission_id>/sign_off": (401, 400, *NOT_MINE),
    "v1/submissions/<str:submission_id>/revise": (401, 400, *NOT_MINE),
    "v1/submissions/<str:submission_id>/appeal": (401, 400, *NOT_MINE),
    "v1/submissions/<str:submission_id>/withdraw_appeal": (401, 404, *NOT_MINE),
    "v1/reviews/next": (401, 403, 403, 404, 404, 403),
    "v1/reviews/<str:submission_id>/take": (401, 403, 403, 409, 200, 403),
    "v1/reviews/<str:submission_id>/renew": (401, 403, 403, 409, 200, 403),
    "v1/reviews/<str:submission_id>/release": (401, 403, 403, 409, 200, 403),
    "v1/reviews/<str:submission_id>/approve": (401, 403, 403, 409, 200, 403),
    "v1/reviews/<str:submission_id>/escalate": (401, 403, 403, 409, 200, 403),
    "v1/reviews/<str:submission_id>/reject": (401, 403, 403, 400, 400, 403),
    "v1/reviews/<str:submission_id>/request_changes": (401, 403, 403, 400, 400, 403),
    "v1/reviews/<str:submission_id>/conflict": (401, 403, 403, 409, 200, 403),
    "v1/reviews/<str:submission_id>/uphold": (401, 403, 403, 400, 400, 403),
    "v1/reviews/<str:submission_id>/overturn": (401, 403, 403, 400, 400, 403),
    "v1/reviews/<str:submission_id>/undo": (401, 403, 403, 404, 404, 403),
    "v1/publications/<str:publication_id>/withdraw": (401, 404, *NOT_MINE),
}
PATCHES = {"v1/webhook_endpoints/<str:endpoint_id>": (401, 403, 403, 403, 403, 403)}
DELETES = {
    **dict.fromkeys(("v1/tokens/<str:token_id>", "v1/conflicts/<str:conflict_id>"), (401, 404, *NOT_MINE)),
    "v1/webhook_endpoints/<str:endpoint_id>": (401, 403, 403, 403, 403, 403),
    "v1/videos/<str:video_id>": (401, 409, *NOT_MINE),  # it is with the reviewers
}
PEOPLE = ("guest", "artist", "stranger", "reviewer", "holder", "admin")
ADMINS = ("program",)
ANYBODY = (
    *("works/", "reports/", "feed.", "oembed", "robots.txt", ".well-known/", "policy.json", "policy/<", "schemas/"),
    *("invitations/", "sign-in/", "terms/<", "apply/", "g/", "departed/", "transparency"),
)
OPEN = (
    "v1/publications",
    "v1/reports",
    "v1/policy",
    "v1/schema",
    "v1/docs",
    "v1/leaks",
)  # to everybody: a scanner signs instead


def outside(door: str, person: str) -> int | None:
    """What somebody is told who may not pass this door at all, whatever they want there."""
    named = {"", "healthz", "readyz", "metrics", "terms", "docs/refusals", "home", "apply", "policy"}
    public = door in named or door.startswith(ANYBODY)
    if door.startswith("v1/"):
        open_to_all = door.startswith(OPEN) and door != "v1/publications/<str:publication_id>/withdraw"
        return 401 if person == "guest" and not open_to_all else None
    if public:
        return None
    if person == "guest":
        return DETOUR
    if door == "review" or door.startswith("review/"):
        return None if person in ("reviewer", "holder") else 403
    if door.startswith(ADMINS):
        return None if person == "admin" else 403
    return None


def expected(door: str, method: str, place: int) -> int:
    person, told = PEOPLE[place], DOORS[door][place]
    has_get = 405 not in DOORS[door]
    if method == "post" and door in POSTS:
        return POSTS[door][place]
    if method == "delete" and door in DELETES:
        return DELETES[door][place]
    if method == "patch" and door in PATCHES:
        return PATCHES[door][place]
    if method == "head" and has_get:
        return told
    if (refused := outside(door, person)) is not None:
        return refused
    if method == "options" and door.startswith("v1/"):
        return 200
    return 405


ALL = range(len(PEOPLE))


def test_every_door_answers_every_method_as_listed(cast):
    """What a door has a use for is asked by everybody; the rest, and one method in turn that none has a use for, by
    nobody known and by one of the five in turn."""
    turns, idle = itertools.cycle(ALL[1:]), itertools.cycle(["head", "put", "patch", "options"])
    used = {"post": POSTS, "delete": DELETES, "patch": PATCHES}

    def asked(door: str) -> Iterable[tuple[str, int]]:
        for method in ("post", "delete", next(idle)):
            yield from ((method, 0), (method, next(turns)))
        for method, takers in used.items():
            yield from ((method, place) for place in ALL if door in takers)

    ask_all(cast, asked)


@pytest.mark.soak
@pytest.mark.parametrize("method", ["head", "post", "put", "patch", "delete", "options"])
def test_and_everybody(cast, method):
    ask_all(cast, lambda door: [(method, place) for place in ALL])


def ask_all(cast, asked: Callable[[str], Iterable[tuple[str, int]]]) -> None:
    """Each door by the methods and the people, by their places, that `asked` gives for it."""
    submission, people = cast
    makers.sketch()
    clients = [(caller(actor, "v1/"), caller(actor, "")) for actor in people]
    wrong = []
    for door in DOORS:
        path = address(door, submission)
        for method, place in asked(door):
            client = clients[place][0 if door.startswith("v1/") else 1]
            with transaction.atomic():  # each asks of the same world
                if method == "post" and not door.startswith("v1/"):
                    answer = client.post(path, {"csrfmiddlewaretoken": "as every form"})
                elif door.startswith("v1/") and method in ("post", "put", "patch"):
                    answer = getattr(client, method)(path, {}, content_type="application/json")
                else:
                    answer = getattr(client, method)(path)
                transaction.set_rollback(True)
            if answer.status_code != expected(door, method, place):
                wrong.append((door, PEOPLE[place], answer.status_code, expected(door, method, place)))
    assert wrong == []


def test_each_door_that_takes_a_post_is_listed(cast):
    """And says so itself: what it lists as allowed is what stands here."""
    submission, people = cast
    browser, api = caller(people[4], ""), caller(people[4], "v1/")  # a reviewer passes most doors
    office = caller(people[5], "")
    takes = set()
    for door in DOORS:
        client = api if door.startswith("v1/") else office if door.startswith("program/") else browser
        allowed = client.put(address(door, submission)).get("Allow", "")
        if "POST" in allowed:
            takes.add(door)
    assert takes | {"invitations/<str:secret>", "sign-in/<str:secret>"} == set(POSTS)


def test_a_suspended_artist_reads_and_takes_back_and_makes_nothing_new(cast, artist, admin):
    submission, _ = cast
    makers.sketch()
    browser, api = caller(artist, ""), caller(artist, "v1/")
    members.suspend(artist.membership, by=admin, reason="A conversation is due.")
    for door, told in DOORS.items():
        client = api if door.startswith("v1/") else browser
        assert client.get(address(door, submission)).status_code == told[1], door
    words = {"title": "x", "credit": "y", "licence": "CC0-1.0"}
    video = f"video_{submission.generation_id.hex}"
    for path, body in (
        ("/v1/videos", {"prompt": "a red circle"}),
        ("/v1/submissions", {"video": video, **words}),
        (f"/v1/submissions/submission_{submission.pk.hex}/revise", words),
        (f"/v1/submissions/submission_{submission.pk.hex}/sign_off", {"name": "x", "revision": 1}),
    ):
        answer = api.post(path, body, content_type="application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "suspended"), path
    assert api.post(f"/v1/submissions/submission_{submission.pk.hex}/withdraw").status_code == 200


@pytest.mark.parametrize("how", ["left", "ended"])
def test_an_artist_who_has_gone_reads_and_takes_back_and_makes_nothing_new(cast, artist, admin, how):
    """Every page of theirs is there as before, by the browser; their tokens are dead."""
    submission, _ = cast
    makers.sketch()
    browser, api = caller(artist, ""), caller(artist, "v1/")
    membership = artist.membership
    if how == "left":
        members.leave(by=actors.person(artist.user))
    else:
        members.end(membership, by=admin, reason="The year is over.")
    for door, told in DOORS.items():
        client, wanted = (api, 401) if door.startswith("v1/") else (browser, told[1])
        if not door.startswith(OPEN):
            assert client.get(address(door, submission)).status_code == wanted, door
    words = {"title": "x", "credit": "y", "licence": "CC0-1.0"}
    for path, body in (
        ("/studio", {"prompt": "a red circle", "seconds": 1, "model": "sketch", "size": "256x256"}),
        (f"/mine/{submission.generation_id.hex}/submit", words),
        (f"/submissions/{submission.pk.hex}/sign-off", {"name": "x", "revision": 1}),
    ):
        answer = browser.post(path, body)
        assert (answer.status_code, answer.refusal) == (403, "not_a_member"), path
    assert browser.post(f"/submissions/{submission.pk.hex}/withdraw").status_code == 302
    submission.refresh_from_db()
    assert submission.state == "withdrawn"


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_made_up_token_opens_no_door(cast, method):
    """One that was good once: test_doors_frozen.py."""
    made_up = Client(headers={"authorization": "Bearer bat_artist_" + "A" * 36})
    for door in DOORS:
        if door.startswith("v1/") and door != "v1/leaks":
            assert getattr(made_up, method)(address(door, cast[0])).status_code == 401, door


def test_somebody_who_was_let_go_is_nobody(cast, artist):
    submission, _ = cast
    browser, api = caller(artist, ""), caller(artist, "v1/")
    type(artist.user).objects.filter(pk=artist.user.pk).update(is_active=False)
    for door, told in DOORS.items():
        client = api if door.startswith("v1/") else browser
        answer = client.get(address(door, submission))
        wanted = 401 if door.startswith("v1/") and door != "v1/leaks" else told[0]
        assert answer.status_code == wanted, door


# ---------------------------------------------------------------- Django's and allauth's own doors

ACCOUNTS = {
    # door → what GET answers to (a guest, somebody who is signed in)
    "accounts/login/": (200, 302),
    "accounts/logout/": (302, 200),
    "accounts/inactive/": (200, 200),
    "accounts/signup/": (200, 302),
    "accounts/reauthenticate/": (302, 403),  # who has no password can't
    "accounts/email/": (302, 200),
    "accounts/confirm-email/": (200, 200),
    "accounts/password/change/": (302, 302),
    "accounts/password/set/": (302, 200),
    "accounts/password/reset/": (200, 200),
    "accounts/login/code/confirm/": (302, 302),
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": (200, 200),
    "accounts/password/reset/key/done/": (200, 200),
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": (200, 200),
    "accounts/password/reset/done/": (200, 200),
    "accounts/2fa/": (302, 200),
    "accounts/2fa/authenticate/": (302, 302),
    "accounts/2fa/reauthenticate/": (302, 403),  # who has neither password nor second factor can't
    "accounts/2fa/totp/activate/": (302, 200),
    "accounts/2fa/totp/deactivate/": (302, 404),
    "accounts/2fa/recovery-codes/": (302, 404),
    "accounts/2fa/recovery-codes/generate/": (302, 200),
    "accounts/2fa/recovery-codes/download/": (302, 404),
    "accounts/2fa/webauthn/": (302, 200),
    "accounts/2fa/webauthn/add/": (302, 200),
    "accounts/2fa/webauthn/reauthenticate/": (302, 403),
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": (302, 404),
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": (302, 404),
    "accounts/2fa/webauthn/login/": (302, 302),
}


def test_every_door_of_the_accounts_is_listed_and_answers_so(artist, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    assert {door for door in doors() if door.startswith("accounts/")} == set(ACCOUNTS)
    wrong = []
    for door, told in ACCOUNTS.items():
        path = "/" + door.replace("^confirm-email/(?P<key>[-:\\w]+)/$", "confirm-email/made-up/").replace(
            "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", "password/reset/key/1-made-up/"
        )
        path = path.replace("<int:pk>", "1")
        for place, client in enumerate((Client(), caller(artist, ""))):
            answer = client.get(path)
            if answer.status_code != told[place]:
                wrong.append((door, place, answer.status_code, answer.get("Location")))
    assert wrong == []


def test_nobody_signs_up_by_themselves(guest, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    sent = {"email": "x@example.org", "password1": makers.PASSWORD, "name": "X"}
    answer = guest.post("/accounts/signup/", sent)
    assert answer.status_code in (200, 403)
    assert not makers.User.objects.filter(email="x@example.org").exists()


@pytest.mark.parametrize("method", ["get", "post", *seldom("put", "delete")])
def test_no_door_of_the_records_opens_to_anybody_but_an_admin(cast, method):
    submission, people = cast
    before = Submission.objects.count(), Decision.objects.count(), Publication.objects.count()
    clients = [caller(actor, "") for actor in people[:-1]]
    bearer = caller(people[4], "v1/")
    for door in doors():
        if door.startswith("admin/"):
            path = "/" + door.replace("<path:object_id>", str(submission.pk)).replace("<path:content_type_id>", "1")
            path = path.replace("(?P<url>.*)$", "anything").split("^")[0]
            for client in (clients[0], clients[4], bearer) if method != "get" else (*clients, bearer):
                answer = getattr(client, method)(path)
                assert answer.status_code in (302, 403, 404, 405), (path, answer.status_code)
    assert (Submission.objects.count(), Decision.objects.count(), Publication.objects.count()) == before
    assert all(door.startswith(OUTSIDE) or door in DOORS for door in doors())

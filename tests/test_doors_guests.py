"""Who holds a guest pass, before every door; and every byte of a guest's work, before everybody else."""

import pytest
from django.test import Client

from gateway import guest_passes
from generation.models import Generation
from review import queue
from tests import makers
from tests.test_doors import DOORS, address, caller, cast, doors, seldom, snapshot
from tests.test_doors_bytes import FILES, IN_TURN, WAYS, Work, addresses, files, leaks

__all__ = ["cast"]  # the fixture

pytestmark = pytest.mark.django_db
# The doors of a pass: door → what GET and POST answer to a guest who has drawn a clip with it.
THEIRS = {
    "g/<str:secret>": (200, 302),
    "g/<str:secret>/<hex:clip>": (200, 405),
    "g/<str:secret>/<hex:clip>/live": (200, 405),
    "g/<str:secret>/<hex:clip>/cancel": (405, 409),
    "g/<str:secret>/<hex:clip>/video.mp4": (200, 405),
    "g/<str:secret>/<hex:clip>/poster.webp": (200, 405),
}


@pytest.fixture
def at(artist) -> tuple[Client, str]:
    """A guest's browser, and the address of the clip that was drawn for it."""
    browser = Client()
    secret = makers.lent(artist)
    found = browser.post(f"/g/{secret}", {"prompt": "an unseen harbour", "model": "sketch", "seconds": "1"})["Location"]
    makers.drawn(Generation.objects.get(guest_pass__isnull=False))
    return browser, found


def filled(door: str, found: str) -> str:
    _, _, secret, clip = found.split("/")
    return "/" + door.replace("<str:secret>", secret).replace("<hex:clip>", clip)


def test_the_doors_of_a_pass_are_listed():
    assert {door for door in doors() if door.startswith("g/")} == set(THEIRS)


def test_a_pass_opens_its_own_doors(at):
    browser, found = at
    asked = {"prompt": "another", "model": "sketch", "seconds": "1"}
    for door, (get, post) in THEIRS.items():
        assert browser.get(filled(door, found)).status_code == get, door
        assert browser.post(filled(door, found), asked).status_code == post, door
        for method in ("put", "patch", "delete", "options"):
            assert getattr(browser, method)(filled(door, found)).status_code == 405, (door, method)


@pytest.mark.parametrize("method", ["get", "post", "delete", *seldom("head", "put", "patch", "options")])
def test_a_pass_opens_no_door_more_than_nobody_has(cast, at, method):
    """By cookie, by its secret as a bearer token, and both: at every other door a guest is nobody."""
    submission, _ = cast
    browser, found = at
    secret = found.split("/")[2]
    bearer = Client(headers={"authorization": f"Bearer {secret}"})
    bearer.cookies = browser.cookies
    nobody = Client()
    before = snapshot()
    wrong = []
    for door in DOORS:
        if door in THEIRS:
            continue
        path = address(door, submission)
        told = getattr(nobody, method)(path).status_code
        for guest in (browser, bearer):
            answer = getattr(guest, method)(path)
            # A bearer token that is none is refused also where no token is needed.
            fine = {told} | ({401} if guest is bearer and door.startswith("v1/") else set())
            if answer.status_code not in fine:
                wrong.append((door, answer.status_code, told))
    assert wrong == []
    assert snapshot() == before


def test_a_clips_doors_open_with_its_own_pass_alone(artist, at):
    browser, found = at
    other = makers.lent(artist)
    for door in THEIRS:
        if "clip" in door:
            path = filled(door, found).replace(found.split("/")[2], other)
            assert browser.get(path).status_code in (404, 405), door
            assert browser.post(path).status_code in (404, 405), door


@IN_TURN
@pytest.mark.parametrize("who", ["nobody", "another guest", "guest of another pass", "stranger", "reviewer", "admin"])
def test_no_byte_and_no_word_of_a_guests_work_comes_out_to_anybody_else(
    artist, stranger, reviewer, admin, tmp_path, who, every
):
    """Two works, one of them submitted and on somebody's desk, asked for at each door and in each way; each file in
    three of the ways in turn, in the soak in all.
    """
    secret = makers.lent(artist)
    works = {}
    for name in ("private", "submitted"):
        made = makers.queued(makers.visitor(secret, name), f"a {name} harbour that nobody has seen")
        work = works[name] = Work(name, makers.drawn(made, files(tmp_path, name)))
        if name == "submitted":
            work.submission = makers.submitted(artist, work.generation, title=f"Title of {name}")
            queue.take(work.submission, by=makers.reviewer("Rui"))
        work.chunks_once, work.words_once = work.chunks, work.words  # type: ignore[attr-defined]
    if who == "reviewer":  # the queue names what waits and what is held, by its title alone
        works["submitted"].words_once -= {"Title of submitted"}  # type: ignore[attr-defined]
    actor = {"stranger": stranger, "reviewer": reviewer, "admin": admin}.get(who)
    api, browser = caller(actor, "v1/"), caller(actor, "")
    passes = [secret] if who == "another guest" else [makers.lent(artist)] if who == "guest of another pass" else []
    for held in passes:
        browser.post(f"/g/{held}", {"prompt": "mine", "model": "sketch", "seconds": "1"})
    found = {}
    for work in works.values():
        paths = addresses(work)
        for held in passes:
            paths.append(f"/g/{held}")
            own = work.generation.guest_clip.hex if held != secret else work.generation.pk.hex
            paths += [f"/g/{held}/{own}{rest}" for rest in ("", "/live", "/video.mp4", "/poster.webp", "/sheet.webp")]
        for place, path in enumerate(paths):
            client = api if path.startswith("/v1/") else browser
            ways = WAYS if every else WAYS[place % 3 :: 3]
            for method, headers in ways if path.endswith(FILES) else WAYS[:1]:
                sent = {name: value.format(sha256=work.sha256) for name, value in headers.items()}
                if leaked := leaks(getattr(client, method)(path, headers=sent), works, {}):
                    found[(path, method, str(headers))] = leaked
    assert found == {}


def test_the_scan_finds_a_guests_clip_where_it_may_be(artist, tmp_path):
    """Else the test above would say nothing."""
    secret = makers.lent(artist)
    made = makers.drawn(makers.queued(makers.visitor(secret), "an unseen harbour"), files(tmp_path, "private"))
    work = Work("private", made)
    work.chunks_once, work.words_once = work.chunks, work.words  # type: ignore[attr-defined]
    at = f"/g/{secret}/{made.guest_clip.hex}"
    assert leaks(Client().get(f"{at}/video.mp4"), {"private": work}, {}) == ["private: video"]
    assert leaks(Client().get(at), {"private": work}, {}) == ["private: an unseen harbour"]
    assert guest_passes.find(secret)

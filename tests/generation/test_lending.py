"""Guest passes at the doors: the artist's page, the guest's pages, REST."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from gateway import actors, brakes, guest_passes, keys, members
from gateway.actors import Actor
from gateway.models import Detail, Entry, GuestPass
from generation import generations, guests, scheduling, worker
from generation.models import Generation
from review import queue
from review.models import Submission
from tests import makers
from tests.browser import Browser

pytestmark = pytest.mark.django_db
ASKED = {"prompt": "a purple ladder", "model": "sketch", "seconds": "1"}
LENT = {"label": "Workshop", "generations": "5", "credits": "10", "days": "7", "per_address": "50"}


@pytest.fixture
def secret(artist: Actor) -> str:
    return makers.lent(artist)


def words(answer: Any) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split()))


def ask(client: Client, secret: str, **asked: str) -> str:
    """Ask for a clip, and return its address."""
    answer = client.post(f"/g/{secret}", {**ASKED, **asked})
    assert answer.status_code == 302, words(answer)
    return str(answer["Location"])


def drawn(client: Client, secret: str, **asked: str) -> str:
    at = ask(client, secret, **asked)
    makers.drawn(Generation.objects.get(guest_clip=at.rpartition("/")[2]))
    return at


# ---------------------------------------------------------------- the guest


def test_the_page_says_whose_pass_it_is_what_is_left_and_under_which_terms(guest: Client, secret: str):
    page = words(guest.get(f"/g/{secret}"))
    for told in (
        "Ines Marchetti lends you 5 clips",
        "“Workshop” · 10 credits left · until",
        "Ines Marchetti sees what you write",
        "The clip belongs to Ines",
        "Write nothing personal",
        "Ines has not opened downloads",
        "logged with the address",
    ):
        assert told in page


def test_the_whole_way_without_scripts(artist: Actor, secret: str):
    """A prompt, its progress, the clip, and back to it: as a browser without scripts does it, forgery check on."""
    browser = Browser()
    browser.goes_to(f"/g/{secret}").sends(f"/g/{secret}", prompt="a purple ladder")
    at = browser.where
    assert re.fullmatch(rf"/g/{secret}/[0-9a-f]{{32}}", at)
    browser.reads("Next in line", "Keep this page's address")
    assert '<meta http-equiv="refresh"' in browser.page
    makers.drawn(Generation.objects.get())
    browser.goes_to(at).reads("“a purple ladder”", "Ines Marchetti sees this prompt")
    assert f'src="{at}/video.mp4"' in browser.page
    assert browser.client.get(f"{at}/video.mp4").status_code == 200
    browser.goes_to(f"/g/{secret}").reads("lends you 4 clips", "What you asked for", "“a purple ladder”")
    assert f'href="{at}"' in browser.page


def test_a_clips_address_stays_also_in_another_browser(guest: Client, secret: str):
    at = drawn(guest, secret)
    elsewhere = Client()
    assert elsewhere.get(at).status_code == 200
    assert elsewhere.get(f"{at}/video.mp4").status_code == 200
    assert "a purple ladder" not in words(elsewhere.get(f"/g/{secret}")), "the list is the first browser's"
    assert elsewhere.post(f"{at}/cancel").status_code == 404


def test_an_address_is_random_and_tells_no_id_of_ours(guest: Client, secret: str):
    at = ask(guest, secret)
    generation = Generation.objects.get()
    assert generation.guest_clip is not None
    assert generation.guest_clip.version == 4
    for path in (at, f"{at}/live", f"/g/{secret}"):
        assert generation.pk.hex not in guest.get(path).content.decode()
    assert guest.get(f"/g/{secret}/{generation.pk.hex}").status_code == 404


def test_another_guest_of_the_same_pass_sees_nothing_of_it(guest: Client, secret: str):
    at = drawn(guest, secret, prompt="a purple ladder")
    other = Client()
    own = drawn(other, secret, prompt="a grey kettle")
    page = words(other.get(f"/g/{secret}"))
    assert "a grey kettle" in page
    assert "a purple ladder" not in page
    assert at.rpartition("/")[2] not in other.get(f"/g/{secret}").content.decode()
    assert "a grey kettle" not in words(guest.get(f"/g/{secret}"))
    assert own != at


@pytest.mark.parametrize("cookie", ["", "x", "0" * 32, "made:up:signature"])
def test_a_made_up_cookie_is_nobody(guest: Client, secret: str, cookie: str):
    ask(guest, secret)
    (name,) = [name for name in guest.cookies if name.startswith("bat_guest")]
    other = Client()
    other.cookies[name] = cookie
    assert "a purple ladder" not in words(other.get(f"/g/{secret}"))


def test_a_cookie_of_one_pass_is_nothing_on_another(artist: Actor, guest: Client, secret: str):
    ask(guest, secret)
    other = makers.lent(artist)
    (cookie,) = [morsel for name, morsel in guest.cookies.items() if name.startswith("bat_guest")]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (f"/g/{secret}", True, "Lax")
    thief = Client()
    thief.cookies[cookie.key] = cookie.value
    assert "a purple ladder" not in words(thief.get(f"/g/{other}"))


def test_no_page_of_a_guest_is_kept_indexed_or_told_to_others(guest: Client, artist: Actor, secret: str):
    at = drawn(guest, secret)
    for path in (f"/g/{secret}", at, f"{at}/live", f"{at}/video.mp4", f"{at}/poster.webp", f"{at}x", f"/g/{secret}x"):
        answer = guest.get(path)
        if answer.status_code == 404 and "x" in path[-1]:
            continue  # no door, or no pass
        assert answer["Cache-Control"] == "private, no-store", path
        assert "noindex" in answer["X-Robots-Tag"]
        assert answer["Referrer-Policy"] == "same-origin"
    gone = guest.get(f"/g/{keys.make('guest')}")
    assert (gone.status_code, gone["Cache-Control"]) == (404, "private, no-store")


def test_progress_is_told_in_parts(guest: Client, secret: str):
    at = ask(guest, secret)
    page = guest.get(at).content.decode()
    seen = re.search(r"seen=([0-9a-f]+)", page)
    assert seen
    assert guest.get(f"{at}/live", {"seen": seen[1]}).status_code == 204
    scheduling.claim("default", worker="gpu@test")
    Generation.objects.update(step=3)
    further = guest.get(f"{at}/live", {"seen": seen[1]})
    assert "Step 3 of" in words(further)
    makers.drawn(Generation.objects.get())
    assert guest.get(f"{at}/live", {"seen": seen[1]})["HX-Refresh"] == "true"


def test_a_guest_takes_back_what_they_asked_for(guest: Client, secret: str):
    at = ask(guest, secret)
    assert guest.post(f"{at}/cancel")["Location"] == at
    assert "does not count on the guest pass" in words(guest.get(at))
    assert "lends you 5 clips" in words(guest.get(f"/g/{secret}"))
    assert guest.post(f"{at}/cancel").status_code == 409


def test_what_fails_says_so_and_costs_nothing(guest: Client, secret: str):
    at = ask(guest, secret)
    generation = scheduling.claim("default", worker="w")
    worker._fail(generation, actors.worker("w"), "x", "CUDA out of memory in /srv.")  # type: ignore[arg-type]
    page = words(guest.get(at))
    assert "Nothing was made" in page
    assert "CUDA" not in page


@pytest.mark.parametrize(
    ("changed", "status", "sentence"),
    [
        ({"prompt": ""}, 422, "This field is required."),
        ({"prompt": "word " * 23}, 400, "The prompt has 23 words"),
        ({"seconds": "9"}, 422, "Select a valid choice."),
        ({"model": "mochi"}, 422, "Select a valid choice."),
    ],
)
def test_a_no_stands_on_the_page(guest: Client, secret: str, changed: dict[str, str], status: int, sentence: str):
    answer = guest.post(f"/g/{secret}", {**ASKED, **changed})
    assert answer.status_code == status
    assert sentence in words(answer)
    assert not Generation.objects.exists()


def test_what_a_guest_may_not_choose_is_not_read(guest: Client, secret: str):
    ask(guest, secret, steps="50", seed="7", size="1x1", guidance="99")
    generation = Generation.objects.get()
    assert generation.steps == generation.model.steps
    assert generation.size == generation.model.sizes[0]


def test_what_is_typed_is_text_and_never_markup(guest: Client, secret: str, artist: Actor, browser_of: Any):
    at = ask(guest, secret, prompt="<script>alert(1)</script>")
    for path in (at, f"/g/{secret}", f"{at}/live"):
        assert b"<script>alert(1)" not in guest.get(path).content
    assert b"<script>alert(1)" not in browser_of(artist).get("/mine").content


def test_a_used_up_pass_shows_what_was_made_and_takes_nothing(artist: Actor, guest: Client):
    secret = makers.lent(artist, generations=1)
    at = drawn(guest, secret)
    page = guest.get(f"/g/{secret}")
    assert page.status_code == 200
    assert "This guest pass is used up" in words(page)
    assert 'name="prompt"' not in page.content.decode()
    assert guest.get(at).status_code == 200
    answer = guest.post(f"/g/{secret}", ASKED)
    assert answer.status_code == 403
    assert Generation.objects.count() == 1


@pytest.mark.parametrize(("happens", "status"), [("revoked", 410), ("ended", 410), ("paused", 403), ("braked", 403)])
def test_a_pass_that_is_over_closes_every_page_and_byte(
    artist: Actor, admin: Actor, guest: Client, secret: str, happens: str, status: int
):
    at, waiting = drawn(guest, secret), ask(guest, secret)
    first = guest.get(f"{at}/video.mp4", headers={"range": "bytes=0-99"})
    assert first.status_code == 206
    row = guest_passes.find(secret)
    if happens == "revoked":
        guests.revoke(row, by=artist)
    elif happens == "ended":
        GuestPass.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(days=1), ends_at=Now())
    elif happens == "braked":
        brakes.pull("guest_pass", row.pk, by=actors.SYSTEM, label="it", reason="It went round a forum")
    else:
        members.suspend(row.membership, by=admin, reason="x")
    for path in (
        f"/g/{secret}",
        at,
        f"{at}/live",
        f"{at}/video.mp4",
        f"{at}/poster.webp",
        f"{at}/video.mp4?download=1",
    ):
        for headers in ({}, {"range": "bytes=100-199"}):
            answer = guest.get(path, headers=headers)
            assert answer.status_code == status, path
            assert not answer.streaming
    assert guest.post(f"/g/{secret}", ASKED).status_code == status
    assert guest.post(f"{waiting}/cancel").status_code == status
    told = {"revoked": "has taken this guest pass back", "ended": "has ended"}.get(happens, "rests at the moment")
    assert told in words(guest.get(f"/g/{secret}"))


def test_downloads_are_the_artists_switch_at_once(artist: Actor, guest: Client, secret: str, browser_of: Any):
    at = drawn(guest, secret)
    row = guest_passes.find(secret)
    switch = f"/access/guest-passes/{row.pk.hex}/downloads"
    assert guest.get(f"{at}/video.mp4")["Content-Disposition"].startswith("inline")
    assert guest.get(f"{at}/video.mp4?download=1").status_code == 404
    assert "download=1" not in guest.get(at).content.decode()
    assert 'controlslist="nodownload"' in guest.get(at).content.decode(), "the browser's own menu offers none either"
    browser_of(artist).post(switch, {"may_download": "yes"})
    assert guest.get(f"{at}/video.mp4?download=1")["Content-Disposition"].startswith("attachment")
    assert "download=1" in guest.get(at).content.decode()
    assert "nodownload" not in guest.get(at).content.decode()
    browser_of(artist).post(switch, {"may_download": "no"})
    assert guest.get(f"{at}/video.mp4?download=1").status_code == 404


def test_under_a_brake_on_the_artist_a_guest_reads_no_reason(artist: Actor, guest: Client, secret: str):
    at = ask(guest, secret)
    brakes.pull("artist", artist.user.pk, by=actors.SYSTEM, label="Ines", reason="A quarrel")  # type: ignore[union-attr]
    answer = guest.post(f"/g/{secret}", ASKED)
    assert answer.status_code == 403
    for told in (answer, guest.get(f"/g/{secret}"), guest.get(at)):
        assert "quarrel" not in words(told)
    assert guest.get(at).status_code == 200, "what is there can be seen"


def test_limits_are_told_in_their_own_sentence(artist: Actor, guest: Client):
    secret = makers.lent(artist, per_address=1)
    ask(guest, secret)
    answer = Client().post(f"/g/{secret}", ASKED)
    assert answer.status_code == 429
    assert "1 clip was asked for today" in words(answer)
    elsewhere = Client(REMOTE_ADDR="198.51.100.9")
    assert ask(elsewhere, secret)


def test_a_signed_in_artist_with_a_link_is_a_guest_there(artist: Actor, stranger: Actor, secret: str, browser_of: Any):
    browser = browser_of(stranger)
    at = ask(browser, secret)
    generation = Generation.objects.get()
    assert generation.membership == artist.membership
    assert Generation.objects.visible_to(stranger).count() == 0
    assert browser.get(at).status_code == 200
    assert browser.get(f"/mine/{generation.pk.hex}").status_code == 404


def test_the_log_names_the_pass_and_never_its_link(guest: Client, secret: str, caplog: pytest.LogCaptureFixture):
    at = ask(guest, secret)
    guest.get(at)
    guest.get(f"/g/{secret[:-1]}")
    bodies = [bytes(entry.body).decode() for entry in Entry.objects.all()]
    row = guest_passes.find(secret)
    answered = [body for body in bodies if "request.answered" in body and "g/<str:secret>" in body]
    assert any(f'"guest_pass":"{row.pk}"' in body for body in answered)
    details = [bytes(detail.body).decode() for detail in Detail.objects.all()]
    for text in bodies + details:
        assert secret[:-1] not in text
    assert any("/g/bat_guest_…" in text for text in details)


def test_the_operators_log_has_no_link_either(secret: str):
    record = logging.LogRecord("django.request", 30, "", 0, "%s: %s", ("Gone", f"/g/{secret}/abc"), None)
    assert keys.Redacting().filter(record)
    assert record.getMessage() == "Gone: /g/bat_guest_…/abc"


# ---------------------------------------------------------------- the artist


def test_the_link_is_shown_once_and_kept_by_no_cache(artist: Actor, browser_of: Callable[..., Client]):
    makers.sketch()
    browser = browser_of(artist)
    answer = browser.post("/access/guest-passes", LENT)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    found = re.search(r"/g/(bat_guest_\w+)", answer.content.decode())
    assert found
    assert guest_passes.find(found[1]).label == "Workshop"
    again = browser.get("/access/guest-passes")
    assert found[1] not in again.content.decode()
    assert "Workshop" in words(again)


@pytest.mark.parametrize(
    "changed",
    [
        {"label": ""},
        {"generations": "0"},
        {"credits": "-1"},
        {"days": "1000"},
        {"per_address": "x"},
        {"models": "mochi"},
    ],
)
def test_a_form_that_lends_nothing_sensible_issues_nothing(
    artist: Actor, browser_of: Callable[..., Client], changed: dict[str, str]
):
    makers.sketch()
    assert browser_of(artist).post("/access/guest-passes", {**LENT, **changed}).status_code == 422
    assert not GuestPass.objects.exists()


def test_the_artist_sees_the_use_so_far(artist: Actor, guest: Client, secret: str, browser_of: Callable[..., Client]):
    browser = browser_of(artist)
    assert "0 of 5 clips · 0 of 10 credits · 0 guests" in words(browser.get("/access/guest-passes"))
    ask(guest, secret, seconds="2")
    ask(Client(), secret)
    page = words(browser.get("/access/guest-passes"))
    assert "2 of 5 clips · 3 of 10 credits · 2 guests" in page
    assert "last used" in page


def test_taking_it_back_by_the_page(artist: Actor, guest: Client, secret: str, browser_of: Callable[..., Client]):
    at = ask(guest, secret)
    row = guest_passes.find(secret)
    browser = browser_of(artist)
    assert browser.post(f"/access/guest-passes/{row.pk.hex}/revoke").status_code == 302
    assert guest.get(at).status_code == 410
    assert Generation.objects.get().state == "cancelled"
    page = words(browser.get("/access/guest-passes"))
    assert "is taken back" in page and "Taken back" in page
    assert browser.post(f"/access/guest-passes/{row.pk.hex}/revoke").status_code == 302


@pytest.mark.parametrize("act", ["revoke", "downloads"])
def test_a_stranger_does_nothing_to_it(
    stranger: Actor, secret: str, browser_of: Callable[..., Client], client_of: Any, act: str
):
    row = guest_passes.find(secret)
    assert browser_of(stranger).post(f"/access/guest-passes/{row.pk.hex}/{act}").status_code == 404
    api = client_of(stranger)
    assert api.post(f"/v1/guest_passes/guest_pass_{row.pk.hex}/{act}", {"may_download": True}).status_code == 404
    assert "Workshop" not in words(browser_of(stranger).get("/access/guest-passes"))
    assert guest_passes.find(secret).may_download is False


def test_a_guests_work_is_marked_and_is_the_artists_to_show(
    artist: Actor, guest: Client, secret: str, browser_of: Callable[..., Client]
):
    drawn(guest, secret, prompt="a purple ladder")
    own = makers.completed(artist, prompt="a grey kettle")
    generation = Generation.objects.get(guest_pass__isnull=False)
    browser = browser_of(artist)
    page = words(browser.get(f"/mine/{generation.pk.hex}"))
    assert "Made by a guest with your guest pass “Workshop”" in page
    assert "A guest asked for it. 1 credit set aside." in page
    assert "You asked for it" not in page
    listed = words(browser.get("/mine?show=guests"))
    assert "a purple ladder" in listed and "By a guest, “Workshop”" in listed and "a grey kettle" not in listed
    assert "Made by a guest" not in words(browser.get(f"/mine/{own.pk.hex}"))
    form = {"title": "Kiln", "credit": "Ines", "licence": "CC-BY-4.0"}
    assert browser.post(f"/mine/{generation.pk.hex}/submit", form).status_code == 302


def test_a_reviewer_reads_that_a_guest_made_it_and_nobody_reviews_a_work_of_their_own_pass(
    reviewer: Actor, guest: Client, browser_of: Callable[..., Client]
):
    both = makers.artist("Both")
    type(both.user).objects.filter(pk=both.user.pk).update(is_reviewer=True)  # type: ignore[union-attr]
    both.user.refresh_from_db()  # type: ignore[union-attr]
    secret = makers.lent(both)
    drawn(guest, secret)
    submission = makers.submitted(both, Generation.objects.get())
    assert not queue.waiting_for(both).exists()
    queue.take(submission, by=reviewer)
    page = words(browser_of(reviewer).get(f"/review/{submission.pk.hex}"))
    assert "A guest wrote the prompt, through a guest pass" in page
    assert "Workshop" not in page
    assert Submission.objects.get().membership == both.membership


def test_who_cancelled_is_told(artist: Actor, guest: Client, secret: str, browser_of: Callable[..., Client]):
    by_guest, by_artist = ask(guest, secret), ask(guest, secret, prompt="a grey kettle")
    guest.post(f"{by_guest}/cancel")
    second = Generation.objects.get(guest_clip=by_artist.rpartition("/")[2])
    generations.cancel(second, by=artist)
    first = Generation.objects.exclude(pk=second.pk).get()
    browser = browser_of(artist)
    assert "The guest cancelled it" in words(browser.get(f"/mine/{first.pk.hex}"))
    assert "You cancelled it" in words(browser.get(f"/mine/{second.pk.hex}"))


# ---------------------------------------------------------------- REST


def test_lending_by_rest(artist: Actor, client_of: Callable[..., APIClient]):
    makers.sketch()
    api = client_of(artist)
    asked = {"label": "Script", "generations": 2, "credits": 4, "models": ["sketch"], "may_download": True}
    answer = api.post("/v1/guest_passes", asked, format="json")
    assert answer.status_code == 201, answer.json()
    made = answer.json()
    secret = made["link"].rpartition("/")[2]
    assert answer["Cache-Control"] == "no-store"
    assert (made["status"], made["generations"], made["models"]) == ("open", {"limit": 2, "used": 0}, ["sketch"])
    ask(Client(), secret)
    one = api.get(f"/v1/guest_passes/{made['id']}").json()
    assert (one["generations"]["used"], one["credits"]["used"], one["guests"]) == (1, 1, 1)
    assert "link" not in one
    listed = api.get("/v1/guest_passes").json()
    assert [row["id"] for row in listed["data"]] == [made["id"]]
    assert secret not in str(listed)
    (video,) = api.get("/v1/videos").json()["data"]
    assert video["guest_pass"] == made["id"]
    assert api.post(f"/v1/guest_passes/{made['id']}/downloads", {"may_download": False}).json()["may_download"] is False
    assert api.post(f"/v1/guest_passes/{made['id']}/downloads", {}, format="json").status_code == 400
    over = api.post(f"/v1/guest_passes/{made['id']}/revoke").json()
    assert (over["status"], over["actions"]) == ("revoked", [])
    assert Client().get(f"/g/{secret}").status_code == 410


def test_a_token_without_the_scope_lends_and_revokes_nothing(artist: Actor, secret: str, client_of: Any):
    row = guest_passes.find(secret)
    api = client_of(artist, "submit")
    asked = {"label": "x", "generations": 1, "credits": 1}
    for path, body in (
        ("/v1/guest_passes", asked),
        (f"/v1/guest_passes/guest_pass_{row.pk.hex}/revoke", {}),
        (f"/v1/guest_passes/guest_pass_{row.pk.hex}/downloads", {"may_download": True}),
    ):
        answer = api.post(path, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope"), path


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"generations": 0}, "generations"),
        ({"models": ["x"]}, "models"),
        ({"days": 1000}, "days"),
        ({"label": ""}, "label"),
    ],
)
def test_rest_says_what_is_wrong(artist: Actor, client_of: Any, wrong: dict[str, Any], param: str):
    makers.sketch()
    asked = {"label": "x", "generations": 1, "credits": 1, **wrong}
    answer = client_of(artist).post("/v1/guest_passes", asked, format="json")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_guest_has_no_interface(secret: str):
    api = APIClient(headers={"authorization": f"Bearer {secret}"})
    for path in ("/v1/videos", "/v1/guest_passes", "/v1/models"):
        assert api.get(path).status_code == 401


def test_while_the_artist_is_braked_what_a_guest_typed_stays_on_the_page(artist: Actor, guest: Client, secret: str):
    assert artist.user is not None
    brakes.pull("artist", artist.user.pk, by=actors.SYSTEM, label="it", reason="A conversation is due")
    answer = guest.post(f"/g/{secret}", ASKED)
    assert answer.status_code == 403
    assert "rests at the moment" in words(answer) and "conversation" not in words(answer)
    assert ASKED["prompt"] in answer.content.decode()

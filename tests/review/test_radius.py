"""What a brake would touch, its page, its resource and its command."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from gateway import actors, brakes, refusals
from gateway.actors import Actor
from gateway.models import Brake, Notice, Token
from review import radius
from tests import makers
from tests.gateway.test_brakes import over

pytestmark = pytest.mark.django_db


def test_the_radius_counts_what_hangs_on_each_target(artist: Actor, stranger: Actor, no_undo: None):
    assert artist.user and artist.membership
    token = makers.token(artist)
    public = makers.published(artist)
    makers.queued(artist)
    makers.queued(stranger)
    link = makers.lent(stranger)
    makers.queued(makers.visitor(link))
    everything = {
        "people": 3,
        "tokens": 1,
        "guest_passes": 1,
        "waiting": 3,
        "running": 0,
        "public": 1,
    }  # and who reviewed
    cases = {
        ("all", ""): everything,
        ("artist", artist.user.email.upper()): {**everything, "people": 1, "guest_passes": 0, "waiting": 1},
        ("cohort", artist.membership.cohort.name): {**everything, "people": 1, "guest_passes": 0, "waiting": 1},
        ("model", "sketch"): {**everything, "people": 2, "tokens": 0, "guest_passes": 0, "public": 0},
        ("token", token[-4:]): {**everything, "people": 1, "guest_passes": 0, "waiting": 0, "public": 0},
        **{
            ("guest_pass", which): {**everything, "people": 1, "tokens": 0, "waiting": 1, "public": 0}
            for which in (link[-4:], f"http://localhost/g/{link}", link)
        },
        ("publication", f"http://localhost/works/{public.pk.hex}"): {
            "people": 1, "tokens": 0, "guest_passes": 0, "waiting": 0, "running": 0, "public": 1,
        },
    }  # fmt: skip
    for (scope, which), counts in cases.items():
        target, label = radius.find(scope, which)
        assert radius.of(scope, target, label).counts == counts, scope


@pytest.mark.parametrize(
    "scope", ["token", "guest_pass", "session", "artist", "cohort", "model", "publication", "moon"]
)
@pytest.mark.parametrize("which", ["", "nothing", "0" * 32, "'; drop table"])
def test_what_is_not_there_is_named_with_a_hint(scope: str, which: str):
    if (scope, which) == ("session", "0" * 32):
        return  # a session is known by its alias alone
    with pytest.raises(refusals.NothingToStop, match=r"There is no .* here"):
        radius.find(scope, which)


def test_two_of_one_name_are_not_guessed_between():
    makers.artist("Ada Ada")
    makers.artist("Ada Ada")
    with pytest.raises(refusals.NothingToStop, match="there are several"):
        radius.find("artist", "Ada Ada")


def test_it_is_previewed_then_pulled_then_released_by_an_admin(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    assert artist.user is not None
    office = browser_of(admin)
    asked = {"scope": "artist", "which": artist.user.email, "reason": "A conversation is due.", "minutes": "60"}
    shown = office.post("/program/brakes", {**asked, "step": "preview"})
    assert shown.status_code == 200 and b"It would touch" in shown.content
    assert not Brake.objects.exists()
    assert office.post("/program/brakes", {**asked, "step": "pull"}).status_code == 302
    brake = Brake.objects.get()
    assert (brake.target, brake.pulled_by, brake.source) == (artist.user.pk, admin.user, "admin")
    assert 59 < (brake.ends_at - brake.created_at).total_seconds() / 60 < 61  # type: ignore[operator]
    assert office.post(f"/program/brakes/{brake.pk.hex}/release", {"why": "We have talked."}).status_code == 302
    told = Notice.objects.filter(user=artist.user).order_by("created_at").values_list("body", flat=True)
    assert "A conversation is due." in told[0] and told[1] == "We have talked."


def test_a_wrong_name_keeps_what_was_typed(admin: Actor, browser_of: Callable[..., Client]):
    answer = browser_of(admin).post(
        "/program/brakes", {"scope": "model", "which": "moon", "reason": "It is too bright.", "step": "pull"}
    )
    assert answer.status_code == 404
    assert b"It is too bright." in answer.content and b"moon" in answer.content


def test_the_same_by_rest_in_an_admins_session(admin: Actor, artist: Actor, browser_of: Callable[..., Client]):
    office = browser_of(admin)
    makers.sketch()
    shown = office.get("/v1/brakes/preview?scope=model&which=sketch").json()
    assert shown["touches"]["waiting"] == 0
    made = office.post(
        "/v1/brakes",
        {"scope": "model", "which": "sketch", "reason": "It draws moons."},
        content_type="application/json",
    )
    assert made.status_code == 201 and made.json()["actions"] == ["release"]
    assert office.get("/v1/brakes").json()["data"][0]["id"] == made.json()["id"]
    gone = office.post(f"/v1/brakes/{made.json()['id']}/release", {"why": "No more."}, content_type="application/json")
    assert (gone.status_code, gone.json()["status"]) == (200, "released")
    assert office.post(f"/v1/brakes/{made.json()['id']}/release").status_code == 409
    assert (
        office.post("/v1/brakes", {"scope": "all", "reason": " "}, content_type="application/json").status_code == 400
    )
    assert browser_of(artist).get("/v1/brakes").status_code == 403


def test_by_the_command_line_when_the_web_is_down(artist: Actor, client_of: Callable[..., Any]):
    client, out = client_of(artist), StringIO()
    last_four = Token.objects.get().last_four
    call_command("brake", "preview", "token", last_four, stdout=out)
    assert "A brake on the token “test”" in out.getvalue()
    call_command("brake", "pull", "token", last_four, "--reason", "It leaked.", stdout=out)
    assert client.get("/v1/videos").json()["error"]["code"] == "braked"
    call_command("brake", "list", stdout=out)
    assert out.getvalue().count(Brake.objects.get().pk.hex) == 2
    call_command("brake", "release", Brake.objects.get().pk.hex, stdout=out)
    assert client.get("/v1/videos").status_code == 200
    for wrong in (["pull", "artist", "nobody", "--reason", "x"], ["release", "moon"], ["pull", "all", "--reason", " "]):
        with pytest.raises(CommandError, match=r"\w+ \w+"):
            call_command("brake", *wrong)


def test_what_has_reached_its_end_is_put_away_and_said(artist: Actor):
    assert artist.user is not None
    brake = radius.pull("artist", artist.user.email, by=actors.SYSTEM, reason="A pause.", minutes=5)
    assert radius.put_away() == 0
    over(brake)
    assert (radius.put_away(), radius.put_away()) == (1, 0)
    brake.refresh_from_db()
    assert brake.state == "released"
    assert Notice.objects.filter(user=artist.user, body="Its time was over.").count() == 1


# ---------------------------------------------------------------- public doors


@pytest.mark.parametrize("scope", ["publication", "artist", "cohort", "all"])
def test_a_braked_work_is_on_no_public_door_until_the_release(
    scope: str, artist: Actor, guest: Client, no_undo: None, client_of: Callable[..., Any]
):
    assert artist.user and artist.membership
    other = makers.published(makers.artist())
    work = makers.published(artist)
    pages = [f"/works/{work.pk.hex}", f"/works/{work.pk.hex}/video.mp4", f"/works/{work.pk.hex}/poster.webp"]
    resources = [f"/v1/publications/publication_{work.pk.hex}{rest}" for rest in ("", "/content")]
    which = {"publication": work.pk.hex, "artist": artist.user.email, "cohort": artist.membership.cohort.name}
    brake = radius.pull(scope, which.get(scope, ""), by=actors.SYSTEM, reason="A claim is looked into.", closes=True)
    for path in pages + resources:
        answer = guest.get(path, headers={"Range": "bytes=0-9"})
        assert answer.status_code == 403, path
        assert work.revision.title not in answer.content.decode()
    assert work.pk.hex not in guest.get("/").content.decode()
    assert work.pk.hex not in str(guest.get("/v1/publications").json())
    assert (guest.get(f"/works/{other.pk.hex}").status_code == 200) == (scope != "all")
    brakes.release(brake, by=actors.SYSTEM)
    assert [guest.get(path).status_code for path in pages + resources] == [200] * 5


def test_public_works_stay_when_a_brake_does_not_close(artist: Actor, guest: Client, no_undo: None):
    assert artist.user is not None
    work = makers.published(artist)
    radius.pull("artist", artist.user.email, by=actors.SYSTEM, reason="A conversation is due.")
    radius.pull("all", "", by=actors.SYSTEM, reason="We mend something.")
    assert guest.get(f"/works/{work.pk.hex}/video.mp4").status_code == 200
    assert work.pk.hex in guest.get("/").content.decode()


def test_a_braked_work_is_still_its_artists_to_withdraw(artist: Actor, client_of: Callable[..., Any], no_undo: None):
    work = makers.published(artist)
    radius.pull("publication", work.pk.hex, by=actors.SYSTEM, reason="A claim is looked into.")
    assert client_of(artist).post(f"/v1/publications/publication_{work.pk.hex}/withdraw").status_code == 200

"""Who is at the door: from a request to an Actor, and the guards that views wear."""

from collections.abc import Callable

import pytest
from django.test import Client

from gateway.actors import Actor
from gateway.models import User
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/studio", "/studio?prompt=a+red+circle&seed=7", "/studio?prompt=50%25+%26+more"])
def test_who_must_sign_in_first_comes_back_to_the_very_page_they_asked_for(guest: Client, path: str):
    user = makers.user("Ines")
    user.set_password(makers.PASSWORD)
    user.save()
    page = guest.get(path, follow=True)
    sent = {"login": user.email, "password": makers.PASSWORD, "next": page.context["redirect_field_value"]}
    assert guest.post("/accounts/login/", sent)["Location"] == path


def test_who_posted_without_being_signed_in_lands_at_home_and_nothing_was_done(guest: Client):
    answer = guest.post("/studio", {"prompt": "a red circle"})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/home")


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(guest: Client, next_: str):
    user = makers.user("Ines")
    user.set_password(makers.PASSWORD)
    user.save()
    answer = guest.post("/accounts/login/", {"login": user.email, "password": makers.PASSWORD, "next": next_})
    assert answer["Location"] == "/home"


@pytest.mark.parametrize(
    ("who", "path", "sentence"),
    [
        ("artist", "/review", "Only a reviewer may do that."),
        ("admin", "/review", "Only a reviewer may do that."),
        ("artist", "/program/invitations", "Only an admin may do that."),
        ("reviewer", "/program/invitations", "Only an admin may do that."),
    ],
)
def test_a_guard_says_whom_it_lets_through(
    request: pytest.FixtureRequest, browser_of: Callable[..., Client], who: str, path: str, sentence: str
):
    answer = browser_of(request.getfixturevalue(who)).get(path)
    assert answer.status_code == 403
    assert sentence in answer.content.decode()


def test_a_person_who_is_switched_off_is_nobody_on_the_next_request(artist: Actor, browser_of: Callable[..., Client]):
    assert artist.user is not None
    browser = browser_of(artist)
    assert browser.get("/studio").status_code == 200
    User.objects.filter(pk=artist.user.pk).update(is_active=False)
    assert browser.get("/studio").status_code == 302


def test_rights_that_are_taken_away_are_gone_on_the_next_request(admin: Actor, browser_of: Callable[..., Client]):
    assert admin.user is not None
    browser = browser_of(admin)
    assert browser.get("/program/invitations").status_code == 200
    User.objects.filter(pk=admin.user.pk).update(is_staff=False)
    assert browser.get("/program/invitations").status_code == 403


def test_nobody_signs_up_by_themselves(guest: Client):
    assert guest.get("/accounts/signup/").status_code in {200, 403}
    form = {"email": "x@example.org", "password1": makers.PASSWORD, "password2": makers.PASSWORD}
    guest.post("/accounts/signup/", form)
    assert not User.objects.filter(email="x@example.org").exists()

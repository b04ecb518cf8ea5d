"""Where a person is signed in: list, end one, end all the others."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway import audit, refusals, sessions
from gateway import settings as gateway_settings
from gateway.actors import Actor
from gateway.models import User
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unlimited(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False


def signed_in(actor: Actor, **headers: str) -> Client:
    client = Client(headers=headers)
    assert actor.user is not None
    actor.user.set_password(makers.PASSWORD) if not actor.user.has_usable_password() else None
    actor.user.save()
    sent = {"login": actor.user.email, "password": makers.PASSWORD}
    assert client.post("/accounts/login/", sent).status_code == 302
    return client


def test_the_page_shows_each_browser_and_one_can_be_ended_from_another(artist: Actor, stranger: Actor):
    here, there = (
        signed_in(artist, user_agent="Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/140.0"),
        signed_in(artist, user_agent="Notebook"),
    )
    signed_in(stranger, user_agent="Stranger's")
    page = here.get("/access/security").content.decode()
    assert page.count("This browser") == 1
    assert "Notebook" in page
    assert "Firefox on Linux" in page
    assert "Stranger" not in page
    assert there.get("/dashboard").status_code == 200
    other = UserSession.objects.get(user_agent="Notebook")
    assert here.post(f"/access/sessions/{other.pk}/end").status_code == 302
    assert there.get("/dashboard").status_code == 302, "at its very next request"
    assert "Notebook" not in here.get("/access/security").content.decode()
    assert "session.ended" in [entry.action for entry in audit.of(artist.user)]


def test_all_others_can_be_ended_at_once(artist: Actor):
    here, others = signed_in(artist), [signed_in(artist) for _ in range(3)]
    here.post("/access/sessions/end-others")
    assert here.get("/dashboard").status_code == 200
    assert {client.get("/dashboard").status_code for client in others} == {302}


def test_nobody_ends_a_stranger_s(artist: Actor, stranger: Actor):
    theirs = signed_in(stranger)
    row = UserSession.objects.get(user=stranger.user)
    assert signed_in(artist).post(f"/access/sessions/{row.pk}/end").status_code == 404
    with pytest.raises(refusals.NotFound):
        sessions.end(row, by=artist)
    assert theirs.get("/dashboard").status_code == 200


def test_a_new_password_ends_the_others_and_keeps_this_one(artist: Actor):
    here, there = signed_in(artist), signed_in(artist)
    new = "quite another password"
    answer = here.post(
        "/accounts/password/change/", {"oldpassword": makers.PASSWORD, "password1": new, "password2": new}
    )
    assert answer.status_code == 302, answer.content.decode()
    assert here.get("/dashboard").status_code == 200
    assert there.get("/dashboard").status_code == 302
    assert UserSession.objects.filter(user=artist.user).count() == 1
    assert "This browser" in here.get("/access/security").content.decode()


def test_it_says_when_and_from_where_it_was_last_used_at_most_a_minute_late(artist: Actor):
    client = signed_in(artist)
    earlier = Now() - timedelta(minutes=5)
    UserSession.objects.update(last_seen_at=earlier)
    was = UserSession.objects.get()
    client.get("/dashboard", REMOTE_ADDR="203.0.113.7", headers={"user-agent": "x" * 500})
    row = UserSession.objects.get()
    assert row.last_seen_at > was.last_seen_at
    assert (row.ip, row.user_agent) == ("203.0.113.7", "x" * 200)
    client.get("/dashboard", REMOTE_ADDR="203.0.113.8")
    assert UserSession.objects.get().ip == "203.0.113.7", "within the minute nothing is written"


def test_many_sessions_cost_no_more_queries_than_few(artist: Actor):
    client = signed_in(artist)

    def cost() -> int:
        client.get("/access/security")
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/access/security").status_code == 200
        return len(queries)

    few = cost()
    for _ in range(4):
        signed_in(artist)
    assert cost() == few


def test_a_session_that_ran_out_is_not_shown(artist: Actor):
    here = signed_in(artist, user_agent="Here")
    signed_in(artist, user_agent="Gone").logout()  # the row of its session is deleted
    assert "Gone" not in here.get("/access/security").content.decode()


def link_in(letter: Any) -> str:
    return next(word for word in letter.body.split() if "/accounts/confirm-email/" in word).partition("testserver")[2]


def test_an_address_changes_when_the_new_one_is_verified_and_not_before(
    artist: Actor, browser_of: Callable[..., Client]
):
    client = signed_in(artist)
    old, new = artist.user.email, "Ines.New@Example.org"
    client.post("/accounts/reauthenticate/", {"password": makers.PASSWORD})
    assert client.post("/accounts/email/", {"action_add": "", "email": new}).status_code == 302
    assert User.objects.get(pk=artist.user.pk).email == old
    assert [letter.to for letter in mail.outbox] == [[new.lower()]]
    path = link_in(mail.outbox[0])
    assert Client().get(path).status_code == 200
    assert User.objects.get(pk=artist.user.pk).email == old, "looking changes nothing"
    client.post(path)
    user = User.objects.get(pk=artist.user.pk)
    assert user.email == new.lower()
    assert [(row.email, row.verified, row.primary) for row in user.emailaddress_set.all()] == [
        (new.lower(), True, True)
    ]
    assert mail.outbox[-1].to == [old], "the old address hears of it"
    assert "user.address_changed" in [entry.action for entry in audit.of(user)]
    assert Client().post("/accounts/login/", {"login": new, "password": makers.PASSWORD}).status_code == 302


def test_an_address_of_somebody_else_is_never_taken(artist: Actor, stranger: Actor):
    client = signed_in(artist)
    client.post("/accounts/reauthenticate/", {"password": makers.PASSWORD})
    client.post("/accounts/email/", {"action_add": "", "email": stranger.user.email})
    for letter in mail.outbox:
        if "/accounts/confirm-email/" in letter.body:
            client.post(link_in(letter))
    assert User.objects.get(pk=artist.user.pk).email == artist.user.email
    assert User.objects.get(pk=stranger.user.pk).email == stranger.user.email


def test_a_second_factor_does_not_stop_a_change_of_address(artist: Actor):
    client = signed_in(artist)
    Authenticator.objects.create(user=artist.user, type="webauthn", data={"name": "x"})
    client.post("/accounts/reauthenticate/", {"password": makers.PASSWORD})
    assert client.post("/accounts/email/", {"action_add": "", "email": "new@example.org"}).status_code == 302
    assert len(mail.outbox) == 1


def test_changing_an_address_asks_for_the_password_again(artist: Actor):
    answer = signed_in(artist).post("/accounts/email/", {"action_add": "", "email": "new@example.org"})
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert mail.outbox == []


def test_a_studio_behind_one_router_signs_in_and_one_account_is_not_guessed(settings: Any):
    settings.ACCOUNT_RATE_LIMITS = gateway_settings.ACCOUNT_RATE_LIMITS
    people = [makers.artist() for _ in range(12)]

    def tries(person: Actor, password: str) -> Any:
        assert person.user is not None
        sent = {"login": person.user.email, "password": password}
        return Client(REMOTE_ADDR="198.51.100.77").post("/accounts/login/", sent)

    for person in people:
        person.user.set_password(makers.PASSWORD)
        person.user.save()
    for person in people:
        assert "Too many" not in tries(person, "wrong").content.decode()
        assert "Too many" not in tries(person, "wrong again").content.decode()
    assert {tries(person, makers.PASSWORD).status_code for person in people} == {302}
    assert "Too many" in [tries(people[0], f"guess {i}").content.decode() for i in range(6)][-1]
    assert tries(people[1], makers.PASSWORD).status_code == 302, "the others are not locked out with them"

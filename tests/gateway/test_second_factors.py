"""A second factor beside the password: who must have one, and that nobody gets round it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from rest_framework.test import APIClient

from gateway import audit, refusals, second_factors, sign_in_links, tokens
from gateway.actors import Actor
from tests import makers, totp

pytestmark = pytest.mark.django_db
on_commit = pytest.mark.django_db(transaction=True)  # when allauth tells of a new one
SET_UP, PROVE = "/accounts/2fa/", "/accounts/2fa/reauthenticate/"


@pytest.fixture(autouse=True)
def required(settings: Any) -> None:
    settings.REQUIRE_MFA = True
    settings.ACCOUNT_RATE_LIMITS = False


def with_password(actor: Actor) -> Actor:
    assert actor.user is not None
    if not actor.user.has_usable_password():
        actor.user.set_password(makers.PASSWORD)
        actor.user.save()
    return actor


def signed_in(actor: Actor) -> Client:
    """In a browser, by password; stops where the second factor is asked for."""
    client = Client()
    assert with_password(actor).user
    client.post("/accounts/login/", {"login": actor.user.email, "password": makers.PASSWORD})
    return client


def confirmed(client: Client) -> Client:
    assert client.post("/accounts/reauthenticate/", {"password": makers.PASSWORD}).status_code == 302
    return client


def set_up(client: Client, ahead: int = -1) -> str:
    """An authenticator app, by the pages; returns its key. The code is an earlier one, to leave today's unused."""
    confirmed(client)
    page = client.get(f"{SET_UP}totp/activate/").content.decode()
    key = re.search(r'<code id="totp-key">(\w+)</code>', page)[1]
    for _ in range(2):  # the half minute may end between the code and its arrival
        answer = client.post(f"{SET_UP}totp/activate/", {"code": totp.code(key, ahead)})
        if answer.status_code == 302:
            return key
    raise AssertionError(answer.content.decode())


@pytest.mark.parametrize("who", ["reviewer", "admin"])
def test_who_must_have_one_and_has_none_is_led_to_set_it_up_and_reaches_nothing_else(
    who: str, request: pytest.FixtureRequest
):
    client = signed_in(request.getfixturevalue(who))
    for path in ("/home", "/review", "/program/invitations", "/admin/", "/admin/gateway/user/", "/access", "/studio"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, SET_UP), path
    for path in ("/access/tokens", "/program/invitations", "/admin/gateway/cohort/add/", "/review/next"):
        assert client.post(path).status_code == 403, path
    answer = client.get("/v1/reviews")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "second_factor_first")
    page = client.get(SET_UP).content.decode()
    assert "Set one up to go on." in page
    assert client.get("/healthz").status_code == 200
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/review")["Location"].startswith("/accounts/login/")


@on_commit
def test_with_one_set_up_a_reviewer_goes_on_at_once(reviewer: Actor):
    client = signed_in(reviewer)
    set_up(client)
    assert client.get("/review").status_code == 200
    assert client.get("/v1/reviews").status_code == 200
    assert [entry.action for entry in audit.of(reviewer.user)] == [
        "user.signed_in", "authenticator.added", "authenticator.added",
    ]  # fmt: skip


def test_the_next_time_it_is_asked_for_at_sign_in(reviewer: Actor):
    key = set_up(signed_in(reviewer))
    client = signed_in(reviewer)
    assert client.get("/review")["Location"].startswith("/accounts/login/"), "half signed in is not signed in"
    assert client.get("/accounts/login/").status_code in (200, 302)
    wrong = client.post(f"{SET_UP}authenticate/", {"code": "000000"})
    assert "Incorrect code" in wrong.content.decode()
    assert client.post(f"{SET_UP}authenticate/", {"code": totp.code(key)})["Location"] == "/home"
    assert client.get("/review").status_code == 200


def test_a_code_lets_in_once(reviewer: Actor):
    key = set_up(signed_in(reviewer))
    now = totp.code(key)
    assert signed_in(reviewer).post(f"{SET_UP}authenticate/", {"code": now}).status_code == 302
    assert "Incorrect code" in signed_in(reviewer).post(f"{SET_UP}authenticate/", {"code": now}).content.decode()


def test_a_recovery_code_stands_in_once(reviewer: Actor):
    set_up(signed_in(reviewer))
    code = Authenticator.objects.get(user=reviewer.user, type="recovery_codes").wrap().get_unused_codes()[0]
    client = signed_in(reviewer)
    assert client.post(f"{SET_UP}authenticate/", {"code": code}).status_code == 302
    assert client.get("/review").status_code == 200
    assert "Incorrect code" in signed_in(reviewer).post(f"{SET_UP}authenticate/", {"code": code}).content.decode()


@on_commit
def test_an_older_session_without_it_does_not_count_and_can_add_none(reviewer: Actor):
    """Somebody who knows the password signed in before it was set up."""
    older, client = signed_in(reviewer), signed_in(reviewer)
    key = set_up(client)
    answer = older.get("/review?x=1")
    assert (answer.status_code, answer["Location"]) == (302, f"{PROVE}?next=/review%3Fx%3D1")
    for path in (
        SET_UP,
        f"{SET_UP}webauthn/add/",
        f"{SET_UP}recovery-codes/",
        "/accounts/email/",
        "/accounts/reauthenticate/",
    ):
        assert older.get(path)["Location"].startswith(PROVE), path
    for path in (f"{SET_UP}totp/deactivate/", f"{SET_UP}webauthn/add/", "/accounts/reauthenticate/", "/access/tokens"):
        assert older.post(path, {"password": makers.PASSWORD}).status_code == 403, path
    answer = older.post(PROVE, {"code": totp.code(key), "next": "/review?x=1"})
    assert answer["Location"] == "/review?x=1"
    assert older.get("/review").status_code == 200


@on_commit
def test_what_was_proven_with_a_removed_one_does_not_count(reviewer: Actor):
    client = signed_in(reviewer)
    set_up(client)
    Authenticator.objects.create(user=reviewer.user, type="webauthn", data={"name": "another"})
    Authenticator.objects.filter(user=reviewer.user, type="totp").delete()
    assert client.get("/review")["Location"].startswith("/accounts/2fa/webauthn/reauthenticate/")
    Authenticator.objects.filter(user=reviewer.user).delete()
    assert client.get("/review")["Location"] == SET_UP


def test_a_one_time_link_alone_is_no_second_factor(reviewer: Actor, settings: Any):
    settings.EMBEDDED = True
    client = Client()
    client.post("/sign-in/" + sign_in_links.issue(reviewer.user).rpartition("/")[2])
    assert client.get("/review")["Location"] == SET_UP
    set_up(signed_in(reviewer))
    again = Client()
    answer = again.post("/sign-in/" + sign_in_links.issue(reviewer.user).rpartition("/")[2])
    assert answer["Location"] == f"{SET_UP}authenticate/"
    assert again.get("/review")["Location"].startswith("/accounts/login/")


def test_who_becomes_a_reviewer_while_signed_in_is_asked_at_the_next_request(artist: Actor):
    client = signed_in(artist)
    assert client.get("/dashboard").status_code == 200
    type(artist.user).objects.filter(pk=artist.user.pk).update(is_reviewer=True)
    assert client.get("/dashboard")["Location"] == SET_UP


def test_artists_are_asked_for_none_and_may_have_one(artist: Actor):
    client = signed_in(artist)
    assert client.get("/dashboard").status_code == 200
    set_up(client)
    assert client.get("/dashboard").status_code == 200
    assert signed_in(artist).get("/dashboard")["Location"].startswith("/accounts/login/")


def test_where_it_is_not_required_nobody_is_asked(reviewer: Actor, settings: Any):
    settings.REQUIRE_MFA = False
    assert signed_in(reviewer).get("/review").status_code == 200


def test_a_token_that_may_review_needs_an_owner_who_has_one(reviewer: Actor, client_of: Callable[..., APIClient]):
    with pytest.raises(refusals.SecondFactorFirst):
        tokens.issue(by=reviewer, label="x", scopes=["review"])
    tokens.issue(by=reviewer, label="x", scopes=[])
    set_up(signed_in(reviewer))
    assert client_of(reviewer, "review").get("/v1/reviews").status_code == 200


def test_a_made_up_or_other_authorization_beside_the_cookie_opens_nothing(reviewer: Actor):
    client = signed_in(reviewer)
    for header in ("Bearer", "Bearer made-up", "Basic eDp5", "bearer bat_artist_" + "A" * 36, "Bearer  "):
        answer = client.get("/v1/reviews", headers={"authorization": header})
        assert answer.status_code in (401, 403), header


def test_keys_and_codes_are_encrypted_and_outlive_a_change_of_the_secret_key(reviewer: Actor, settings: Any):
    key = set_up(signed_in(reviewer))
    for row in Authenticator.objects.filter(user=reviewer.user):
        text = str(row.data)
        assert key not in text
        assert "gAAAA" in text, "a Fernet token"
    app = Authenticator.objects.get(user=reviewer.user, type="totp")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert app.wrap().validate_code(totp.code(key))
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ImproperlyConfigured):
        app.wrap().validate_code(totp.code(key))


@on_commit
def test_the_owner_hears_by_mail_of_each_change(reviewer: Actor):
    client = signed_in(reviewer)
    set_up(client)
    assert [letter.to for letter in mail.outbox] == [[reviewer.user.email]]
    assert "authenticator" in mail.outbox[0].subject.lower()


@on_commit
def test_removing_all_of_a_person_s_leaves_them_to_set_up_new_ones(reviewer: Actor, artist: Actor):
    client = signed_in(reviewer)
    set_up(client)
    assert second_factors.remove(reviewer.user, by=makers.admin(), reason="Lost the telephone.") == 2
    assert not second_factors.has(reviewer.user)
    assert client.get("/review")["Location"] == SET_UP
    assert audit.of(reviewer.user).last().action == "authenticator.removed"
    with pytest.raises(refusals.AdminsOnly):
        second_factors.remove(reviewer.user, by=artist, reason="x")


@on_commit
def test_no_page_of_it_is_kept_by_a_cache(reviewer: Actor):
    client = signed_in(reviewer)
    set_up(client)
    for path in (SET_UP, f"{SET_UP}recovery-codes/", f"{SET_UP}recovery-codes/download/"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert re.search("no-cache|no-store", answer["Cache-Control"])

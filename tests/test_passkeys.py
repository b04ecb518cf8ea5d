"""Passkeys in a real browser with a virtual authenticator: added, signed in with, asked for as the second factor."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from gateway.actors import Actor
from scripts import chromium
from tests import makers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium.path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium, and in CI the browser tests must run.")
        pytest.skip("THE BROWSER TESTS DID NOT RUN: there is no Chromium. `make test` tries to install one.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright's loop runs in this thread
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture(autouse=True)
def prepared(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    settings.REQUIRE_MFA = True
    settings.ALLOWED_HOSTS = ["localhost"]


def artist_with_password() -> Actor:
    return with_password(makers.artist("Ines Marchetti"))


def with_password(actor: Actor) -> Actor:
    assert actor.user is not None
    actor.user.set_password(makers.PASSWORD)
    actor.user.save()
    return actor


def authenticator(cdp: CDPSession, **options: Any) -> str:
    """A device that says yes at once, with the person's finger on it."""
    cdp.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    says = {"isUserVerified": True, "automaticPresenceSimulation": True}
    return cdp.send("WebAuthn.addVirtualAuthenticator", {"options": {**kind, **says, **options}})["authenticatorId"]


@contextmanager
def a_page(browser: Browser) -> Iterator[tuple[Page, CDPSession, str, list[str]]]:
    """A browser of its own with an authenticator, and what its console complains about."""
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    cdp = context.new_cdp_session(page)
    yield page, cdp, authenticator(cdp), said
    context.close()


def sign_in(page: Page, url: str, actor: Actor) -> None:
    assert actor.user is not None
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("E-mail address").fill(actor.user.email)
    page.get_by_label("Password", exact=True).fill(makers.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda address: "login" not in address)


def add_passkey(page: Page, url: str, *, alone: bool) -> None:
    page.goto(f"{url}/accounts/2fa/webauthn/add/")
    page.get_by_label("Password", exact=True).fill(makers.PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/webauthn/add/")
    page.get_by_label("What you call it").fill("My telephone")
    if alone:
        page.get_by_label("Sign in with it alone").check()
    page.get_by_role("button", name="Add it").click()
    page.wait_for_url("**/recovery-codes/")


def at(live_server: Any) -> str:
    return str(live_server.url).replace("127.0.0.1", "localhost")


def signed_in(browser: Browser, live_server: Any, actor: Actor, **device: Any) -> BrowserContext:
    """A browser of its own in which this person has signed in already."""
    client = Client()
    client.force_login(actor.user)
    name = django_settings.SESSION_COOKIE_NAME
    context = browser.new_context(**device)
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": at(live_server)}])
    return context


def test_a_passkey_is_added_and_lets_in_alone(browser: Browser, live_server: Any):
    artist, url = artist_with_password(), at(live_server)
    with a_page(browser) as (page, _, _, said):
        sign_in(page, url, artist)
        add_passkey(page, url, alone=True)
        assert page.get_by_role("heading", name="10 of 10 are left").is_visible()
        page.goto(f"{url}/access/security")
        page.get_by_role("button", name="Sign out", exact=True).click()
        page.goto(f"{url}/accounts/login/?next=/mine")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{url}/mine")
        page.goto(f"{url}/accounts/2fa/webauthn/")
        assert page.get_by_text("lets you in alone").is_visible()
        assert said == []


def test_a_passkey_that_is_declined_is_said_so_and_can_be_tried_again(browser: Browser, live_server: Any):
    artist, url = artist_with_password(), at(live_server)
    with a_page(browser) as (page, cdp, device, _):
        sign_in(page, url, artist)
        add_passkey(page, url, alone=True)
        page.get_by_role("button", name="Sign out", exact=True).click()
        page.goto(f"{url}/accounts/login/")
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("The passkey was not used").wait_for()
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url("**/dashboard")


def test_a_reviewer_is_led_to_a_passkey_and_asked_for_it_from_then_on(browser: Browser, live_server: Any):
    reviewer, url = with_password(makers.reviewer("Rosa Velázquez")), at(live_server)
    with a_page(browser) as (page, _, _, said):
        sign_in(page, url, reviewer)
        assert page.url == f"{url}/accounts/2fa/"
        older = browser.new_context()
        before = older.new_page()
        sign_in(before, url, reviewer)
        page.get_by_role("link", name="Add a passkey").click()
        add_passkey(page, url, alone=False)
        page.get_by_role("link", name="I have kept them").click()
        page.wait_for_url("**/review")
        before.goto(f"{url}/review")
        assert "/accounts/2fa/webauthn/reauthenticate/" in before.url, "an older session proves it first"
        older.close()
        page.get_by_role("button", name="Sign out", exact=True).click()
        sign_in(page, url, reviewer)
        assert page.url == f"{url}/accounts/2fa/authenticate/"
        page.goto(f"{url}/review")
        assert "/accounts/login/" in page.url or "/accounts/2fa/authenticate/" in page.url
        page.goto(f"{url}/accounts/2fa/authenticate/")
        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url("**/review")
        assert said == []

"""Records for admins to read: no rule is bypassed there."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import models
from django.test import Client

from gateway.actors import Actor
from gateway.models.base import Living
from gateway.records import operation_pages
from tests import makers

pytestmark = pytest.mark.django_db

REGISTERED = [model for model in site._registry if model._meta.app_label in {"gateway", "generation", "review"}]


def address(model: type[models.Model], rest: str = "") -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rest}"


def way(client: Client, path: str) -> Any:
    """Where a browser ends that follows each redirect, as often as a browser does."""
    answer = client.get(path)
    for _ in range(10):
        if not 300 <= answer.status_code < 400:
            return answer
        path = answer["Location"]
        answer = client.get(path)
    pytest.fail(f"sent round and round, at last to {path}")


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_a_guest_never_sees_a_record(model: type[models.Model], guest: Client):
    answer = guest.get(address(model))
    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"] or "/accounts/login/" in answer["Location"]


def test_a_guest_is_sent_to_sign_in(guest: Client):
    answer = way(guest, "/admin/gateway/user/")
    assert answer.status_code == 200
    assert answer.request["PATH_INFO"] == "/accounts/login/"


@pytest.mark.parametrize("path", ["/admin/", "/admin/gateway/user/", "/admin/login/", "/admin/nothing/"])
def test_who_is_signed_in_but_no_admin_reads_that_and_is_not_sent_round_and_round(
    artist: Actor, browser_of: Callable[..., Client], path: str
):
    assert way(browser_of(artist), path).status_code in {403, 404}


def test_an_admin_who_signs_in_comes_to_the_page_that_was_asked_for(admin: Actor, guest: Client):
    assert admin.user is not None
    admin.user.set_password(makers.PASSWORD)
    admin.user.save()
    page = way(guest, "/admin/gateway/user/?q=ada")
    sent = {"login": admin.user.email, "password": makers.PASSWORD, "next": page.context["redirect_field_value"]}
    answer = guest.post("/accounts/login/", sent)
    assert answer.status_code == 302
    landed = way(guest, answer["Location"])
    assert landed.status_code == 200
    assert landed.request["PATH_INFO"] == "/admin/gateway/user/"
    assert landed.request["QUERY_STRING"] == "q=ada"


@pytest.mark.parametrize("search", ["", "hello", "00000000-0000-4000-8000-000000000000", "%", "a@example.org", "\x00"])
@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_any_search_is_answered(
    model: type[models.Model], search: str, admin: Actor, browser_of: Callable[..., Client]
):
    assert browser_of(admin).get(address(model), {"q": search} if search else {}).status_code == 200


def test_each_record_can_be_opened_and_none_that_lives_can_be_edited(
    admin: Actor, browser_of: Callable[..., Client], no_undo: None
):
    makers.published(makers.artist())
    browser = browser_of(admin)
    opened = 0
    for model in REGISTERED:
        row = model._default_manager.first()
        if row is None:
            continue
        opened += 1
        page = browser.get(address(model, f"{row.pk}/change/"))
        assert page.status_code == 200, model.__name__
        if issubclass(model, Living):
            assert 'name="state"' not in page.content.decode(), model.__name__
            assert browser.post(address(model, f"{row.pk}/change/"), {"state": "completed"}).status_code == 403
            assert browser.get(address(model, "add/")).status_code == 403
            assert browser.post(address(model, f"{row.pk}/delete/"), {"post": "yes"}).status_code == 403
    assert opened >= 8


def test_no_row_that_lives_can_be_deleted_in_bulk(admin: Actor, browser_of: Callable[..., Client]):
    makers.queued(makers.artist())
    for model in (model for model in REGISTERED if issubclass(model, Living)):
        rows = [str(pk) for pk in model._default_manager.values_list("pk", flat=True)]
        browser = browser_of(admin)
        assert "delete_selected" not in browser.get(address(model)).content.decode()
        browser.post(address(model), {"action": "delete_selected", "_selected_action": rows, "post": "yes"})
        assert model._default_manager.count() == len(rows)


def test_a_record_shows_no_prompt_and_no_secret(admin: Actor, browser_of: Callable[..., Client], no_undo: None):
    artist = makers.artist()
    secret = makers.token(artist)
    makers.queued(artist, "grandmother kneading")
    link = makers.lent(artist)
    made = makers.queued(makers.visitor(link, "a browser"), "grandmother kneading")
    marks = [bytes(mark) for mark in (made.guest_pass.digest, made.guest, made.guest_address)]  # type: ignore[union-attr,arg-type]
    browser = browser_of(admin)
    for model in REGISTERED:
        for row in model._default_manager.all()[:5]:
            page = browser.get(address(model, f"{row.pk}/change/")).content.decode()
            assert "grandmother" not in page, model.__name__
            assert secret not in page, model.__name__
            assert link not in page and made.guest_clip.hex not in page.replace("-", ""), model.__name__  # type: ignore[union-attr]
            assert not any(repr(mark) in unescape(page) or mark.hex() in page for mark in marks), model.__name__


def test_nothing_of_other_makers_is_registered_beside_ours(admin: Actor, browser_of: Callable[..., Client]):
    """Second factors and sessions above all: whoever may edit them may sign in as anybody."""
    assert [model for model in site._registry if model._meta.app_label not in {"gateway", "generation", "review"}] == []
    assert browser_of(admin).get("/admin/mfa/authenticator/").status_code == 404


def test_the_theme_loads_nothing_from_elsewhere_and_only_there_scripts_may_evaluate(
    admin: Actor, browser_of: Callable[..., Client]
):
    browser = browser_of(admin)
    for path in ("/admin/", "/admin/gateway/user/", f"/admin/gateway/user/{admin.user.pk}/change/"):
        answer = browser.get(path)
        page = answer.content.decode()
        loaded = re.findall(r'<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]*)"', page)
        assert loaded
        assert [address for address in loaded if not address.startswith("/")] == []
        assert "<style" not in page
        assert "script-src 'self' 'unsafe-eval'" in answer["Content-Security-Policy"]
        assert "unsafe-inline" not in answer["Content-Security-Policy"]
    assert "unsafe-eval" not in browser.get("/program/invitations")["Content-Security-Policy"]


def test_the_sidebar_leads_to_each_page_of_operation_and_to_each_record(
    admin: Actor, browser_of: Callable[..., Client]
):
    browser = browser_of(admin)
    page = browser.get("/admin/").content.decode()
    assert "program/invitations" in operation_pages()
    for path in operation_pages():
        assert f'href="/{path}"' in page, path
        assert browser.get(f"/{path}").status_code == 200, path
    for model in REGISTERED:
        assert f'href="{address(model)}"' in page, model


def test_a_password_is_changed_where_all_others_are(admin: Actor, browser_of: Callable[..., Client]):
    assert browser_of(admin).get("/admin/password_change/")["Location"] == "/accounts/password/change/"

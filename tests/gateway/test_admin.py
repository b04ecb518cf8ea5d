"""Records for admins to read: no rule is bypassed there."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import models
from django.test import Client

from gateway.actors import Actor
from gateway.models.base import Living
from tests import makers

pytestmark = pytest.mark.django_db

REGISTERED = [model for model in admin.site._registry if model._meta.app_label in {"gateway", "generation", "review"}]


def address(model: type[models.Model], rest: str = "") -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rest}"


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_records_are_for_admins_alone(
    model: type[models.Model], artist: Actor, reviewer: Actor, guest: Client, browser_of: Callable[..., Client]
):
    for client in (guest, browser_of(artist), browser_of(reviewer)):
        answer = client.get(address(model))
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=/admin/")


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


def test_no_living_row_can_be_edited_added_or_deleted_in_bulk(admin: Actor, browser_of: Callable[..., Client]):
    living = [model for model in apps.get_models() if issubclass(model, Living) and model in REGISTERED]
    assert living
    for model in living:
        answer = browser_of(admin).post(address(model), {"action": "delete_selected", "_selected_action": ["x"]})
        assert answer.status_code in {302, 403}, model.__name__
        assert "delete_selected" not in browser_of(admin).get(address(model)).content.decode()


def test_a_record_shows_no_prompt_and_no_secret(admin: Actor, browser_of: Callable[..., Client], no_undo: None):
    artist = makers.artist()
    secret = makers.token(artist)
    makers.queued(artist, "grandmother kneading")
    browser = browser_of(admin)
    for model in REGISTERED:
        for row in model._default_manager.all()[:5]:
            page = browser.get(address(model, f"{row.pk}/change/")).content.decode()
            assert "grandmother" not in page, model.__name__
            assert secret not in page, model.__name__

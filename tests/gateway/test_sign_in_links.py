"""One-time sign-in links, for the embedded gateway alone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now
from django.test import Client

from gateway import audit, keys, refusals, sign_in_links
from gateway.actors import Actor
from gateway.models import SignInLink, User
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def embedded(settings: Any) -> Iterator[None]:
    settings.EMBEDDED = True
    yield


def issued(actor: Actor) -> str:
    assert actor.user is not None
    return sign_in_links.issue(actor.user).rpartition("/")[2]


def test_a_link_signs_in_its_person_once_and_says_so_in_the_log(artist: Actor):
    secret = issued(artist)
    link = SignInLink.objects.get()
    assert bytes(link.digest) == keys.digest(secret)
    assert sign_in_links.use(secret) == artist.user
    with pytest.raises(refusals.BadSignInLink):
        sign_in_links.use(secret)
    assert [entry.action for entry in audit.of(link)] == ["sign_in_link.issued", "sign_in_link.used"]


def test_looking_does_not_use_it_up_and_pressing_does(artist: Actor, guest: Client):
    path = f"/sign-in/{issued(artist)}"
    for _ in range(3):
        page = guest.get(path)
        assert page.status_code == 200
        assert "Ines Marchetti" in page.content.decode()
    assert guest.get("/dashboard").status_code == 302, "not signed in by looking"
    assert guest.post(path).status_code == 302
    assert guest.get("/dashboard").status_code == 200
    assert Client().get(path).status_code == 410
    assert Client().post(path).status_code == 410


def test_pressing_needs_the_pages_own_csrf_token(artist: Actor):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"/sign-in/{issued(artist)}").status_code == 403
    assert SignInLink.objects.get().used_at is None


def test_on_any_other_gateway_there_are_none(artist: Actor, guest: Client, settings: Any):
    secret = issued(artist)
    settings.EMBEDDED = False
    with pytest.raises(ImproperlyConfigured):
        issued(artist)
    with pytest.raises(refusals.BadSignInLink):
        sign_in_links.use(secret)
    assert guest.get(f"/sign-in/{secret}").status_code == 410
    assert guest.post(f"/sign-in/{secret}").status_code == 410


@pytest.mark.parametrize("end", ["expired", "a later one", "its person is switched off"])
def test_a_link_that_has_ended_signs_in_nobody(artist: Actor, guest: Client, end: str):
    secret = issued(artist)
    if end == "expired":
        SignInLink.objects.update(created_at=Now() - timedelta(hours=13), expires_at=Now() - timedelta(seconds=1))
    elif end == "a later one":
        issued(artist)
    else:
        User.objects.update(is_active=False)
    assert guest.post(f"/sign-in/{secret}").status_code == 410
    assert "_auth_user_id" not in guest.session


@pytest.mark.parametrize(
    "secret", ["x", keys.make("signin"), keys.make("artist")], ids=["a letter", "unknown", "of another kind"]
)
def test_a_made_up_link_signs_in_nobody(guest: Client, secret: str):
    assert guest.get(f"/sign-in/{secret}").status_code == 410
    assert guest.post(f"/sign-in/{secret}").status_code == 410


def test_a_link_of_one_person_leaves_anothers_alone(artist: Actor, stranger: Actor):
    mine, theirs = issued(artist), issued(stranger)
    assert sign_in_links.use(mine) == artist.user
    assert sign_in_links.use(theirs) == stranger.user


def test_ten_use_it_at_once_and_one_is_signed_in(at_once: Callable[..., list[Any]]):
    """Several rounds: a subquery that is asked before the row is locked would let two in now and then."""
    for _ in range(3):
        artist = makers.artist()
        secret = issued(artist)
        answers = at_once(*[partial(sign_in_links.use, secret)] * 10)
        assert sum(isinstance(answer, User) for answer in answers) == 1
        assert sum(isinstance(answer, refusals.BadSignInLink) for answer in answers) == 9

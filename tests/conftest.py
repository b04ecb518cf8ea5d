"""The cast, and the clients that they come with."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from gateway.actors import Actor
from tests import makers


@pytest.fixture
def artist(db: None) -> Actor:
    return makers.artist("Ines Marchetti")


@pytest.fixture
def stranger(db: None) -> Actor:
    """Another artist, of another cohort."""
    return makers.artist("Tomás Okafor")


@pytest.fixture
def reviewer(db: None) -> Actor:
    return makers.reviewer("Rosa Velázquez")


@pytest.fixture
def admin(db: None) -> Actor:
    return makers.admin("Ada Lindqvist")


@pytest.fixture
def guest(db: None) -> Client:
    """Nobody that we know."""
    return Client()


@pytest.fixture
def browser_of(db: None) -> Callable[[Actor], Client]:
    """A browser in which this person is signed in."""

    def signed_in(actor: Actor) -> Client:
        client = Client()
        assert actor.user is not None
        client.force_login(actor.user)
        return client

    return signed_in


@pytest.fixture
def client_of(db: None) -> Callable[..., APIClient]:
    """A REST client with this person's token."""

    def with_token(actor: Actor, *scopes: str) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {makers.token(actor, *scopes)}")
        return client

    return with_token


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Any) -> Iterator[None]:
    """Files of one test are nobody else's."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.REQUIRE_MFA = False  # the tests of it switch it on
    settings.MIDDLEWARE = ["tests.contract.Contract", *settings.MIDDLEWARE]
    settings.SIGHTINGS = False  # one address, a hundred requests a second: the tests of it switch it on
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    yield


@pytest.fixture
def no_undo(settings: Any) -> None:
    """Decisions take effect at once."""
    settings.UNDO_SECONDS = 0


@pytest.fixture
def at_once(transactional_db: None) -> Callable[..., list[Any]]:
    """Call each function in a thread of its own, all at the same moment; return what each returned or raised."""

    def together(*calls: Callable[[], Any]) -> list[Any]:
        barrier = Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            try:
                connection.ensure_connection()
                barrier.wait(timeout=60)
                return call()
            except Exception as error:
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    return together

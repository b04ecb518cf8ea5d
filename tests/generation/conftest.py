"""The real engine on the small model that ships."""

import pytest
from django.core.files.storage import storages

from generation import engines
from generation.models import ModelProfile
from generation.worker import look
from tests import makers
from tests.generation import bucket
from tests.generation.watched import Watched
from tests.generation.workers import Workers


@pytest.fixture
def draw(settings):
    """Claim the next generation and bring it to its end."""
    settings.ENGINE_THREADS = 1  # on two busy cores, two threads mostly wait for each other
    return lambda: look("default", name="gpu@test")


@pytest.fixture
def at(monkeypatch, db):
    """What happens beside the real engine, by step: `at[2] = lambda: …`."""
    monkeypatch.setitem(engines.ENGINES, "watched", "tests.generation.watched.Watched")
    monkeypatch.setattr(Watched, "at", {})
    makers.sketch()
    ModelProfile.objects.update(engine="watched")
    return Watched.at


@pytest.fixture
def start(transactional_db, settings):
    """Start a GPU worker by name, on the test's database; all are gone at the end."""
    workers = Workers(settings)
    yield workers
    workers.end()


@pytest.fixture(scope="session")
def store_url():
    """Where an S3-compatible store answers."""
    with bucket.serving() as url:
        yield url


@pytest.fixture
def store(store_url, settings):
    """An empty bucket, which is where this gateway keeps its files."""
    made = bucket.bucket(store_url)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "generation.media.s3.Bucket", "OPTIONS": made.options},
    }
    events = storages["default"].connection.meta.client.meta.events
    events.register("before-call.s3.GetObject", lambda params, **_: made.asked.append(params["headers"]["Range"]))
    return made

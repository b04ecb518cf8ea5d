"""The real engine on the small model that ships."""

import pytest

from generation import engines
from generation.models import ModelProfile
from generation.worker import look
from tests import makers
from tests.generation.watched import Watched


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

"""The real engine on the real small model, built once."""

import pytest

from generation.sketch.build import build
from generation.worker import look


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    build(folder / "sketch")
    return folder


@pytest.fixture
def draw(settings, models_dir):
    """Claim the next generation and bring it to its end."""
    settings.MODELS_DIR = models_dir
    return lambda: look("default", name="gpu@test")

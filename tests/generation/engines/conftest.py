"""One real model folder for all engine tests, read back by the real `from_pretrained`."""

from pathlib import Path

import pytest

from generation import sketch
from generation.engines import Model, Request
from generation.engines.diffusers import DiffusersEngine
from generation.sketch import build


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sketch with random weights. Tests that change it copy it first."""
    path = tmp_path_factory.mktemp("models") / "sketch"
    build.build(path)
    return path


@pytest.fixture(scope="session")
def model(folder: Path) -> Model:
    return Model("sketch", sketch.PIPELINE, str(folder), sketch.revision(folder))


@pytest.fixture(scope="session")
def engine() -> DiffusersEngine:
    return DiffusersEngine(device="cpu", warm=1)


@pytest.fixture
def request_() -> Request:
    """Small and short, so that the suite stays quick."""
    return Request(
        id="g1",
        prompt="a red circle drifting left over a blue field",
        width=16,
        height=24,
        frames=9,
        fps=8,
        steps=3,
        guidance=3.0,
        seed=7,
    )

"""One real model folder for all engine tests, read back by the real `from_pretrained`."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

from gateway import sums
from generation import sketch
from generation.engines import Model, Request
from generation.engines.diffusers import DiffusersEngine
from generation.sketch import build


@pytest.fixture(scope="package", autouse=True)
def imports_stay() -> Iterator[None]:
    """Each out-of-memory collects garbage, and to look through all that was imported took most of the time here."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sketch's parts with random weights, and with positions that allow any size. Tests that change it copy it first."""
    torch.manual_seed(1)
    free = {"use_rotary_positional_embeddings": False, "use_learned_positional_embeddings": False}
    transformer = CogVideoXTransformer3DModel.from_config(build.transformer().config, **free)
    pipeline = build.assemble(build.text_encoder(len(build.tokenizer())), build.vae(), transformer)
    path = tmp_path_factory.mktemp("models") / "sketch"
    build.save(pipeline, path)
    return path


@pytest.fixture(scope="session")
def model(folder: Path) -> Model:
    return Model("sketch", sketch.PIPELINE, str(folder), sums.revision(folder))


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

"""The training, a few steps of each stage: it goes on where it stopped, and what comes out draws."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from gateway import sums
from generation.engines import Model, Request
from generation.engines.diffusers import DiffusersEngine
from generation.sketch import PIPELINE, build, clips, train
from generation.sketch.captions import Scene

pytestmark = pytest.mark.xdist_group("train")  # one training that all of it reads

CPU = torch.device("cpu")
FEW = train.Recipe(vae=2, text=4, steps=6, pictures=2, kept_pictures=8, kept_clips=4)


def silent(line: str) -> None:
    """Nobody reads."""


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "BATCH", {1: 4, 3: 2, 5: 2})
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    train.train(folder / "work", folder / "out", FEW, "cpu", silent)
    return Path(folder / "out")


def test_what_comes_out_is_a_sealed_folder_that_draws(model: Path) -> None:
    assert sums.verify(model) == []
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    assert size < 16 * 2**20
    assert {path.suffix for path in model.rglob("*") if path.is_file()} == {"", ".json", ".safetensors"}
    request = Request("1", "a red circle", width=64, height=64, frames=9, fps=8, steps=2, guidance=3.0, seed=1)
    clip = DiffusersEngine(device="cpu").run(Model("s", PIPELINE, str(model)), request, lambda step, steps: None)
    assert clip.frames.shape == (9, 64, 64, 3)


@pytest.mark.soak
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(model: Path, tmp_path: Path) -> None:
    """Stopped in each stage, in the middle of a step; the weights come out the same, bit for bit."""
    stops = iter([(FEW.vae, 1), (FEW.text, 2), (FEW.steps, 1), (FEW.steps, 4), None])
    stop = next(stops)
    real = train.settle

    class Stop(Exception):
        pass

    def settle(step: int, steps: int, **shape: float) -> float:
        if (steps, step) == stop:
            raise Stop
        return real(step, steps, **shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "settle", settle)
        patch.setattr(train, "KEEP_EVERY", 0.0)
        while stop:
            with pytest.raises(Stop):
                train.train(tmp_path / "work", tmp_path / "out", FEW, "cpu", silent)
            stop = next(stops)
        train.train(tmp_path / "work", tmp_path / "out", FEW, "cpu", silent)
    assert sums.revision(tmp_path / "out") == sums.revision(model)


def test_more_steps_go_on_from_there(model: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    more = replace(FEW, steps=8)
    train.train(model.parent / "work", tmp_path / "out", more, "cpu", lines.append)
    assert any("8 of 8" in line and "transformer" in line for line in lines)
    assert not any(line.startswith(("vae", "text")) for line in lines), "nothing is done twice"
    assert sums.revision(tmp_path / "out") != sums.revision(model)


def test_centring_moves_the_latents_and_not_the_pictures() -> None:
    torch.manual_seed(3)
    vae = build.vae().eval().requires_grad_(False)
    vae.encoder.conv_out.conv.bias += 0.5
    among = [Scene("red", "circle", "drifting left", "blue")]
    pictures = clips.draw(among[0], np.random.default_rng(1), frames=9)[None]
    with torch.no_grad():
        before = vae.decode(train.encode(vae, pictures, CPU)).sample
        train.centre(vae, among, CPU)
        latents = train.encode(vae, pictures, CPU)
        after = vae.decode(latents).sample
    assert abs(latents.mean().item()) < 0.02
    moved = (after - before).abs()
    assert moved.mean() < 0.1 * before.std()
    assert moved[..., 28:36, 28:36].max() < moved.max() / 2, "what shows of it shows along the edges"


def test_a_model_is_never_written_over(model: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is there already"):
        call_command("sketch", "train", str(tmp_path), str(model))
    with pytest.raises(CommandError, match="There is no autoencoder"):
        call_command("sketch", "train", str(tmp_path), str(tmp_path / "out"), "--vae", str(tmp_path))
    assert sums.verify(model) == []


def test_checkpoints_of_another_model_are_named(model: Path, tmp_path: Path) -> None:
    kept = torch.load(model.parent / "work" / "vae.pt", weights_only=True)
    kept["model"].popitem()
    torch.save(kept, tmp_path / "vae.pt")
    with pytest.raises(CommandError, match=r"vae\.pt was kept for a model of other sizes"):
        call_command("sketch", "train", str(tmp_path), str(tmp_path / "out"), "--device", "cpu")


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    rates = [train.settle(step, 1000, warm=100, stay=0.65) for step in range(1001)]
    assert rates[0] == 0.01 and rates[99] == rates[649] == 1.0 and rates[1000] == 0
    assert rates[825] == pytest.approx(0.5)

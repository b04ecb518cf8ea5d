"""The diffusers engine, run on a real CogVideoX pipeline from a real folder: what conformance does not say."""

import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import CogVideoXPipeline, CogVideoXTransformer3DModel
from safetensors.torch import load_file, save_file

from gateway import sums
from generation import engines
from generation.engines import (
    Model,
    ModelMissing,
    OutOfMemory,
    Request,
    Unsupported,
    WrongOutput,
)
from generation.engines.diffusers import DiffusersEngine
from generation.engines.diffusers.memory import ran_out
from generation.sketch import build


def silent(step: int, steps: int) -> None:
    """Nobody watches."""


def drop_a_tensor(file: Path) -> None:
    tensors = load_file(file)
    tensors.popitem()
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.fixture
def another(folder: Path, tmp_path: Path) -> Callable[..., Model]:
    """A copy of the model folder that a test may spoil, and its Model; without a seal, unless that is the point."""

    def copy(spoil: Callable[[Path], Any], sealed: bool = False, **changes: Any) -> Model:
        path = tmp_path / "another"
        shutil.copytree(folder, path)
        if not sealed:
            (path / sums.SUMS).unlink()
        spoil(path)
        return Model(**{"slug": "another", "pipeline": "CogVideoXPipeline", "path": str(path), **changes})

    return copy


def test_the_same_seed_gives_the_same_bits(engine: DiffusersEngine, model: Model, request_: Request) -> None:
    torch.manual_seed(0)
    first = engine.run(model, request_, silent).frames
    torch.manual_seed(1)
    assert np.array_equal(first, engine.run(model, request_, silent).frames)
    assert not np.array_equal(first, engine.run(model, replace(request_, seed=8), silent).frames)
    fresh = DiffusersEngine(device="cpu").run(model, request_, silent).frames
    assert np.array_equal(first, fresh), "nor does it matter what an engine ran before"


@pytest.mark.parametrize(("frames", "made"), [(1, 1), (10, 9), (13, 16), (17, 17)])
def test_the_grid_of_frames_is_what_the_pipeline_really_does(
    engine: DiffusersEngine, model: Model, frames: int, made: int
) -> None:
    """The reason for `Grid.frames`: off it, diffusers gives another number without a word."""
    pipeline = engine.load(model)
    clip = pipeline(
        "a",
        num_frames=frames,
        width=16,
        height=16,
        num_inference_steps=1,
        max_sequence_length=build.TEXT_TOKENS,
        output_type="np",
    )
    assert clip.frames.shape[1] == made


def test_what_the_model_did_not_read_is_said(engine: DiffusersEngine, model: Model, request_: Request) -> None:
    prompt = "a small red Cathedral over a blue field " + "and a ring " * 5 + "slowly turning in Łódź"
    clip = engine.run(model, replace(request_, prompt=prompt, steps=1), silent)
    assert clip.notes == (
        "This model reads the first 23 tokens of a prompt, so it did not read: “slowly turning in Łódź”.",
        "This model does not know: Cathedral, and.",
    )
    assert engine.run(model, replace(request_, prompt="", steps=1), silent).notes == ()


def test_a_prompt_of_any_length_runs_without_network_or_noise(
    model: Model, request_: Request, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_network(*_: Any) -> None:
        raise AssertionError("an engine downloads nothing")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    engine = DiffusersEngine(device="cpu")
    engine.run(model, replace(request_, prompt="ring " * 5_000, steps=1), silent)
    assert capfd.readouterr() == ("", "")


def test_missing_files_are_named_as_such(engine: DiffusersEngine, model: Model, request_: Request) -> None:
    for path in ("/nowhere/at/all", "THUDM/CogVideoX-2b", ""):
        with pytest.raises(ModelMissing, match="sketch are not on this machine"):
            engine.run(replace(model, path=path), request_, silent)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: (path / "vae/diffusion_pytorch_model.safetensors").unlink(),
        lambda path: (path / "vae/diffusion_pytorch_model.safetensors").write_bytes(b"short"),
        lambda path: drop_a_tensor(path / "transformer/diffusion_pytorch_model.safetensors"),
        lambda path: (path / "model_index.json").write_text("{"),
        lambda path: shutil.rmtree(path / "tokenizer"),
        lambda path: shutil.rmtree(path / "text_encoder"),
    ],
)
def test_damaged_files_are_named_as_such(
    engine: DiffusersEngine,
    model: Model,
    request_: Request,
    another: Callable[..., Model],
    spoil: Callable[[Path], Any],
) -> None:
    with pytest.raises(ModelMissing, match=r"another are (incomplete or )?damaged"):
        engine.load(another(spoil))
    assert len(engine.run(model, request_, silent).frames) == 9


def test_a_changed_byte_is_noticed_before_anything_is_read(
    engine: DiffusersEngine, another: Callable[..., Model], caplog: pytest.LogCaptureFixture
) -> None:
    def change(path: Path) -> None:
        config = path / "scheduler/scheduler_config.json"
        config.write_text(config.read_text().replace("v_prediction", "epsilon"))

    with pytest.raises(ModelMissing, match="not as they were published"):
        engine.load(another(change, sealed=True))
    assert "scheduler/scheduler_config.json has been changed or damaged." in caplog.text


def test_pickled_weights_are_not_read(engine: DiffusersEngine, another: Callable[..., Model]) -> None:
    def pickle(path: Path) -> None:
        weights = path / "transformer/diffusion_pytorch_model"
        weights.with_suffix(".safetensors").unlink()
        torch.save({}, weights.with_suffix(".bin"))

    with pytest.raises(ModelMissing):
        engine.load(another(pickle))


def test_a_folder_brings_no_code(engine: DiffusersEngine, another: Callable[..., Model]) -> None:
    def intrude(path: Path) -> None:
        index = json.loads((path / "model_index.json").read_text())
        index["vae"] = ["intruder", "AutoencoderKLCogVideoX"]
        (path / "model_index.json").write_text(json.dumps(index))
        (path / "vae/intruder.py").write_text("raise SystemExit('code of the model ran')")

    with pytest.raises(Unsupported, match="code of its own"):
        engine.load(another(intrude))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"pipeline": "StableDiffusionPipeline"}, "which this engine does not run"),
        ({"dtype": "int3"}, "the precision int3"),
    ],
)
def test_untested_kinds_of_model_are_refused(
    engine: DiffusersEngine, model: Model, change: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Unsupported, match=sentence):
        engine.load(replace(model, **change))


def test_a_folder_of_another_kind_is_refused(engine: DiffusersEngine, another: Callable[..., Model]) -> None:
    def rename(path: Path) -> None:
        index = json.loads((path / "model_index.json").read_text())
        (path / "model_index.json").write_text(json.dumps({**index, "_class_name": "MochiPipeline"}))

    with pytest.raises(Unsupported, match="another kind of model"):
        engine.load(another(rename))


def test_the_model_used_longest_ago_leaves_first(folder: Path) -> None:
    engine = DiffusersEngine(device="cpu", warm=2)
    a, b, c = (Model(slug, "CogVideoXPipeline", str(folder)) for slug in "abc")
    first = engine.load(a)
    engine.load(b)
    assert engine.load(a) is first
    engine.load(c)
    assert engine.describe()["warm"] == ["a", "c"]


def test_it_describes_itself_in_json(engine: DiffusersEngine, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.load(model)
    monkeypatch.setattr(engines, "_made", {"diffusers": engine})
    assert engines.warm() == ["sketch"]
    described = json.loads(json.dumps(engine.describe()))
    assert described["device"] == "cpu"
    assert described["warm"] == ["sketch"]
    assert described["memory"]["total"] > described["memory"].get("free", 0) > 0
    assert set(described["versions"]) == {"torch", "diffusers", "transformers"}


class Failing:
    """Stands in for a method, and runs out of memory so many times before it works."""

    def __init__(self, method: Callable[..., Any], times: int, on_cpu: bool = False) -> None:
        self.method, self.left, self.calls, self.on_cpu = method, times, 0, on_cpu

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.left:
            self.left -= 1
            if self.on_cpu:
                torch.empty(2**50)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.method(*args, **kwargs)


def test_short_memory_in_the_decoder_does_not_cost_the_run(
    engine: DiffusersEngine, model: Model, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(request_, width=64, height=72)
    whole = engine.run(model, request, silent)
    vae, steps = engine.load(model).vae, []
    monkeypatch.setattr(vae, "decode", Failing(vae.decode, times=1))
    tiled = engine.run(model, request, lambda step, total: steps.append(step))
    assert steps == [1, 2, 3], "denoised once"
    assert tiled.notes == ("Memory was short, so the pictures were decoded in tiles; seams may show.",)
    assert tiled.frames.shape == whole.frames.shape
    likeness = np.corrcoef(tiled.frames.ravel(), whole.frames.ravel())[0, 1]
    assert 0.7 < likeness < 0.9999, "really in tiles, and still the same clip"
    again = engine.run(model, request, silent)
    assert np.array_equal(again.frames, whole.frames)
    assert again.notes == ()


def test_short_memory_while_denoising_starts_over(
    engine: DiffusersEngine, model: Model, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = engine.run(model, request_, silent)
    transformer = engine.load(model).transformer
    monkeypatch.setattr(transformer, "forward", Failing(transformer.forward, times=1))
    assert np.array_equal(engine.run(model, request_, silent).frames, expected.frames)


def test_no_memory_on_a_cpu_is_known_by_its_words(
    engine: DiffusersEngine, model: Model, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = engine.load(model).vae
    failing = Failing(vae.decode, times=2, on_cpu=True)
    monkeypatch.setattr(vae, "decode", failing)
    with pytest.raises(OutOfMemory, match="Fewer frames or a smaller size will help"):
        engine.run(model, request_, silent)
    assert failing.calls == 2
    assert not vae.use_tiling
    assert len(engine.run(model, request_, silent).frames) == 9


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "input tensor must fit into 32-bit index math",
    ],
)
def test_a_gpu_says_it_in_other_words_too(words: str) -> None:
    assert ran_out(RuntimeError(words))


def test_any_other_error_is_not_taken_for_memory(
    engine: DiffusersEngine, model: Model, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("The size of tensor a must match the size of tensor b")

    monkeypatch.setattr(engine.load(model).vae, "decode", fail)
    with pytest.raises(RuntimeError, match="must match"):
        engine.run(model, request_, silent)


def test_broken_arithmetic_is_no_success(
    engine: DiffusersEngine, model: Model, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = engine.load(model)
    monkeypatch.setattr(pipeline.transformer.proj_out.bias, "data", torch.full((32,), torch.nan))
    with pytest.raises(WrongOutput, match="arithmetic broke down"):
        engine.run(model, request_, silent)


def test_the_padding_of_cogvideox_1_5_is_taken_off(folder: Path, tmp_path: Path, request_: Request) -> None:
    """Version 1.5 patches time as well, and rounds an odd number of latent frames up."""
    parts = CogVideoXPipeline.from_pretrained(folder).components
    config = {**parts["transformer"].config, "patch_size_t": 2, "patch_bias": False, "num_layers": 1}
    config["use_rotary_positional_embeddings"] = True
    parts["transformer"] = CogVideoXTransformer3DModel(
        **{name: value for name, value in config.items() if not name.startswith("_")}
    )
    pipeline: Any = CogVideoXPipeline(**parts)
    pipeline.save_pretrained(tmp_path)
    engine = DiffusersEngine(device="cpu")
    clip = engine.run(Model("cog-1.5", "CogVideoXPipeline", str(tmp_path)), request_, silent)
    assert clip.frames.shape == (9, 24, 16, 3)

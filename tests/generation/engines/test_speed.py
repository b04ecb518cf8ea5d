"""The presets: tuned is the same, fast is nearly so and says it, and neither leaves a trace."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from diffusers.models.attention_dispatch import AttentionBackendName
from torch._dynamo.testing import CompileCounterWithBackend

from generation.engines import Request, Stopped, diffusers
from generation.engines.diffusers import DiffusersEngine, Loaded, denoise, reading, speed
from tests.generation.engines.conformance import silent
from tests.generation.engines.families import CASES

STEPS = speed.FEWEST


class Calls:
    """Counts what goes through a module's `forward`."""

    def __init__(self, module: Any) -> None:
        self.count, self.forward = 0, module.forward
        module.forward = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        return self.forward(*args, **kwargs)


def latents(engine: DiffusersEngine, loaded: Loaded, request: Request) -> torch.Tensor:
    return denoise(loaded, request, engine._read_prompt(loaded, request), silent)[0]


class Presets:
    """One family's model under each preset, and one request."""

    def __init__(self, name: str, folder: Any) -> None:
        case = CASES[name]
        self.engine = DiffusersEngine(device="cpu", warm=3)
        self.models = {preset: case.model(folder, slug=preset, preset=preset) for preset in ("tuned", "fast")}
        self.models["reference"] = case.model(folder)
        self.loaded = {preset: self.engine._load(model) for preset, model in self.models.items()}
        self.request = case.request(steps=STEPS)

    def latents(self, preset: str) -> torch.Tensor:
        return latents(self.engine, self.loaded[preset], self.request)


@pytest.fixture(scope="module", params=CASES)
def presets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Presets:
    return Presets(request.param, CASES[request.param].save(tmp_path_factory.mktemp("presets") / request.param))


def test_tuned_is_the_same_up_to_rounding(presets: Presets, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels: list[Any] = []
    dispatch: Callable[..., Any] = speed.dispatch_attention_fn

    def watched(*args: Any, **kwargs: Any) -> Any:
        kernels.append(kwargs["backend"])
        return dispatch(*args, **kwargs)

    monkeypatch.setattr(speed, "dispatch_attention_fn", watched)
    reference = presets.latents("reference")
    assert kernels == []
    assert torch.allclose(presets.latents("tuned"), reference, rtol=0, atol=1e-4)
    if presets.loaded["tuned"].model.pipeline.startswith(
        ("CogVideoX", "Mochi")
    ):  # with diffusers' own, none could be chosen
        assert set(kernels) == {None}, "torch's choice, where there is no GPU"


def test_fast_is_another_clip_and_says_so_and_leaves_no_trace(presets: Presets) -> None:
    exact, fast = presets.latents("tuned"), presets.latents("fast")
    assert torch.isfinite(fast).all()
    assert not torch.allclose(exact, fast, atol=1e-4)
    assert torch.corrcoef(torch.stack([exact.flatten(), fast.flatten()]))[0, 1] > 0.95
    clip = presets.engine.run(presets.models["fast"], presets.request, silent)
    assert clip.notes == ("Drawn fast: 4 of 10 steps were estimated from those before, so fine detail may differ.",)
    # the same pipeline without its leaps
    assert torch.equal(
        latents(presets.engine, replace(presets.loaded["fast"], model=presets.models["tuned"]), presets.request), exact
    )
    assert torch.equal(presets.latents("fast"), fast)


def test_fast_computes_the_steps_that_it_says_and_no_other(presets: Presets) -> None:
    assert speed.computed(10) == [True, True, False, True, False, False, True, False, True, True]
    pipeline = presets.loaded["fast"].pipeline
    blocks = next(part for name, part in pipeline.transformer.named_children() if "blocks" in name)
    calls = Calls(blocks[0])
    try:
        presets.latents("fast")
    finally:
        del blocks[0].forward
    twice = pipeline.__class__.__name__ == "WanPipeline"  # which asks for each of its two predictions by itself
    assert calls.count == 6 * (2 if twice else 1)


def test_stopping_in_a_leap_leaves_no_trace(presets: Presets) -> None:
    fast = presets.latents("fast")

    def stop(step: int, steps: int) -> None:
        if step == 5:
            raise Stopped

    with pytest.raises(Stopped):
        presets.engine.run(presets.models["fast"], replace(presets.request, seed=99), stop)
    assert torch.equal(presets.latents("fast"), fast)


def test_a_prompt_is_read_once(presets: Presets) -> None:
    encoders = speed.encoders(presets.loaded["tuned"].pipeline)
    calls = [Calls(encoder) for encoder in encoders]
    try:
        for prompt in ("a white ring", "a white ring", "a black ring"):
            presets.engine.run(presets.models["tuned"], replace(presets.request, steps=2, prompt=prompt), silent)
            counts = [call.count for call in calls]
            presets.engine.run(
                presets.models["tuned"], replace(presets.request, steps=2, prompt=prompt, seed=3), silent
            )
            assert [call.count for call in calls] == counts
    finally:
        for encoder in encoders:
            del encoder.forward
    each = counts[-1]
    assert each in (2, 4), "two prompts, and what they must not show"


@pytest.fixture(scope="module")
def cogvideox(tmp_path_factory: pytest.TempPathFactory) -> Presets:
    return Presets("cogvideox", CASES["cogvideox"].save(tmp_path_factory.mktemp("presets") / "one"))


def test_with_few_steps_fast_leaves_none_out(cogvideox: Presets) -> None:
    clips = [
        cogvideox.engine.run(model, replace(cogvideox.request, steps=4), silent) for model in cogvideox.models.values()
    ]
    assert all((clip.frames == clips[0].frames).all() and clip.notes == () for clip in clips)


@pytest.mark.parametrize("presets", ["cogvideox", "mochi"], indirect=True)
def test_compiled_blocks_leap_as_well(presets: Presets) -> None:
    """What a GPU has besides. The tests compile to plain torch, which takes no compiler."""
    fast, exact = presets.latents("fast"), presets.latents("tuned")
    transformer = presets.loaded["fast"].pipeline.transformer
    speed.compile_blocks(transformer, partial(torch.compile, backend="eager"))
    try:
        assert torch.allclose(presets.latents("fast"), fast, atol=1e-5)
        plain = replace(presets.loaded["fast"], model=presets.models["tuned"])
        assert torch.allclose(latents(presets.engine, plain, presets.request), exact, atol=1e-5)
    finally:
        for block in transformer.transformer_blocks:
            del block.forward


def test_blocks_and_presets_of_a_model_share_what_was_compiled(cogvideox: Presets) -> None:
    counter = CompileCounterWithBackend("eager")
    transformers = [cogvideox.loaded[preset].pipeline.transformer for preset in ("tuned", "fast")]
    torch.compiler.reset()
    try:
        for transformer in transformers:
            for block in transformer.transformer_blocks:
                block.attn1.processor._attention_backend = AttentionBackendName._NATIVE_MATH  # one that a CPU has too
            speed.compile_blocks(transformer, partial(torch.compile, backend=counter, fullgraph=True))
        counts = [(cogvideox.latents(preset), counter.frame_count)[1] for preset in ("tuned", "fast")]
        assert counts == [2, 2], "one for the first block, whose tokens are laid out otherwise, and one for all others"
    finally:
        for transformer in transformers:
            for block in transformer.transformer_blocks:
                del block.forward
                block.attn1.processor._attention_backend = None


def test_without_a_compiler_blocks_stay_as_they_are() -> None:
    def broken(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")

    cpu = torch.device("cpu")
    assert speed.compiles(cpu, partial(torch.compile, backend="eager"))
    torch.compiler.reset()  # or what was compiled just now would serve
    assert not speed.compiles(cpu, partial(torch.compile, backend=broken))


@pytest.mark.parametrize(("held", "left"), [(0.2, False), (0.6, True)])
def test_readers_leave_only_where_memory_is_short(
    cogvideox: Presets, monkeypatch: pytest.MonkeyPatch, held: float, left: bool
) -> None:
    """What is moved is the CPU's own here, so only the asking can be seen."""
    went: list[Any] = []
    monkeypatch.setattr(diffusers, "held", lambda device: held)
    monkeypatch.setattr(diffusers, "move_readers", lambda loaded, device: went.append(loaded.model.slug))
    for prompt in ("a white ring", "a white ring"):
        cogvideox.engine._read_prompt(cogvideox.loaded["tuned"], replace(cogvideox.request, prompt=prompt + str(held)))
    assert len(went) == 1 + 2 * left, "in for the first, and out after each"


def test_only_so_many_prompts_are_remembered() -> None:
    prompts, read = speed.Prompts(), []
    for key in [*range(speed.PROMPTS + 1), 1, 0]:
        prompts.get(key, lambda key=key: read.append(key) or {})
    assert read == [*range(speed.PROMPTS + 1), 0], "the one used longest ago was forgotten"


def test_without_a_gpu_nothing_is_offloaded_and_that_is_said(cogvideox: Presets) -> None:
    engine = DiffusersEngine(device="cpu")
    engine.load(replace(cogvideox.models["tuned"], offload="sequential"))
    assert engine.describe()["models"] == [{"slug": "tuned", "preset": "tuned", "offload": "none"}]


def test_parts_that_come_and_go_draw_the_same(cogvideox: Presets, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hooks are accelerate's own; here both of the places between which they move a part are the CPU."""
    for module in (reading, diffusers):
        monkeypatch.setattr(module, "offloading", lambda model, device: model.offload)
    engine = DiffusersEngine(device="cpu")
    model = replace(cogvideox.models["fast"], offload="model")
    whole = cogvideox.engine.run(cogvideox.models["fast"], cogvideox.request, silent).frames
    assert (engine.run(model, cogvideox.request, silent).frames == whole).all()

    def stop(step: int, steps: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        engine.run(model, cogvideox.request, stop)
    assert (engine.run(model, cogvideox.request, silent).frames == whole).all()

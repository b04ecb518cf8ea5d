"""The diffusers engine under the rules for all engines, with a tiny real pipeline of each family."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import CogVideoXImageToVideoPipeline, CogVideoXPipeline

from generation.engines.diffusers import DiffusersEngine
from generation.engines.diffusers.families import FAMILIES
from tests.generation.engines.conformance import Conformance, Subject
from tests.generation.engines.families import CASES

COGVIDEOX = (CogVideoXPipeline, CogVideoXImageToVideoPipeline)


@contextmanager
def replaced(owner: Any, name: str, other: Callable[..., Any]) -> Iterator[None]:
    """A method of this one object, replaced for the length of a block by `other(method, *args, **kwargs)`."""
    method = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: other(method, *args, **kwargs))
    try:
        yield
    finally:
        delattr(owner, name)


@pytest.fixture(scope="module", params=CASES)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    case = CASES[request.param]
    model = case.model(case.save(tmp_path_factory.mktemp("models") / request.param))
    engine = DiffusersEngine(device="cpu")
    vae = engine.load(model).vae

    @contextmanager
    def out_of_memory(times: int) -> Iterator[None]:
        left = times

        def fail(decode: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return decode(*args, **kwargs)

        with replaced(vae, "decode", fail):
            yield
        assert left == 0
        assert not vae.use_tiling

    @contextmanager
    def too_narrow() -> Iterator[None]:
        processor = getattr(engine.load(model), "video_processor", None) or engine.load(model).image_processor
        name = "postprocess_video" if hasattr(processor, "postprocess_video") else "postprocess"
        with replaced(processor, name, lambda process, *args, **kwargs: process(*args, **kwargs)[..., :-1, :]):
            yield

    return Subject(engine, model, case, out_of_memory, too_narrow)


class TestDiffusers(Conformance):
    def test_every_stage_is_timed(self, subject: Subject) -> None:
        assert list(subject.clip.seconds) == ["load", "text", "denoise", "decode"]
        assert all(subject.clip.seconds[stage] > 0 for stage in ("text", "denoise", "decode"))

    def test_it_is_the_clip_that_the_pipeline_itself_gives(self, subject: Subject) -> None:
        """Prompt, noise and decoding go their own ways here, and still not one bit is another."""
        pipeline, family = subject.engine.load(subject.model), FAMILIES[subject.model.pipeline]
        made = pipeline(
            **family.asked(pipeline, subject.request),
            prompt=subject.request.prompt,
            max_sequence_length=family.grid(pipeline).tokens,
            generator=torch.Generator("cpu").manual_seed(subject.request.seed),
            output_type="np",
            return_dict=False,
        )[0]
        frames = np.rint(made.reshape(subject.clip.frames.shape) * 255).astype(np.uint8)
        assert np.array_equal(frames, subject.clip.frames)

    def test_tiles_come_together_again(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        """At the sizes of the tests no tile is full: smaller ones, then. (CogVideoX: see test_diffusers.)"""
        pipeline, request = subject.engine.load(subject.model), subject.request
        least = FAMILIES[subject.model.pipeline].grid(pipeline).side
        for side, length in (("height", request.height), ("width", request.width)):
            if hasattr(pipeline.vae, f"tile_sample_stride_{side}"):
                monkeypatch.setattr(pipeline.vae, f"tile_sample_min_{side}", max(length // 2, least))
                monkeypatch.setattr(pipeline.vae, f"tile_sample_stride_{side}", max(length // 2, least))
        with subject.out_of_memory(1):
            tiled = subject.run()
        assert tiled.frames.shape == subject.clip.frames.shape
        assert np.corrcoef(tiled.frames.ravel(), subject.clip.frames.ravel())[0, 1] > 0.25, "the same clip"
        assert np.array_equal(tiled.frames, subject.clip.frames) == isinstance(pipeline, COGVIDEOX), "in tiles"

    def test_what_a_clip_must_not_show_counts_or_is_said_not_to(self, subject: Subject) -> None:
        clip = subject.run(negative_prompt="a green square")
        changed = not np.array_equal(clip.frames, subject.clip.frames)
        said = clip.notes == ("This model does not read what a clip must not show.",)
        assert changed != said

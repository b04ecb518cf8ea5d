"""What every engine does alike, for every family that it runs. An engine's tests inherit from `Conformance`.

They bring a fixture `subject`: the engine with a model of one family, and the ways to break it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from generation.engines import Clip, Engine, Model, OutOfMemory, Request, Stopped, Unsupported, WrongOutput
from tests.generation.engines.families import Case, picture


class LeaseLost(Stopped):
    """What a worker raises."""


class Broken(Exception):
    """Something that nobody has thought of."""


def silent(step: int, steps: int) -> None:
    """Nobody watches."""


@dataclass
class Subject:
    """An engine with a model of one family."""

    engine: Engine
    model: Model
    case: Case
    # For the length of a block, decoding runs out of memory so many times.
    out_of_memory: Callable[[int], AbstractContextManager[Any]]
    # For the length of a block, a clip lacks its last column of pixels.
    too_narrow: Callable[[], AbstractContextManager[Any]]
    tiles_after: int | None = 1  # how often memory runs out before the decoder works in tiles; None: that is not told
    every_step: bool = True  # is heard of; from afar, only those that fell on a look

    @cached_property
    def request(self) -> Request:
        return self.case.request()

    @cached_property
    def clip(self) -> Clip:
        """What the request gives when nothing is in its way."""
        return self.run()

    def run(self, **changes: Any) -> Clip:
        return self.engine.run(self.model, replace(self.request, **changes), silent)

    def still_works(self) -> bool:
        """Whether it draws what it drew before, bit for bit."""
        return np.array_equal(self.run().frames, self.clip.frames)


class Conformance:
    def test_a_clip_is_what_was_asked_for(self, subject: Subject) -> None:
        request, steps = subject.request, []
        clip = subject.engine.run(subject.model, request, lambda step, total: steps.append((step, total)))
        assert clip.frames.shape == (request.frames, request.height, request.width, 3)
        assert clip.frames.dtype == np.uint8
        assert clip.frames.std() > 1, "not one colour"
        assert (clip.fps, clip.seed, clip.notes) == (request.fps, request.seed, ())
        assert steps[-1] == (3, 3) and steps == sorted(steps)
        assert not subject.every_step or steps == [(1, 3), (2, 3), (3, 3)]
        assert all(seconds >= 0 for seconds in clip.seconds.values())

    def test_the_same_seed_gives_the_same_bits(self, subject: Subject) -> None:
        assert subject.still_works()
        assert not np.array_equal(subject.clip.frames, subject.run(seed=8).frames)

    def test_another_prompt_gives_another_clip(self, subject: Subject) -> None:
        assert not np.array_equal(subject.clip.frames, subject.run(prompt="a blue ring").frames)

    @pytest.mark.parametrize("at", [1, 3])
    def test_stopping_leaves_no_trace(self, subject: Subject, at: int) -> None:
        seen: list[int] = []

        def stop(step: int, steps: int) -> None:
            seen.append(step)
            if step >= at:
                raise LeaseLost

        assert subject.clip
        with pytest.raises(LeaseLost):
            subject.engine.run(subject.model, replace(subject.request, seed=99), stop)
        assert max([0, *seen[:-1]]) < at <= seen[-1], "not one step more"
        assert not subject.every_step or seen == list(range(1, at + 1))
        assert subject.still_works()

    def test_whatever_goes_wrong_comes_out_and_leaves_no_trace(self, subject: Subject) -> None:
        def fail(step: int, steps: int) -> None:
            raise Broken("/srv/secret")

        with pytest.raises(Broken):
            subject.engine.run(subject.model, subject.request, fail)
        assert subject.still_works()

    def test_off_the_grid_is_refused_before_any_work(self, subject: Subject) -> None:
        steps: list[int] = []
        assert subject.case.off_grid
        for change, sentence in subject.case.off_grid:
            with pytest.raises(Unsupported, match=sentence):
                subject.engine.run(
                    subject.model, replace(subject.request, **change), lambda step, _: steps.append(step)
                )
        assert steps == []

    def test_the_least_that_can_be_asked_for_is_drawn(self, subject: Subject) -> None:
        for guidance in (0.0, 1.0):
            frames = subject.case.fewest_frames
            clip = subject.run(steps=subject.case.fewest_steps, guidance=guidance, frames=frames, seed=0)
            assert len(clip.frames) == frames

    def test_a_picture_counts_where_one_is_taken(self, subject: Subject) -> None:
        width, height = subject.request.width, subject.request.height
        if subject.request.image is not None:
            darker = subject.run(image=picture(width, height, shade=255))
            assert not np.array_equal(subject.clip.frames, darker.frames)
            return
        with pytest.raises(Unsupported, match="words alone"):
            subject.run(image=picture(width, height))

    def test_short_memory_is_met_with_tiles(self, subject: Subject) -> None:
        if subject.tiles_after is None:
            pytest.skip("Where it is drawn, this is tested.")
        with subject.out_of_memory(subject.tiles_after):
            clip = subject.run()
        assert clip.frames.shape == subject.clip.frames.shape
        assert clip.notes == ("Memory was short, so the pictures were decoded in tiles; seams may show.",)
        assert subject.still_works()

    def test_no_memory_is_said_in_a_sentence_and_survived(self, subject: Subject) -> None:
        with (
            subject.out_of_memory((subject.tiles_after or 0) + 1),
            pytest.raises(OutOfMemory, match="Fewer frames or a smaller"),
        ):
            subject.run()
        assert subject.still_works()

    def test_a_clip_of_another_size_is_no_success(self, subject: Subject) -> None:
        with subject.too_narrow(), pytest.raises(WrongOutput, match="(was|were) asked for"):
            subject.run()
        assert subject.still_works()

    def test_it_describes_itself(self, subject: Subject) -> None:
        subject.engine.load(subject.model)
        assert subject.model.slug in subject.engine.describe()["warm"]

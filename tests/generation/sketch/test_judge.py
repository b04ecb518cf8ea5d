"""The judge is right on what was drawn by arithmetic, and guesses on what shows nothing."""

from collections.abc import Sequence

import numpy as np
import pytest

from generation.sketch import clips, evaluate
from generation.sketch.captions import COLOURS, SHAPES, Scene, scenes
from generation.sketch.judge import Verdict, judge, right

pytestmark = pytest.mark.xdist_group("judge")  # the originals are drawn once
WANTED = evaluate.asked(120)
CHANCE = {
    "field": 1 / len(COLOURS),
    "colour": 1 / len(COLOURS),
    "motion": 1 / 7,
    "shape": 1 / len(SHAPES),
    "size": 1 / 3,
}


@pytest.fixture(scope="module")
def originals() -> list[Verdict]:
    rng = np.random.default_rng(11)
    return [judge(clips.draw(scene, rng)) for scene in WANTED]


def at_chance(verdicts: Sequence[Verdict], wanted: Sequence[Scene]) -> None:
    found = evaluate.score(verdicts, wanted)
    for name, part in CHANCE.items():
        # Four standard deviations of so many coins that fall on the right side that often.
        allowed = 400 * np.sqrt(part * (1 - part) / len(wanted))
        assert abs(found[name] - 100 * part) < allowed, name


def test_it_is_always_right_on_the_originals(originals: list[Verdict]) -> None:
    assert evaluate.score(originals, WANTED) == dict.fromkeys(CHANCE, 100.0)
    assert min(verdict.likeness for verdict in originals) > 0.8


def test_it_guesses_under_another_caption(originals: list[Verdict]) -> None:
    """Every verdict against every other scene: what is right there is right by chance."""
    rng = np.random.default_rng(3)
    at_chance(originals, [WANTED[index] for index in rng.permutation(len(WANTED))])


def test_it_guesses_on_noise() -> None:
    rng = np.random.default_rng(5)
    verdicts = [judge(rng.integers(0, 256, (17, 64, 64, 3), dtype=np.uint8)) for _ in range(24)]
    at_chance([verdicts[index % 24] for index in range(len(WANTED))], WANTED)


def test_an_empty_field_has_no_shape() -> None:
    verdict = judge(np.full((17, 64, 64, 3), COLOURS["blue"], np.uint8))
    assert (verdict.field, verdict.colour, verdict.shape) == ("blue", "", "")
    assert not right(verdict, Scene("red", "circle", "", "blue")).colour


def test_a_picture_stands_still() -> None:
    rng = np.random.default_rng(9)
    for scene in [scene for scene in scenes() if not scene.motion][::17]:
        assert all(vars_of(right(judge(clips.draw(scene, rng, frames=1)), scene)))


def vars_of(each: object) -> list[bool]:
    return [getattr(each, name) for name in CHANCE]


def test_what_is_evaluated_is_held_out_and_fixed() -> None:
    assert evaluate.asked(300)[:120] == WANTED
    assert len(set(WANTED)) == 120
    assert len(evaluate.asked(10_000)) == 468

"""The checks before the GPU, and the doors to the engines; no torch needed."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from generation import engines
from generation.engines import Grid, Request, Unsupported

GRID = Grid(side=16, frames=8, tokens=226, steps=1000)
REQUEST = Request("g1", "a circle", width=720, height=480, frames=49, fps=8, steps=50, guidance=6.0, seed=1)


def test_a_request_on_the_grid_passes() -> None:
    GRID.check(REQUEST)
    GRID.check(replace(REQUEST, frames=1, steps=1, guidance=0.0, seed=0))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 724}, "multiples of 16 pixels: 724 × 480 is not; the nearest that fits is 720 × 480"),
        ({"height": 4}, "the nearest that fits is 720 × 16"),
        ({"width": 0}, "the nearest that fits is 16 × 480"),
        ({"frames": 48}, "1, 9, 17, … frames, not 48; the nearest are 41 and 49"),
        ({"frames": 0}, "the nearest are 1 and 9"),
        ({"steps": 0}, "1 to 1000 steps, not 0"),
        ({"steps": 1001}, "1 to 1000 steps, not 1001"),
        ({"guidance": float("nan")}, "Guidance must lie between 0 and 100"),
        ({"seed": -1}, "whole number from 0"),
        ({"seed": 2**63}, "whole number from 0"),
    ],
)
def test_a_request_off_the_grid_is_told_what_fits(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        GRID.check(replace(REQUEST, **change))
    assert sentence in str(refusal.value)


def test_a_model_with_learned_positions_makes_one_size() -> None:
    grid = replace(GRID, only=(720, 480))
    grid.check(REQUEST)
    with pytest.raises(Unsupported, match="720 × 480 pixels only, not 480 × 720"):
        grid.check(replace(REQUEST, width=480, height=720))


def test_only_listed_engines_are_found() -> None:
    with pytest.raises(Unsupported, match=r"no engine called os\.system; there is diffusers"):
        engines.find("os.system")


def test_an_engine_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "stand_in", "builtins.dict")
    monkeypatch.setattr(engines, "_made", {})
    assert engines.find("stand_in", warm=2) is engines.find("stand_in", warm=3)
    assert engines.find("stand_in") == {"warm": 2}


def test_where_no_engine_was_made_nothing_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_made", {})
    assert engines.warm() == []


def test_each_error_has_a_code_for_programs() -> None:
    codes = [error.code for error in engines.EngineError.__subclasses__()]
    assert len(set(codes)) == len(codes)
    assert {"model_missing", "out_of_memory", "unsupported", "wrong_output"} <= set(codes)


def test_words_about_engines_and_sketch_load_no_torch() -> None:
    """Web processes import both."""
    script = (
        "import sys, generation.engines, generation.sketch, generation.management.commands.sketch;"
        "print({'torch', 'diffusers', 'transformers', 'tokenizers', 'numpy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""What a preset costs in quality, measured on one scene with few steps."""

import math

import numpy as np
import pytest

from benchmarks import presets
from generation.sketch import evaluate


def test_decibels_tell_how_far_apart_pictures_are() -> None:
    plain = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    assert presets.psnr(plain, plain) == math.inf
    assert presets.psnr(plain + np.uint8(255), plain) == pytest.approx(0)
    assert presets.psnr(plain + np.uint8(1), plain) == pytest.approx(48.13, abs=0.01)


@pytest.mark.soak
def test_presets_are_compared_on_the_same_seeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluate, "STEPS", 10)
    found = presets.measure(1)
    assert found["reference_psnr"] == math.inf
    assert found["tuned_psnr"] > 60, "the same up to rounding"
    assert 20 < found["fast_psnr"] == found["fast_psnr_worst"] < 60
    assert {f"{name}_{each}" for name in ("reference", "fast", "fewer") for each in ("shape", "colour", "s")} <= set(
        found
    )
    assert "reference, 6 steps" in capsys.readouterr().out

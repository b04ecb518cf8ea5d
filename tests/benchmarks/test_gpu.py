"""The GPU benchmark, without a GPU: its path with tiny parts, and what its real configurations are."""

import pytest
import torch

from benchmarks import gpu
from generation.engines.diffusers import speed
from generation.engines.diffusers.families import FAMILIES

BILLION = 10**9


def pairs(line: str) -> dict[str, float]:
    return {name: float(value) for name, value in (pair.split("=") for pair in line.split())}


def test_each_preset_is_timed_stage_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--tiny", "--rounds", "1", "--models", "cogvideox-5b", "mochi-1-preview"])
    *table, last = capsys.readouterr().out.strip().splitlines()
    found = pairs(last)
    for key in ("cogvideox_5b", "mochi_1_preview"):
        for preset in ("tuned", "fast"):
            ratio = found[f"{key}_reference_s"] / found[f"{key}_{preset}_s"]
            assert found[f"{key}_{preset}_ratio"] == pytest.approx(ratio, abs=0.2)
            assert found[f"{key}_{preset}_step_ms"] > 0
    rows = [line.split() for line in table if line.strip().startswith(gpu.PRESETS)]
    assert [(row[0], row[4]) for row in rows] == [
        ("reference", "50/50"), ("tuned", "50/50"), ("fast", "25/50"),
        ("reference", "64/64"), ("tuned", "64/64"), ("fast", "31/64"),
    ]  # fmt: skip
    assert "no figure below means anything" in table[0]


def test_a_clip_is_reckoned_from_both_kinds_of_step() -> None:
    found = gpu.Measured()
    timed = {"text": [1.0], "decode": [5.0, 7.0, 6.0], "beside": [0.5], "step": [2.0, 2.2, 2.1], "estimated": [0.1]}
    found.stages.update(timed)
    flags = speed.computed(50)
    assert flags.count(True) == 25
    assert found.seconds(flags)["clip"] == pytest.approx(1.0 + 0.5 + 25 * 2.1 + 25 * 0.1 + 6.0)


def test_what_does_not_fit_in_the_budget_is_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--tiny", "--budget", "0"])
    *table, last = capsys.readouterr().out.strip().splitlines()
    assert [line for line in table if "left out" in line] == [
        f"{slug}: left out, the budget of 0 s was spent" for slug in gpu.CONFIGURATIONS
    ]
    assert list(pairs(last)) == ["seconds"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(SystemExit, match="There is no GPU that torch can use here"):
        gpu.main([])


@pytest.mark.parametrize(
    ("slug", "billions"), [("cogvideox-2b", 1.694), ("cogvideox-5b", 5.570), ("mochi-1-preview", 10.028)]
)
def test_the_configurations_are_the_published_ones(slug: str, billions: float) -> None:
    """By their number of weights; and each takes what the catalogue offers first."""
    clip = gpu.offered(slug, tiny=False)
    pipeline = gpu.make(clip, torch.device("meta"), torch.bfloat16, tiny=False)
    assert pipeline.transformer.num_parameters() / BILLION == pytest.approx(billions, abs=0.001)
    assert pipeline.text_encoder.num_parameters() / BILLION == pytest.approx(4.762, abs=0.001)
    FAMILIES[clip.pipeline].grid(pipeline).check(clip.request(1, clip.steps))
    assert (clip.width, clip.height, clip.frames, clip.steps) == (
        (848, 480, 61, 64) if slug.startswith("mochi") else (720, 480, 49, 50)
    )

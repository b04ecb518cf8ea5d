"""How well Sketch does what it is told, on scenes that it never saw, drawn by the engine that draws for artists.

`judge` looks at the pictures; the same judge looks at the drawn originals, at noise and at clips under other captions,
so that the figures have a ceiling and a floor measured beside them.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from generation import engines
from generation.sketch import PIPELINE, clips
from generation.sketch.captions import Scene, caption, held_out, scenes
from generation.sketch.judge import Right, Verdict, judge, right

SEED = 7
STEPS, GUIDANCE, FPS = 20, 3.0, 8
SAMPLES = 24

Score = dict[str, float]  # percent right, by attribute


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured: `lines` are for people, `figures` are percentages and seconds by name."""

    lines: list[str]
    figures: dict[str, float]
    samples: list[tuple[Scene, NDArray[np.uint8]]]


def asked(count: int) -> list[Scene]:
    """So many held-out scenes in a fixed order that mixes all kinds; fewer where there are no more."""
    kept = [scene for scene in scenes() if held_out(scene)]
    random.Random(SEED).shuffle(kept)  # noqa: S311
    return kept[:count]


def request(index: int, scene: Scene, *, steps: int = STEPS, guidance: float = GUIDANCE) -> engines.Request:
    """What is asked of the engine for the scene at this place: the same seed each time."""
    return engines.Request(
        id=str(index),
        prompt=caption(scene),
        width=clips.SIZE,
        height=clips.SIZE,
        frames=clips.FRAMES,
        fps=FPS,
        steps=steps,
        guidance=guidance,
        seed=1000 + index,
    )


def score(verdicts: Sequence[Verdict], wanted: Sequence[Scene]) -> Score:
    """Percent of the clips that show each attribute as asked."""
    marks = [right(verdict, scene) for verdict, scene in zip(verdicts, wanted, strict=True)]
    return {field.name: 100 * mean(getattr(mark, field.name) for mark in marks) for field in fields(Right)}


def evaluate(
    folder: Path, count: int, say: Callable[[str], None], *, steps: int = STEPS, guidance: float = GUIDANCE
) -> Report:
    """Draw `count` held-out scenes with the model in `folder` and judge them; about two seconds each on two cores.

    Raises any EngineError.
    """
    engine = engines.find("diffusers")
    model = engines.Model("sketch", PIPELINE, str(folder))
    engine.load(model)
    wanted, drawn, seconds = asked(count), [], []
    for index, scene in enumerate(wanted):
        began = time.perf_counter()
        clip = engine.run(model, request(index, scene, steps=steps, guidance=guidance), lambda done, total: None)
        seconds.append(time.perf_counter() - began)
        drawn.append(clip.frames)
        if (index + 1) % 32 == 0:
            say(f"{index + 1} of {len(wanted)} drawn, {median(seconds):.2f} s each")
    verdicts = [judge(pictures) for pictures in drawn]
    others = wanted.copy()
    random.Random(SEED + 1).shuffle(others)  # noqa: S311
    rng = np.random.default_rng(SEED)
    noise = rng.integers(0, 256, (len(wanted), clips.FRAMES, clips.SIZE, clips.SIZE, 3), dtype=np.uint8)
    scores = {
        "Sketch": score(verdicts, wanted),
        "drawn by arithmetic": score([judge(clips.draw(scene, rng)) for scene in wanted], wanted),
        "Sketch, under another's caption": score(verdicts, others),
        "noise": score([judge(pictures) for pictures in noise], wanted),
    }
    return Report(
        lines=table(scores) + mistakes(verdicts, wanted),
        figures={**scores["Sketch"], "captions": len(wanted), "seconds": median(seconds)},
        samples=list(zip(wanted, drawn, strict=True))[:SAMPLES],
    )


def table(scores: dict[str, Score]) -> list[str]:
    names = [field.name for field in fields(Right)]
    return [
        "| clips, % right | " + " | ".join(names) + " |",
        "|---|" + "--:|" * len(names),
        *(f"| {who} | " + " | ".join(f"{found[name]:.1f}" for name in names) + " |" for who, found in scores.items()),
    ]


def mistakes(verdicts: Sequence[Verdict], wanted: Sequence[Scene]) -> list[str]:
    """Which kinds of shape were seen as which, where they were not seen as asked."""
    taken: dict[tuple[str, str], int] = {}
    for verdict, scene in zip(verdicts, wanted, strict=True):
        if verdict.shape != scene.shape:
            taken[scene.shape, verdict.shape] = taken.get((scene.shape, verdict.shape), 0) + 1
    if not taken:
        return []
    worst = sorted(taken.items(), key=lambda item: -item[1])
    return ["", "Shapes mistaken: " + ", ".join(f"{a} for {b or 'none'} {n}" for (a, b), n in worst) + "."]


def contact_sheet(samples: Sequence[tuple[Scene, NDArray[np.uint8]]], zoom: int = 1) -> Image.Image:
    """Five frames of each clip under its caption, two clips a row."""
    shown, side, gap, line = 5, clips.SIZE * zoom, 2, 14
    width, height = shown * (side + gap) + 10, side + line + 6
    sheet = Image.new("RGB", (2 * width, -(-len(samples) // 2) * height), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (scene, pictures) in enumerate(samples):
        left, top = index % 2 * width, index // 2 * height
        pen.text((left, top), caption(scene), fill="black")
        for which, frame in enumerate(np.linspace(0, len(pictures) - 1, shown).round().astype(int)):
            picture = Image.fromarray(pictures[frame]).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(picture, (left + which * (side + gap), top + line))
    return sheet

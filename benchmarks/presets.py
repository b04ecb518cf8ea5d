"""What each speed preset costs in quality, on Sketch: held-out scenes of its evaluation, drawn by the engine under each
preset with the same seeds, turn by turn. How far the pictures are from those of `reference`, and how well they still
show what was asked. The peer, in the same run: `reference` asked for no more steps than `fast` computes.

    python -m benchmarks.presets [scenes]
"""

import math
import os
import statistics
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import django

SCENES = 24  # a few minutes on two cores
HEAD = "PSNR, mean  worst   same"


def psnr(pictures: Any, plain: Any) -> float:
    """Decibels; infinite where the two are the same."""
    apart = float(((pictures.astype(float) - plain) ** 2).mean())
    return 10 * math.log10(255**2 / apart) if apart else math.inf


def measure(scenes: int) -> dict[str, float]:
    import torch
    from django.conf import settings

    from generation import engines
    from generation.engines.diffusers import speed
    from generation.sketch import PIPELINE, evaluate
    from generation.sketch.judge import Right, judge

    folder = str(Path(settings.SHIPPED_MODELS_DIR, "sketch"))
    engine = engines.find("diffusers", warm=len(engines.PRESETS))
    fewer = speed.computed(evaluate.STEPS).count(True)
    ways = [(preset, preset, evaluate.STEPS) for preset in engines.PRESETS] + [("fewer", "reference", fewer)]
    models = {preset: engines.Model("sketch", PIPELINE, folder, preset=preset) for preset in engines.PRESETS}
    wanted = evaluate.asked(scenes)
    drawn: dict[str, list[Any]] = {name: [] for name, _, _ in ways}
    took: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for model in models.values():
        engine.load(model)
        engine.run(model, evaluate.request(len(wanted), wanted[0], steps=2), lambda done, total: None)
    for index, scene in enumerate(wanted):
        for name, preset, steps in ways:
            began = time.process_time()
            clip = engine.run(models[preset], evaluate.request(index, scene, steps=steps), lambda done, total: None)
            took[name].append(time.process_time() - began)
            drawn[name].append(clip.frames)

    names = [field.name for field in fields(Right)]
    print(f"{len(wanted)} held-out scenes, {evaluate.STEPS} steps, {torch.get_num_threads()} threads. Of a clip: the")
    print(
        "median of its processor seconds, and decibels against reference. Of all: how many are the same to the bit, and"
    )
    print("percent that show what was asked.\n")
    print(f"  {'':20}{'s':>6}  {HEAD}" + "".join(f"{name:>9}" for name in names))
    found: dict[str, float] = {}
    for name, preset, steps in ways:
        away = [psnr(clip, plain) for clip, plain in zip(drawn[name], drawn["reference"], strict=True)]
        score = evaluate.score([judge(clip) for clip in drawn[name]], wanted)
        seconds = statistics.median(took[name])
        label = name if name == preset else f"{preset}, {steps} steps"
        same = sum(map(math.isinf, away))
        print(
            f"  {label:20}{seconds:6.2f}{told(statistics.mean(away)):>12}{told(min(away)):>7}{same:>7}"
            + "".join(f"{score[each]:9.1f}" for each in names)
        )
        found |= {f"{name}_s": seconds, f"{name}_psnr": statistics.mean(away), f"{name}_psnr_worst": min(away)}
        found |= {f"{name}_{each}": score[each] for each in names}
    return found


def told(decibels: float) -> str:
    return "–" if math.isinf(decibels) else f"{decibels:.1f}"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    django.setup()
    found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else SCENES)
    print(f"\non {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))

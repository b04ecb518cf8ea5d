"""What the gateway adds to a clip: N generations through its web rules, queue and worker, against the same N in a bare
diffusers loop, turn by turn in one run, each after the other and alone.

A bare turn calls the pipeline as diffusers' documentation does and keeps the pictures in memory; ours claims, draws,
encodes a video, a poster and a sheet, stores them, charges and records. Sketch on the CPU, a real Celery worker, a
PostgreSQL and a Valkey of its own.

    python -m benchmarks.generation [turns]
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import place

PROMPT = "a red circle drifting left over a blue field"
# Clips a turn and denoising steps: many short clips tell the fixed cost, a long one the rate.
SHORT, LONG = (4, 4), (2, 90)
LOOK = 0.25  # seconds
DRAWING = ("load", "text", "denoise", "decode")
STAGES = ("claim", *DRAWING, "encode", "store", "finish")


def bare() -> Callable[[int, int], float]:
    """Draw so many clips of so many steps; return the seconds."""
    import torch
    from diffusers import CogVideoXPipeline
    from django.conf import settings

    folder = Path(settings.SHIPPED_MODELS_DIR, "sketch")
    pipeline: Any = CogVideoXPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    def draw(clips: int, steps: int) -> float:
        began = time.perf_counter()
        for seed in range(clips):
            pipeline(
                PROMPT,
                width=64,
                height=64,
                num_frames=17,
                num_inference_steps=steps,
                guidance_scale=3.0,
                max_sequence_length=pipeline.transformer.config.max_text_seq_length,
                generator=torch.Generator().manual_seed(seed),
                output_type="np",
            )
        return time.perf_counter() - began

    return draw


def ours(stages: list[dict[str, float]]) -> Callable[[int, int], float]:
    """The same through the gateway; what each stage took is added to `stages`."""
    from generation.models import Generation, ModelProfile
    from tests import makers

    makers.sketch()
    ModelProfile.objects.update(max_steps=LONG[1])
    artist = makers.artist(credits=100_000, cohort=makers.cohort(daily=10_000, concurrent=100))

    def draw(clips: int, steps: int) -> float:
        began = time.time()
        asked = [makers.queued(artist, PROMPT, seconds=2, steps=steps, seed=seed).pk for seed in range(clips)]
        waiting = Generation.objects.filter(pk__in=asked)
        while waiting.filter(state__in=["queued", "in_progress"]).exists():
            time.sleep(LOOK)
        done = list(waiting.order_by("id"))
        assert all(each.state == "completed" for each in done), [each.error_message for each in done]
        # By the database's clock, which is this machine's: looking often would take the worker's processor.
        took = max(each.ended_at.timestamp() for each in done) - began
        free_since = done[0].created_at
        for each in done:
            stages.append(split(each, free_since))
            drawn = sum(each.timings[stage] for stage in DRAWING)
            free_since = each.started_at + timedelta(seconds=drawn)  # the rest is done beside the next one
        return took

    return draw


def split(generation: Any, free_since: datetime) -> dict[str, float]:
    """Milliseconds: the claim is what passed from the moment at which the worker was free and this one asked for."""
    told = {stage: 1000 * seconds for stage, seconds in generation.timings.items()}
    told["claim"] = 1000 * (generation.started_at - max(free_since, generation.created_at)).total_seconds()
    told["finish"] = 1000 * (generation.ended_at - generation.started_at).total_seconds() - sum(
        told.get(stage, 0) for stage in STAGES if stage not in ("claim", "finish")
    )
    return told


def measure(turns: int) -> dict[str, float]:
    stages: list[dict[str, float]] = []
    by_diffusers, by_gateway = bare(), ours(stages)
    for draw in (by_diffusers, by_gateway):
        draw(1, 2)  # to read the weights
    stages.clear()
    fixed, rates = [], []
    for _ in range(turns):
        clips, steps = SHORT
        fixed.append(1000 * (by_gateway(clips, steps) - by_diffusers(clips, steps)) / clips)
    short = list(stages)
    alone = 0.0
    for _ in range(turns):
        clips, steps = LONG
        alone = by_diffusers(clips, steps)
        rates.append(alone / by_gateway(clips, steps))
    print(f"Fixed cost of a generation: {statistics.median(fixed):.0f} ms, median of {turns} turns of {SHORT[0]} clips")
    rate = statistics.median(rates)
    print(f"Throughput of clips of {alone / LONG[0]:.0f} s: {rate:.3f} of the bare loop, median of {turns}\n")
    print("Milliseconds of a short clip, median:")
    found = {stage: statistics.median(each.get(stage, 0.0) for each in short) for stage in STAGES}
    for stage, took in found.items():
        print(f"  {stage:10}{took:8.0f}")
    return {
        "ratio": rate,
        "fixed_ms": statistics.median(fixed),
        **{f"{stage}_ms": took for stage, took in found.items()},
    }


if __name__ == "__main__":
    with place.with_a_worker("tests.generation.preloaded"):
        found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    print(f"\non {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))

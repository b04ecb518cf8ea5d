"""How soon a worker is free again: from a cancel, and from a brake, to its claim of the next generation, by what it was
doing. Real worker, queue and database; each stage is one that hears nothing by itself, but for denoising, which steps
every half second. The bound is a step there, and five seconds elsewhere.

    python -m benchmarks.cancel [runs]
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import place

STAGES = ("denoise", "load", "decode", "encode")
LOOK = 0.01


def until(what: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise SystemExit("It never came.")
        time.sleep(LOOK)


def one(stage: str, how: str) -> float:
    """Seconds from the call to the claim of what waits behind."""
    from gateway import actors, brakes
    from generation import generations
    from generation.models import Generation, ModelProfile
    from tests import makers
    from tests.generation import hanging

    seeds = {
        "denoise": (hanging.WALKING, 2),
        "load": (hanging.LOADING, 0),
        "decode": (hanging.DECODING, 2),
        "encode": (hanging.DAWDLING, 2),
    }
    seed, step = seeds[stage]
    makers.sketch()
    ModelProfile.objects.update(engine="hanging")
    ours = makers.queued(makers.artist(), seconds=1, steps=50 if stage == "denoise" else 2, seed=seed)
    until(lambda: Generation.objects.filter(pk=ours.pk, state="in_progress", step__gte=step).exists())
    time.sleep(0.3)  # well into it
    behind = makers.queued(makers.artist(), seconds=1, steps=2, seed=hanging.HOLDING + 100)
    began = time.monotonic()
    if how == "cancel":
        generations.cancel(Generation.objects.get(pk=ours.pk), by=actors.person(ours.membership.user))
    else:
        brakes.pull("artist", ours.membership.user_id, by=actors.SYSTEM, label="them", reason="A measurement")
    until(lambda: Generation.objects.filter(pk=behind.pk, fence__gte=1).exists())
    took = time.monotonic() - began
    go = Path(os.environ["MEDIA_DIR"], "go")
    go.touch()
    until(lambda: Generation.objects.filter(pk=behind.pk, state="completed").exists())
    go.unlink()
    return took


def measure(runs: int) -> dict[str, dict[str, float]]:
    """The median of each stage, for both."""
    took: dict[str, dict[str, list[float]]] = {stage: {"cancel": [], "brake": []} for stage in STAGES}
    for _ in range(runs):
        for stage in STAGES:
            for how, seconds in took[stage].items():
                seconds.append(one(stage, how))
    return {stage: {how: statistics.median(each) for how, each in found.items()} for stage, found in took.items()}


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with place.with_a_worker("tests.generation.hanging"):
        found = measure(count)
    print(f"From the call to the worker's next claim, in seconds, median of {count}:")
    print(f"  {'while it':12}{'cancel':>8}{'brake':>8}   bound")
    for stage, times in found.items():
        bound = "a step of 0.5" if stage == "denoise" else "5"
        print(f"  {stage + 's':12}{times['cancel']:8.2f}{times['brake']:8.2f}   {bound}")
    print(
        " ".join(f"{stage}_{how}_s={seconds:.2f}" for stage, times in found.items() for how, seconds in times.items())
    )

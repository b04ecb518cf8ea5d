"""How long Sketch takes for the clip that the studio offers first, and what of that is ours: the engine's checks and
reports, and the making of the files. The peer, in the same run and on the same weights: the pipeline called as
diffusers' own documentation does.

    python -m benchmarks.sketch [runs]
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(runs: int) -> dict[str, float]:
    import torch
    from diffusers import CogVideoXPipeline
    from django.conf import settings

    from generation import engines
    from generation.media import encode

    folder = Path(settings.SHIPPED_MODELS_DIR, "sketch")
    prompt = "a red circle drifting left over a blue field"
    model = engines.Model("sketch", "CogVideoXPipeline", str(folder))
    request = engines.Request("1", prompt, width=64, height=64, frames=17, fps=8, steps=20, guidance=3.0, seed=1)
    engine = engines.find("diffusers")
    took: dict[str, list[float]] = {"read_s": [seconds(lambda: engine.load(model))]}
    plain = CogVideoXPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    plain.set_progress_bar_config(disable=True)

    def by_diffusers() -> object:
        return plain(
            prompt,
            width=64,
            height=64,
            num_frames=17,
            num_inference_steps=20,
            guidance_scale=3.0,
            max_sequence_length=plain.transformer.config.max_text_seq_length,
            generator=torch.Generator().manual_seed(1),
            output_type="np",
        )

    def files() -> None:
        with tempfile.TemporaryDirectory() as made:
            encode.all_files(clip, Path(made), display=(256, 256))

    clip = engine.run(model, request, lambda step, steps: None)
    by_diffusers()
    for _ in range(runs):  # turn by turn, so that a busy minute of the machine falls on all of them
        for name, work in {
            "plain_s": by_diffusers,
            "clip_s": lambda: engine.run(model, request, lambda step, steps: None),
            "files_s": files,
        }.items():
            took.setdefault(name, []).append(seconds(work))
    found = {name: statistics.median(values) for name, values in took.items()}
    return {**found, "ratio": found["clip_s"] / found["plain_s"]}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    django.setup()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    found = measure(count)
    print(f"A clip of 17 frames, 64 × 64, 20 steps, on {os.cpu_count()} cores; model warm, median of {count}:")
    print(f"  by the engine                                {found['clip_s']:6.2f} s")
    print(f"  by diffusers alone, the same weights         {found['plain_s']:6.2f} s")
    print(f"  its files: mp4, poster, contact sheet        {found['files_s']:6.2f} s")
    print(f"  reading the model, once                      {found['read_s']:6.2f} s")
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))

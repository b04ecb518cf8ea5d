"""How long a clip takes on this GPU, stage by stage, and how much memory, under each preset: CogVideoX and Mochi 1 in
their real configurations with random weights, which run as long as learned ones do. Nothing is downloaded.

    python -m benchmarks.gpu [--models cogvideox-5b …] [--rounds 3] [--budget 480]
    python -m benchmarks.gpu --tiny     # the same path with tiny parts on the CPU: it shows that it works, no more

Each clip goes through the engine that draws for artists: its reading, its presets, its decoding, its checks. The
presets take turns, so that a warm minute of the GPU falls on all of them. A timed clip has few steps; what the
catalogue's number of steps takes is the median step of each kind, computed or estimated, as often as the preset has it,
and what the stage took beside its steps. Every clip has a prompt of its own, which has to be read. What no longer fits
into the budget is left out, and the table says so.
"""

import argparse
import copy
import sys
import time
import tomllib
import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import diffusers
import torch
import transformers
from torch.nn.attention import SDPBackend

from generation.engines import PRESETS, EngineError, Model, Request, Stopped
from generation.engines.diffusers import DiffusersEngine, hardware, hush, move_readers, speed
from generation.engines.diffusers.memory import collect, memory
from generation.sketch import build

CATALOGUE = Path(__file__).parents[1] / "generation/catalogue.toml"
FEW = 4  # steps of a timed clip in which all are computed; the first of them is not timed
WARM = 2  # steps of the clip before: blocks are compiled in the first
LEAST = 75.0  # seconds: a model is not begun with less of the budget left
SHARES = {"cogvideox-2b": 1}  # of the budget, of what is left; the larger two have 2
GIB = 2**30

# What each part is made of. The models are zai-org/CogVideoX-2b, zai-org/CogVideoX-5b and genmo/mochi-1-preview on the
# hub, each with google/t5-v1_1-xxl. The numbers are those of diffusers' scripts that converted them
# (convert_cogvideox_to_diffusers.py, convert_mochi_to_diffusers.py): its classes' defaults, where nothing else is said
# here. No revision of a hub's config.json was read; a test holds the parts to the published numbers of parameters.
# Schedulers differ in what they ask for, not in how long they take.
T5_XXL = {
    "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu", "use_cache": False, "pad_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
COGVIDEOX = {
    "attention_head_dim": 64, "in_channels": 16, "out_channels": 16, "text_embed_dim": 4096, "time_embed_dim": 512,
    "patch_size": 2, "max_text_seq_length": 226, "sample_width": 90, "sample_height": 60, "sample_frames": 49,
    "temporal_compression_ratio": 4, "spatial_interpolation_scale": 1.875,
}  # fmt: skip
COGVIDEOX_VAE = {"block_out_channels": (128, 256, 256, 512), "latent_channels": 16, "layers_per_block": 3}
COGVIDEOX_STEPS = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "set_alpha_to_one": True,
    "timestep_spacing": "trailing",
}  # fmt: skip
MOCHI = {
    "patch_size": 2, "num_attention_heads": 24, "attention_head_dim": 128, "num_layers": 48, "in_channels": 12,
    "pooled_projection_dim": 1536, "text_embed_dim": 4096, "time_embed_dim": 256, "max_sequence_length": 256,
}  # fmt: skip

Parts = dict[str, tuple[str, dict[str, Any]]]  # by the pipeline's name for it: its class, its configuration

# The one whose figure is asked for first comes first: the budget may end before the last.
CONFIGURATIONS: dict[str, Parts] = {
    "cogvideox-5b": {
        "transformer": (
            "CogVideoXTransformer3DModel",
            {**COGVIDEOX, "num_attention_heads": 48, "num_layers": 42, "use_rotary_positional_embeddings": True},
        ),
        "vae": ("AutoencoderKLCogVideoX", {**COGVIDEOX_VAE, "scaling_factor": 0.7}),
        "scheduler": ("CogVideoXDDIMScheduler", {**COGVIDEOX_STEPS, "snr_shift_scale": 1.0}),
        "text_encoder": ("T5EncoderModel", T5_XXL),
    },
    "mochi-1-preview": {
        "transformer": ("MochiTransformer3DModel", MOCHI),
        "vae": ("AutoencoderKLMochi", {"decoder_block_out_channels": (128, 256, 512, 768), "latent_channels": 12}),
        "scheduler": ("FlowMatchEulerDiscreteScheduler", {"invert_sigmas": True}),
        "text_encoder": ("T5EncoderModel", T5_XXL),
    },
    "cogvideox-2b": {
        "transformer": ("CogVideoXTransformer3DModel", {**COGVIDEOX, "num_attention_heads": 30, "num_layers": 30}),
        "vae": ("AutoencoderKLCogVideoX", {**COGVIDEOX_VAE, "scaling_factor": 1.15258426}),
        "scheduler": ("CogVideoXDDIMScheduler", {**COGVIDEOX_STEPS, "snr_shift_scale": 3.0}),
        "text_encoder": ("T5EncoderModel", T5_XXL),
    },
}

# With --tiny, what is smaller: by class, and the size of the clip by pipeline.
SMALLER: dict[str, dict[str, Any]] = {
    "T5EncoderModel": {"d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 1, "num_heads": 2, "vocab_size": 128},
    "CogVideoXTransformer3DModel": {
        "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2, "text_embed_dim": 32, "time_embed_dim": 8,
        "sample_width": 4, "sample_height": 2, "sample_frames": 9,
    },
    "AutoencoderKLCogVideoX": {"block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 4},
    "MochiTransformer3DModel": {
        "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "pooled_projection_dim": 16,
        "text_embed_dim": 32, "time_embed_dim": 4,
    },
    "AutoencoderKLMochi": {
        "encoder_block_out_channels": (32,) * 4, "decoder_block_out_channels": (32,) * 4, "layers_per_block": (1,) * 5,
    },
}  # fmt: skip
SMALL = {"CogVideoXPipeline": (32, 16, 9), "MochiPipeline": (32, 16, 7)}


@dataclass(frozen=True, slots=True)
class Clip:
    """What is drawn: a model of the catalogue at what it offers first."""

    slug: str
    pipeline: str
    width: int
    height: int
    frames: int
    fps: int
    steps: int
    guidance: float

    def request(self, number: int, steps: int) -> Request:
        """The clip of that number, which has a prompt of its own, with fewer steps."""
        prompt = "a red circle " + "drifting left " * (number + 1) + "over a blue field"
        size = {"width": self.width, "height": self.height, "frames": self.frames, "fps": self.fps}
        return Request(str(number), prompt, **size, steps=steps, guidance=self.guidance, seed=number)


@dataclass(slots=True)
class Measured:
    """What one preset took, over its timed clips: seconds, and bytes at most."""

    warmed: float | None = None
    clips: int = 0
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    held: dict[str, int] = field(default_factory=lambda: {"drawing": 0, "decode": 0})
    notes: list[str] = field(default_factory=list)

    def seconds(self, flags: list[bool]) -> dict[str, float]:
        """Text, step, estimated step and decode; and the whole clip, of whose steps each is computed or not."""
        found = {stage: median(times) for stage, times in self.stages.items()}
        denoise = sum(found["step" if flag else "estimated"] for flag in flags)
        return {**found, "clip": found["text"] + found["beside"] + denoise + found["decode"]}


class Steps:
    """What the engine reports a step to: when each was done, and the most memory until the last.

    Raises Stopped once the budget is spent.
    """

    def __init__(self, device: torch.device, deadline: float) -> None:
        self.device, self.deadline = device, deadline
        self.done_at: list[float] = []
        self.held = 0

    def __call__(self, done: int, total: int) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if done == 1:  # for the second time where memory was short and it was begun again
            self.done_at.clear()
        self.done_at.append(time.monotonic())
        if self.done_at[-1] > self.deadline:
            raise Stopped
        if done == total:
            self.held = most_held(self.device)

    def each(self) -> list[float]:
        """Seconds of each step but the first, whose beginning nobody saw."""
        return [after - before for before, after in zip(self.done_at, self.done_at[1:], strict=False)]


def most_held(device: torch.device) -> int:
    """Bytes at most since this was last asked: 0 on the CPU, where nobody counts."""
    if device.type != "cuda":
        return 0
    found = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return found


def offered(slug: str, tiny: bool) -> Clip:
    """The catalogue's entry, at its first size and length."""
    entries = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["model"]
    entry = next(each for each in entries if each["slug"] == slug)
    width, height = map(int, entry["sizes"][0].split("x"))
    frames = entry["seconds"][0] * entry["fps"] + 1
    if tiny:
        width, height, frames = SMALL[entry["pipeline"]]
    told = {name: entry[name] for name in ("slug", "pipeline", "fps", "steps", "guidance")}
    return Clip(width=width, height=height, frames=frames, **told)


@contextmanager
def made_in(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """What is made within has its weights there and in that precision from the beginning."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def make(clip: Clip, device: torch.device, dtype: torch.dtype, tiny: bool) -> Any:
    """The pipeline with random weights: as its classes set them before they learn, so that nothing overflows."""
    torch.manual_seed(1)
    parts: dict[str, Any] = {"tokenizer": build.tokenizer()}
    for name, (kind, config) in CONFIGURATIONS[clip.slug].items():
        told = {**config, **(SMALLER.get(kind, {}) if tiny else {})}
        if name == "scheduler":
            parts[name] = getattr(diffusers, kind)(**told)
            continue
        with made_in(device, dtype):
            if name == "text_encoder":
                part = getattr(transformers, kind)(transformers.T5Config(**told))
            else:
                part = getattr(diffusers, kind)(**told)
        parts[name] = part.eval().requires_grad_(False)
    pipeline = getattr(diffusers, clip.pipeline)(**parts).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def beside(pipeline: Any) -> Any:
    """The same weights in a pipeline whose transformer can be tuned without touching the other's."""
    transformer = pipeline.transformer
    kept = {id(tensor): tensor for tensor in [*transformer.parameters(), *transformer.buffers()]}
    again = type(pipeline)(**{**pipeline.components, "transformer": copy.deepcopy(transformer, kept)})
    again.set_progress_bar_config(disable=True)
    return again


def flags(preset: str, steps: int) -> list[bool]:
    """Of each step, whether the preset computes it."""
    return speed.computed(steps) if preset == "fast" else [True] * steps


class Bench:
    """One model under each preset."""

    def __init__(self, clip: Clip, device: torch.device, tiny: bool, deadline: float) -> None:
        self.clip, self.device, self.deadline = clip, device, deadline
        dtype = "float32" if tiny else "bfloat16"
        pipeline = make(clip, device, getattr(torch, dtype), tiny)
        self.models = {preset: Model(clip.slug, clip.pipeline, "", dtype=dtype, preset=preset) for preset in PRESETS}
        # One engine each: one that is short of memory drops its other models, and these could not be read again.
        self.engines = {preset: DiffusersEngine(device=str(device)) for preset in PRESETS}
        self.loaded = {preset: self.engines[preset].take(self.models[preset], beside(pipeline)) for preset in PRESETS}
        self.readers_at = dict.fromkeys(PRESETS, device)
        self.found = {preset: Measured() for preset in PRESETS}
        self.failed: dict[str, str] = {}

    def measure(self, rounds: int, until: float) -> None:
        """Warm up, then round after round, as long as another ends before `until`. Raises Stopped."""
        for preset in PRESETS:
            began = time.monotonic()
            self._try(preset, 0, WARM)
            self.found[preset].warmed = time.monotonic() - began
        took = 0.0
        for number in range(1, rounds + 1):
            began = time.monotonic()
            if number > 1 and began + took > until:
                return
            for preset in PRESETS:
                self._try(preset, number, speed.FEWEST if preset == "fast" else FEW)
            took = time.monotonic() - began

    def _try(self, preset: str, number: int, steps: int) -> None:
        """A preset that fails is left out from then on, and the others go on."""
        if preset in self.failed:
            return
        try:
            self._draw(preset, number, steps)
        except EngineError as error:
            self.failed[preset] = str(error)
        except Stopped:
            raise
        except Exception as error:
            traceback.print_exc()
            self.failed[preset] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"

    def _draw(self, preset: str, number: int, steps: int) -> None:
        report = Steps(self.device, self.deadline)
        # The presets share one text encoder; each finds it where its own last clip left it.
        move_readers(self.loaded[preset], self.readers_at[preset])
        most_held(self.device)
        clip = self.engines[preset].run(self.models[preset], self.clip.request(number, steps), report)
        self.readers_at[preset] = self.loaded[preset].pipeline.text_encoder.device
        if number == 0:
            return
        found = self.found[preset]
        found.held["drawing"] = max(found.held["drawing"], report.held)
        found.held["decode"] = max(found.held["decode"], most_held(self.device))
        found.clips += 1
        found.notes = [note for note in clip.notes if "tiles" in note]
        found.stages["text"].append(clip.seconds["text"])
        found.stages["decode"].append(clip.seconds["decode"])
        each = report.each()
        kinds = flags(preset, steps)
        for took, flag in zip(each, kinds[1:], strict=True):
            found.stages["step" if flag else "estimated"].append(took)
        # The first step is like the others; what is left is what the stage did before and after its steps.
        rest = clip.seconds["denoise"] - sum(each) - median(found.stages["step"])
        found.stages["beside"].append(max(rest, 0.0))

    def report(self) -> tuple[list[str], dict[str, float]]:
        """The table's rows, and figures by name."""
        clip = self.clip
        lines = [f"{clip.slug}: {clip.width} × {clip.height}, {clip.frames} frames, {clip.steps} steps"]
        figures: dict[str, float] = {}
        plain = None
        for preset, found in self.found.items():
            if preset in self.failed or not found.clips:
                lines.append(f"  {preset:10} {self.failed.get(preset) or 'not measured: the budget was spent'}")
                continue
            kinds = flags(preset, clip.steps)
            took = found.seconds(kinds)
            plain = took["clip"] if preset == "reference" else plain
            ratio = plain / took["clip"] if plain else None
            lines.append(row(preset, found, took, kinds, ratio))
            lines += [f"             {note}" for note in found.notes]
            key = f"{clip.slug.replace('-', '_')}_{preset}"
            figures |= {f"{key}_s": took["clip"], f"{key}_step_ms": 1000 * took["step"]}
            figures[f"{key}_peak_gib"] = max(found.held.values()) / GIB
            if ratio is not None and preset != "reference":
                figures[f"{key}_ratio"] = ratio
        return lines, figures


HEAD = (
    f"  {'preset':10}{'text':>7}{'step':>9}{'estimated':>11}{'of steps':>10}{'decode':>8}{'clip':>8}{'ratio':>7}"
    f"{'memory: drawing':>17}{'decode':>8}{'warm-up':>9}\n"
    f"  {'':10}{'s':>7}{'ms':>9}{'ms':>11}{'':>10}{'s':>8}{'s':>8}{'×':>7}{'GiB':>17}{'GiB':>8}{'s':>9}"
)


def row(preset: str, found: Measured, took: dict[str, float], kinds: list[bool], ratio: float | None) -> str:
    estimated = f"{1000 * took['estimated']:.1f}" if "estimated" in took else "–"
    drawing, decode = (f"{found.held[stage] / GIB:.1f}" if found.held[stage] else "–" for stage in found.held)
    return (
        f"  {preset:10}{took['text']:7.2f}{1000 * took['step']:9.1f}{estimated:>11}{kinds.count(True):>7}/{len(kinds)}"
        f"{took['decode']:8.2f}{took['clip']:8.1f}{f'{ratio:.2f}' if ratio else '–':>7}{drawing:>17}{decode:>8}"
        f"{found.warmed:9.1f}"
    )


def heading(device: torch.device, tiny: bool) -> list[str]:
    """What measured: device, versions, precision, and what `tuned` does there."""
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}, transformers {transformers.__version__}"
    if device.type != "cuda":
        return [f"{hardware(device)} (no GPU), tiny parts, so no figure below means anything; {versions}"]
    dtype = "float32" if tiny else "bfloat16"
    probe = torch.zeros(1, 24, 1024, 64, device=device, dtype=getattr(torch, dtype))
    choice = SDPBackend(torch._fused_sdp_choice(probe, probe, probe)).name  # in reference; elsewhere where none is set
    kernel = "CUDNN_ATTENTION" if speed.quickest(device, dtype) else choice
    blocks = "compiled" if speed.compiles(device) else "NOT compiled: torch cannot compile here"
    return [
        f"{hardware(device)}, {memory(device)['total'] / GIB:.0f} GiB; CUDA {torch.version.cuda}, "
        f"cuDNN {torch.backends.cudnn.version()}; {versions}",
        f"Random weights in {dtype}. Attention in reference: {choice}; in tuned and fast: {kernel}; blocks {blocks}.",
    ]


def measure(slugs: list[str], rounds: int, budget: float, tiny: bool) -> dict[str, float]:
    """Print the table, model by model; return figures by name."""
    began = time.monotonic()
    deadline = began + budget
    device = torch.device("cpu" if tiny else "cuda:0")
    hush()
    print("\n".join(heading(device, tiny)))
    print(
        f"Denoising is reckoned from the median of each kind of step in at most {rounds} clips of {FEW} steps (fast: of"
    )
    print(f"{speed.FEWEST}), as often as the catalogue's number of steps has it. Text and decode are timed whole.\n")
    print(HEAD)
    figures: dict[str, float] = {}
    for place, slug in enumerate(slugs):
        now = time.monotonic()
        if now + (0 if tiny else LEAST) >= deadline:
            print(f"{slug}: left out, the budget of {budget:.0f} s was spent", flush=True)
            continue
        bench = Bench(offered(slug, tiny), device, tiny, deadline)
        try:
            left = [SHARES.get(each, 2) for each in slugs[place:]]
            bench.measure(rounds, until=now + (deadline - now) * left[0] / sum(left))
        except Stopped:
            print(f"{slug}: broken off, the budget of {budget:.0f} s was spent")
        lines, found = bench.report()
        print("\n".join(lines), flush=True)
        figures |= found
        del bench
        torch.compiler.reset()  # what was compiled holds weights
        collect()
    return {**figures, "seconds": time.monotonic() - began}


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.split("\n\n")[0])
    parser.add_argument("--models", nargs="+", choices=CONFIGURATIONS, default=list(CONFIGURATIONS))
    parser.add_argument("--rounds", type=int, default=3, help="timed clips of each preset, at most")
    parser.add_argument("--budget", type=float, default=480, help="seconds; what does not fit is left out")
    parser.add_argument("--tiny", action="store_true", help="tiny parts on the CPU, to see that it works")
    asked = parser.parse_args(words)
    if not asked.tiny and not torch.cuda.is_available():
        sys.exit(
            "There is no GPU that torch can use here, and on a CPU one clip of these models takes hours. "
            "`python -m benchmarks.gpu --tiny` goes the same way with tiny parts."
        )
    found = measure(asked.models, max(asked.rounds, 1), asked.budget, asked.tiny)
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    main()

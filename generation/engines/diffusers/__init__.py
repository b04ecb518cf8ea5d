"""The engine that runs diffusers pipelines in this process, on one GPU or on the CPU.

1. A model is read from a folder by its own pipeline class, if that class is one that we tested, and if the files
   are what the folder's list of sums says, where it has one.
2. A request that is off the pipeline's grid is refused before any work.
3. Read the prompt, then denoise to latents, reporting each step; an exception out of that report ends it, and
   nothing else.
4. Decode as a step of its own, so that running out of memory in the decoder does not cost the run.
5. Out of memory: make room, once more with the decoder in tiles, then say so.

Same seed, model, preset, settings and machine: the same clip, bit for bit (unless it had to be decoded in tiles).
"""

import contextlib
import logging
import platform
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import diffusers
import numpy as np
import torch
import transformers

from generation.engines import Clip, Grid, Model, OnStep, OutOfMemory, Request, WrongOutput, unknown
from generation.engines.diffusers import speed
from generation.engines.diffusers.families import FAMILIES, Embeddings, Family, Pipeline
from generation.engines.diffusers.memory import collect, held, memory, surviving
from generation.engines.diffusers.reading import inspect, offloading, read

logger = logging.getLogger(__name__)

BROKE_DOWN = "The model's arithmetic broke down on this request. Another seed or less guidance may help."

CROWDED = 1 / 3  # of a GPU's memory held: from then on a text encoder leaves once it has read

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model in memory."""

    model: Model
    pipeline: Pipeline
    family: Family
    offload: str  # what is really offloaded
    prompts: speed.Prompts = field(default_factory=speed.Prompts)


class DiffusersEngine:
    """Keeps `warm` models in memory; the one used longest ago leaves first. Prefers a GPU if there is one."""

    def __init__(self, *, device: str | None = None, warm: int = 1, threads: int | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.warm = max(warm, 1)
        self._loaded: OrderedDict[Model, Loaded] = OrderedDict()
        # Reading a model patches torch for the whole process, and a pipeline holds the state of its run.
        self._lock = threading.RLock()
        if threads:
            torch.set_num_threads(threads)
        # Without these a GPU may take another algorithm the next time, and give other bits.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        hush()

    def load(self, model: Model) -> Pipeline:
        """The pipeline, warm or read now."""
        with self._lock:
            return self._load(model).pipeline

    def run(self, model: Model, request: Request, on_step: OnStep) -> Clip:
        """Check, read the prompt, denoise, decode, check again."""
        watch = Watch(self.device)
        with self._lock:
            with watch("load"):
                loaded = self._load(model)
            grid = loaded.family.grid(loaded.pipeline)
            grid.check(request)
            try:
                pictures, notes = self._draw(loaded, request, grid, on_step, watch)
            finally:
                loaded.pipeline.maybe_free_model_hooks()  # what is offloaded goes back, however this ended
        expected = (request.frames, request.height, request.width, 3)
        if pictures.shape != expected:
            raise WrongOutput(f"The model made a clip of {pictures.shape} where {expected} was asked for.")
        return Clip(frames=pictures, fps=request.fps, seed=request.seed, notes=tuple(notes), seconds=watch.seconds)

    def describe(self) -> dict[str, Any]:
        """Takes no lock, so that a heartbeat can ask in the middle of a run."""
        loaded = list(self._loaded.values())
        return {
            "engine": "diffusers",
            "device": str(self.device),
            "hardware": hardware(self.device),
            "threads": torch.get_num_threads(),
            "versions": {each.__name__: each.__version__ for each in (torch, diffusers, transformers)},
            "warm": list(dict.fromkeys(each.model.slug for each in loaded)),
            "models": [
                # On a CPU nothing is offloaded, whatever the model asks for.
                {"slug": each.model.slug, "preset": each.model.preset, "offload": each.offload}
                for each in loaded
            ],
            "memory": memory(self.device),
        }

    def _load(self, model: Model) -> Loaded:
        if model in self._loaded:
            self._loaded.move_to_end(model)
            return self._loaded[model]
        inspect(model)
        if len(self._loaded) >= self.warm:
            while len(self._loaded) >= self.warm:
                self._loaded.popitem(last=False)
            collect()
        pipeline, _ = self._climb(lambda: read(model, self.device), model)
        return self.take(model, pipeline)

    def take(self, model: Model, pipeline: Pipeline) -> Loaded:
        """Keep a pipeline that is on this device as this model's, made as quick as its preset asks."""
        loaded = Loaded(model, pipeline, FAMILIES[model.pipeline], offloading(model, self.device))
        if model.preset != "reference":
            speed.tune(pipeline, loaded.family, model, self.device)
        self._loaded[model] = loaded
        return loaded

    def _draw(
        self, loaded: Loaded, request: Request, grid: Grid, on_step: OnStep, watch: "Watch"
    ) -> tuple[np.ndarray, list[str]]:
        """The pictures, and what the artist should know."""
        model, family = loaded.model, loaded.family
        notes = unread(request.prompt, *family.reader(loaded.pipeline))
        if request.negative_prompt and not family.guided:
            notes.append("This model does not read what a clip must not show.")
        with watch("text"):
            words, _ = self._climb(lambda: self._read_prompt(loaded, request), model)
        with watch("denoise"):
            (latents, said), _ = self._climb(lambda: denoise(loaded, request, words, on_step), model, aside(loaded))
        with watch("decode"):
            pictures, tiled = self._climb(lambda: decode(loaded, latents, request), model, tiles(loaded))
        notes += said
        if tiled:
            notes.append("Memory was short, so the pictures were decoded in tiles; seams may show.")
        return pictures, notes

    def _read_prompt(self, loaded: Loaded, request: Request) -> Embeddings:
        """The prompt as the model reads it; unless the preset is plain, read once, and its readers off the device where
        memory is short: to move gigabytes out and in again costs seconds for each new prompt."""

        def embed() -> Embeddings:
            move_readers(loaded, self.device)
            return loaded.family.embed(loaded.pipeline, request)

        if loaded.model.preset == "reference":
            return embed()
        words = loaded.prompts.get((request.prompt, request.negative_prompt, request.guidance > 1), embed)
        if held(self.device) > CROWDED:
            move_readers(loaded, torch.device("cpu"))
        return words

    def _climb(
        self, work: Callable[[], Result], model: Model, smaller: AbstractContextManager[None] | None = None
    ) -> tuple[Result, bool]:
        """Do the work; when memory runs out, make room and do it once more, with what makes it smaller.

        Returns what the work returned, and whether it took a second attempt. Raises OutOfMemory.
        """
        with surviving():
            return work(), False
        # By now the error is gone, and with its traceback the tensors of the failed attempt.
        logger.warning("Out of memory with %s; making room for a second attempt.", model.slug)
        for other in [each for each in self._loaded if each != model]:
            del self._loaded[other]
        with surviving(), smaller or contextlib.nullcontext():
            collect()
            return work(), True
        collect()
        raise OutOfMemory(
            "This clip does not fit in the memory of the machine that was to make it. "
            "Fewer frames or a smaller size will help."
        )


class Watch:
    """How long each stage took, in `seconds`. A GPU is waited for, or a stage's work would count as the next one's."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[stage] = time.monotonic() - began


def unread(prompt: str, tokenizer: Any, kept: int) -> list[str]:
    """What the model will not read of a prompt: words beyond the `kept` tokens, and words that it never learned."""
    if not tokenizer.is_fast:  # only these know which token came from which letters
        return []
    read = tokenizer(prompt, add_special_tokens=False, truncation=False, return_offsets_mapping=True)
    spans = read["offset_mapping"]
    notes = []
    if len(spans) > kept:
        rest = prompt[spans[kept][0] :].strip()
        notes.append(f"This model reads the first {kept} tokens of a prompt, so it did not read: “{rest}”.")
    pairs = list(zip(read["input_ids"], spans, strict=True))[:kept]
    strange = dict.fromkeys(prompt[start:end] for token, (start, end) in pairs if token == tokenizer.unk_token_id)
    return notes + unknown(strange)


def denoise(loaded: Loaded, request: Request, words: Embeddings, on_step: OnStep) -> tuple[torch.Tensor, list[str]]:
    """The latents of one clip, from noise drawn on the CPU, where it is the same for every device; and what the
    artist should know of how they were made."""

    def ended(running: Pipeline, index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        on_step(index + 1, running.num_timesteps)
        return tensors

    with speed.drawing(loaded.pipeline, loaded.model.preset, request.steps) as said:
        latents: torch.Tensor = loaded.pipeline(
            **loaded.family.asked(loaded.pipeline, request),
            **words,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            callback_on_step_end=ended,
            output_type="latent",
            return_dict=False,
        )[0]
    if not torch.isfinite(latents).all():
        raise WrongOutput(BROKE_DOWN)
    return latents, said


@torch.no_grad()
def decode(loaded: Loaded, latents: torch.Tensor, request: Request) -> np.ndarray:
    """Latents to pictures."""
    pictures = loaded.family.decode(loaded.pipeline, latents, request)
    if not np.isfinite(pictures).all():
        raise WrongOutput(BROKE_DOWN)
    return np.rint(pictures * 255).astype(np.uint8)


def move_readers(loaded: Loaded, device: torch.device) -> None:
    """The text encoders to a device; where parts are offloaded, they come and go by themselves."""
    for reader in speed.encoders(loaded.pipeline) if loaded.offload == "none" else []:
        reader.to(device)


@contextlib.contextmanager
def aside(loaded: Loaded) -> Iterator[None]:
    """The text encoders off the device for the length of a block and after it: the next prompt brings them back."""
    move_readers(loaded, torch.device("cpu"))
    yield


@contextlib.contextmanager
def tiles(loaded: Loaded) -> Iterator[None]:
    """The decoder in tiles for the length of a block: less memory, slightly other pictures."""
    loaded.family.tile(loaded.pipeline)
    try:
        with aside(loaded):
            yield
    finally:
        loaded.pipeline.vae.disable_tiling()


def hardware(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def hush() -> None:
    """A worker's log is for the worker: no progress bars, and only errors of the two libraries."""
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()

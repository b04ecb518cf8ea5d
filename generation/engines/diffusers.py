"""The engine that runs diffusers pipelines in this process, on one GPU or on the CPU.

1. A model is read from a folder by its own pipeline class, if that class is one that we tested, and if the files
   are what the folder's list of sums says, where it has one.
2. A request that is off the pipeline's grid is refused before any work.
3. Denoise to latents, reporting each step; an exception out of that report ends it, and nothing else.
4. Decode as a step of its own, so that running out of memory in the decoder does not cost the run.
5. Out of memory: make room, once more with the decoder in tiles, then say so.

Same seed, model, settings and machine: the same clip, bit for bit (unless it had to be decoded in tiles).
"""

import contextlib
import gc
import json
import logging
import os
import platform
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import numpy as np
import torch
import transformers
from diffusers import CogVideoXPipeline

from gateway import sums
from generation.engines import (
    Clip,
    Grid,
    Model,
    ModelMissing,
    OnStep,
    OutOfMemory,
    Request,
    Unsupported,
    WrongOutput,
    unknown,
)

logger = logging.getLogger(__name__)

Pipeline = Any  # to a type checker, what diffusers exports are placeholders

# A class is listed once the tests run it. CogVideoXImageToVideoPipeline and MochiPipeline are next.
PIPELINES: dict[str, Pipeline] = {"CogVideoXPipeline": CogVideoXPipeline}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SAFELY = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}

BROKE_DOWN = "The model's arithmetic broke down on this request. Another seed or less guidance may help."

Result = TypeVar("Result")


class DiffusersEngine:
    """Keeps `warm` models in memory; the one used longest ago leaves first. Prefers a GPU if there is one."""

    def __init__(self, *, device: str | None = None, warm: int = 1, threads: int | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.warm = max(warm, 1)
        self._pipelines: OrderedDict[Model, Pipeline] = OrderedDict()
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
            if model in self._pipelines:
                self._pipelines.move_to_end(model)
                return self._pipelines[model]
            inspect(model)
            while len(self._pipelines) >= self.warm:
                self._pipelines.popitem(last=False)
            collect()
            pipeline, _ = self._climb(lambda: read(model, self.device), model)
            self._pipelines[model] = pipeline
            return pipeline

    def run(self, model: Model, request: Request, on_step: OnStep) -> Clip:
        """Check, denoise, decode, check again."""
        with self._lock:
            pipeline = self.load(model)
            grid = grid_of(pipeline)
            grid.check(request)
            notes = unread(pipeline, request.prompt, grid.tokens)
            latents, _ = self._climb(lambda: denoise(pipeline, request, grid, on_step), model)
            pictures, tiled = self._climb(lambda: decode(pipeline, latents), model, pipeline)
        if tiled:
            notes.append("Memory was short, so the pictures were decoded in tiles; seams may show.")
        expected = (request.frames, request.height, request.width, 3)
        if pictures.shape != expected:
            raise WrongOutput(f"The model made a clip of {pictures.shape} where {expected} was asked for.")
        return Clip(frames=pictures, fps=request.fps, seed=request.seed, notes=tuple(notes))

    def describe(self) -> dict[str, Any]:
        """Takes no lock, so that a heartbeat can ask in the middle of a run."""
        return {
            "engine": "diffusers",
            "device": str(self.device),
            "hardware": hardware(self.device),
            "threads": torch.get_num_threads(),
            "versions": {each.__name__: each.__version__ for each in (torch, diffusers, transformers)},
            "warm": [model.slug for model in list(self._pipelines)],
            "memory": memory(self.device),
        }

    def _climb(self, work: Callable[[], Result], model: Model, pipeline: Pipeline | None = None) -> tuple[Result, bool]:
        """Do the work; when memory runs out, make room and do it once more, a given pipeline in tiles."""
        with surviving():
            return work(), False
        # By now the error is gone, and with its traceback the tensors of the failed attempt.
        logger.warning("Out of memory with %s; making room for a second attempt.", model.slug)
        for other in [each for each in self._pipelines if each != model]:
            del self._pipelines[other]
        collect()
        with surviving(), tiles(pipeline):
            return work(), pipeline is not None
        collect()
        raise OutOfMemory(
            "This clip does not fit in the memory of the machine that was to make it. "
            "Fewer frames or a smaller size will help."
        )


def inspect(model: Model) -> None:
    """Refuse a model that we do not know or cannot trust, before anything of it is loaded."""
    if model.pipeline not in PIPELINES:
        raise Unsupported(f"{model.slug} needs {model.pipeline}, which this engine does not run.")
    if model.dtype not in DTYPES:
        raise Unsupported(f"{model.slug} asks for the precision {model.dtype}; there is {', '.join(DTYPES)}.")
    # A path that is no folder would be taken for a name on the hub.
    index_file = Path(model.path, "model_index.json")
    try:
        index = json.loads(index_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelMissing(f"The files of the model {model.slug} are not on this machine.") from None
    except (OSError, ValueError) as error:
        raise ModelMissing(f"The files of the model {model.slug} are damaged.") from error
    if not isinstance(index, dict) or index.get("_class_name") != model.pipeline:
        raise Unsupported(f"The folder of {model.slug} holds another kind of model than {model.pipeline}.")
    # Any other library would be Python code out of the model's folder.
    libraries = {part[0] for name, part in index.items() if isinstance(part, list) and name[0] != "_"}
    if foreign := libraries - {"diffusers", "transformers", None}:
        raise Unsupported(f"{model.slug} wants to bring code of its own ({', '.join(map(str, foreign))}).")
    folder = Path(model.path)
    if (folder / sums.SUMS).exists() and (wrong := sums.verify(folder)):
        logger.error("%s in %s: %s", model.slug, folder, " ".join(wrong))
        raise ModelMissing(f"The files of the model {model.slug} are not as they were published.")


def read(model: Model, device: torch.device) -> Pipeline:
    """The pipeline from its folder: no network, no pickles, no code of the model's own."""
    try:
        pipeline = PIPELINES[model.pipeline].from_pretrained(model.path, dtype=DTYPES[model.dtype], **SAFELY)
        pipeline.to(device)
    except Exception as error:  # damage shows in many ways: OSError, ValueError, SafetensorError, …
        if ran_out(error):
            raise
        raise ModelMissing(f"The files of the model {model.slug} are incomplete or damaged.") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def grid_of(pipeline: Pipeline) -> Grid:
    """What this pipeline can make.

    CogVideoX itself asks for multiples of 8 only, then fails when the patches do not come out even. Its
    decoder takes the latent frames in batches of two, and an even number of them comes out longer than was
    asked for: hence the batch in the number of frames.
    """
    vae, transformer = pipeline.vae, pipeline.transformer.config
    scale = pipeline.vae_scale_factor_spatial
    return Grid(
        side=scale * transformer.patch_size,
        frames=pipeline.vae_scale_factor_temporal * vae.num_latent_frames_batch_size,
        tokens=transformer.max_text_seq_length,
        steps=pipeline.scheduler.config.num_train_timesteps,
        # CogVideoX-5B-I2V and Sketch: any other size is a ValueError in the middle of the run.
        only=(transformer.sample_width * scale, transformer.sample_height * scale)
        if transformer.use_learned_positional_embeddings
        else None,
    )


def unread(pipeline: Pipeline, prompt: str, tokens: int) -> list[str]:
    """What the model will not read of a prompt: words beyond its limit, and words that it never learned."""
    tokenizer = pipeline.tokenizer
    if not tokenizer.is_fast:  # only these know which token came from which letters
        return []
    read = tokenizer(prompt, add_special_tokens=False, truncation=False, return_offsets_mapping=True)
    spans, kept = read["offset_mapping"], tokens - tokenizer.num_special_tokens_to_add()
    notes = []
    if len(spans) > kept:
        rest = prompt[spans[kept][0] :].strip()
        notes.append(f"This model reads the first {kept} tokens of a prompt, so it did not read: “{rest}”.")
    pairs = list(zip(read["input_ids"], spans, strict=True))[:kept]
    strange = dict.fromkeys(prompt[start:end] for token, (start, end) in pairs if token == tokenizer.unk_token_id)
    return notes + unknown(strange)


def denoise(pipeline: Pipeline, request: Request, grid: Grid, on_step: OnStep) -> torch.Tensor:
    """The latents of one clip, from noise drawn on the CPU, where it is the same for every device."""

    def ended(running: Pipeline, index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        on_step(index + 1, running.num_timesteps)
        return tensors

    latents: torch.Tensor = pipeline(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt or None,
        width=request.width,
        height=request.height,
        num_frames=request.frames,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        max_sequence_length=grid.tokens,
        callback_on_step_end=ended,
        output_type="latent",
    ).frames
    if not torch.isfinite(latents).all():
        raise WrongOutput(BROKE_DOWN)
    # CogVideoX 1.5 pads the beginning to an even number of frames, and leaves that in when asked for latents.
    wanted = (request.frames - 1) // pipeline.vae_scale_factor_temporal + 1
    return latents[:, latents.shape[1] - wanted :]


@torch.inference_mode()
def decode(pipeline: Pipeline, latents: torch.Tensor) -> np.ndarray:
    """Latents to pictures."""
    video = pipeline.decode_latents(latents)
    pictures = pipeline.video_processor.postprocess_video(video=video, output_type="np")[0]
    if not np.isfinite(pictures).all():
        raise WrongOutput(BROKE_DOWN)
    return np.rint(pictures * 255).astype(np.uint8)


def ran_out(error: Exception) -> bool:
    """Whether it was memory. On the CPU, torch says so in words only."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


@contextlib.contextmanager
def surviving() -> Iterator[None]:
    """Leave the block quietly where memory ran out; any other error goes on its way."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise


@contextlib.contextmanager
def tiles(pipeline: Pipeline | None) -> Iterator[None]:
    """The decoder in tiles and slices for the length of a block: less memory, slightly other pictures."""
    if pipeline is None:
        yield
        return
    vae, scale = pipeline.vae, pipeline.vae_scale_factor_spatial
    # With the built-in overlaps of 1/6 and 1/5, tiles and their seams are rounded apart at most sizes, and
    # the picture comes out too large. A quarter of a multiple of four has nothing to round.
    sides = (vae.tile_latent_min_height, vae.tile_latent_min_width)
    height, width = (max(side // 4, 1) * 4 * scale for side in sides)
    vae.enable_tiling(height, width, tile_overlap_factor_height=0.25, tile_overlap_factor_width=0.25)
    vae.enable_slicing()
    try:
        yield
    finally:
        vae.disable_tiling()
        vae.disable_slicing()


def collect() -> None:
    """Give freed memory back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def hardware(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def memory(device: torch.device) -> dict[str, int]:
    """Bytes of the device's memory: all of it, and what is free."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return {"total": total, "free": free}
    pages = {"total": "SC_PHYS_PAGES", "free": "SC_AVPHYS_PAGES"}
    return {
        name: os.sysconf(key) * os.sysconf("SC_PAGE_SIZE") for name, key in pages.items() if key in os.sysconf_names
    }


def hush() -> None:
    """A worker's log is for the worker: no progress bars, and only errors of the two libraries."""
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()

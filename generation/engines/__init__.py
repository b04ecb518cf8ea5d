"""What turns a request into a clip: the words that every engine shares, and the one that this process uses.

Nothing here imports torch. An engine's module does, and only `find` imports it, where the GPU is.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:  # a web server of its own need not have numpy
    import numpy as np

ENGINES = {
    "diffusers": "generation.engines.diffusers.DiffusersEngine",
    "remote": "generation.engines.remote.RemoteEngine",
}

# What a model takes and gives: a prompt or a prompt and a picture; a clip or one picture.
MODALITIES = ("text-to-video", "image-to-video", "text-to-image")
# Plain diffusers; the same arithmetic up to rounding, sooner; and sooner still at a visible risk.
PRESETS = ("reference", "tuned", "fast")
# What leaves the GPU while it is not needed: nothing, whole parts (text encoder, transformer, decoder), or each layer.
OFFLOADS = ("none", "model", "sequential")

# Called after each denoising step with (steps done, steps in all). Whatever it raises ends the run and comes
# out of `run` as it is; the engine stays usable, and the next clip is what it would have been.
OnStep = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Model:
    """Which weights, read how. `path` is a folder on this machine (an engine downloads nothing), or its name elsewhere.

    The same weights under another preset or offload are another model here, with a pipeline of its own.
    """

    slug: str
    pipeline: str
    path: str
    revision: str | None = None
    dtype: str = "float32"
    preset: str = "reference"  # one of PRESETS
    offload: str = "none"  # one of OFFLOADS


@dataclass(frozen=True, slots=True)
class Request:
    """One clip to make."""

    id: str
    prompt: str
    width: int
    height: int
    frames: int
    fps: int
    steps: int
    guidance: float
    seed: int
    negative_prompt: str = ""
    image: "np.ndarray | None" = None  # uint8, (height, width, 3): what an image-to-video model begins from


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The pictures: uint8, shaped (frames, height, width, 3). `notes` are sentences for the artist.

    `seconds` says how long each stage took: load, text, denoise, decode; those that the engine can tell apart.
    """

    frames: "np.ndarray"
    fps: int
    seed: int
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


class Stopped(Exception):
    """The caller wants no more of this clip. Raise it, or a class of it, in `on_step`."""


class EngineError(Exception):
    """A clip could not be made. Its text is a sentence for the artist, its code a word for programs."""

    code = "engine_error"


class OutOfMemory(EngineError):
    """It does not fit in the memory of this machine, even in small pieces."""

    code = "out_of_memory"


class WrongOutput(EngineError):
    """The model gave something else than was asked for."""

    code = "wrong_output"


class ModelMissing(EngineError):
    """The model's files are not there, or not whole."""

    code = "model_missing"


class Unsupported(EngineError):
    """The model does not take such a request, and the sentence says what it takes."""

    code = "unsupported"


def unknown(words: Iterable[str]) -> list[str]:
    """The note about words that a model never learned: none where there are none."""
    named = ", ".join(words)
    return [f"This model does not know: {named}."] if named else []


@dataclass(frozen=True, slots=True)
class Grid:
    """The sizes and lengths that a pipeline really makes, from its own numbers.

    Off the grid a pipeline crashes late, or quietly makes something else: CogVideoX returns 9 frames when
    asked for 10, and 16 when asked for 13.
    """

    side: int  # width and height are multiples of this
    frames: int  # a clip has a multiple of this and one more; with 0, one picture is all that it makes
    tokens: int  # of prompt, the end mark included
    steps: int  # at most
    only: tuple[int, int] | None = None  # the one width and height of a model that learned its positions
    picture: bool = False  # it begins from one
    fewest: int = 1  # steps, at least

    def check(self, request: Request) -> None:
        """Refuse what the pipeline would not make as asked, naming what it would."""
        width, height = request.width, request.height
        if self.only and (width, height) != self.only:
            raise Unsupported(
                f"This model makes clips of {self.only[0]} × {self.only[1]} pixels only, not {width} × {height}."
            )
        if min(width, height) < 1 or width % self.side or height % self.side:
            fit = f"{self._beside(width)} × {self._beside(height)}"
            raise Unsupported(
                f"Width and height must be multiples of {self.side} pixels: {width} × {height} is not; "
                f"the nearest that fits is {fit}."
            )
        if not self.frames and request.frames != 1:
            raise Unsupported(f"This model makes one picture, not {request.frames} frames.")
        if self.frames and (request.frames < 1 or (request.frames - 1) % self.frames):
            below = max((request.frames - 1) // self.frames, 0) * self.frames + 1
            raise Unsupported(
                f"This model makes 1, {self.frames + 1}, {2 * self.frames + 1}, … frames, "
                f"not {request.frames}; the nearest are {below} and {below + self.frames}."
            )
        if not self.fewest <= request.steps <= self.steps:
            raise Unsupported(f"This model takes {self.fewest} to {self.steps} steps, not {request.steps}.")
        if not 0 <= request.guidance <= 100:  # refuses "not a number" too
            raise Unsupported(f"Guidance must lie between 0 and 100, not at {request.guidance}.")
        if not 0 <= request.seed < 2**63:
            raise Unsupported("The seed must be a whole number from 0 to 2⁶³ - 1.")
        self._check_picture(request)

    def _check_picture(self, request: Request) -> None:
        if request.image is None:
            if self.picture:
                raise Unsupported("This model begins from a picture, and none came with the prompt.")
            return
        if not self.picture:
            raise Unsupported("This model takes words alone, and a picture came with them.")
        if request.image.shape != (request.height, request.width, 3):  # stretched, it would be another picture
            raise Unsupported(f"The picture must be as large as the clip: {request.width} × {request.height} pixels.")

    def _beside(self, length: int) -> int:
        return max((length + self.side // 2) // self.side, 1) * self.side


class Engine(Protocol):
    """Loads models and runs requests, one at a time."""

    def load(self, model: Model) -> Any:
        """Have the model ready, reading it only if it is not warm. Raises any EngineError."""

    def run(self, model: Model, request: Request, on_step: OnStep) -> Clip:
        """Make the clip. Raises any EngineError, and whatever `on_step` raises."""

    def describe(self) -> dict[str, Any]:
        """Device, versions, warm models and memory, fit for JSON; may be asked while a clip is being made."""


_made: dict[str, Engine] = {}
_making = threading.Lock()


def find(name: str, **options: Any) -> Engine:
    """The one engine of that name in this process, made with the options of the first call."""
    if name not in ENGINES:
        raise Unsupported(f"There is no engine called {name}; there is {', '.join(sorted(ENGINES))}.")
    with _making:
        if name not in _made:
            _made[name] = import_string(ENGINES[name])(**options)
        return _made[name]


def configured(name: str) -> Engine:
    """The same, as ENGINE_THREADS and WARM_MODELS say."""
    return find(name, threads=settings.ENGINE_THREADS or None, warm=settings.WARM_MODELS)


def describe() -> dict[str, Any]:
    """What each engine in this process says of itself, by its name."""
    return {name: engine.describe() for name, engine in list(_made.items())}


def warm() -> list[str]:
    """The models in this process's memory, by slug: none where no engine was made, as in a web process."""
    return [slug for engine in list(_made.values()) for slug in engine.describe()["warm"]]

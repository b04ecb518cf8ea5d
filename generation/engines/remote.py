"""The engine that asks another server: any that has OpenAI's videos interface, this gateway among them.

1. POST the request, read its progress until it ends, fetch the file, and decode it to pictures.
2. While it waits, it asks `on_step` twice a second whether to go on, so that a cancelled clip or a brake is heard
   within that; then the server is asked to stop, too.
3. What can be asked twice is, for as long as a server that restarts may be away. The request itself is asked again
   only where it can't have arrived: twice asked is twice drawn, and twice paid.

The model's `path` is its name there. The pictures have been through that server's encoder: they are good, not exact.
"""

import hashlib
import io
import logging
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import IO, Any
from urllib.parse import urlsplit

import av
import numpy as np
import requests
import urllib3
from av.video.reformatter import Colorspace
from django.conf import settings
from PIL import Image

from generation.engines import (
    Clip,
    EngineError,
    Model,
    ModelMissing,
    OnStep,
    OutOfMemory,
    Request,
    Unsupported,
    WrongOutput,
)

logger = logging.getLogger(__name__)

TIMEOUT = (5, 30)  # seconds to connect, and for each answer
STOPPING = (2, 5)  # the same where somebody waits for us to let go
AGAIN = (429, 502, 503, 504)
LONGEST_PAUSE = 30.0
OTHER_FILES = 3  # so often a file is fetched that is not what the server said of it
CHUNK = 256 * 1024
ENDED = ("completed", "failed", "cancelled")
# The words of our own interface, and those of vLLM-Omni and SGLang-Diffusion where they differ.
ERRORS: dict[str, type[EngineError]] = {
    "out_of_memory": OutOfMemory,
    "wrong_output": WrongOutput,
    "model_missing": ModelMissing,
    "unknown_model": ModelMissing,
    "model_not_found": ModelMissing,
    "unsupported": Unsupported,
}


class ServerAway(EngineError):
    """The server that draws can't be reached, or stopped answering."""

    code = "server_away"


class ServerRefused(EngineError):
    """The server that draws does not let us in, or has had enough of us."""

    code = "server_refused"


class RemoteEngine:
    """One server. `patience` is how many seconds it may be away, `poll` how often `on_step` is asked meanwhile.

    `stalled` is how many seconds a request may stand there without any progress before we give it up.
    """

    def __init__(
        self,
        *,
        url: str = "",
        token: str = "",
        patience: float = 60.0,
        poll: float = 0.5,
        stalled: float = 3600.0,
        **_: Any,
    ) -> None:
        self.url = (url or settings.REMOTE_ENGINE_URL).rstrip("/")
        if not self.url:
            raise Unsupported("No server is set for models that are drawn elsewhere: REMOTE_ENGINE_URL.")
        self.patience, self.poll, self.stalled = patience, poll, stalled
        self._http = requests.Session()
        if token := token or settings.REMOTE_ENGINE_TOKEN:
            self._http.headers["Authorization"] = f"Bearer {token}"
        self._loaded: dict[str, Model] = {}

    def load(self, model: Model) -> None:
        """Ask once whether the server has it. One that lists no models is taken at its word later."""
        if model.slug in self._loaded:
            return
        answer = self._ask("GET", "/v1/models")
        if answer.status_code not in (404, 405, 501):
            self._must_be_well(answer)
            names = [each.get("id") for each in _json(answer).get("data", []) if isinstance(each, dict)]
            if model.path not in names:
                raise ModelMissing(
                    f"The server that draws {model.slug} has no {model.path}; "
                    f"it has {', '.join(map(str, names)) or 'none'}."
                )
        self._loaded[model.slug] = model

    def run(self, model: Model, request: Request, on_step: OnStep) -> Clip:
        """Ask for it, watch it, fetch it. Whatever `on_step` raises stops it there, too."""
        began = time.monotonic()
        self.load(model)
        asked = time.monotonic()
        job = self._create(model, request, on_step)
        try:
            told = self._watch(job, request, on_step)
            drawn = time.monotonic()
            with tempfile.TemporaryFile() as file:
                self._download(job, told, file, lambda: on_step(request.steps, request.steps))
                frames = pictures(file, request)
        except BaseException:
            self._stop(job)
            raise
        seconds = {"load": asked - began, "denoise": drawn - asked, "decode": time.monotonic() - drawn}
        notes = [note for note in told.get("notes") or () if isinstance(note, str)]
        return Clip(frames=frames, fps=request.fps, seed=request.seed, notes=tuple(notes), seconds=seconds)

    def describe(self) -> dict[str, Any]:
        """What is known here; the machine behind the server is the server's affair."""
        return {
            "engine": "remote",
            "device": "remote",
            "hardware": urlsplit(self.url).netloc.rpartition("@")[2],
            "threads": 0,
            "versions": {each.__name__: each.__version__ for each in (av, requests)},
            "warm": list(self._loaded),
            "memory": {},
        }

    def _create(self, model: Model, request: Request, on_step: OnStep) -> str:
        # Multipart, as OpenAI's own client sends it: vLLM-Omni takes nothing else.
        parts: dict[str, Any] = {name: (None, value) for name, value in fields(model, request).items()}
        if request.image is not None:
            png = io.BytesIO()
            Image.fromarray(request.image).save(png, format="PNG")
            parts["input_reference"] = ("picture.png", png.getvalue(), "image/png")
        answer = self._ask("POST", "/v1/videos", files=parts, beat=lambda: on_step(0, request.steps))
        self._must_be_well(answer)
        job = _json(answer).get("id")
        if not isinstance(job, str) or not job or "/" in job:
            raise EngineError("The server that draws gave an answer that is none.")
        return job

    def _watch(self, job: str, request: Request, on_step: OnStep) -> dict[str, Any]:
        """Read it until it is completed. Raises the EngineError that the server's own error is."""
        done, moved, seen = 0, time.monotonic(), ("", 0.0)
        while True:
            beat = partial(on_step, done, request.steps)
            answer = self._ask("GET", f"/v1/videos/{job}", beat=beat)
            if answer.status_code == 404:
                raise EngineError("The server that draws has lost this clip.")
            self._must_be_well(answer)
            told = _json(answer)
            status, percent = str(told.get("status")), _number(told.get("progress"))
            if status == "completed":
                on_step(request.steps, request.steps)
                return told
            if status in ENDED:
                raise _error(_inner(told, "error"), f"The server that draws ended it: {status}.")
            done = max(done, min(round(request.steps * percent / 100), request.steps - 1))
            if (status, percent) != seen:
                seen, moved = (status, percent), time.monotonic()
            elif time.monotonic() - moved > self.stalled:
                raise ServerAway(f"The server that draws made no progress for {self.stalled:.0f} s.")
            hinted = _number(answer.headers.get("openai-poll-after-ms")) / 1000
            self._wait(max(self.poll, hinted), partial(on_step, done, request.steps))

    def _download(self, job: str, told: dict[str, Any], file: IO[bytes], beat: Callable[[], None]) -> None:
        """The file, from its beginning each time that the line breaks."""
        until, others = time.monotonic() + self.patience, 0
        while True:
            answer = self._ask("GET", f"/v1/videos/{job}/content", beat=beat, stream=True)
            file.seek(0)
            file.truncate()
            digest = hashlib.sha256()
            try:
                with answer:
                    self._must_be_well(answer)
                    for chunk in answer.iter_content(CHUNK):
                        digest.update(chunk)
                        file.write(chunk)
                        beat()
            except requests.RequestException as error:
                if time.monotonic() > until:
                    raise ServerAway("The clip could not be fetched from the server that drew it.") from error
                self._wait(self.poll, beat)
                continue
            if told.get("sha256") in (None, digest.hexdigest()):
                file.seek(0)
                return
            others += 1  # a line that breaks can end a file early without a word
            if others == OTHER_FILES:
                raise WrongOutput("The server that draws sent another file than it said.")

    def _stop(self, job: str) -> None:
        """Ask the server to stop: by the word of our own interface, or by taking the job away. Never raises."""
        self._hang_up()
        try:
            answer = self._http.post(f"{self.url}/v1/videos/{job}/cancel", timeout=STOPPING)
            if answer.status_code in (404, 405, 501):
                self._http.delete(f"{self.url}/v1/videos/{job}", timeout=STOPPING)
        except requests.RequestException as error:
            logger.warning("%s may go on with %s: %s", self.url, job, error)

    def _hang_up(self) -> None:
        """What comes next goes over a new line: the server may be closing the old one at this very moment, and nobody
        would know whether it had arrived."""
        self._http.close()

    def _ask(
        self, method: str, path: str, *, beat: Callable[[], None] = lambda: None, **options: Any
    ) -> requests.Response:
        """One answer. A GET is asked again while the server is away; a POST only where it can't have arrived."""
        until, pause = time.monotonic() + self.patience, self.poll
        while True:
            if method == "POST":
                self._hang_up()
            try:
                answer = self._http.request(method, self.url + path, timeout=TIMEOUT, **options)
            except requests.RequestException as error:
                if (method != "GET" and _may_have_arrived(error)) or time.monotonic() > until:
                    raise ServerAway("The server that draws does not answer.") from error
                asked_for = 0.0
            else:
                # 429 and 503 say that nothing was begun; of a POST, a proxy's 502 and 504 don't.
                again = answer.status_code in (AGAIN if method == "GET" else (429, 503))
                if not again or time.monotonic() > until:
                    return answer
                asked_for = _number(answer.headers.get("Retry-After"))
                answer.close()
            self._wait(max(pause, asked_for), beat)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _wait(self, seconds: float, beat: Callable[[], None]) -> None:
        until = time.monotonic() + min(seconds, LONGEST_PAUSE)
        while (left := until - time.monotonic()) > 0:
            beat()
            time.sleep(min(self.poll, left))
        beat()

    def _must_be_well(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status < 400:
            return
        told = _json(answer)
        error = _inner(told, "error") or told
        if status in (401, 402, 403, 429):
            logger.error("%s refused us with %s: %s", self.url, status, error)
            raise ServerRefused("The server that draws did not let us in, or had no room. The operator can see why.")
        if status in (400, 404, 422) and error.get("code") not in ERRORS:
            raise Unsupported(_words(error) or f"The server that draws does not take this: {status}.")
        raise _error(error, f"The server that draws failed: {status}.")


def fields(model: Model, request: Request) -> dict[str, str]:
    """What is sent: OpenAI's names, and for what those lack both our own and the engines' names."""
    seconds = Fraction(request.frames - 1, request.fps)
    if seconds.denominator != 1:
        raise Unsupported(f"A clip of whole seconds can be asked for, not of {request.frames} frames.")
    told = {
        "prompt": request.prompt,
        "model": model.path,
        "seconds": str(seconds),
        "size": f"{request.width}x{request.height}",
        "seed": str(request.seed),
        "steps": str(request.steps),
        "num_inference_steps": str(request.steps),
        "guidance": str(request.guidance),
        "guidance_scale": str(request.guidance),
        "num_frames": str(request.frames),
        "fps": str(request.fps),
    }
    return {**told, "negative_prompt": request.negative_prompt} if request.negative_prompt else told


def pictures(file: IO[bytes], request: Request) -> np.ndarray:
    """The film's frames, of the size, number and pace that were asked for. Raises WrongOutput.

    Servers that reckon in seconds leave the last of our frames away: 48 for two seconds of 24, where we say 49.
    """
    frames: list[np.ndarray] = []
    rate: Fraction | None = None
    try:
        with av.open(file, "r") as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            for frame in container.decode(stream):
                if len(frames) > request.frames:
                    break  # too many already: not all of an endless film is held in memory
                tagged = frame.colorspace in (Colorspace.ITU709, Colorspace.ITU601, Colorspace.SMPTE240M)
                matrix = frame.colorspace if tagged else Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
                frames.append(frame.to_ndarray(format="rgb24", src_colorspace=matrix))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise WrongOutput("What the server that draws sent is no film.") from error
    wanted = (request.height, request.width, 3)
    if any(frame.shape != wanted for frame in frames) or len(frames) not in (
        request.frames,
        max(request.frames - 1, 1),
    ):
        count = f"more than {request.frames}" if len(frames) > request.frames else str(len(frames))
        shape = f"{count} frames of {frames[0].shape[1]} × {frames[0].shape[0]}" if frames else "no frames"
        raise WrongOutput(
            f"The server that draws made {shape}, "
            f"where {request.frames} of {request.width} × {request.height} were asked for."
        )
    if len(frames) > 1 and rate is not None and abs(rate - request.fps) > Fraction(1, 2):
        raise WrongOutput(f"The server that draws made {float(rate):g} frames a second, not {request.fps}.")
    return np.stack(frames)


def _may_have_arrived(error: requests.RequestException) -> bool:
    """Whether a request whose answer did not come may be with the server. Not where no connection came about."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(reason, urllib3.exceptions.NewConnectionError)


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except requests.RequestException:
        return {}
    return told if isinstance(told, dict) else {}


def _inner(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> float:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _words(error: dict[str, Any]) -> str:
    said = error.get("message") or error.get("detail") or ""
    return " ".join(said.split())[:300] if isinstance(said, str) else ""


def _error(error: dict[str, Any], otherwise: str) -> EngineError:
    said = _words(error).removesuffix("Your credits are back.").strip()  # theirs to us, not ours to the artist
    return ERRORS.get(str(error.get("code")), EngineError)(said or otherwise)

"""A worker whose engine stops moving, the first time that it is asked for a clip: `-A tests.generation.hanging`.

The seed says where: LOADING before the first step, STEPPING between two, HOLDING there too but with the interpreter
held, so that no thread of this process runs, DECODING after the last, DAWDLING when the engine is done: there the
encoding goes on until a file `go` lies in the media folder. WALKING does not hang: it takes STEP_SECONDS for each
step. The second time each finishes.
"""

import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from gateway.celery import app
from generation import engines
from generation.engines import Clip, Model, OnStep, Request

__all__ = ["app"]

LOADING, STEPPING, HOLDING, DECODING, WALKING, DAWDLING = range(6)
STEP_SECONDS = 0.5


class SlowToRead(np.ndarray):
    """Pictures that nobody reads before they may."""

    def __getitem__(self, key: Any) -> Any:
        while not Path(os.environ["MEDIA_DIR"], "go").exists():
            time.sleep(0.02)
        return super().__getitem__(key)

    def __iter__(self) -> Any:
        return (self[index] for index in range(len(self)))


class Hanging:
    """Draws black."""

    def __init__(self, **_: Any) -> None:
        pass

    def load(self, model: Model) -> None:
        """Nothing to read."""

    def run(self, model: Model, request: Request, on_step: OnStep) -> Clip:
        mark = Path(os.environ["MEDIA_DIR"], f"{request.id}.hung")
        hangs = None if mark.exists() else request.seed
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        if hangs == LOADING:
            time.sleep(3600)
        if hangs == WALKING:
            for step in range(1, request.steps):
                time.sleep(STEP_SECONDS)
                on_step(step, request.steps)
        on_step(1, 2)
        if hangs == STEPPING:
            time.sleep(3600)
        if hangs == HOLDING:
            re.match(r"(a+)+$", "a" * 64 + "b")
        on_step(2, 2)
        if hangs == DECODING:
            time.sleep(3600)
        frames = np.zeros((request.frames, request.height, request.width, 3), dtype=np.uint8)
        if hangs == DAWDLING:
            frames = frames.view(SlowToRead)
        return Clip(frames=frames, fps=request.fps, seed=request.seed)

    def describe(self) -> dict[str, Any]:
        return {"device": "none", "hardware": "none", "versions": {}, "warm": [], "memory": {}}


engines.ENGINES["hanging"] = "tests.generation.hanging.Hanging"

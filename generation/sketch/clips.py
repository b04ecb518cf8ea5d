"""The pictures that Sketch learns from: drawn by arithmetic, so that each is exactly what its caption says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generation.sketch.captions import COLOURS, Scene

SIZE = 64
FRAMES = 17
# Radii in pixels of a picture of 64 pixels, halfway through the clip.
RADII = {"small": (10.0, 12.0), "": (14.0, 17.0), "large": (19.0, 22.0)}
TRAVEL = (19.0, 25.0)
GROWTH = 0.8  # from 0.6 to 1.4 of the radius, or back
WOBBLE, STILL_WOBBLE = 5.0, 9.0  # how far off the centre, in pixels


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the shape is in each frame: centre and radius in pixels, each shaped (frames,)."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    radius: NDArray[np.float32]


def distance(
    shape: str, x: NDArray[np.floating], y: NDArray[np.floating], radius: NDArray[np.floating] | float
) -> NDArray[np.floating]:
    """How many pixels a point lies outside a shape around the origin; negative inside. Arrays are broadcast."""
    if shape == "circle":
        return np.hypot(x, y) - radius
    if shape == "square":
        return np.maximum(abs(x), abs(y)) - radius * 0.9
    if shape == "ring":
        return abs(np.hypot(x, y) - radius * 0.75) - radius * 0.28
    if shape == "triangle":  # on its base
        slant = -y * 0.5 - radius * 0.55
        return np.maximum(y - radius * 0.8, np.maximum(slant - x * 0.866, slant + x * 0.866))
    raise ValueError(f"There is no shape called {shape}.")


def pose(scene: Scene, rng: np.random.Generator, frames: int = FRAMES) -> Pose:
    """A way to play the scene: where it begins, how large it is and how far it goes are drawn by lot."""
    wobble = WOBBLE if scene.motion else STILL_WOBBLE
    middle = SIZE / 2 + rng.uniform(-wobble, wobble, 2)
    radius, travel = rng.uniform(*RADII[scene.size]), rng.uniform(*TRAVEL)
    # From -½ to ½, as in a clip of 17 frames; a still picture is one of its moments.
    time = np.arange(frames, dtype=np.float32) / (FRAMES - 1) - 0.5
    still = np.zeros_like(time)
    along = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}.get(
        scene.motion.rpartition(" ")[2], (0, 0)
    )
    change = {"growing": GROWTH, "shrinking": -GROWTH}.get(scene.motion, 0.0)
    return Pose(
        x=(still + middle[0] + along[0] * travel * time).astype(np.float32),
        y=(still + middle[1] + along[1] * travel * time).astype(np.float32),
        radius=(radius * (1 + change * time)).astype(np.float32),
    )


def grid(size: int = SIZE) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The middles of the pixels: x shaped (1, size), y shaped (size, 1)."""
    middles = np.arange(size, dtype=np.float32) + 0.5
    return middles[None, :], middles[:, None]


def draw(scene: Scene, rng: np.random.Generator, frames: int = FRAMES) -> NDArray[np.uint8]:
    """The scene as pictures: uint8, shaped (frames, 64, 64, 3), with soft edges one pixel wide."""
    x, y = grid()
    where = pose(scene, rng, frames)
    outside = distance(scene.shape, x - where.x[:, None, None], y - where.y[:, None, None], where.radius[:, None, None])
    cover = np.clip(0.5 - outside, 0, 1)[..., None]
    shape, field = (np.array(COLOURS[name], np.float32) for name in (scene.colour, scene.field))
    return np.rint(shape * cover + field * (1 - cover)).astype(np.uint8)

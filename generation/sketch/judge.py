"""What a clip shows, by plain image analysis: no model of ours judges itself.

1. The field's colour is the median of the four corners; the shape is what differs from it by more than half of the
   strongest difference, its colour the median there.
2. Motion and growth are read off the centre and the area of the shape, the first frames against the last.
3. The kind of shape is the one whose outline, slid and scaled over the picture, covers best what differs.

On the clips that `clips.draw` makes each answer is right; on noise each is right as often as a guess
(tests/generation/engines/test_judge.py).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from generation.sketch import clips
from generation.sketch.captions import COLOURS, SHAPES, STILL, Scene

# Less than so many pixels from the first frames to the last is standing still.
MOVED = 5.0
SMALL, LARGE = 13.0, 18.0  # radii between the kinds of size, in pixels


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was seen, in the words of captions; `likeness` is how well the best outline covers the shape, 0 to 1."""

    field: str
    colour: str
    motion: str
    shape: str
    size: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Right:
    """Which of a scene's attributes a clip shows as asked."""

    field: bool
    colour: bool
    motion: bool
    shape: bool
    size: bool


def judge(pictures: NDArray[np.uint8]) -> Verdict:
    """Look at a clip: uint8, shaped (frames, 64, 64, 3). A clip of one frame stands still."""
    frames, side = len(pictures), pictures.shape[1]
    video, edge = pictures.astype(np.float32), side // 10
    ends = (slice(None, edge), slice(-edge, None))
    corners = np.concatenate([video[:, rows, columns].reshape(-1, 3) for rows, columns in product(ends, ends)])
    ground = np.median(corners, 0)
    away = np.sqrt(np.square(video - ground).sum(-1))
    mask = away > max(0.5 * float(np.percentile(away, 99.5)), 1.0)
    if not mask.any():
        return Verdict(nearest(ground), "", STILL, "", "", 0.0)
    field = nearest(ground)
    colour = nearest(np.median(video[mask], 0))

    x, y = clips.grid(side)
    area = np.maximum(mask.sum((1, 2)), 1)
    centre_x, centre_y = (mask * x).sum((1, 2)) / area, (mask * y).sum((1, 2)) / area
    best = [outline(mask[frame], centre_x[frame], centre_y[frame]) for frame in looked_at(frames)]
    votes = {shape: float(np.mean([found[shape][0] for found in best])) for shape in SHAPES}
    shape = max(votes, key=lambda name: votes[name])
    radius = float(np.mean([found[shape][1] for found in best]))
    size = "small" if radius < SMALL else "large" if radius > LARGE else ""
    return Verdict(field, colour, motion_of(centre_x, centre_y, area), shape, size, votes[shape])


def nearest(colour: NDArray[np.floating]) -> str:
    """The palette's colour that is least far from one, in RGB."""
    return min(COLOURS, key=lambda name: float(np.square(colour - COLOURS[name]).sum()))


def looked_at(frames: int) -> list[int]:
    """The frames around the middle of a clip, where a growing shape has about its radius."""
    return sorted({round((frames - 1) * part) for part in (0.35, 0.5, 0.65)})


def motion_of(x: NDArray[np.floating], y: NDArray[np.floating], area: NDArray[np.floating]) -> str:
    """The strongest change from the first quarter of a clip to its last, in pixels; growth counts as its diameter's."""
    few = max(len(x) // 4, 1)
    across, along, grown = (np.mean(each[-few:]) - np.mean(each[:few]) for each in (x, y, 1.1 * np.sqrt(area)))
    changes = {
        "drifting left": -across,
        "drifting right": across,
        "drifting up": -along,
        "drifting down": along,
        "growing": grown,
        "shrinking": -grown,
    }
    strongest = max(changes, key=lambda name: float(changes[name]))
    return strongest if changes[strongest] > MOVED else STILL


def outline(mask: NDArray[np.bool_], x: float, y: float) -> dict[str, tuple[float, float]]:
    """For each kind of shape, how well its best outline covers a mask (intersection over union), and its radius."""
    side = len(mask)
    across, down = clips.grid(side)
    shifts = np.array([-0.15, 0.0, 0.15], np.float32)
    best = {}
    for shape in SHAPES:
        # A triangle's weight lies below the middle of its outline, and the edge of the picture cuts what it cuts.
        radii = np.arange(4, side * 0.45, 1, dtype=np.float32)
        radius, shift_x, shift_y = (each.ravel()[:, None, None] for each in np.meshgrid(radii, shifts, shifts))
        outside = clips.distance(shape, across - x + shift_x * radius, down - y + shift_y * radius, radius)
        drawn = outside < 0
        covered = (drawn & mask).sum((1, 2)) / np.maximum((drawn | mask).sum((1, 2)), 1)
        which = int(np.argmax(covered))
        best[shape] = (float(covered[which]), float(radius[which, 0, 0]))
    return best


def right(verdict: Verdict, scene: Scene) -> Right:
    return Right(
        field=verdict.field == scene.field,
        colour=verdict.colour == scene.colour,
        motion=verdict.motion == scene.motion,
        shape=verdict.shape == scene.shape,
        size=verdict.size == scene.size,
    )

"""Flashes that can set off a seizure: general and red ones, after WCAG 2.2, success criterion 2.3.1.

What is counted, in the order of the algorithm:

1. *Where.* A clip is taken as large as it fits on the display of the standard's note, 1024 × 768 pixels, and cut into
   cells of 0.1 degree (3.41 of those pixels). Finer patterns than that the standard exempts, and averaging within a
   cell does the same. A visual field of 10 degrees is 341 × 256 pixels: 100 × 75 cells, wherever it lies.
2. *General.* A cell makes a transition when its relative luminance has moved 0.1 or more away from the last peak or
   valley, the darker of both being below 0.80.
3. *Red.* A cell makes a transition when it leaves a saturated red, R / (R + G + B) ≥ 0.8 of linear light, or comes back
   to one, with more than 0.2 between both colours in the CIE 1976 u′v′ diagram.
4. *How many.* Two opposing transitions are a flash. More than six within one second, in more than a quarter of a field,
   are too many: by cells that each make so many, or by a field in which a quarter turns so often, wherever in it.

ITU-R BT.1702 counts by the same numbers, but in a quarter of the whole screen: what passes here passes there. Its rule
about regular patterns is not measured.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import Image

DISPLAY = (1024, 768)
CELL = 3.41  # pixels of that display: 0.1 degree
FIELD = (100, 75)  # cells: 10 degrees
TRANSITIONS = 6  # in a second: three flashes

STEP = 0.1
DARK = 0.8
SATURATED = 0.8
APART = 0.2
NEUTRAL = np.array([0.1978, 0.4683], "f4")  # u′v′ of white
UNSEEN = 0.01  # of linear light in the brightest channel: below, the encoder decides what colour it is
TINY = 1e-6  # what is exactly at a limit is not decided by rounding

LINEAR = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.arange(256) / 255], "f4")
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], "f4")
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], "f4")


@dataclass(frozen=True, slots=True)
class Worst:
    """The second with the most flashes: how many, from which frame on, and at which frames most of the field turned."""

    flashes: float
    start: int
    frames: tuple[int, ...]

    @property
    def too_many(self) -> bool:
        return self.flashes * 2 > TRANSITIONS


class Flashes:
    """Looks at a clip frame by frame."""

    def __init__(self, fps: float | Fraction, width: int, height: int) -> None:
        self.size = grid(width, height)
        self.general = Counter(Luminance(), fps, self.size)
        self.red = Counter(Redness(), fps, self.size)

    def see(self, frame: np.ndarray) -> None:
        """The next frame: uint8 of (height, width, 3)."""
        light = LINEAR[cells(frame, self.size)]
        self.general.see(light)
        self.red.see(light)


def measure(frames: np.ndarray, fps: float | Fraction) -> Flashes:
    """All frames, seen: uint8 of (frames, height, width, 3)."""
    flashes = Flashes(fps, frames.shape[2], frames.shape[1])
    for frame in frames:
        flashes.see(frame)
    return flashes


def grid(width: int, height: int, display: tuple[int, int] = DISPLAY, cell: float = CELL) -> tuple[int, int]:
    """Columns and rows of cells of a clip that is as large as fits on the display."""
    scale = min(display[0] / width, display[1] / height)
    return max(round(width * scale / cell), 1), max(round(height * scale / cell), 1)


def cells(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The frame's mean colours, cell by cell."""
    if frame.shape[1::-1] == size:
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


class Luminance:
    """Follows each cell's relative luminance from peak to valley to peak."""

    def __init__(self) -> None:
        self.high: np.ndarray | None = None

    def turns(self, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which cells have risen far enough with this frame, and which have fallen."""
        now = light @ LUMINANCE
        if self.high is None:
            self.high, self.low, self.sense = now, now, np.zeros(now.shape, "i1")
        up = (self.sense < 1) & (now - self.low >= STEP - TINY) & (self.low < DARK - TINY)
        down = (self.sense > -1) & (self.high - now >= STEP - TINY) & (now < DARK - TINY)
        turned = up | down
        self.high = np.where(turned, now, np.maximum(self.high, now))
        self.low = np.where(turned, now, np.minimum(self.low, now))
        self.sense[up], self.sense[down] = 1, -1
        return up, down


class Redness:
    """Follows each cell from saturated red to another colour and back."""

    def __init__(self) -> None:
        self.red: np.ndarray | None = None
        self.before: np.ndarray | None = None

    def turns(self, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which cells have become a saturated red with this frame, and which have ceased to be."""
        seen = light.max(axis=2) >= UNSEEN
        saturated = seen & (light[..., 0] >= (SATURATED - TINY) * light.sum(axis=2))
        if self.red is None:
            if not saturated.any():  # as in most clips, from first to last
                self.before = light
                return saturated, saturated
            # What a cell was last as a red and as something else. "Not a number" is not apart from anything.
            self.red = np.full((*saturated.shape, 2), np.nan, "f4")
            self.other = self.red if self.before is None else _chromaticity(self.before)
            self.sense = np.zeros(saturated.shape, "i1")
        colour = _chromaticity(light)
        from_red, from_other = _apart(colour, self.red), _apart(colour, self.other)
        become = saturated & (self.sense < 1) & (from_other > APART + TINY)
        ceased = ~saturated & (self.sense > -1) & (from_red > APART + TINY)
        # Of what follows a turn, the colour farthest from the one before it is where the next begins.
        so_far = _apart(self.red, self.other)
        new_red = saturated & (become | ~(so_far >= from_other))
        new_other = ~saturated & (ceased | ~(so_far >= from_red))
        self.red = np.where(new_red[..., None], colour, self.red)
        self.other = np.where(new_other[..., None], colour, self.other)
        self.sense[become], self.sense[ceased] = 1, -1
        return become, ceased


def _chromaticity(light: np.ndarray) -> np.ndarray:
    seen = light.max(axis=2) >= UNSEEN
    x, y, z = np.moveaxis(light @ XYZ.T, 2, 0)
    total = np.where(seen, x + 15 * y + 3 * z, 1)
    return np.where(seen[..., None], np.stack((4 * x / total, 9 * y / total), axis=2), NEUTRAL)


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.hypot(one[..., 0] - other[..., 0], one[..., 1] - other[..., 1])


class Counter:
    """Counts the transitions of the last second, in every field of 10 degrees."""

    def __init__(
        self,
        follow: Luminance | Redness,
        fps: float | Fraction,
        size: tuple[int, int],
        field: tuple[int, int] = FIELD,
    ) -> None:
        self.follow = follow
        self.field = (min(field[0], size[0]), min(field[1], size[1]))
        self.quarter = field[0] * field[1] / 4
        self.second = max(math.ceil(fps), 1)  # frames: two of them are less than a second apart
        columns, rows = size
        fields = (rows - self.field[1] + 1, columns - self.field[0] + 1)
        self.of_cells = np.zeros((self.second, rows, columns), bool)
        self.of_fields = np.zeros((self.second, *fields), bool)
        self.by_cell = np.zeros((rows, columns), "i2")
        self.by_field = np.zeros(fields, "i2")
        self.sense = np.zeros(fields, "i1")
        self.turned: list[int] = []  # by frame, how many cells
        self.most = self.at = 0

    def see(self, light: np.ndarray) -> None:
        """The next frame, in linear light by cells."""
        up, down = self.follow.turns(light)
        place = len(self.turned) % self.second
        self.by_cell -= self.of_cells[place]
        self.of_cells[place] = up | down
        self.by_cell += self.of_cells[place]
        self.by_field -= self.of_fields[place]
        self.of_fields[place] = self._fields_that_turn(up, down)
        self.by_field += self.of_fields[place]
        self.turned.append(int(self.of_cells[place].sum()))
        if self.turned[-1]:
            self._compare()

    def _fields_that_turn(self, up: np.ndarray, down: np.ndarray) -> np.ndarray:
        rises = self._over(up) & (self.sense < 1)
        falls = self._over(down) & (self.sense > -1) & ~rises
        self.sense[rises], self.sense[falls] = 1, -1
        return rises | falls

    def _compare(self) -> None:
        most = max(self.most, int(self.by_field.max()))
        while self._over(self.by_cell > most).any():
            most += 1
        if most > self.most:
            self.most, self.at = most, len(self.turned) - 1

    def _over(self, marked: np.ndarray) -> np.ndarray:
        """In which fields more than a quarter of the cells is marked."""
        if np.count_nonzero(marked) <= self.quarter:
            return np.zeros(self.sense.shape, bool)
        width, height = self.field
        sums = np.zeros((marked.shape[0] + 1, marked.shape[1] + 1), "i4")
        marked.cumsum(axis=0, dtype="i4").cumsum(axis=1, out=sums[1:, 1:])
        inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
        return inside > self.quarter

    def worst(self) -> Worst:
        """What was found so far."""
        if not self.most:
            return Worst(0, 0, ())
        first = max(self.at - self.second + 1, 0)
        counts = self.turned[first : self.at + 1]
        frames = tuple(first + n for n, count in enumerate(counts) if count and count * 4 >= max(counts))
        return Worst(self.most / 2, frames[0], frames)

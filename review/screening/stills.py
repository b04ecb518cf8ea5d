"""What hardly is a clip: nothing to see (blank), nothing that moves (frozen), or nothing but noise.

Cells are means of a small part of the picture, so that what an encoder adds does not count, and what is small but there
does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import Image

CELLS = (64, 48)
PLAIN = 8  # of 255: a frame whose cells all lie within this is blank, in each of red, green and blue
STILL = 4  # of 255: a cell that is farther from where the stretch began has moved
NOISY = 0.75  # of white noise; pictures of things lie below 0.7, noise above 0.8 (benchmarks/screening.py)
SCALES = (1, 2, 4, 8)  # pixels: how coarse the noise may be
PART = 256  # pixels: how much of the middle is looked at for noise
LOOKS = 4  # a second, for noise

FLATNESS_OF_NOISE = float(np.exp(-np.euler_gamma))
LUMA = np.array([0.2126, 0.7152, 0.0722], "f4")


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a clip is like that, from 0 to 1, and the frames that show it."""

    of_clip: float
    frames: tuple[int, ...]


class Stills:
    """Looks at a clip frame by frame."""

    def __init__(self, fps: float | Fraction) -> None:
        self.every = max(int(fps / LOOKS), 1)
        self.count = 0
        self.blank: list[int] = []
        self.noisy: list[int] = []
        self.looked_for_noise = 0
        self.began, self.longest = 0, (0, 0)
        self.ground: np.ndarray | None = None

    def see(self, frame: np.ndarray) -> None:
        """The next frame: uint8 of (height, width, 3)."""
        means = np.asarray(Image.fromarray(frame).resize(CELLS, Image.Resampling.BOX)).astype("i2")
        blank = int(np.ptp(means, axis=(0, 1)).max()) < PLAIN
        if blank:
            self.blank.append(self.count)
        if self.ground is None or abs(means - self.ground).max() >= STILL:
            self.began, self.ground = self.count, means
        self.longest = max(self.longest, (self.count - self.began + 1, -self.began))
        if self.count % self.every == 0:
            self.looked_for_noise += 1
            if not blank and noisiness(frame) >= NOISY:
                self.noisy.append(self.count)
        self.count += 1

    def blanks(self) -> Share:
        """The frames on which there is nothing to see."""
        return Share(len(self.blank) / max(self.count, 1), tuple(self.blank))

    def frozen(self) -> Share:
        """The longest stretch in which nothing moves; a single picture is none."""
        frames, began = self.longest[0], -self.longest[1]
        if frames < 2:
            return Share(0, ())
        return Share(frames / self.count, (began, began + frames - 1))

    def noise(self) -> Share:
        """The frames that are nothing but noise, out of a few a second."""
        return Share(len(self.noisy) / max(self.looked_for_noise, 1), tuple(self.noisy))


def measure(frames: Iterable[np.ndarray], fps: float | Fraction) -> Stills:
    """All frames, seen."""
    stills = Stills(fps)
    for frame in frames:
        stills.see(frame)
    return stills


def noisiness(frame: np.ndarray) -> float:
    """How much the frame's middle is like white noise, at the scale where it is most: 0 for things, 1 for noise.

    Noise has a flat spectrum (its flatness is the geometric mean over the arithmetic one) and is the same everywhere:
    the calmest sixteenth of it is about as restless as the whole.
    """
    rows, columns = (min(side, PART) for side in frame.shape[:2])
    top, left = (frame.shape[0] - rows) // 2, (frame.shape[1] - columns) // 2
    luma = frame[top : top + rows, left : left + columns] @ LUMA
    most = 0.0
    for scale in SCALES:
        high, wide = rows // scale, columns // scale
        if min(high, wide) < 16:
            break
        coarse = luma[: high * scale, : wide * scale].reshape(high, scale, wide, scale).mean(axis=(1, 3))
        parts = coarse[: high // 4 * 4, : wide // 4 * 4].reshape(4, high // 4, 4, wide // 4)
        even = float(parts.std(axis=(1, 3)).min() / (coarse.std() + 1e-6))
        waves = (coarse - coarse.mean()) * np.hanning(high)[:, None] * np.hanning(wide)
        power = abs(np.fft.rfft2(waves)[1:-1, 1:-1]) ** 2 + 1e-9
        flat = float(np.exp(np.log(power).mean()) / power.mean()) / FLATNESS_OF_NOISE
        most = max(most, min(flat, 1.0) * min(even, 1.0))
    return most

"""Fingerprints by which near copies are found: of a clip encoded again, scaled, or cropped by up to a tenth.

Three frames stand for a clip. To *find* what may be alike, each has a perceptual hash of 64 bits, the signs of its
lowest frequencies (DCT), and so has each of ten crops of it, because a cropped copy has the hash of the crop. Hashes
are looked up by their four parts of 16 bits, those of the clip in question also with their least certain bits turned;
two frames of it have to meet the same two of the other. To *tell* whether it is alike, its colours are compared on a
grid of 8 × 8, laid wherever a cropped copy would lie.

Written here because it is a few lines of NumPy: the libraries at hand hash one picture, without crops, certainty or a
second look, and bring SciPy along.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

VERSION = 1
MOMENTS = (1 / 6, 1 / 2, 5 / 6)
SIDE = 64  # of the small picture that everything is made from
PLAIN = 8  # of 255: a frame that varies less has no hash worth comparing
BITS, BANDS = 64, 4
SHAKY = 4  # bits of a part that are also tried turned
LIKELY = 20  # bits: where two frames' hashes differ in more, the colours are not compared
TWO = 2  # frames that have to be alike
GRID = 8
LIMIT = 8.0  # of 255, the mean difference of colours: chosen by benchmarks/screening.py

LUMA = np.array([0.2126, 0.7152, 0.0722], "f4")
DCT = np.cos(np.pi * np.outer(np.arange(12), 2 * np.arange(SIDE // 2) + 1) / SIDE).astype("f4")
LOWEST = sorted(((u, v) for u in range(12) for v in range(12) if u + v), key=lambda uv: (sum(uv), uv[0]))[:BITS]
ROWS, COLUMNS = np.array(LOWEST).T
POWERS = np.uint64(1) << np.arange(BITS, dtype=np.uint64)
PART = BITS // BANDS

Box = tuple[float, float, float, float]  # left, top, right and bottom, in parts of the picture


def _crop(share: float, across: float, down: float) -> Box:
    left, top = share * across, share * down
    return left, top, left + 1 - share, top + 1 - share


WHOLE: Box = (0, 0, 1, 1)
HASHED = (WHOLE, _crop(0.05, 0.5, 0.5), *(_crop(0.085, x, y) for x in (0.08, 0.5, 0.92) for y in (0.08, 0.5, 0.92)))
LAID = (
    WHOLE,
    *(_crop(0.05, x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1)),
    *(_crop(0.1, x, y) for x in (0, 0.25, 0.5, 0.75, 1) for y in (0, 0.25, 0.5, 0.75, 1)),
)


@dataclass(frozen=True, slots=True)
class Print:
    """What is kept of a clip: `hashes` uint64 of (moments, crops), `colours` uint8 of (moments, grid, grid, 3)."""

    hashes: np.ndarray
    colours: np.ndarray
    bands: list[int]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the kept ones, for each of the `moments` that show something: `hashes` of the whole frames,
    `bands` to look for, `laid` colours where each crop would lie."""

    moments: list[int]
    hashes: np.ndarray
    bands: list[list[int]]
    laid: list[tuple[np.ndarray, np.ndarray]]


def moments(frames: int) -> list[int]:
    """Which frames stand for a clip of so many."""
    return [round(moment * (frames - 1)) for moment in MOMENTS]


def small(frame: np.ndarray) -> np.ndarray:
    """A frame as small as it is needed here."""
    return np.asarray(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BOX))


def kept(pictures: Sequence[np.ndarray]) -> Print | None:
    """The print of a clip by its three small pictures; None when two of them show nothing."""
    telling = _telling(pictures)
    if len(telling) < TWO:
        return None
    every = np.array([[_frequencies(picture, box) for box in HASHED] for picture in pictures])
    parts = {part for moment in telling for values in every[moment] for part in _parts(values, moment)}
    return Print(_hash(every), np.array([_grid(picture) for picture in pictures]), sorted(parts))


def asked(pictures: Sequence[np.ndarray]) -> Question | None:
    """The question whether the clip of these three small pictures is like a kept one; None as above."""
    telling = _telling(pictures)
    if len(telling) < TWO:
        return None
    whole = np.array([_frequencies(pictures[moment], WHOLE) for moment in telling])
    parts = [sorted(_parts(values, moment, shaky=SHAKY)) for values, moment in zip(whole, telling, strict=True)]
    laid = [_laid([pictures[moment] for moment in telling], box) for box in LAID]
    return Question(telling, _hash(whole), parts, laid)


def likely(question: Question, hashes: np.ndarray) -> np.ndarray:
    """Which of the kept hashes, (clips, moments, crops), are near enough for a closer look, in two frames."""
    apart = np.bitwise_count(hashes[:, question.moments] ^ question.hashes[:, None]).min(axis=2)
    return (apart <= LIKELY).sum(axis=1) >= TWO


def distances(question: Question, colours: np.ndarray) -> np.ndarray:
    """How far the colours of the kept ones, (clips, moments, grid, grid, 3), are from those of the clip in question."""
    theirs = colours[:, question.moments].astype("f4")
    nearest = np.full(len(colours), np.inf, "f4")
    for mine, inside in question.laid:
        apart = abs(theirs[:, :, inside] - mine[:, inside]).mean(axis=(1, 2, 3))
        nearest = np.minimum(nearest, apart)
    return nearest


def _telling(pictures: Sequence[np.ndarray]) -> list[int]:
    return [n for n, picture in enumerate(pictures) if np.ptp(_grid(picture), axis=(0, 1)).max() >= PLAIN]


def _frequencies(picture: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = (SIDE * edge for edge in box)
    half = Image.fromarray(picture).resize((SIDE // 2, SIDE // 2), Image.Resampling.BOX, (left, top, right, bottom))
    light = np.asarray(half) @ LUMA
    waves = DCT @ (light - light.mean()) @ DCT.T
    return np.asarray(waves[ROWS, COLUMNS])


def _hash(values: np.ndarray) -> np.ndarray:
    return ((values > 0) * POWERS).sum(axis=-1, dtype=np.uint64)


def _parts(values: np.ndarray, moment: int, shaky: int = 0) -> set[int]:
    """The hash's parts, moment and place above their 16 bits, and with every choice of their shakiest bits turned."""
    parts = set()
    for place in range(BANDS):
        own = values[place * PART : (place + 1) * PART]
        bits = sum(1 << bit for bit in range(PART) if own[bit] > 0)
        turned = [1 << int(bit) for bit in np.argsort(abs(own))[:shaky]]
        for some in itertools.product((0, 1), repeat=len(turned)):
            flips = sum(bit for bit, chosen in zip(turned, some, strict=True) if chosen)
            parts.add((moment * BANDS + place) << PART | (bits ^ flips))
    return parts


def _grid(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((GRID, GRID), Image.Resampling.BOX))


def _laid(pictures: Sequence[np.ndarray], box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The pictures' colours on the grid, were they this part of a larger one; and which cells they fill."""
    fine = 2 * SIDE
    left, top, right, bottom = (round(fine * edge) for edge in box)
    ground = np.zeros((len(pictures), fine, fine, 4), "f4")
    for number, picture in enumerate(pictures):
        part = Image.fromarray(picture).resize((right - left, bottom - top), Image.Resampling.BOX)
        ground[number, top:bottom, left:right, :3] = np.asarray(part)
        ground[number, top:bottom, left:right, 3] = 1
    cell = fine // GRID
    means = ground.reshape(len(pictures), GRID, cell, GRID, cell, 4).mean(axis=(2, 4))
    share = means[..., 3:]
    return means[..., :3] / np.maximum(share, 1e-9), share[0, ..., 0] > 0.95

"""Fingerprints: what a copy keeps, and what another work does not have."""

import numpy as np
import pytest
from PIL import Image

from review.screening import hashes


def pictures(seed: int, size: int = 256) -> list[np.ndarray]:
    """Three frames with large and small forms."""
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(3):
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        fine = Image.fromarray(random.integers(0, 60, (24, 24, 3), dtype=np.uint8))
        both = [np.asarray(layer.resize((size, size), Image.Resampling.BICUBIC), int) for layer in (coarse, fine)]
        frames.append(np.clip(both[0] * 0.75 + both[1], 0, 255).astype(np.uint8))
    return frames


def distance(original: list[np.ndarray], copy: list[np.ndarray]) -> float:
    """How far the copy is from what is kept of the original; infinite when it is not even looked for there."""
    kept, asked = (
        make([hashes.small(frame) for frame in of]) for make, of in ((hashes.kept, original), (hashes.asked, copy))
    )
    assert kept is not None and asked is not None
    met = sum(bool(set(kept.bands) & set(bands)) for bands in asked.bands)
    if met < hashes.TWO or not hashes.likely(asked, kept.hashes[None])[0]:
        return float("inf")
    return float(hashes.distances(asked, kept.colours[None])[0])


def cropped(frames, share, across, down):
    side = len(frames[0])
    left, top, rest = round(side * share * across), round(side * share * down), round(side * (1 - share))
    return [frame[top : top + rest, left : left + rest] for frame in frames]


def test_a_work_is_like_itself():
    assert distance(pictures(1), pictures(1)) < 0.5


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.5])
def test_scaled(factor):
    side = round(256 * factor)
    scaled = [np.asarray(Image.fromarray(frame).resize((side, side))) for frame in pictures(2)]
    assert distance(pictures(2), scaled) < hashes.LIMIT


@pytest.mark.parametrize("share", [0.05, 0.1])
@pytest.mark.parametrize("place", [(0.5, 0.5), (0, 0), (1, 0), (0, 1), (1, 1)])
def test_cropped(share, place):
    assert distance(pictures(3), cropped(pictures(3), share, *place)) < hashes.LIMIT


def test_a_little_lighter_or_less_colourful():
    assert (
        distance(pictures(4), [np.clip(frame.astype(int) + 5, 0, 255).astype(np.uint8) for frame in pictures(4)])
        < hashes.LIMIT
    )


def test_the_same_forms_in_other_colours_are_another_work():
    assert distance(pictures(5), [frame[..., ::-1] for frame in pictures(5)]) > hashes.LIMIT


def test_other_works_are_not_like_it():
    first = pictures(6)
    assert min(distance(first, pictures(seed)) for seed in range(7, 17)) > 1.5 * hashes.LIMIT


def test_of_what_shows_nothing_there_is_no_print():
    plain = [np.full((64, 64, 3), 40, np.uint8)] * 3
    assert hashes.kept(plain) is None
    assert hashes.asked([pictures(1)[0][:64, :64], *plain[:2]]) is None, "one telling frame is not enough"


def test_a_question_holds_what_is_kept_and_stays_within_its_bits():
    small = [hashes.small(frame) for frame in pictures(8)]
    kept, asked = hashes.kept(small), hashes.asked(small)
    assert kept is not None and asked is not None
    assert kept.hashes.shape == (3, 11)
    assert np.array_equal(kept.hashes[:, 0], asked.hashes)
    for moment, bands in enumerate(asked.bands):
        assert len(set(kept.bands) & set(bands)) >= 4
        assert all(4 * moment <= band >> 16 < 4 * moment + 4 for band in bands)


@pytest.mark.parametrize(("frames", "chosen"), [(1, [0, 0, 0]), (12, [2, 6, 9]), (49, [8, 24, 40])])
def test_which_frames_stand_for_a_clip(frames, chosen):
    assert hashes.moments(frames) == chosen

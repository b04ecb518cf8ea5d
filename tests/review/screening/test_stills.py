"""Blank, frozen and noise-only clips."""

import numpy as np
import pytest

from review.screening.stills import PLAIN, STILL, measure, noisiness

RANDOM = np.random.default_rng(0)
SHADE = np.linspace(0, 200, 64, dtype="f4")[None, :, None] + np.linspace(0, 50, 48)[:, None, None]
PICTURE = np.clip(np.broadcast_to(SHADE, (48, 64, 3)), 0, 255).astype(np.uint8)


def clip(*parts):
    """A clip of (picture, how often)."""
    return np.concatenate([np.repeat(picture[None], often, axis=0) for picture, often in parts])


def flat(grey):
    return np.full((48, 64, 3), grey, np.uint8)


def grain(picture):
    """With what an encoder leaves."""
    return np.clip(picture.astype(int) + RANDOM.integers(-1, 2, picture.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("grey", [0, 3, 128, 255])
def test_flat_frames_are_blank(grey):
    found = measure(np.stack([grain(flat(grey)) for _ in range(8)]), 8).blanks()
    assert (found.of_clip, found.frames) == (1, tuple(range(8)))


@pytest.mark.parametrize(("difference", "share"), [(PLAIN - 1, 1), (PLAIN, 0)])
def test_blank_is_what_differs_by_less_than_eight_of_255(difference, share):
    picture = flat(100)
    picture[:, 32:, 2] += np.uint8(difference)
    assert measure(clip((picture, 4)), 8).blanks().of_clip == share


def test_something_small_on_a_plain_ground_is_not_blank():
    picture = np.full((480, 640, 3), 20, np.uint8)
    picture[200:210, 300:310] = 200
    assert measure(clip((picture, 2)), 8).blanks().of_clip == 0


def test_half_blank_is_half():
    assert measure(clip((flat(0), 12), (PICTURE, 12)), 8).blanks().of_clip == 0.5


@pytest.mark.parametrize(("still", "of_clip"), [(11, 11 / 24), (12, 0.5), (24, 1)])
def test_frozen_is_the_longest_stretch(still, of_clip):
    moving = [np.roll(PICTURE, 7 * (n + 1), axis=1) for n in range(24 - still)]
    found = measure(np.stack([*moving, *(grain(PICTURE) for _ in range(still))]), 8).frozen()
    assert found.of_clip == pytest.approx(of_clip)
    assert found.frames == (24 - still, 23)


@pytest.mark.parametrize(("a_frame", "frozen"), [(0, True), (1, False)])
def test_what_drifts_slowly_is_not_frozen(a_frame, frozen):
    """Compared is with where the stretch began: one shade a frame is no change from one frame to the next."""
    assert STILL > 1
    drifting = np.stack([PICTURE // 2 + np.uint8(n * a_frame) for n in range(24)])
    assert (measure(drifting, 24).frozen().of_clip >= 0.5) == frozen


def test_a_single_picture_is_not_a_frozen_clip():
    assert measure(PICTURE[None], 1).frozen().of_clip == 0


@pytest.mark.parametrize("cell", [1, 2, 4, 8])
def test_noise_of_any_grain(cell):
    small = RANDOM.integers(0, 256, (9, 256 // cell, 256 // cell, 3), dtype=np.uint8)
    assert measure(small.repeat(cell, 1).repeat(cell, 2), 8).noise().of_clip == 1


def test_things_are_not_noise_even_with_grain_and_stars():
    sky = np.clip(RANDOM.normal(0, 12, (256, 256, 1)) + np.linspace(20, 90, 256)[:, None, None], 0, 255)
    sky[RANDOM.integers(0, 256, 300), RANDOM.integers(0, 256, 300)] = 255
    assert noisiness(sky.repeat(3, 2).astype(np.uint8)) < 0.7
    stripes = np.sin(np.arange(256) / 3)[None, :, None] * 100 + 120
    assert noisiness(np.broadcast_to(stripes, (256, 256, 3)).astype(np.uint8)) < 0.1
    assert noisiness(flat(7)) < 0.1


def test_half_noise_is_half():
    noise = RANDOM.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert measure(clip((PICTURE, 12), (noise, 12)), 8).noise().of_clip == 0.5

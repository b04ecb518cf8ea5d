"""Flashes: constructed sequences on both sides of every threshold of WCAG 2.2, success criterion 2.3.1."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from review.screening.flashes import CELL, DISPLAY, FIELD, LINEAR, LUMINANCE, Counter, Luminance, Redness, grid, measure

SIZE = (4, 3)
FPS = (8, 24, 30)


def level(luminance: float) -> tuple[int, int, int]:
    """The grey of the nearest relative luminance."""
    return (int(abs(LINEAR - luminance).argmin()),) * 3


def srgb(*light: float) -> tuple[int, ...]:
    """The colour of so much linear light."""
    return tuple(int(abs(LINEAR - part).argmin()) for part in light)


def worst(colours, fps, follow=Luminance):
    """Of a screen that shows these colours, one a frame, from edge to edge."""
    counter = Counter(follow(), fps, SIZE, SIZE)
    for colour in colours:
        counter.see(LINEAR[np.broadcast_to(np.array(colour, np.uint8), (*SIZE[::-1], 3))])
    return counter.worst()


def flashing(one, other, flashes, fps):
    """Two seconds that begin with `one` and turn so many times to `other` and back, spread over the first second."""
    turns = [math.ceil((n + 1) * fps / (2 * flashes)) for n in range(round(2 * flashes))]
    return [other if sum(frame >= turn for turn in turns) % 2 else one for frame in range(2 * fps)]


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("flashes", [1, 2, 3, 3.5, 4])
def test_more_than_three_in_a_second_are_too_many(flashes, fps):
    for one, other in (((0, 0, 0), (255, 255, 255)), ((255, 255, 255), (0, 0, 0))):
        found = worst(flashing(one, other, flashes, fps), fps)
        assert found.flashes == flashes
        assert found.too_many == (flashes > 3)
        assert len(found.frames) == 2 * flashes


@pytest.mark.parametrize(("hertz", "too_many"), [(1, False), (3, False), (3.75, True), (5, True), (12, True)])
def test_a_square_wave_by_its_frequency(hertz, too_many):
    frames = [255 * (int(frame * hertz * 2 / 30 + 1e-9) % 2) for frame in range(90)]
    assert worst([(grey,) * 3 for grey in frames], 30).too_many == too_many


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize(("change", "counts"), [(0.09, False), (0.11, True)])
@pytest.mark.parametrize("darker", [0.0, 0.3, 0.6])
def test_a_tenth_of_the_luminance_is_a_change(darker, change, counts, fps):
    found = worst(flashing(level(darker), level(darker + change), 4, fps), fps)
    assert found.flashes == (4 if counts else 0)


@pytest.mark.parametrize(("darker", "counts"), [(0.79, True), (0.81, False)])
def test_between_bright_pictures_nothing_flashes(darker, counts):
    assert abs(LINEAR[level(darker)[0]] - darker) < 0.009
    assert worst(flashing(level(darker), (255, 255, 255), 4, 24), 24).too_many == counts


def test_a_slow_pulse_a_cut_and_a_steady_picture_are_none():
    pulse = [level(0.5 - 0.5 * math.cos(math.pi * frame / 24)) for frame in range(96)]  # two seconds from dark to dark
    assert 0 < worst(pulse, 24).flashes <= 1
    assert worst([(20, 20, 20)] * 24 + [(230, 230, 230)] * 24, 24).flashes == 0.5
    assert worst([(90, 120, 60)] * 24, 24) == worst([], 24)


def test_small_steps_add_up_to_a_peak():
    """The standard compares peaks with valleys, not frames with frames."""
    wave = [level(0.3 + 0.08 * abs(frame % 6 - 3)) for frame in range(60)]  # by 0.08 a frame, five times a second
    assert worst(wave, 30).flashes == 5


def naive(luminances, fps):
    """One cell, frame by frame as the standard says it, then every second of the clip."""
    turns, sense, low, high = [], 0, luminances[0], luminances[0]
    for frame, now in enumerate(luminances):
        if sense < 1 and now - low >= 0.1 and low < 0.8:
            turns, sense, high = [*turns, frame], 1, now
            low = now
        elif sense > -1 and high - now >= 0.1 and now < 0.8:
            turns, sense, low = [*turns, frame], -1, now
            high = now
        low, high = min(low, now), max(high, now)
    return max((sum(start <= turn < start + fps for turn in turns) for start in range(len(luminances))), default=0) / 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 255), min_size=1, max_size=40), st.sampled_from(FPS))
def test_any_sequence_counts_as_the_standard_reads(levels, fps):
    luminances = [float(LINEAR[[grey] * 3] @ LUMINANCE) for grey in levels]
    assert worst([(grey,) * 3 for grey in levels], fps).flashes == naive(luminances, fps)


# ---------------------------------------------------------------- red

RED = srgb(0.5, 0.06, 0.06)  # 0.806 of its light is red
NOT_QUITE = srgb(0.5, 0.068, 0.068)  # 0.786
CYAN = srgb(0.02, 0.22, 0.22)


@pytest.mark.parametrize(("red", "flashes"), [(RED, 4), (NOT_QUITE, 0), ((255, 0, 0), 4)])
def test_red_flashes_begin_at_four_fifths_of_red(red, flashes):
    assert worst(flashing(red, CYAN, 4, 24), 24, Redness).flashes == flashes


@pytest.mark.parametrize(("greenish", "flashes"), [(0.045, 0), (0.028, 4)])
def test_red_flashes_begin_at_a_fifth_of_the_diagram(greenish, flashes):
    """The other colour moves from 0.19 to 0.21 away in u′v′; the luminance stays, so nothing else flashes."""
    other = srgb(greenish, 0.19, 0.19)
    assert worst(flashing(RED, other, 4, 24), 24, Redness).flashes == flashes
    assert worst(flashing(RED, other, 4, 24), 24).flashes == 0


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("flashes", [3, 4])
def test_of_red_flashes_three_are_allowed_too(flashes, fps):
    for one, other in ((RED, CYAN), (CYAN, RED), ((255, 0, 0), (0, 0, 0)), ((255, 255, 255), (255, 0, 0))):
        found = worst(flashing(one, other, flashes, fps), fps, Redness)
        assert (found.flashes, found.too_many) == (flashes, flashes > 3)


def test_what_is_nearly_black_has_no_colour():
    assert worst(flashing((12, 0, 0), (0, 0, 12), 6, 24), 24, Redness).flashes == 0


# ---------------------------------------------------------------- how much of a field


def screen(*areas, size=None, flashes=4.0, fps=8):
    """A screen of cells, black but for areas (left, top, width, height) that flash."""
    columns, rows = size or grid(4, 3)
    frames = np.zeros((2 * fps, rows, columns, 3), np.uint8)
    for frame, (grey, _, _) in enumerate(flashing((0, 0, 0), (255, 255, 255), flashes, fps)):
        for left, top, width, height in areas:
            frames[frame, top : top + height, left : left + width] = grey
    return frames


def test_a_field_of_ten_degrees():
    assert grid(1024, 768) == grid(4, 3) == (300, 225)
    assert (round(341 / CELL), round(256 / CELL)) == FIELD
    assert grid(256, 256) == (225, 225), "as high as the display"
    assert grid(1920, 1080)[0] * CELL == pytest.approx(DISPLAY[0], rel=0.01)


@pytest.mark.parametrize(
    ("areas", "too_many"),
    [
        ([(120, 90, 50, 37)], False),  # 1,850 of the 1,875 cells that are a quarter
        ([(120, 90, 50, 38)], True),
        ([(250, 187, 50, 37)], False),
        ([(250, 187, 50, 38)], True),  # in a corner
        ([(100, 100, 30, 32), (165, 100, 30, 32)], True),  # two that lie within one field
        ([(100, 100, 30, 32), (180, 100, 30, 32)], False),  # and two that do not
        ([(0, 0, 300, 6)], False),  # a thin line from edge to edge
    ],
)
def test_a_quarter_of_any_field_wherever_it_lies(areas, too_many):
    assert measure(screen(*areas), 8).general.worst().too_many == too_many


def test_a_clip_smaller_than_a_field_needs_as_much():
    narrow = grid(1024, 100)
    assert narrow == (300, 29)
    assert not measure(screen((0, 0, 64, 29), size=narrow), 8).general.worst().too_many
    assert measure(screen((0, 0, 66, 29), size=narrow), 8).general.worst().too_many


def test_places_of_one_field_that_flash_in_turn_count_together():
    """Left twice, then right twice: four flashes within the second, each in more than a quarter of the field."""
    frames = np.zeros((24, 225, 300, 3), np.uint8)
    for frame, half in ((1, 0), (3, 0), (5, 1), (7, 1)):
        frames[frame, 100:140, 100 + half * 50 : 150 + half * 50] = 255
    found = measure(frames, 24).general.worst()
    assert found.flashes == 4
    assert found.frames == tuple(range(1, 9))


def test_cells_that_flash_each_in_its_time_count_together():
    """Every row of a large area is a frame later than the one above: nowhere does a quarter turn at once."""
    rows = (np.arange(24)[:, None] + np.arange(225)) % 6 < 3
    frames = np.where(rows[:, :, None, None], np.uint8(255), np.uint8(0)) * np.ones((1, 1, 300, 3), np.uint8)
    assert measure(frames, 24).general.worst().flashes >= 4


def test_a_fine_pattern_is_none():
    """Chequers half a cell wide that change places with each frame; the same ones, coarse, are."""
    for side, too_many in ((1, False), (40, True)):
        board = (np.indices((450, 600)) // side).sum(axis=0) % 2
        frames = np.stack(
            [np.where((board + n) % 2, 255, 0)[..., None].repeat(3, 2).astype(np.uint8) for n in range(9)]
        )
        assert measure(frames, 8).general.worst().too_many == too_many

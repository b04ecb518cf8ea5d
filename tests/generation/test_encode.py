"""Files made from pictures, read back."""

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from generation.engines import Clip
from generation.media import encode


def clip(frames: int = 17, height: int = 64, width: int = 64) -> np.ndarray:
    """A bright square that wanders over a slope of colour."""
    y, x = np.mgrid[0:height, 0:width]
    pictures = np.stack([np.dstack([x * 255 // width, y * 255 // height, 0 * x + 90]) for _ in range(frames)])
    for number, picture in enumerate(pictures):
        picture[10:30, 2 * number : 2 * number + 20] = (240, 210, 40)
    return pictures.astype(np.uint8)


def decoded(path: Path) -> np.ndarray:
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def boxes(path: Path) -> list[str]:
    """The names of an mp4's outermost boxes, in order."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        names.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    return names


def test_a_video_comes_back_as_it_was(tmp_path: Path) -> None:
    frames, path = clip(), tmp_path / "new/clip.mp4"
    facts = encode.video(frames, 8, path, display=(256, 256))
    probe = encode.probe(path)
    assert (facts.width, facts.height, facts.frames, facts.duration) == (256, 256, 17, 2.125)
    assert (probe.width, probe.height, probe.frames, probe.duration) == (256, 256, 17, 2.125)
    assert (probe.codec, probe.pixel_format, probe.fps) == ("h264", "yuv420p", Fraction(8))
    assert probe.colours == (1, 1, 1, 1), "BT.709 in the limited range, and said so"
    assert facts.bytes == path.stat().st_size
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    enlarged = frames.repeat(4, axis=1).repeat(4, axis=2).astype(float)
    assert 10 * np.log10(255**2 / ((decoded(path) - enlarged) ** 2).mean()) > 35


def test_a_video_plays_from_its_first_bytes_and_says_nothing_of_its_maker(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    encode.video(clip(), 8, path)
    names = boxes(path)
    assert names.index("moov") < names.index("mdat")
    data = path.read_bytes()
    assert str(tmp_path).encode() not in data
    assert not {"encoder", "creation_time", "comment", "title"} & encode.probe(path).metadata.keys()
    assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"], "nothing is left beside it"


@pytest.mark.parametrize("colour", [(220, 40, 40), (40, 180, 70), (50, 80, 220), (245, 245, 245), (15, 15, 15)])
def test_colours_survive(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    frames = np.full((3, 32, 32, 3), colour, dtype=np.uint8)
    encode.video(frames, 8, tmp_path / "clip.mp4")
    assert np.abs(decoded(tmp_path / "clip.mp4").astype(int) - colour).max() <= 3


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    frames = clip(frames=9)
    for write in (
        lambda path: encode.video(frames, 8, path, (128, 128)),
        lambda path: encode.poster(frames, path),
        lambda path: encode.contact_sheet(frames, 8, path)[0],
    ):
        assert write(tmp_path / "one") == write(tmp_path / "two")


@pytest.mark.parametrize(
    ("display", "expected"),
    [((101, 75), (102, 76)), ((96, 64), (96, 64)), (None, (34, 22)), ((33, 21), (34, 22))],
)
def test_sides_are_even(tmp_path: Path, display: tuple[int, int] | None, expected: tuple[int, int]) -> None:
    facts = encode.video(clip(3, height=21, width=33), 8, tmp_path / "clip.mp4", display)
    assert (facts.width, facts.height) == expected
    assert decoded(tmp_path / "clip.mp4").shape[1:3] == expected[::-1]


@pytest.mark.parametrize("fps", [1, 24, Fraction(30_000, 1_001)])
def test_any_rate(tmp_path: Path, fps: int | Fraction) -> None:
    facts = encode.video(clip(9), fps, tmp_path / "clip.mp4")
    probe = encode.probe(tmp_path / "clip.mp4")
    assert probe.fps == fps
    assert probe.frames == 9
    assert probe.duration == pytest.approx(facts.duration, abs=0.001)


def test_one_frame_is_a_video_too(tmp_path: Path) -> None:
    encode.video(clip(1), 8, tmp_path / "clip.mp4")
    assert encode.probe(tmp_path / "clip.mp4").frames == 1


def test_a_key_frame_each_second(tmp_path: Path) -> None:
    encode.video(clip(25), 8, tmp_path / "clip.mp4")
    with av.open(tmp_path / "clip.mp4") as container:
        keys = [number for number, frame in enumerate(container.decode(video=0)) if frame.key_frame]
    assert {0, 8, 16, 24} <= set(keys)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="frames must be uint8"):
        encode.video(clip().astype(np.float32), 8, path)
    with pytest.raises(ZeroDivisionError), encode.beside(path) as other:
        other.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_poster_is_the_middle_frame(tmp_path: Path) -> None:
    frames, path = clip(), tmp_path / "poster.webp"
    facts = encode.poster(frames, path, display=(256, 256))
    with Image.open(path) as poster:
        assert (poster.format, poster.size) == ("WEBP", (256, 256))
        assert not poster.info.keys() & {"exif", "xmp", "icc_profile"}
        seen = np.asarray(poster.convert("RGB")).astype(int)
    differences = [np.abs(seen - frame.repeat(4, axis=0).repeat(4, axis=1)).mean() for frame in frames]
    assert np.argmin(differences) == 8
    assert (facts.width, facts.height, facts.frames, facts.duration) == (256, 256, 1, 0.0)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_all_files_of_a_clip(tmp_path: Path) -> None:
    files = encode.all_files(Clip(frames=clip(), fps=8, seed=1), tmp_path, display=(256, 256))
    assert files.keys() == {"video", "poster", "sheet"}
    for path, facts in files.values():
        assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert facts.bytes == path.stat().st_size
    assert [files[kind][1].width for kind in ("video", "poster", "sheet")] == [256, 256, 768]


def test_the_contact_sheet_and_its_timecodes(tmp_path: Path) -> None:
    frames, path = clip(), tmp_path / "sheet.webp"
    facts, seconds = encode.contact_sheet(frames, 8, path)
    assert (facts.width, facts.height) == (4 * 192, 3 * 192)
    assert len(seconds) == 12
    assert (seconds[0], seconds[-1]) == (0.0, 2.0)
    assert seconds == sorted(set(seconds))
    with Image.open(path) as sheet:
        seen = np.asarray(sheet.convert("RGB")).astype(int)
    for place, second in enumerate(seconds):
        row, column = divmod(place, 4)
        cell = seen[row * 192 : row * 192 + 192, column * 192 : column * 192 + 192]
        differences = [np.abs(cell - frame.repeat(3, axis=0).repeat(3, axis=1)).mean() for frame in frames]
        assert np.argmin(differences) == second * 8


@pytest.mark.parametrize(
    ("frames", "height", "width", "size", "cells"),
    [(5, 64, 64, (768, 384), 5), (1, 64, 64, (768, 192), 1), (13, 480, 720, (960, 480), 12)],
)
def test_contact_sheets_of_short_and_of_large_clips(
    tmp_path: Path, frames: int, height: int, width: int, size: tuple[int, int], cells: int
) -> None:
    facts, seconds = encode.contact_sheet(clip(frames, height, width), 8, tmp_path / "sheet.webp")
    assert (facts.width, facts.height) == size
    assert len(seconds) == cells

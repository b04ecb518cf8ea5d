"""Pictures to files: the clip as H.264, a poster and a contact sheet as WebP.

Every file is written beside its place and then moved there, so that a path holds a whole file or none. The
same pictures give the same bytes (with the same PyAV and Pillow), and no file says where it was made.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from PIL import Image

from generation.engines import Clip

COLUMNS, ROWS = 4, 3
CELL = 240  # pixels: about how wide a picture of the contact sheet is
GROUND = (24, 24, 24)

# More threads give other bytes, and the number of cores must not decide about those.
THREADS = 4
SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT


@dataclass(frozen=True, slots=True)
class Facts:
    """What a written file is. A still picture has one frame and no duration."""

    width: int
    height: int
    frames: int
    duration: float
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What a video file turns out to be when it is read back, decoded to its end."""

    width: int
    height: int
    frames: int
    fps: Fraction
    duration: float
    codec: str
    pixel_format: str
    colours: tuple[int, int, int, int]  # primaries, transfer, matrix, range
    metadata: dict[str, str]


def all_files(clip: Clip, folder: Path, display: tuple[int, int] | None = None) -> dict[str, tuple[Path, Facts]]:
    """Everything that is kept of a clip: its video, poster and contact sheet, each with its facts."""
    paths = {"video": folder / "clip.mp4", "poster": folder / "poster.webp", "sheet": folder / "sheet.webp"}
    sheet, _ = contact_sheet(clip.frames, clip.fps, paths["sheet"])
    made = {
        "video": video(clip.frames, clip.fps, paths["video"], display),
        "poster": poster(clip.frames, paths["poster"], display),
        "sheet": sheet,
    }
    return {kind: (paths[kind], each) for kind, each in made.items()}


def video(frames: np.ndarray, fps: int | Fraction, to: Path, display: tuple[int, int] | None = None) -> Facts:
    """H.264 that plays everywhere and from its first bytes, enlarged to a display size of (width, height).

    It has a key frame each second, so that a reviewer's jump to a timecode lands at once.
    """
    pictures = Pictures(frames, display)
    rate = Fraction(fps)
    muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
    with beside(to) as path, av.open(path, "w", format="mp4", options=muxing) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, "yuv420p"
        stream.time_base = 1 / rate
        coder = stream.codec_context
        coder.gop_size = max(round(rate), 1)
        coder.thread_type, coder.thread_count = "FRAME", THREADS
        coder.color_primaries = ColorPrimaries.BT709
        coder.color_trc = ColorTrc.BT709
        coder.colorspace = Colorspace.ITU709
        coder.color_range = ColorRange.MPEG
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                interpolation=SCALING,
            )
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return facts(to, pictures.width, pictures.height, len(frames), float(len(frames) / rate))


def poster(frames: np.ndarray, to: Path, display: tuple[int, int] | None = None) -> Facts:
    """The middle frame as WebP: a first frame is often not yet what the clip is about."""
    middle = len(frames) // 2
    (picture,) = Pictures(frames[middle : middle + 1], display)
    return webp(Image.fromarray(picture), to)


def contact_sheet(frames: np.ndarray, fps: int | Fraction, to: Path) -> tuple[Facts, list[float]]:
    """Up to 4 × 3 evenly spaced frames, first and last among them, and the second at which each stands."""
    chosen = evenly(len(frames), COLUMNS * ROWS)
    height, width = frames.shape[1:3]
    # A small picture grows by a whole number, so that its pixels stay square; a large one shrinks.
    enlarge = max(CELL // width, 1)
    cell = (width * enlarge, height * enlarge) if width <= CELL else (CELL, max(round(height * CELL / width), 1))
    sheet = Image.new("RGB", (cell[0] * COLUMNS, cell[1] * -(-len(chosen) // COLUMNS)), GROUND)
    for place, number in enumerate(chosen):
        picture = Image.fromarray(resized(frames[number], cell))
        sheet.paste(picture, (place % COLUMNS * cell[0], place // COLUMNS * cell[1]))
    return webp(sheet, to), [float(number / Fraction(fps)) for number in chosen]


def probe(path: Path) -> Probe:
    """Read a video back to its last frame."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        coder = stream.codec_context
        return Probe(
            width=coder.width,
            height=coder.height,
            frames=frames,
            fps=Fraction(stream.average_rate or 0),
            duration=float((stream.duration or 0) * (stream.time_base or 0)),
            codec=coder.name,
            pixel_format=coder.pix_fmt or "",
            colours=(coder.color_primaries, coder.color_trc, coder.colorspace, coder.color_range),
            metadata={**container.metadata, **stream.metadata},
        )


class Pictures:
    """The frames at the size of delivery. H.264 needs even sides, so a last row or column may repeat."""

    def __init__(self, frames: np.ndarray, display: tuple[int, int] | None) -> None:
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not len(frames):
            raise ValueError(f"frames must be uint8 of (frames, height, width, 3), not {frames.dtype} {frames.shape}")
        self.frames = frames
        self.size = display or (frames.shape[2], frames.shape[1])
        self.width, self.height = (side + side % 2 for side in self.size)

    def __iter__(self) -> Iterator[np.ndarray]:
        more = ((0, self.height - self.size[1]), (0, self.width - self.size[0]), (0, 0))
        for frame in self.frames:
            yield np.ascontiguousarray(np.pad(resized(frame, self.size), more, mode="edge"))


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """By a whole number, pixels are repeated, pretending to no detail that nobody drew; otherwise Lanczos."""
    height, width = picture.shape[:2]
    if size == (width, height):
        return picture
    factor = size[0] // width
    if factor and size == (width * factor, height * factor):
        return picture.repeat(factor, axis=0).repeat(factor, axis=1)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the numbers below `count`, spread from the first to the last."""
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


def webp(picture: Image.Image, to: Path) -> Facts:
    """Write a still picture."""
    with beside(to) as path:
        picture.save(path, format="WEBP", quality=86, method=4)
    return facts(to, picture.width, picture.height, 1, 0.0)


@contextlib.contextmanager
def beside(to: Path) -> Iterator[Path]:
    """A path in the same folder to write to; moved to its place at the end, removed when writing failed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    path = to.with_name(f".{to.name}-{uuid.uuid4().hex}")
    try:
        yield path
        with path.open("rb") as written:
            os.fsync(written.fileno())  # the database will say that this file is there
        path.replace(to)
    finally:
        path.unlink(missing_ok=True)


def facts(path: Path, width: int, height: int, frames: int, duration: float) -> Facts:
    """Length and SHA-256 of the bytes as they lie there: faststart rewrites the whole file when it closes."""
    with path.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
        return Facts(width, height, frames, duration, written.tell(), sha256)

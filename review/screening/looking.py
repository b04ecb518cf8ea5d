"""Decodes a clip once and measures what its frames show."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import IO

import av
import numpy as np
from av.video.reformatter import Colorspace

from review.screening import flashes, hashes, stills
from review.screening.findings import Finding

log = logging.getLogger(__name__)

HALF = 0.5  # of a clip: so much of it blank, frozen or noise is worth a look


@dataclass(slots=True)
class Look:
    """What was seen: findings, the small pictures by which copies are found, and what went wrong, if anything."""

    findings: list[Finding] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    error: str = ""


def look(file: IO[bytes], frames: int) -> Look:
    """Look at every frame of a video file that should have so many. A broken file is an error told, never raised."""
    seen = Look(frames=hashes.moments(frames))
    flashing = still = None
    count, fps = 0, Fraction(1)
    try:
        for fps, picture in decode(file):
            if flashing is None or still is None:
                flashing, still = flashes.Flashes(fps, picture.shape[1], picture.shape[0]), stills.Stills(fps)
            flashing.see(picture)
            still.see(picture)
            seen.pictures += [hashes.small(picture)] * seen.frames.count(count)
            count += 1
    except Exception as failure:  # whatever a decoder says of bytes that are no film
        log.warning("a clip could not be read to its end: %r", failure)
        seen.error = f"The file could not be read to its end: {count} of {frames} frames."
    if flashing is None or still is None:
        seen.error = seen.error or "There is no picture in the file."
        return seen
    if count != frames and not seen.error:
        seen.error = f"The file has {count} frames, not {frames}."
    seen.seconds = [round(float(number / fps), 2) for number in seen.frames]
    seen.findings = [
        _flashes("flashes", flashing.general.worst(), fps),
        _flashes("red_flashes", flashing.red.worst(), fps),
        _share("blank", still.blanks(), fps),
        _share("frozen", still.frozen(), fps),
        _share("noise", still.noise(), fps),
    ]
    return seen


def decode(file: IO[bytes]) -> Iterator[tuple[Fraction, np.ndarray]]:
    """Each frame as uint8 of (height, width, 3), with the clip's frames a second."""
    with av.open(file, "r") as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        fps = Fraction(stream.average_rate or stream.guessed_rate or 1)
        for frame in container.decode(stream):
            # Untagged colours are taken as players take them, by the size; the converter would assume the old matrix.
            tagged = frame.colorspace in (Colorspace.ITU709, Colorspace.ITU601, Colorspace.SMPTE240M)
            matrix = frame.colorspace if tagged else Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
            yield fps, frame.to_ndarray(format="rgb24", src_colorspace=matrix)


def _flashes(kind: str, worst: flashes.Worst, fps: Fraction) -> Finding:
    return Finding(
        kind,
        raised=worst.too_many,
        value=worst.flashes,
        limit=flashes.TRANSITIONS / 2,
        at_seconds=round(float(worst.start / fps), 2) if worst.flashes else None,
        frames=worst.frames,
    )


def _share(kind: str, share: stills.Share, fps: Fraction) -> Finding:
    return Finding(
        kind,
        raised=share.of_clip >= HALF,
        value=round(share.of_clip, 3),
        limit=HALF,
        at_seconds=round(float(share.frames[0] / fps), 2) if share.frames else None,
        frames=share.frames,
    )

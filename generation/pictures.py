"""A picture that somebody brings for a clip to begin from: looked at before anything is charged, then kept."""

import hashlib
import io
import re
import struct
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

import imagesize

from gateway import refusals
from gateway.models import Membership
from gateway.models.base import new_id
from generation import bare, media
from generation.models import Picture

#: What a file of each kind begins with; a dot stands for any byte.
TYPES = {"image/png": rb"\x89PNG\r\n\x1a\n", "image/jpeg": rb"\xff\xd8\xff", "image/webp": rb"RIFF....WEBP"}
SIDES = (64, 8192)  # pixels
MEGABYTES = 20


@dataclass(frozen=True)
class Brought:
    """A picture that can be used, without what a camera wrote beside it, and its facts; nothing of it is decoded."""

    file: BinaryIO
    media_type: str
    sha256: str
    size: int
    width: int
    height: int


def look(file: BinaryIO, *, size: int) -> Brought:
    """What somebody sent, of `size` bytes. Raises PictureTooLarge, PictureUnreadable, PictureSides."""
    if size > MEGABYTES * 10**6:
        raise refusals.PictureTooLarge(size=f"{size / 10**6:.1f}", limit=MEGABYTES, param="picture")
    head = file.read(12)
    kind = next((kind for kind, begins in TYPES.items() if re.match(begins, head, re.DOTALL)), None)
    width, height = _sides(file) if kind else (-1, -1)
    if kind is None or width < 0:
        raise refusals.PictureUnreadable(param="picture")
    if not all(SIDES[0] <= side <= SIDES[1] for side in (width, height)):
        raise refusals.PictureSides(width=width, height=height, least=SIDES[0], most=SIDES[1], param="picture")
    file.seek(0)
    try:
        body = bare.without(file.read(), kind)
    except ValueError:
        raise refusals.PictureUnreadable(param="picture") from None
    return Brought(io.BytesIO(body), kind, hashlib.sha256(body).hexdigest(), len(body), width, height)


def _sides(file: BinaryIO) -> tuple[int, int]:
    """Width and height in pixels, as the file's head tells them; -1 where it does not."""
    file.seek(0)
    try:
        found = imagesize.get_info(file)
    except (ValueError, struct.error, IndexError, OSError):
        return -1, -1
    return found.width, found.height


def keep(brought: Brought, membership: Membership) -> Picture:
    """Store it; return its row, not saved yet. Whoever does not save it throws the file away: media.discard."""
    pk = new_id()
    brought.file.seek(0)
    ending = PurePath(brought.media_type).name.replace("jpeg", "jpg")
    return Picture(
        id=pk,
        membership=membership,
        path=media.store(f"inputs/{pk.hex}.{ending}", brought.file),
        media_type=brought.media_type,
        sha256=brought.sha256,
        size=brought.size,
        width=brought.width,
        height=brought.height,
    )

"""A ZIP that is written while it is read: no temporary file, a piece of it in memory, and each file's hash on the way.

Python's own `zipfile` writes it, into a place from which the pieces are taken as they come.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

PIECE = 256 * 1024


@dataclass(frozen=True)
class Member:
    """A file to be: its bytes as they come. What is packed already (a clip, a picture) is stored as it is.

    `sha256` and `size` are what the record says of it; `why` stands in place of bytes that are not there any more.
    """

    path: str
    chunks: Iterable[bytes] = ()
    size: int = 0
    sha256: str = ""
    stored: bool = False
    why: str = ""


@dataclass(frozen=True)
class Written:
    """A file as it went out."""

    path: str
    bytes: int
    sha256: str


class _Out(io.RawIOBase):
    """Takes what is written and hands it on; it can't be sought, so every size stands behind its bytes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.pieces.append(piece)
        self.waiting += len(piece)
        return len(piece)

    def take(self) -> bytes:
        found = b"".join(self.pieces)
        self.pieces, self.waiting = [], 0
        return found


class Archive:
    """One ZIP on its way out; `files` are those that are in it, `missing` what should be and is not, and why."""

    def __init__(self, at: datetime) -> None:
        self._out = _Out()
        self._zip = ZipFile(self._out, "w")
        self._at = at.astimezone(UTC).timetuple()[:6]
        self.files: list[Written] = []
        self.missing: list[dict[str, str]] = []

    def add(self, member: Member) -> Iterator[bytes]:
        """Write one file, and yield what of the ZIP can go out. One that can't be read is missing; it stops nothing."""
        if member.why:
            self.missing.append({"path": member.path, "why": member.why})
            return
        info = ZipInfo(member.path, self._at)
        info.compress_type = ZIP_STORED if member.stored else ZIP_DEFLATED
        info.external_attr = 0o100644 << 16
        info.file_size = member.size  # decides whether 64-bit sizes are written; the true one follows the bytes
        hashed, length = hashlib.sha256(), 0
        with self._zip.open(info, "w") as out:
            try:
                for chunk in member.chunks:
                    out.write(chunk)
                    hashed.update(chunk)
                    length += len(chunk)
                    if self._out.waiting >= PIECE:
                        yield self._out.take()
            except OSError:
                self.missing.append({"path": member.path, "why": "It could not be read to its end."})
            else:
                if member.sha256 and hashed.hexdigest() != member.sha256:
                    self.missing.append({"path": member.path, "why": f"Recorded was another file: {member.sha256}."})
        self.files.append(Written(member.path, length, hashed.hexdigest()))
        yield self._out.take()

    def close(self) -> Iterator[bytes]:
        """The table of contents, with which the ZIP ends."""
        self._zip.close()
        yield self._out.take()

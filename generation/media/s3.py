"""Files in a bucket of any S3-compatible store; STORAGES names this class where S3_BUCKET is set.

django-storages does the work. Only reading is our own: theirs fetches a whole object before the first byte is read, and
a browser that asks for a hundred bytes of a long clip would wait for all of it.
"""

import io
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage

PIECE = 4 * 2**20  # bytes asked for at a time: a slow reader keeps no answer of the store open for long
BUFFER = 256 * 2**10
TRIES = 3


class Bucket(S3Storage):
    """A private bucket: nothing is overwritten, nothing has a public address."""

    def get_default_settings(self) -> dict[str, Any]:
        config = Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"max_attempts": TRIES, "mode": "standard"},
            # Stores other than Amazon's know neither a host for each bucket nor the checksums of late.
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return {**super().get_default_settings(), "client_config": config, "file_overwrite": False}

    def _open(self, name: str, mode: str = "rb") -> File:
        if mode != "rb":
            return super()._open(name, mode)
        found = self.bucket.Object(self._normalize_name(name))
        try:
            size = found.content_length
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise FileNotFoundError(f"There is no {name} in the bucket.") from error
            raise OSError(f"{name} could not be opened: {error}") from error
        except BotoCoreError as error:
            raise OSError(f"{name} could not be opened: {error}") from error
        return File(io.BufferedReader(Reader(found, size), BUFFER), name)


class Reader(io.RawIOBase):
    """An object's bytes from any place on, fetched as they are read. Raises OSError when the store fails."""

    def __init__(self, found: Any, size: int) -> None:
        self._found, self.size = found, size
        self._at = 0
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if at != self._at:
            self._let_go()
        self._at = max(at, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._read(len(buffer))
        except BotoCoreError:  # the line broke in the middle: once more, from there
            self._let_go()
            try:
                data = self._read(len(buffer))
            except (ClientError, BotoCoreError) as error:
                raise self._failed(error) from error
        except ClientError as error:
            raise self._failed(error) from error
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._let_go()
        super().close()

    def _read(self, length: int) -> bytes:
        while self._at < self.size:
            if self._body is None:
                last = min(self._at + PIECE, self.size) - 1
                self._body = self._found.get(Range=f"bytes={self._at}-{last}")["Body"]
            if data := self._body.read(length):
                return bytes(data)
            self._let_go()
        return b""

    def _failed(self, error: Exception) -> OSError:
        self._let_go()
        return OSError(f"{self._found.key} could not be read to its end: {error}")

    def _let_go(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

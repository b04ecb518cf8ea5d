"""Secrets that people carry: made here, shown once, stored as SHA-256.

The form (api.md): prefix, 30 base62 characters of randomness (178 bits), 6 base62 characters of CRC-32 over what
stands before. A mistyped or made-up one is turned away before the database is asked, and scanners can match it.
"""

import hashlib
import hmac
import logging
import re
import secrets
import string
import zlib
from uuid import UUID

from django.conf import settings

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SHAPE = re.compile(r"(bat_[a-z]+_)([0-9A-Za-z]{30})([0-9A-Za-z]{6})")
ABOUT = re.compile(r"(bat_[a-z]+_)[0-9A-Za-z]+")  # also one that lost a letter on its way: the rest would be a hint


def make(kind: str) -> str:
    """A new secret such as `bat_artist_…`."""
    head = f"bat_{kind}_" + "".join(secrets.choice(ALPHABET) for _ in range(30))
    return head + _checksum(head)


def well_formed(secret: str, *kinds: str) -> bool:
    """Whether it is one of ours by its prefix and checksum; says nothing of whether it is in force."""
    match = SHAPE.fullmatch(secret)
    return (
        match is not None
        and match[1] in {f"bat_{kind}_" for kind in kinds}
        and secrets.compare_digest(_checksum(match[1] + match[2]), match[3])
    )


def redacted(text: str) -> str:
    """`text` without the secrets in it, fit to be written down."""
    return ABOUT.sub(r"\1…", text)


class Redacting(logging.Filter):
    """Keeps secrets out of the operator's log: Django names the path of each request that it refuses."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "bat_" in (line := record.getMessage()):
            record.msg, record.args = redacted(line), ()
        return True


def digest(secret: str) -> bytes:
    """What is stored."""
    return hashlib.sha256(secret.encode()).digest()


def alias(session_key: str) -> UUID:
    """A browser session's name in rows and logs: whoever reads it there can't use it as a cookie."""
    return UUID(bytes=hmac.digest(settings.SECRET_KEY.encode(), session_key.encode(), "sha256")[:16])


def _checksum(head: str) -> str:
    number, letters = zlib.crc32(head.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        letters = ALPHABET[rest] + letters
    return letters

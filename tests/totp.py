"""An authenticator app (RFC 6238), so that codes are not made by the code under test."""

import base64
import hmac
import struct
import time


def code(key: str, ahead: int = 0) -> str:
    """The six digits of this half minute, or of one `ahead`."""
    counter = struct.pack(">Q", int(time.time()) // 30 + ahead)
    mac = hmac.digest(base64.b32decode(key), counter, "sha1")
    at = mac[-1] & 0xF
    return f"{(struct.unpack('>I', mac[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"

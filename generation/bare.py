"""A picture without what a camera or a program wrote beside it: where it was taken, when, by whom, with what.

The file is walked part by part, and only what its pixels need is written again: nothing is decoded, so nothing is lost
and a web process can do it. How it is to be turned stays (Exif tag 0x0112), or a telephone's picture would lie on its
side.
By the structure of JPEG (ITU-T T.81, annex B), PNG (W3C, third edition) and WebP (RFC 9649).
"""

import struct
import zlib
from collections.abc import Iterator

#: JPEG: JFIF's head, colour profiles, and Adobe's word on how colours are coded; of the application segments no other.
KEPT_SEGMENTS = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
EXIF, COMMENT, SCAN, END = 0xE1, 0xFE, 0xDA, 0xD9
#: PNG: of the chunks that a reader may skip, those that say what its colours are.
KEPT_CHUNKS = {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP"}
#: WebP: all that it needs. The flags of its head say what there is: 0x08 Exif, 0x04 XMP.
KEPT_PARTS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
HAS_EXIF, HAS_XMP = 0x08, 0x04
UPRIGHT = 1


def without(body: bytes, media_type: str) -> bytes:
    """The same picture and no more; `media_type` is image/jpeg, image/png or image/webp.

    Raises ValueError for one whose parts do not follow each other.
    """
    try:
        return {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}[media_type](body)
    except struct.error:
        raise ValueError("a part is cut off") from None


def _jpeg(body: bytes) -> bytes:
    kept, turned = [], UPRIGHT
    for marker, segment in _segments(body):
        content = segment[4:]
        if marker == EXIF and content.startswith(b"Exif\0\0"):
            turned = _turned(content[6:])
        elif marker == COMMENT or (0xE0 <= marker <= 0xEF and not _is_kept(marker, content)):
            continue
        else:
            kept.append(segment)
    exif = b"Exif\0\0" + _only_turned(turned)
    head = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif if turned != UPRIGHT else b""
    return b"\xff\xd8" + head + b"".join(kept)


def _is_kept(marker: int, content: bytes) -> bool:
    return marker in KEPT_SEGMENTS and content.startswith(KEPT_SEGMENTS[marker])


def _segments(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with its segment, a scan with the coded pixels that follow it; of what comes after it nothing."""
    at = 2
    while at < len(body):
        while body[at : at + 2] == b"\xff\xff":  # a marker may be filled up
            at += 1
        (lead, marker) = struct.unpack_from(">BB", body, at)
        if lead != 0xFF:
            raise ValueError("no marker where one has to be")
        if marker == END:
            yield marker, b"\xff\xd9"
            return
        end = at + 2 + int(struct.unpack_from(">H", body, at + 2)[0])
        if end > len(body) or end < at + 4:
            raise ValueError("a segment is longer than the file")
        if marker == SCAN:
            end = _end_of_scan(body, end)
        yield marker, body[at:end]
        at = end


def _end_of_scan(body: bytes, at: int) -> int:
    """Where the next marker stands that belongs to no coded pixels; a scan that is cut off reaches to the end."""
    while (at := body.find(b"\xff", at)) >= 0 and at + 1 < len(body):
        if body[at + 1] != 0 and not 0xD0 <= body[at + 1] <= 0xD7:
            return at
        at += 2
    return len(body)


def _png(body: bytes) -> bytes:
    kept, turned, at = [], UPRIGHT, 8
    while at < len(body):
        (length,) = struct.unpack_from(">I", body, at)
        kind, end = body[at + 4 : at + 8], at + 12 + length
        if kind == b"eXIf":
            turned = _turned(body[at + 8 : end - 4])
        elif kind[:1].isupper() or kind in KEPT_CHUNKS:
            kept.append(body[at:end])
        at = end
        if kind == b"IEND":
            break
    if turned != UPRIGHT:
        kept.insert(1, _chunk(b"eXIf", _only_turned(turned)))
    return body[:8] + b"".join(kept)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _webp(body: bytes) -> bytes:
    kept, turned, at = [], UPRIGHT, 12
    whole = min(len(body), 8 + int(struct.unpack_from("<I", body, 4)[0]))
    while at < whole:
        kind, (length,) = body[at : at + 4], struct.unpack_from("<I", body, at + 4)
        end = at + 8 + length + length % 2
        if kind == b"EXIF":
            turned = _turned(body[at + 8 : end].removeprefix(b"Exif\0\0"))
        elif kind in KEPT_PARTS:
            kept.append(body[at:end])
        at = end
    if kept and kept[0][:4] == b"VP8X":
        head = bytearray(kept[0])
        head[8] = head[8] & ~HAS_XMP & ~HAS_EXIF | (HAS_EXIF if turned != UPRIGHT else 0)
        kept[0] = bytes(head)
        if turned != UPRIGHT:
            exif = _only_turned(turned)
            kept.append(b"EXIF" + struct.pack("<I", len(exif)) + exif)
    content = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _turned(tiff: bytes) -> int:
    """How the picture is to be turned, 1 to 8, as its Exif says; UPRIGHT where it says nothing that can be read."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, first)
        for nth in range(entries):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * nth)
            if (tag, kind, count) == (0x0112, 3, 1) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return UPRIGHT


def _only_turned(turned: int) -> bytes:
    """Exif that says this and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, turned, 0, 0)

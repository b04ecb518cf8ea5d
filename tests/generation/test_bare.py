"""What a camera writes beside a picture does not come in with it, and nothing of the picture is lost."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from generation import bare

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
HEADS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n", "image/webp": b"RIFF\x99\0\0\0WEBP"}
CAMERA, PLACE, WORDS = b"A camera of Ines", b"48.8566 N", b"written by somebody"


def exif(turned: int | None = None) -> Image.Exif:
    told = Image.Exif()
    told[0x010F] = CAMERA.decode()
    told.get_ifd(0x8825)[0x001D] = PLACE.decode()  # GPSDateStamp: any words will do
    if turned is not None:
        told[0x0112] = turned
    return told


def saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    drawn = Image.new("RGB", (96, 64), "red")
    drawn.paste("blue", (48, 0, 96, 32))
    file = io.BytesIO()
    drawn.convert(mode).save(file, kind, **options)
    return file.getvalue()


def opened(body: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(body))
    found.load()
    return found


def dressed(kind: str, turned: int | None = None) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more: dict[str, Any] = {"exif": exif(turned), "icc_profile": profile}
    if kind == "PNG":
        text = PngInfo()
        text.add_text("Author", WORDS.decode())
        text.add_itxt("XML:com.adobe.xmp", WORDS.decode())
        more["pnginfo"] = text
    else:
        more["xmp"] = WORDS
    if kind == "JPEG":
        more |= {"comment": WORDS, "quality": 92}
    return saved(kind, **more)


@pytest.mark.parametrize("turned", [None, 1, 6])
@pytest.mark.parametrize("kind", TYPES)
def test_it_is_the_same_picture_without_what_stood_beside_it(kind, turned):
    before = dressed(kind, turned)
    assert CAMERA in before and WORDS in before and PLACE in before
    after = bare.without(before, TYPES[kind])
    assert not any(told in after for told in (CAMERA, WORDS, PLACE))
    was, now = opened(before), opened(after)
    assert now.tobytes() == was.tobytes()
    assert now.info["icc_profile"] == was.info["icc_profile"]
    assert ImageOps.exif_transpose(now).tobytes() == ImageOps.exif_transpose(was).tobytes()
    assert dict(now.getexif()) == ({0x0112: 6} if turned == 6 else {})
    assert not now.info.keys() & {"xmp", "comment", "Author", "XML:com.adobe.xmp"}
    assert bare.without(after, TYPES[kind]) == after


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "L", {"restart_marker_blocks": 1}),
        ("PNG", "P", {"transparency": 0}),
        ("PNG", "RGBA", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGB", {}),
    ],
)
def test_one_that_has_nothing_beside_it_stays_as_it_is(kind, mode, options):
    body = saved(kind, mode, **options)
    assert bare.without(body, TYPES[kind]) == body


def test_what_is_hidden_behind_the_end_stays_outside():
    for kind, media_type in TYPES.items():
        body = saved(kind)
        assert bare.without(body + b"\0\0ftyp a film of the same moment", media_type) == body


@given(some.sampled_from(sorted(HEADS)), some.binary(max_size=200))
def test_whatever_is_sent_is_walked_through_or_refused(media_type, rest):
    try:
        found = bare.without(HEADS[media_type] + rest, media_type)
    except ValueError:
        return
    assert len(found) <= len(HEADS[media_type] + rest) + 60


@given(some.sampled_from(sorted(TYPES)), some.integers(0, 400), some.binary(min_size=1, max_size=3))
def test_also_a_picture_that_was_damaged_on_the_way(kind, at, bytes_there):
    body = bytearray(DRESSED[kind])
    body[at : at + len(bytes_there)] = bytes_there
    try:
        found = bare.without(bytes(body), TYPES[kind])
    except ValueError:
        return
    assert len(found) <= len(body) + 60


DRESSED = {kind: dressed(kind, 6) for kind in TYPES}

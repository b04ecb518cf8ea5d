"""An artist's picture, brought to the size at which a model begins from it."""

from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from generation.engines import EngineError


class PictureBroken(EngineError):
    """The picture can't be decoded."""

    code = "picture_unreadable"


def fitted(file: BinaryIO, size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """The picture upright, in colour and cropped in its middle to `size` (width, height) in pixels: uint8, (height,
    width, 3); and a note where something of it was cut off. Raises PictureBroken.
    """
    try:
        with Image.open(file, formats=["PNG", "JPEG", "WEBP"]) as picture:
            upright = ImageOps.exif_transpose(picture)
            over_white = Image.new("RGBA", upright.size, "white")
            over_white.alpha_composite(upright.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureBroken("The picture that this clip should begin from is damaged: it can't be decoded.") from error
    # What a pixel of rounding takes away is not worth a word.
    kept = min(upright.width / size[0], upright.height / size[1])
    lost = max(upright.width - kept * size[0], upright.height - kept * size[1])
    notes = [f"The picture was cropped to {size[0]} × {size[1]}, around its middle."] if lost > 2 * kept else []
    return np.asarray(ImageOps.fit(over_white.convert("RGB"), size, Image.Resampling.LANCZOS)), notes

"""What a decoder gives, made alike: upright as its EXIF says, 8-bit RGB, on white where it is transparent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from model.preprocess import Box

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED: dict[int, Callable[[int, int, float, float, float, float], Box]] = {
    2: lambda w, h, left, top, right, bottom: (w - right, top, w - left, bottom),
    3: lambda w, h, left, top, right, bottom: (w - right, h - bottom, w - left, h - top),
    4: lambda w, h, left, top, right, bottom: (left, h - bottom, right, h - top),
    5: lambda w, h, left, top, right, bottom: (top, left, bottom, right),
    6: lambda w, h, left, top, right, bottom: (h - bottom, left, h - top, right),
    7: lambda w, h, left, top, right, bottom: (h - bottom, w - right, h - top, w - left),
    8: lambda w, h, left, top, right, bottom: (top, w - right, bottom, w - left),
}
"""Where a box of a picture of that width and height is after the same."""


def upright(image: Image.Image, box: Box, orientation: int) -> tuple[Image.Image, Box]:
    """Turned or mirrored, and where ``box`` is then."""
    if orientation not in _UPRIGHT:
        return image, box
    return image.transpose(_UPRIGHT[orientation]), _TURNED[orientation](*image.size, *box)


def orientation_of(image: Image.Image) -> int:
    """As its EXIF says; 1 is upright, from 5 on width and height change places."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF says nothing
        return 1


def plain(image: Image.Image, factor: int) -> Image.Image:
    """8-bit RGB on white, averaged by a whole factor before anything makes copies of a large picture."""
    if image.mode.startswith("I"):  # 16 bits of grey, in one of several modes
        levels = np.asarray(image)
        if levels.dtype != np.uint16:
            levels = np.clip(levels, 0, 0xFFFF).astype(np.uint16)
        image = Image.fromarray((levels >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layers = image if image.mode == "RGBA" else image.convert("RGBA")
        # "RGBa" is multiplied by alpha, so that averaging does not smear the colour of what is not seen
        layers = _averaged(layers.convert("RGBa"), factor).convert("RGBA")
        white = Image.new("RGB", layers.size, "white")
        white.paste(layers, mask=layers.getchannel("A"))
        return white
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    image = _averaged(image, factor)
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it


def _averaged(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image  # which would copy it

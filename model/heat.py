"""Draws heat over a picture, and pictures side by side. Runs in a child, like all that reads pictures.

What mattered stays as it is; the rest is grey and dark. No colours are laid over it: a rainbow hides the
picture, and not everybody can tell its colours apart.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from model.decode import DecodeLimits, decode
from model.errors import PictureError
from model.preprocess import Floats, Preprocess
from model.reasons import SHEET

SIDE = 768
"""The longest side of a picture with heat, in pixels."""
SMALL = 240
"""The longest side of each picture on a sheet."""
GAP = 8
QUALITY = 85
DARK = 0.35
"""What is left of the brightness of a place that did not matter."""


def draw_heat(data: bytes, limits: DecodeLimits, how: Preprocess, heat: Floats) -> bytes | PictureError:
    """One encoded picture as a JPEG with ``heat`` [h, w] (0 to 1) over it.

    Errors are returned, as `model.decoders` wants it.
    """
    try:
        picture = _opened(data, replace(limits, stored_side=SIDE))
    except PictureError as error:
        return PictureError(error.reason, str(error))
    light = Image.new("L", picture.size, 0)
    left, top, right, bottom = _looked_at(picture.size, how)
    shown = heat if heat.any() else np.ones_like(heat)  # no place matters more than others: none is dark
    levels = Image.fromarray(np.asarray(np.round(shown * 255), np.uint8))
    light.paste(levels.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))
    dull = picture.convert("L").point(lambda value: round(value * DARK)).convert("RGB")
    return _jpeg(Image.composite(picture, dull, light))


def draw_sheet(pictures: Sequence[bytes], limits: DecodeLimits) -> bytes | PictureError:
    """Encoded pictures side by side in one JPEG, each whole, on white, `SHEET` at most."""
    pictures = pictures[:SHEET]
    try:
        opened = [_opened(data, replace(limits, stored_side=SMALL)) for data in pictures]
    except PictureError as error:
        return PictureError(error.reason, str(error))
    if not opened:
        return PictureError("empty", "there is no picture to show")
    high = max(picture.height for picture in opened)
    sheet = Image.new("RGB", (len(opened) * (SMALL + GAP) - GAP, high), "white")
    for place, picture in enumerate(opened):
        corner = (SMALL - picture.width) // 2, (high - picture.height) // 2
        sheet.paste(picture, (place * (SMALL + GAP) + corner[0], corner[1]))
    return _jpeg(sheet)


def _opened(data: bytes, limits: DecodeLimits) -> Image.Image:
    decoded = decode(data, limits, Preprocess(height=8, width=8), keep=True)
    assert decoded.stored is not None
    with Image.open(io.BytesIO(decoded.stored), formats=("WEBP",)) as ours:
        return ours.convert("RGB")


def _looked_at(size: tuple[int, int], how: Preprocess) -> tuple[int, int, int, int]:
    """The part of a picture of this size that the model sees: left, top, right, bottom."""
    width, height = size
    if how.how == "squash":
        return 0, 0, width, height
    scale = min(width, height) / how.shortest
    wide, high = min(width, round(how.width * scale)), min(height, round(how.height * scale))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + max(wide, 1), top + max(high, 1)


def _jpeg(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()

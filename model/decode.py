"""Bytes of strangers to pixels: the one place where a posted picture is parsed. Runs in a child process.

Pillow with an allow-list of formats reads the header; the size is checked before a pixel is decoded. Of an
animation only the first frame is looked at, of a HEIF collection its primary image. The picture is turned
upright as its EXIF says (pillow-heif does that, as HEIF's own transformations say), put on white where it is
transparent, and brought to 8-bit RGB. Colour profiles are ignored: parsing them is one more thing to attack,
and the shift they would correct does not matter for saying who somebody is. What is stored is encoded anew,
so no metadata survives.

A JPEG can be decoded at a half, a quarter or an eighth of its size. Where the model, near key and marks need
less of it than what is stored, it is decoded twice: small, and once more for what is stored, which can be
done elsewhere while the model looks (`store`). Of all others one decoding serves for both. Which of the two
it is depends on the picture alone, so that one picture always gives the same numbers.

Everything that goes wrong is a `model.errors.PictureError` with one of its reasons.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import (  # the plugins by name, else the first WebP makes Pillow import all of its forty
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from model import containers, scans
from model.errors import PictureError
from model.marks import GREY, make_marks
from model.near import SIDE, near_key
from model.preprocess import Box, Pixels, Preprocess, to_pixels
from model.upright import orientation_of, plain, upright

T = TypeVar("T")

FORMATS = (
    *(
        kind
        for kind in (
            JpegImagePlugin.JpegImageFile.format,
            PngImagePlugin.PngImageFile.format,
            WebPImagePlugin.WebPImageFile.format,
            GifImagePlugin.GifImageFile.format,
            AvifImagePlugin.AvifImageFile.format,
        )
        if kind in Image.OPEN
    ),
    "HEIF",
)
"""The allow-list, by Pillow's names; AVIF is there where Pillow was built with it."""

_KIND = {"MPO": "jpeg", "HEIF": "heic"}
ENOUGH = 2.0
"""How many times the side that the model looks at is decoded, at least. From there on its pixels are hardly
ever more than 3 of 255 levels from those of the whole picture (38 of 40 photographs of 12 megapixels; 5 of 6
of 1 to 2 megapixels with strong grain, 6 levels at most); at 1 they are up to 16 away."""

_ALMOST = 15 / 16
"""The share of ``stored_side`` that is enough: photographs of 12 megapixels are 4,000 or 4,032 wide, and a
JPEG is decoded at a half, a quarter or an eighth."""

_SHRINKS = Image.Resampling.BICUBIC
"""What is stored is made smaller by it: two thirds of the time of Lanczos, and 51 dB from what that gives,
where the encoder takes away more (41 dB)."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """At most ``bytes`` encoded and ``pixels`` decoded; ``stored_side`` is the longest that is stored."""

    bytes: int = 20 * 2**20
    pixels: int = 64_000_000
    stored_side: int = 1024
    stored_quality: int = 90


@dataclass(frozen=True, slots=True)
class Decoded:
    """One picture, read.

    ``pixels`` is what the model looks at, uint8 [H, W, 3]; ``width`` and ``height`` are those of the whole
    picture, upright; ``stored`` is a WebP without metadata, when asked for; ``format`` is what the bytes
    were: "jpeg", "png", "webp", "gif", "avif" or "heic"; ``marks`` see `model.marks`.
    """

    pixels: Pixels
    near_key: str
    width: int
    height: int
    stored: bytes | None
    format: str
    marks: bytes = b""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A picture that was decoded: upright, RGB. ``box`` is where the whole picture ends in ``image``."""

    image: Image.Image
    box: Box
    width: int
    height: int
    format: str
    small: bool
    """Too small for what is stored."""


def decode(data: bytes, limits: DecodeLimits, how: Preprocess, keep: bool, *, apart: bool = False) -> Decoded:
    """Read one encoded picture.

    Args:
        keep: encode what is stored as well.
        apart: leave that to `store` where it takes a decoding of its own.

    Raises:
        PictureError: with one of its reasons but *too-slow*, which is for whoever waits to say.
    """

    def read(container: str) -> Decoded:
        opened = _opened(data, container, limits, how)
        image, box = opened.image, opened.box
        stored = None
        if keep and not (apart and opened.small):
            fine = _opened(data, container, limits, how, storing=True).image if opened.small else image
            stored = _encoded(fine, limits)
        grey = image.convert("L")
        return Decoded(
            pixels=np.ascontiguousarray(to_pixels(image, how, box)),
            near_key=near_key(to_luma(grey, box)),
            width=opened.width,
            height=opened.height,
            stored=stored,
            format=opened.format,
            marks=make_marks(to_grey(grey, box)),
        )

    return _guarded(data, limits, read)


def store(data: bytes, limits: DecodeLimits, how: Preprocess) -> bytes:
    """What is stored of a picture, as `decode` with ``keep`` gives it.

    Raises:
        PictureError: see `decode`.
    """

    def read(container: str) -> bytes:
        return _encoded(_opened(data, container, limits, how, storing=True).image, limits)

    return _guarded(data, limits, read)


def _guarded(data: bytes, limits: DecodeLimits, read: Callable[[str], T]) -> T:
    """Have bytes read that are on the allow-list; whatever is raised, it is a PictureError."""
    if not data:
        raise PictureError("empty", "there are no bytes in this picture")
    if len(data) > limits.bytes:
        raise PictureError(
            "too-many-bytes", f"the picture has {len(data):,} bytes, at most {limits.bytes:,} are read"
        )
    container = containers.claimed(data)
    if container is None or container not in FORMATS:
        raise PictureError("not-a-picture", f"these bytes are no {', '.join(FORMATS)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is checked here anyway
            if container == "HEIF":
                _read_heif()
            return read(container)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels", "the picture has far too many pixels") from error
    except MemoryError as error:
        raise PictureError(
            "too-many-pixels", "the picture takes more memory than there is for one"
        ) from error
    except Exception as error:  # a parser that is fed nonsense may raise anything
        if containers.breaks_off(data) or "truncated" in str(error).lower():
            raise PictureError("truncated", "the picture breaks off before its end") from error
        raise PictureError("damaged", f"the picture does not decode: {_first_line(error)}") from error


def to_luma(image: Image.Image, box: Box | None = None) -> NDArray[np.uint8]:
    """The grey array that `model.near.near_key` takes, of an upright picture without transparency."""
    grey = image if image.mode == "L" else image.convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX, box, reducing_gap=3.0))


def to_grey(image: Image.Image, box: Box | None = None) -> NDArray[np.uint8]:
    """The grey array that `model.marks.make_marks` takes, of an upright picture without transparency."""
    left, top, right, bottom = box or (0, 0, *image.size)
    wide, high = right - left, bottom - top
    grey, scale = image if image.mode == "L" else image.convert("L"), GREY / max(wide, high)
    if scale < 1:
        size = (max(1, round(wide * scale)), max(1, round(high * scale)))
        grey = grey.resize(size, Image.Resampling.BOX, box, reducing_gap=3.0)
    return np.asarray(grey)


def _opened(
    data: bytes, container: str, limits: DecodeLimits, how: Preprocess, *, storing: bool = False
) -> _Opened:
    """Decode: for the model, key and marks, or large enough for ``storing``, too."""
    _check_size(*containers.webp_size(data), limits)  # libwebp allocates the canvas when it is opened
    with ExitStack() as files:
        opened = files.enter_context(Image.open(io.BytesIO(data), formats=(container,)))
        _check_size(*opened.size, limits)
        width, height = opened.size
        least = _least(opened.size, limits, how)
        drafted, small = 1, False
        if opened.format in ("JPEG", "MPO"):
            fewer = _least(opened.size, None, how)
            if not storing and _drafted(opened.size, fewer) > _drafted(opened.size, least):
                least, small = fewer, True
            opened.draft(None, least)
            drafted = round(max(width / opened.width, height / opened.height))  # 1, 2, 4 or 8
            if drafted >= 4 and opened.format == "JPEG" and "progressive" in opened.info:
                shorter = io.BytesIO(scans.rough(data))
                opened = files.enter_context(Image.open(shorter, formats=(container,)))
                opened.draft(None, least)
        opened.load()
        if opened.format == "HEIF" and opened.size != (width, height):
            width, height = opened.size  # its header may have said something else
            least = _least(opened.size, limits, how)
        orientation = orientation_of(opened)  # not before: it loads a PNG itself, and keeps silent of damage
        factor = max(1, min(opened.width // least[0], opened.height // least[1]))
        image = plain(opened, factor)
        kind = _KIND.get(str(opened.format), str(opened.format).lower())
    # where the whole picture ends, which may be within the last row and column
    box: Box = (0, 0, width / (drafted * factor), height / (drafted * factor))
    image, box = upright(image, box, orientation)
    if orientation >= 5:
        width, height = height, width
    return _Opened(image, box, width, height, kind, small)


def _least(size: tuple[int, int], limits: DecodeLimits | None, how: Preprocess) -> tuple[int, int]:
    """Width and height that suffice for the model, key and marks, and within ``limits`` for storing."""
    enough = max(
        ENOUGH * max(how.height, how.width, how.shortest) / max(1, min(size)),
        ENOUGH * GREY / max(size) if limits is None else _ALMOST * limits.stored_side / max(size),
    )
    width, height = size
    return math.ceil(max(width * enough, 1)), math.ceil(max(height * enough, 1))


def _drafted(size: tuple[int, int], least: tuple[int, int]) -> int:
    """By how much libjpeg makes a picture smaller that is to have at least these sides, as Pillow has it."""
    times = min(size[0] // least[0], size[1] // least[1])
    return next(scale for scale in (8, 4, 2, 1) if times >= scale or scale == 1)


@cache
def _read_heif() -> None:
    """Teach Pillow HEIF: not before a file asks for it, since libheif and its codecs take room."""
    from pillow_heif import register_heif_opener

    # one thread, as for all others; of what else a file may hold nothing is looked at
    register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


def _check_size(width: int, height: int, limits: DecodeLimits) -> None:
    if width * height > limits.pixels:
        raise PictureError(
            "too-many-pixels",
            f"the picture has {width:,} x {height:,} pixels, at most {limits.pixels:,} are read",
        )


def _encoded(image: Image.Image, limits: DecodeLimits) -> bytes:
    longest = max(image.size)
    if longest > limits.stored_side:
        scale = limits.stored_side / longest
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, _SHRINKS)
    bare = Image.frombytes("RGB", image.size, image.tobytes())  # nothing but pixels goes on
    encoded = io.BytesIO()
    # method 4 takes three times as long for as many bytes and 0.3 dB
    bare.save(encoded, "WEBP", quality=limits.stored_quality, method=0)
    return encoded.getvalue()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

"""How a picture becomes the pixels that a bundle was trained on, as its ``preprocessor_config.json`` says.

Only the geometry happens here, with Pillow, so that the process that decodes pictures needs nothing
else; scaling to numbers around zero is the backend's part, because its library does it faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import BundleDamaged

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom of the part of a picture that counts, in its own pixels and parts of them."""

LARGEST_SIDE = 2048  # a config that asks for more is a mistake or an attack on our memory
STRETCHED = 4.0  # from this ratio of sides on, a picture is cropped before it is resized, see `to_pixels`


@dataclass(frozen=True, slots=True)
class Preprocess:
    """The pixels that a bundle wants.

    ``height`` and ``width`` are those of its input. ``how`` is *squash* (resized to that, whatever
    its ratio) or *crop* (the shorter side to ``shortest``, then the middle). ``resample`` is Pillow's
    number of the filter. A backend computes (pixel * ``scale`` - ``mean``) / ``std`` for each channel.
    """

    height: int = 224
    width: int = 224
    how: Literal["squash", "crop"] = "squash"
    shortest: int = 0
    resample: int = int(Image.Resampling.BICUBIC)
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        sides = (
            (self.height, self.width) if self.how == "squash" else (self.height, self.width, self.shortest)
        )
        if not all(1 <= side <= LARGEST_SIDE for side in sides):
            raise BundleDamaged(
                f"preprocessor_config.json asks for pictures of {self.width}×{self.height} pixels"
            )
        if self.resample not in {int(filter_) for filter_ in Image.Resampling}:
            raise BundleDamaged(
                f"preprocessor_config.json asks for a resample filter {self.resample}, unknown to Pillow"
            )
        if self.scale <= 0 or min(self.std) <= 0:
            raise BundleDamaged("preprocessor_config.json scales pictures by zero or less")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocess:
        """Read what Hugging Face image processors write (ViTImageProcessor, BitImageProcessor and kin).

        Raises:
            BundleDamaged: it asks for something that is not understood here.
        """
        try:
            return cls._from_config(config)
        except (TypeError, ValueError, KeyError) as error:
            raise BundleDamaged(f"preprocessor_config.json does not read: {error}") from error

    @classmethod
    def _from_config(cls, config: Mapping[str, Any]) -> Preprocess:
        if config.get("crop_pct") is not None or config.get("do_pad"):
            raise BundleDamaged(
                "preprocessor_config.json asks for crop_pct or do_pad, which are not supported"
            )
        crops = bool(config.get("do_center_crop", False))
        size = config.get("size", 224)
        shortest = 0
        if isinstance(size, Mapping) and "shortest_edge" in size:
            shortest = int(size["shortest_edge"])
        elif isinstance(size, Mapping):
            height, width = int(size["height"]), int(size["width"])
        elif crops:
            shortest = int(size)
        else:
            height = width = int(size)
        if shortest:
            height, width = _sides(config.get("crop_size", shortest) if crops else shortest)
        elif crops and _sides(config.get("crop_size", [height, width])) != (height, width):
            raise BundleDamaged("preprocessor_config.json squashes and then crops, which is not supported")
        normalises = bool(config.get("do_normalize", True))
        return cls(
            height=height,
            width=width,
            how="crop" if shortest else "squash",
            shortest=shortest,
            resample=int(config.get("resample", Image.Resampling.BILINEAR)),
            scale=float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0,
            mean=_three(config.get("image_mean", (0.5, 0.5, 0.5))) if normalises else (0.0, 0.0, 0.0),
            std=_three(config.get("image_std", (0.5, 0.5, 0.5))) if normalises else (1.0, 1.0, 1.0),
        )

    def to_config(self) -> dict[str, Any]:
        """The same as a ``preprocessor_config.json`` that Hugging Face's own processors read."""
        crops = self.how == "crop"
        config: dict[str, Any] = {
            "image_processor_type": "BitImageProcessor" if crops else "ViTImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": self.shortest}
            if crops
            else {"height": self.height, "width": self.width},
            "resample": self.resample,
            "do_rescale": True,
            "rescale_factor": self.scale,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
        }
        if crops:
            config |= {"do_center_crop": True, "crop_size": {"height": self.height, "width": self.width}}
        return config

    def normalise(self, pixels: Pixels) -> Floats:
        """``[B, H, W, 3]`` of bytes to ``[B, 3, H, W]`` float32, in the order and range a network takes."""
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        values = (pixels.astype(np.float32) / np.float32(1 / self.scale) - mean) / std
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def to_pixels(image: Image.Image, how: Preprocess, box: Box | None = None) -> Pixels:
    """Resize (and crop) one picture.

    Args:
        image: the picture.
        how: what it is to become.
        box: what of it counts; all, without. A picture that was made smaller by a whole factor when it was
            decoded ends within its last row and column.

    Returns:
        uint8 of shape ``[H, W, 3]``, RGB. The same pixels as Hugging Face's Pillow processors give,
        but for crops of pictures stretched beyond 4:1, where the part that is thrown away is
        thrown away first: resizing a ribbon whole would cost gigabytes.
    """
    image = image if image.mode == "RGB" else image.convert("RGB")
    resample = Image.Resampling(how.resample)
    if how.how == "squash":
        return np.asarray(image.resize((how.width, how.height), resample, box))
    left, top, right, bottom = box or (0, 0, *image.size)
    wide, high = right - left, bottom - top
    short, long = sorted((wide, high))
    if long > STRETCHED * short:
        keep = min(long, round(short * STRETCHED * max(how.height, how.width) / how.shortest))
        left, top = int(left + (wide - min(wide, keep)) // 2), int(top + (high - min(high, keep)) // 2)
        image = image.crop((left, top, left + math.ceil(min(wide, keep)), top + math.ceil(min(high, keep))))
        box = None
        short, long = sorted(image.size)
    other = int(how.shortest * long / short + 1e-6)  # a third and the like may fall short of a whole number
    size = (how.shortest, other) if wide <= high else (other, how.shortest)
    image = image.resize(size, resample, box)
    left, top = (image.width - how.width) // 2, (image.height - how.height) // 2
    # Pillow fills what lies outside with black, as Hugging Face's centre crop pads with zeros
    return np.asarray(image.crop((left, top, left + how.width, top + how.height)))


def _sides(size: Any) -> tuple[int, int]:
    """Height and width of an int, a pair, or a mapping."""
    if isinstance(size, Mapping):
        return int(size["height"]), int(size["width"])
    if isinstance(size, (list, tuple)):
        height, width = size
        return int(height), int(width)
    return int(size), int(size)


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue

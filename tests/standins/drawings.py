"""Pictures drawn by code: no photograph of anybody is needed to test what looks at photographs."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (40, 50, 220),
    "purple": (150, 50, 200),
    "orange": (235, 130, 25),
    "grey": (128, 128, 128),
}
"""What `tests.standins.bundles.tiny_bundle` tells apart."""


def picture(colour: str = "red", *, seed: int = 0, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """An RGB picture of one colour with large shapes of lighter and darker shades of it.

    The shapes and their places come from ``seed``: two seeds are two pictures, no near copies of one
    another, while the mean colour stays that of ``COLOURS``.
    """
    base, dice = COLOURS[colour], random.Random(seed)
    image = Image.new("RGB", size, base)
    draw = ImageDraw.Draw(image)
    width, height = size
    for number in range(10):
        # light and dark shapes take turns, so that the mean stays where it is
        shade = (-1) ** number * dice.uniform(0.2, 0.45)
        fill = tuple(
            round(c + (255 - c) * shade * 0.6) if shade > 0 else round(c * (1 + shade)) for c in base
        )
        x, y = dice.uniform(-0.1, 0.9) * width, dice.uniform(-0.1, 0.9) * height
        box = (x, y, x + dice.uniform(0.15, 0.5) * width, y + dice.uniform(0.15, 0.5) * height)
        (draw.ellipse if dice.random() < 0.5 else draw.rectangle)(box, fill=fill)
    return image


def drawing(
    colour: str = "red",
    *,
    seed: int = 0,
    size: tuple[int, int] = (320, 240),
    kind: str = "PNG",
    quality: int = 92,
) -> bytes:
    """`picture`, encoded as ``kind``: any name that Pillow writes (PNG, JPEG, WEBP, GIF, BMP, AVIF)."""
    return encoded(picture(colour, seed=seed, size=size), kind, quality=quality)


def encoded(image: Image.Image, kind: str, *, quality: int = 92) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    options = {"quality": quality} if kind.upper() in ("JPEG", "WEBP", "AVIF") else {}
    image.save(buffer, kind, **options)
    return buffer.getvalue()

"""The changes under which a copy of a picture must still be known: made by code, drawn by a seed."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageOps

Change = Callable[[Image.Image, random.Random], Image.Image]

WORDS = ("when", "the", "whole", "team", "waits", "for", "you", "and", "nobody", "says", "why", "at", "once")


def _saved(image: Image.Image, kind: str, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def resized(image: Image.Image, dice: random.Random) -> Image.Image:
    """To between a half and twice its size."""
    scale = dice.uniform(0.5, 2.0)
    size = max(32, round(image.width * scale)), max(32, round(image.height * scale))
    return image.resize(size, Image.Resampling.BILINEAR)


def recompressed(image: Image.Image, dice: random.Random) -> Image.Image:
    """As a JPEG of quality 25 to 60."""
    return _saved(image, "JPEG", dice.randint(25, 60))


def cropped(image: Image.Image, dice: random.Random) -> Image.Image:
    """Up to a tenth of its width and of its height gone, anywhere."""
    width, height = (round(side * dice.uniform(0.9, 1.0)) for side in image.size)
    left, top = dice.randint(0, image.width - width), dice.randint(0, image.height - height)
    return image.crop((left, top, left + width, top + height))


def cropped_at_a_corner(image: Image.Image, dice: random.Random) -> Image.Image:
    """A tenth of its width and of its height gone, at one corner."""
    width, height = round(image.width * 0.9), round(image.height * 0.9)
    left, top = dice.choice((0, image.width - width)), dice.choice((0, image.height - height))
    return image.crop((left, top, left + width, top + height))


def mirrored(image: Image.Image, dice: random.Random) -> Image.Image:
    """Left and right change places, then a JPEG."""
    return _saved(ImageOps.mirror(image), "JPEG", dice.randint(50, 90))


def _written(draw: ImageDraw.ImageDraw, box: tuple[int, int, int], dice: random.Random, ink: str) -> None:
    left, top, bottom = box
    size = max(8, (bottom - top) // 3)
    y = top + size // 3
    while y + size <= bottom:
        line = " ".join(dice.choice(WORDS) for _ in range(6))
        draw.text((left + 6, y), line, fill=ink, font_size=size)
        y += round(size * 1.3)


def captioned_above(image: Image.Image, dice: random.Random) -> Image.Image:
    """Words on white over it, a sixth to a quarter of its height."""
    bar = round(image.height * dice.uniform(0.16, 0.25))
    whole = Image.new("RGB", (image.width, image.height + bar), "white")
    whole.paste(image, (0, bar))
    _written(ImageDraw.Draw(whole), (0, 0, bar), dice, "black")
    return whole


def captioned_below(image: Image.Image, dice: random.Random) -> Image.Image:
    """Words under it, on white or black."""
    bar, (paper, ink) = (
        round(image.height * dice.uniform(0.1, 0.22)),
        dice.choice((("white", "black"), ("black", "white"))),
    )
    whole = Image.new("RGB", (image.width, image.height + bar), paper)
    whole.paste(image, (0, 0))
    _written(ImageDraw.Draw(whole), (0, image.height, image.height + bar), dice, ink)
    return whole


def captioned_within(image: Image.Image, dice: random.Random) -> Image.Image:
    """White words with a black edge over its lowest part, as memes have them."""
    whole = image.copy()
    size = max(10, round(image.height * 0.09))
    words = " ".join(dice.choice(WORDS) for _ in range(4)).upper()
    place = (image.width // 2, round(image.height * 0.98))
    ImageDraw.Draw(whole).text(
        place, words, fill="white", font_size=size, stroke_width=2, stroke_fill="black", anchor="mb"
    )
    return whole


def bordered(image: Image.Image, dice: random.Random) -> Image.Image:
    """A border of one colour, each side of its own width, up to a fifth."""
    colour = dice.choice(("white", "black", (30, 33, 36), (200, 30, 30)))
    sides = [round(side * dice.uniform(0.03, 0.2)) for side in (*image.size, *image.size)]
    whole = Image.new("RGB", (image.width + sides[0] + sides[2], image.height + sides[1] + sides[3]), colour)
    whole.paste(image, (sides[0], sides[1]))
    return whole


def screenshot(image: Image.Image, dice: random.Random) -> Image.Image:
    """In a chat on a telephone: name and words above, buttons below, margins, light or dark."""
    paper, ink = dice.choice((("white", "black"), ((24, 25, 28), "white"), ((49, 51, 56), "white")))
    margin = round(image.width * dice.uniform(0.02, 0.1))
    above, below = (
        round(image.height * dice.uniform(0.12, 0.3)),
        round(image.height * dice.uniform(0.08, 0.25)),
    )
    whole = Image.new("RGB", (image.width + 2 * margin, image.height + above + below), paper)
    draw = ImageDraw.Draw(whole)
    draw.ellipse((margin, 6, margin + above // 3, 6 + above // 3), fill=(120, 90, 200))
    _written(draw, (margin + above // 2, 4, above - 4), dice, ink)
    whole.paste(image, (margin, above))
    for number in range(3):
        x = margin + round(number * image.width * 0.3)
        y = above + image.height + below // 4
        draw.rounded_rectangle((x, y, x + round(image.width * 0.25), y + below // 2), 6, outline=ink)
    return _saved(whole, "JPEG", dice.randint(60, 90))


CHANGES: dict[str, Change] = {
    "resized": resized,
    "recompressed": recompressed,
    "cropped by up to 10 %": cropped,
    "cropped by 10 % at a corner": cropped_at_a_corner,
    "mirrored": mirrored,
    "captioned above": captioned_above,
    "captioned below": captioned_below,
    "words over it": captioned_within,
    "with a border": bordered,
    "a screenshot": screenshot,
}

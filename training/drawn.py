"""Strangers drawn by code: figures in costume and out of it, and shapes; nobody at all, in all colours.

Photographs are the only strangers that the project's pictures have, so to a head that learned from them
somebody drawn in a cape is a hero. These pictures are learned from as pictures of nobody, see
`training.nobody`. The same seed draws the same pictures.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from model.types import NOBODY
from training.pictures import Picture

SIDE = 224  # pixels; drawn at twice that
FIGURES = 0.75  # the share of figures among drawn pictures
TONES = (0, 30, 60, 110, 160, 200, 230, 255)
SKIN = (
    (255, 219, 172), (241, 194, 125), (224, 172, 105), (198, 134, 66),
    (141, 85, 36), (92, 56, 24), (255, 204, 50), (250, 190, 60),
)  # fmt: skip

Colour = tuple[int, int, int]
Point = tuple[float, float]


def drawn_pictures(folder: Path, count: int, seed: int) -> list[Picture]:
    """Draw ``count`` pictures into ``folder``, where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(count):
        path = folder / f"{seed}-{number}.png"
        if not path.is_file():
            dice = random.Random(f"{seed} {number}")  # noqa: S311  # a draw, not a secret
            draw: Callable[[random.Random], Image.Image] = figure if dice.random() < FIGURES else shapes
            draft = path.with_suffix(".draft")
            draw(dice).save(draft, format="PNG")
            draft.replace(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(Picture(path, digest, digest, "train", "drawn", NOBODY, "nobody"))
    return found


def figure(dice: random.Random) -> Image.Image:
    """Somebody, whole or to the breast, more often in costume than not."""
    return _Figure(dice).image()


def shapes(dice: random.Random) -> Image.Image:
    """Up to nine ellipses, boxes, polygons and lines."""
    side = 2 * SIDE
    image = Image.new("RGB", (side, side), _ground(dice, 0.4))
    draw = ImageDraw.Draw(image)
    for _ in range(dice.randint(1, 9)):
        x, y, wide = dice.uniform(0, side), dice.uniform(0, side), dice.uniform(20, 180)
        high, kind = wide * dice.uniform(0.4, 1.4), dice.choice("erpl")
        box = (x - wide, y - high, x + wide, y + high)
        if kind == "e":
            draw.ellipse(box, fill=_colour(dice))
        elif kind == "r":
            draw.rounded_rectangle(box, dice.uniform(0, 15), fill=_colour(dice))
        else:
            near = [
                (x + dice.uniform(-wide, wide), y + dice.uniform(-wide, wide))
                for _ in range(dice.randint(3, 7))
            ]
            if kind == "p":
                draw.polygon(near, fill=_colour(dice))
            else:
                draw.line(near, fill=_colour(dice), width=dice.randint(4, 20))
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


class _Figure:
    """One figure; every choice comes from ``dice``."""

    def __init__(self, dice: random.Random) -> None:
        self._dice, self._side = dice, 2 * SIDE
        self._ground = _ground(dice, 0.6)
        self._image = Image.new("RGB", (self._side, self._side), self._ground)
        self._draw = ImageDraw.Draw(self._image)
        self._suit, self._trim, self._cape, self._hair = (_colour(dice) for _ in range(4))
        self._skin = dice.choice(SKIN)
        self._line: Colour | None = dice.choice((None, None, (0, 0, 0), (40, 40, 40)))
        self._width = dice.choice((3, 5, 8))
        self._costume = dice.random() < 0.6

    def image(self) -> Image.Image:
        """Drawn, sometimes turned."""
        middle = self._side / 2 + self._dice.uniform(-30, 30)
        self._bust(middle) if self._dice.random() < 0.5 else self._body(middle)
        image = self._image
        if self._dice.random() < 0.4:
            angle = self._dice.uniform(-25, 25)
            image = image.rotate(angle, fillcolor=self._ground, resample=Image.Resampling.BICUBIC)
        return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)

    def _bust(self, x: float) -> None:
        dice, bottom = self._dice, float(self._side)
        head, y, wide = dice.uniform(70, 105), dice.uniform(130, 190), dice.uniform(110, 190)
        top = y + head * 0.8
        if self._costume and dice.random() < 0.6:
            cape = [(-0.9, top), (0.9, top), (1.25, bottom), (-1.25, bottom)]
            self._polygon([(x + share * wide, at) for share, at in cape], self._cape)
        left: list[Point] = [(x - wide * 0.6, top + 20), (x - wide, top + 110), (x - wide, bottom + 20)]
        self._polygon([*left, *((2 * x - a, b) for a, b in reversed(left))], self._suit)
        self._limb((x, y + head * 0.7), (x, top + 25), head * 0.35, self._skin)
        self._emblem((x, bottom - 75), dice.uniform(18, 45))
        self._head((x, y), head)

    def _body(self, middle: float) -> None:
        dice, size = self._dice, self._dice.uniform(0.8, 1.1)
        shoulder, hip, foot, x = 120.0, 250 * size, 400.0, middle + dice.uniform(-25, 25)
        if self._costume and dice.random() < 0.7:
            wind = dice.uniform(-90, 90)
            ends = [(middle + wind + side * 90, dice.uniform(300, 400)) for side in (1, -1)]
            self._polygon([(x - 45, shoulder), (x + 45, shoulder), *ends], self._cape)
        for side in (-1, 1):
            knee = (middle + side * dice.uniform(15, 60), hip + 75)
            self._limb((middle + side * 18, hip), knee, 20 * size, self._suit)
            boot = self._trim if self._costume else self._suit
            self._limb(knee, (middle + side * dice.uniform(20, 90), foot), 16 * size, boot)
            elbow = (x + side * dice.uniform(60, 110), shoulder + dice.uniform(-20, 80))
            self._limb((x + side * 40, shoulder + 10), elbow, 14 * size, self._suit)
            hand = (elbow[0] + side * dice.uniform(-50, 50), elbow[1] + dice.uniform(-80, 70))
            self._limb(elbow, hand, 12 * size, self._suit if self._costume else self._skin)
            self._ellipse(hand, 13, 13, self._trim if self._costume else self._skin)
        breast = [(x - 55 * size, shoulder - 5), (x + 55 * size, shoulder - 5)]
        self._polygon([*breast, (middle + 35 * size, hip + 15), (middle - 35 * size, hip + 15)], self._suit)
        if dice.random() < 0.6:
            self._draw.rectangle((middle - 36 * size, hip - 10, middle + 36 * size, hip + 6), fill=self._trim)
        self._emblem(((x + middle) / 2, shoulder + 55), dice.uniform(10, 22))
        self._head((x, 70), 34 * size)

    def _head(self, at: Point, size: float) -> None:
        dice, draw, (x, y) = self._dice, self._draw, at
        if dice.random() < 0.7:
            down = dice.choice((0.3, 0.3, 1.3))
            self._box((x - size * 1.12, y - size * 1.15, x + size * 1.12, y + size * down), self._hair)
        hooded = self._costume and dice.random() >= 0.75
        self._ellipse(at, size * 0.95, size, self._suit if hooded else self._skin)
        if dice.random() < 0.7:
            tilt = dice.uniform(-10, 30), dice.uniform(-10, 30)
            box = (x - size, y - size * 1.05, x + size, y + size * 0.7)
            draw.pieslice(box, 180 + tilt[0], 360 - tilt[1], fill=self._hair)
        if self._costume and dice.random() < 0.7:
            mask = (x - size * 0.9, y - size * 0.3, x + size * 0.9, y + size * 0.18)
            draw.rounded_rectangle(mask, size * 0.2, fill=self._trim)
        eye = dice.choice(((255, 255, 255), (20, 20, 20)))
        for side in (-1, 1):
            self._ellipse((x + side * size * 0.38, y - size * 0.1), size * 0.13, size * 0.13, eye)
        if dice.random() < 0.8:
            mouth = (x - size * 0.4, y + size * 0.1, x + size * 0.4, y + size * 0.65)
            begin, end = dice.choice(((10, 170), (200, 340)))
            draw.arc(mouth, begin, end, fill=(120, 30, 30), width=max(2, round(size * 0.08)))

    def _emblem(self, at: Point, size: float) -> None:
        if not self._costume or self._dice.random() >= 0.6:
            return
        kind, (x, y) = self._dice.choice("otsd"), at
        if kind == "o":
            self._ellipse(at, size, size, self._trim)
        elif kind == "t":
            self._polygon([(x - size, y - size), (x + size, y - size), (x, y + size)], self._trim)
        else:
            corners, inner = (10, 0.4) if kind == "s" else (4, 1.0)
            reach = [size if corner % 2 == 0 else size * inner for corner in range(corners)]
            turns = [2 * math.pi * corner / corners for corner in range(corners)]
            star = zip(reach, turns, strict=True)
            self._polygon([(x + far * math.sin(t), y - far * math.cos(t)) for far, t in star], self._trim)

    def _polygon(self, points: list[Point], colour: Colour) -> None:
        self._draw.polygon(points, fill=colour)
        if self._line is not None:
            self._draw.line([*points, points[0]], fill=self._line, width=self._width, joint="curve")

    def _ellipse(self, at: Point, wide: float, high: float, colour: Colour) -> None:
        self._box((at[0] - wide, at[1] - high, at[0] + wide, at[1] + high), colour)

    def _box(self, box: tuple[float, float, float, float], colour: Colour) -> None:
        self._draw.ellipse(box, fill=colour, outline=self._line, width=self._width if self._line else 0)

    def _limb(self, begin: Point, end: Point, thick: float, colour: Colour) -> None:
        if self._line is not None:
            self._draw.line([begin, end], fill=self._line, width=round(2 * (thick + self._width)))
        self._draw.line([begin, end], fill=colour, width=round(2 * thick))
        for x, y in (begin, end):
            self._draw.ellipse((x - thick, y - thick, x + thick, y + thick), fill=colour)


def _colour(dice: random.Random) -> Colour:
    return dice.choice(TONES), dice.choice(TONES), dice.choice(TONES)


def _ground(dice: random.Random, white: float) -> Colour:
    return (255, 255, 255) if dice.random() < white else _colour(dice)

"""Pictures as they might also have looked: cropped, mirrored, coloured otherwise, mixed. Pillow and NumPy."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageEnhance

from model.preprocess import Floats, Pixels, Preprocess

LARGER = 1.5
"""A picture is decoded so much larger than it is shown, so that a crop of it is not blurred."""


@dataclass(frozen=True, slots=True)
class Augmenting:
    """What may happen to a picture in training."""

    # the smallest part of its area that is shown (RandomResizedCrop of Szegedy et al., CVPR 2015)
    scale: float = 0.35
    # how much narrower or wider a crop may be
    ratio: float = 4 / 3
    # how often it is mirrored
    mirror: float = 0.5
    # how often brightness, contrast and saturation change, each by up to `colour`
    coloured: float = 0.6
    colour: float = 0.3
    # how often it is grey
    grey: float = 0.1
    # how often a batch is mixed: half of these times blended (mixup, Zhang et al., ICLR 2018), half of
    # them pasted into one another (CutMix, Yun et al., ICCV 2019)
    mixed: float = 0.5


def larger(how: Preprocess, side: int) -> Preprocess:
    """The preparation before augmentation of pictures that are shown with ``side`` pixels."""
    wide = round(side * LARGER)
    return replace(how, height=wide, width=wide, shortest=round(how.shortest * wide / how.height))


def augmented(pixels: Pixels, side: int, how: Augmenting, dice: random.Random) -> Pixels:
    """One picture, changed at random, uint8 ``[side, side, 3]``."""
    image = Image.fromarray(pixels)
    area, stretch = dice.uniform(how.scale, 1), how.ratio ** dice.uniform(-1, 1)
    width, height = min(1.0, math.sqrt(area * stretch)), min(1.0, math.sqrt(area / stretch))
    left, top = dice.uniform(0, 1 - width) * image.width, dice.uniform(0, 1 - height) * image.height
    box = (left, top, left + width * image.width, top + height * image.height)
    image = image.resize((side, side), Image.Resampling.BICUBIC, box=box)
    if dice.random() < how.mirror:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if dice.random() < how.coloured:
        for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = kind(image).enhance(dice.uniform(1 - how.colour, 1 + how.colour))
    if dice.random() < how.grey:
        image = image.convert("L").convert("RGB")
    return np.asarray(image)


def mixed(values: Floats, targets: Floats, dice: random.Random) -> tuple[Floats, Floats]:
    """A batch ``[B, 3, H, W]`` with its targets ``[B, C]``, each picture mixed with another one of it."""
    count, side = len(values), values.shape[-1]
    other = np.array(dice.sample(range(count), count))
    share = dice.betavariate(0.8, 0.8)
    if dice.random() < 0.5:
        values = (share * values + (1 - share) * values[other]).astype(np.float32)
    else:
        half = math.sqrt(1 - share) * side / 2
        x, y = dice.uniform(0, side), dice.uniform(0, side)
        left, right = int(max(0, x - half)), int(min(side, x + half))
        top, bottom = int(max(0, y - half)), int(min(side, y + half))
        pasted = values[other][:, :, top:bottom, left:right]
        values = values.copy()
        values[:, :, top:bottom, left:right] = pasted
        share = 1 - (right - left) * (bottom - top) / side**2
    return values, (share * targets + (1 - share) * targets[other]).astype(np.float32)

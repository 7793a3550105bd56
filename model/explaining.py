"""Why a model says what it says: which parts of a picture its answer hangs on, found by covering them.

*Occlusion* (Zeiler and Fergus, ECCV 2014, section 4.2): a grey square is laid over one place after another,
and what that costs the character's probability is the heat of the place. It asks the model nothing but
pictures, so that it holds for every bundle, backend and level. It was chosen by deletion and insertion
(Petsiuk et al., *RISE*, BMVC 2018, section 4.1) beside attention rollout (Abnar and Zuidema, ACL 2020) and
the exact share that each patch has in a linear head's logit; the figures are in ``docs/learning.md``.

Heat says what the answer hangs on, not why: a background that always comes with somebody is as hot as a face.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from model.preprocess import Floats, Pixels, Preprocess

CELLS = 14
"""Heat has this many cells a side, whatever the size of the picture."""
WIDE = 4
"""Cells that a square covers in each direction."""
STEP = 2
"""Cells between one square and the next."""
HOTTEST = 0.15
"""The part of the picture that is covered in the end, to see what it was worth."""
NO_DOUBT = 1e-6
_MIDDLE = 0.5


class Window(NamedTuple):
    """A square of the picture in cells: from the first, up to and without the last."""

    top: int
    bottom: int
    left: int
    right: int


def windows() -> list[Window]:
    """The squares, row by row; those at the edges lie half outside."""
    starts = range(-STEP, CELLS, STEP)
    return [
        Window(max(top, 0), min(top + WIDE, CELLS), max(left, 0), min(left + WIDE, CELLS))
        for top in starts
        for left in starts
    ]


def covered(pixels: Pixels, places: Sequence[Window], how: Preprocess) -> Iterator[Pixels]:
    """``pixels`` [H, W, 3] with one place after another covered by what the model takes for grey."""
    grey = filling(how)
    height, width = pixels.shape[:2]
    for place in places:
        copy = pixels.copy()
        top, bottom = (height * each // CELLS for each in (place.top, place.bottom))
        left, right = (width * each // CELLS for each in (place.left, place.right))
        copy[top:bottom, left:right] = grey
        yield copy


def filling(how: Preprocess) -> Pixels:
    """The colour [3] that becomes about zero on its way into the model: it says nothing."""
    means = how.mean if any(how.mean) else (_MIDDLE, _MIDDLE, _MIDDLE)
    scale = how.scale if how.scale < 1 else 1 / 255
    return np.clip(np.round(np.asarray(means) / scale), 0, 255).astype(np.uint8)


def heat_of(places: Sequence[Window], whole: float, without: Sequence[float]) -> Floats:
    """The heat [CELLS, CELLS], from 0 to 1.

    Args:
        whole: the character's probability in the whole picture.
        without: with each of the places covered.
    """
    total, times = np.zeros((2, CELLS, CELLS))
    for place, probability in zip(places, without, strict=True):
        where = slice(place.top, place.bottom), slice(place.left, place.right)
        total[where] += math.log(max(whole, NO_DOUBT)) - math.log(max(probability, NO_DOUBT))
        times[where] += 1
    heat = np.maximum(total / times, 0)
    most = heat.max()
    return np.asarray(heat / most if most > NO_DOUBT else np.zeros_like(heat), np.float32)


def without_hottest(pixels: Pixels, heat: Floats, how: Preprocess) -> Pixels:
    """``pixels`` [H, W, 3] with the hottest `HOTTEST` of the picture covered."""
    count = max(1, round(HOTTEST * heat.size))
    hottest = np.argsort(-heat, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(hottest, heat.shape)
    copy = pixels
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        (copy,) = covered(copy, [Window(row, row + 1, column, column + 1)], how)
    return copy

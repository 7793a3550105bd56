"""Marks: what copies of a picture are told by when they are cut or framed, beyond the reach of the near key.

A near key (`model.near`) is a picture's as a whole, so a caption above it or a crop at one corner gives
another one. Marks hold the small grey picture, from which the keys of the crops that it may be met as follow,
and the keys of the parts that look like a picture set into something else: below a caption, inside a
border, in the middle of a screenshot. A copy is then one key of one picture near one key of the other; who
compares which is up to `bot.memory.copies`.

Made in the child that decodes; about 2.5 kB a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.near import SIDE, near_key

GREY = 256
"""Marks are made from a grey picture whose longer side has about this many pixels."""

THUMB = 48
"""The grey picture that is kept is THUMB x THUMB."""

MOST_PARTS = 8
"""Keys of parts that are kept."""

LEAST_PART = 0.45
"""A part is at least this long and high, as a share of the picture."""

_VERSION = 1
_KEY = 32  # bytes
_GROUND = 12.0  # grey levels that the ground around a picture may differ in
_FLAT = 6.0  # standard deviation in grey levels below which there is nothing to tell a copy by

Grey = NDArray[np.floating | np.integer]
Box = tuple[int, int, int, int]
"""Top, bottom, left, right in pixels; bottom and right are the first outside."""


@dataclass(frozen=True, eq=False, slots=True)
class Marks:
    """``thumb`` is uint8 [THUMB, THUMB], the whole picture squeezed; ``parts`` are near keys of its parts."""

    thumb: NDArray[np.uint8]
    parts: tuple[str, ...]

    @property
    def flat(self) -> bool:
        """Whether there is no detail to tell a copy by."""
        return float(self.thumb.std()) < _FLAT


def make_marks(grey: Grey) -> bytes:
    """The marks of a picture.

    Args:
        grey: grey levels 0 to 255 of the upright picture, [H, W].
    """
    levels = np.asarray(grey, np.float32)
    if levels.ndim != 2 or min(levels.shape) < 1:
        raise ValueError(f"marks are made from a grey picture, not from an array of {levels.shape}")
    integral = integrated(levels)
    whole = squeezed(integral, (0, levels.shape[0], 0, levels.shape[1]), THUMB)
    thumb = np.clip(np.rint(whole), 0, 255).astype(np.uint8)
    parts = [near_key(squeezed(integral, box, SIDE)) for box in parts_of(levels)]
    return bytes([_VERSION]) + thumb.tobytes() + b"".join(bytes.fromhex(key) for key in parts)


def read_marks(marks: bytes) -> Marks | None:
    """Marks as they were made; None for bytes that are none, or of another version."""
    size = 1 + THUMB * THUMB
    if len(marks) < size or marks[0] != _VERSION or (len(marks) - size) % _KEY:
        return None
    thumb = np.frombuffer(marks, np.uint8, THUMB * THUMB, 1).reshape(THUMB, THUMB)
    keys = [marks[at : at + _KEY].hex() for at in range(size, len(marks), _KEY)][:MOST_PARTS]
    return Marks(thumb, tuple(keys))


def squeezed(integral: NDArray[np.float64], box: Box, side: int) -> NDArray[np.float64]:
    """A part of a picture averaged to [side, side], from its integral image (Crow, SIGGRAPH 1984).

    Args:
        integral: [H + 1, W + 1], see `integrated`. No product of matrices: a library's threads for it cost
            more than the work where other processes keep all cores busy.
    """
    top, bottom, left, right = box
    rows = _at(integral, np.linspace(top, bottom, side + 1))
    sums = _at(rows.T, np.linspace(left, right, side + 1)).T
    area = (bottom - top) * (right - left) / side**2
    return np.asarray(np.diff(np.diff(sums, axis=0), axis=1) / area)


def integrated(levels: Grey) -> NDArray[np.float64]:
    """[H, W] to [H + 1, W + 1]: what is above and left of each corner of a pixel, summed."""
    integral = np.zeros((levels.shape[0] + 1, levels.shape[1] + 1))
    integral[1:, 1:] = levels
    np.add.accumulate(integral, axis=0, out=integral)
    np.add.accumulate(integral, axis=1, out=integral)
    return integral


def _at(rows: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows at fractional places."""
    below = np.minimum(places.astype(np.int64), len(rows) - 2)
    share = (places - below)[:, None]
    return np.asarray(rows[below] * (1 - share) + rows[below + 1] * share)


def parts_of(levels: NDArray[np.float32]) -> list[Box]:
    """Where a picture may be set into this one, without the whole; the likeliest first.

    Three ways of looking: from the middle outward to the first even row and column (screenshots; of a figure
    on an even ground it is the figure, in the picture itself as in what it was set into), a dense rectangle
    on a ground of one level (borders), and straight edges right across (captions and bars of any content).
    """
    height, width = levels.shape
    if min(height, width) < 16:
        return []
    found: list[Box] = [_outward(levels)]
    for share in (0.35, 0.7):
        for ground in _grounds(levels):
            found.append(_dense(np.abs(levels - ground) > _GROUND, share))
    tops, bottoms = _edges(levels)
    lefts, rights = _edges(levels.T)
    found += [(t, height, 0, width) for t in tops] + [(0, b, 0, width) for b in bottoms]
    found += [(t, b, 0, width) for t in tops[:1] for b in bottoms[:1]]
    found += [(0, height, left, right) for left in lefts[:1] for right in rights[:1]]
    kept: list[Box] = []
    for box in found:
        top, bottom, left, right = box
        whole = bottom - top > 0.97 * height and right - left > 0.97 * width
        small = bottom - top < LEAST_PART * height * 0.5 or right - left < LEAST_PART * width
        known = any(_alike(box, other, height, width) for other in kept)
        if not (whole or small or known) and levels[top:bottom, left:right].std() >= _FLAT:
            kept.append(box)
    return kept[:MOST_PARTS]


def _alike(a: Box, b: Box, height: int, width: int) -> bool:
    return (
        max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= 0.01 * height
        and max(abs(a[2] - b[2]), abs(a[3] - b[3])) <= 0.01 * width
    )


def _outward(levels: NDArray[np.float32]) -> Box:
    """From the middle to the nearest even column and row on each side."""
    height, width = levels.shape
    top, bottom, left, right = int(0.38 * height), int(0.62 * height) + 1, 0, width
    for _ in range(2):
        left, right = _between(_even(levels[top:bottom].T), width)
        top, bottom = _between(_even(levels[:, left:right]), height)
    return top, bottom, left, right


def _even(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows have one level, but for a few pixels."""
    ordered, middle = np.sort(rows, axis=1), rows.shape[1] // 2  # ten times as fast as np.median
    level = (ordered[:, (rows.shape[1] - 1) // 2, None] + ordered[:, middle, None]) / 2
    return np.asarray((np.abs(rows - level) > _GROUND).mean(axis=1) < 0.02)


def _between(even: NDArray[np.bool_], length: int) -> tuple[int, int]:
    """The stretch around the middle without an even one; where the middle is even, it begins beside it."""
    uneven = np.flatnonzero(~even)
    if not len(uneven):
        return 0, length
    middle = int(uneven[np.argmin(np.abs(uneven - length // 2))])
    before, after = np.flatnonzero(even[:middle]), np.flatnonzero(even[middle:])
    low = int(before[-1]) + 1 if len(before) else 0
    return low, middle + int(after[0]) if len(after) else length


def _grounds(levels: NDArray[np.float32]) -> list[float]:
    """The levels that the outermost pixels mostly have: one, or two when top and sides differ."""
    ring = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    counts = np.bincount(np.clip(ring, 0, 255).astype(np.int64) >> 3, minlength=32)
    order = np.argsort(-counts, kind="stable")
    return [8.0 * level + 4 for level in order[:2].tolist() if counts[level] >= 0.2 * len(ring)]


def _dense(there: NDArray[np.bool_], share: float) -> Box:
    """The rows and columns that stand out from the ground, where they are dense."""
    box = (0, there.shape[0], 0, there.shape[1])
    for _ in range(3):  # rows are dense within the columns that are, and the other way round
        top, bottom = _run(there[:, box[2] : box[3]].mean(axis=1), share)
        left, right = _run(there[top:bottom].mean(axis=0), share)
        box = (top, bottom, left, right)
    return box


def _run(density: NDArray[np.floating], share: float) -> tuple[int, int]:
    """The longest run of cells denser than ``share`` of the densest; gaps of a few cells are passed over."""
    level = share * _quantile(density, 0.95) if len(density) else 0.0
    dense = np.flatnonzero(density > level)
    if not len(dense):
        return 0, len(density)
    breaks = np.flatnonzero(np.diff(dense) > 1 + len(density) // 25)
    starts = dense[np.concatenate(([0], breaks + 1))]
    ends = dense[np.concatenate((breaks, [len(dense) - 1]))] + 1
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def _quantile(values: NDArray[np.floating], share: float) -> float:
    """What np.quantile says, to the last bit, in a tenth of its time for a few hundred values."""
    ordered, place = np.sort(values), (len(values) - 1) * share
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    part = place - below
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def _edges(levels: NDArray[np.float32]) -> tuple[list[int], list[int]]:
    """The two straightest horizontal edges in the upper part, and the two in the lower."""
    height = len(levels)
    jump = (np.abs(np.diff(levels, axis=0)) > _GROUND).mean(axis=1)  # [H - 1]: between rows r and r + 1
    reach = int(height * 0.4)

    def best(low: int, high: int) -> list[int]:
        order = low + np.argsort(-jump[low:high], kind="stable")
        chosen: list[int] = []
        for row in order[:20].tolist():
            if jump[row] >= 0.3 and all(abs(row - other) > 2 for other in chosen):
                chosen.append(row)
        return [row + 1 for row in chosen[:2]]

    return best(1, reach), best(height - 1 - reach, height - 2)

"""Finds the very same picture among those that are remembered, however it was cut, framed or captioned.

The near key (`model.near`) finds a copy of the whole. For the rest the marks (`model.marks`) of both pictures
are compared: the parts of one that look set in with the other and its parts, and the crops of one, up to a
tenth of its width and height gone, with the other and its parts. All of it is near keys again, so a distance
decides. Crops are only compared with the pictures whose embedding is the nearest.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.marks import THUMB, Marks
from model.near import NEAR, NearIndex, cosines, distances_among, words_of

CANDIDATES = 16
"""So many pictures, the nearest by embedding, are compared crop by crop."""

CLOSE = 58
"""The greatest distance where one key is a part's or a crop's: these are many, so each must be nearer."""

PARTS_ASKED = 3
"""Parts of a posted picture that are looked up among the whole pictures."""

PARTS_KEPT = 3
"""Parts of a remembered picture that a posted one is looked up among."""

_STEPS = ((0.0, 1.0), (0.0, 0.95), (0.05, 1.0), (0.0, 0.9), (0.05, 0.95), (0.1, 1.0))

Id = TypeVar("Id", bound=Hashable)
Keys = NDArray[np.uint64]
"""Near keys packed into [n, 4]."""


def crops(marks: Marks) -> Keys:
    """The keys [36, 4] of the crops of a picture, the first that of the whole."""
    frequencies = _cropping()
    thumb = marks.thumb.astype(np.float32)
    half, across = len(frequencies) // 2, frequencies @ thumb
    # two products, each so small that no library spreads it over threads
    whole = np.hstack([across @ frequencies[:half].T, across @ frequencies[half:].T])
    spectra = whole.reshape(len(_STEPS), len(cosines()), len(_STEPS), len(cosines()))
    bits = spectra.transpose(0, 2, 1, 3).reshape(len(_STEPS) ** 2, -1) > 0.5
    return np.packbits(bits, axis=1).view(np.uint64)


@cache
def _cropping() -> NDArray[np.float32]:
    """[6 * 16, THUMB]: for each stretch of `_STEPS` the lowest frequencies of a thumb's side."""
    rows = []
    for low, high in _STEPS:
        side = cosines().shape[1]
        edges = np.linspace(low * THUMB, high * THUMB, side + 1)
        cells = np.arange(THUMB)[None, :]
        cover = np.clip(np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells), 0, None)
        rows.append(cosines() @ (cover / cover.sum(axis=1, keepdims=True)))
    return np.concatenate(rows).astype(np.float32)


class Copies(Generic[Id]):
    """The pictures that copies are looked for among."""

    def __init__(self) -> None:
        self._whole: NearIndex[Id] = NearIndex()
        self._parts: NearIndex[tuple[Id, int]] = NearIndex()
        self._keys: dict[Id, Keys] = {}
        self._crops: dict[Id, Keys] = {}

    def __len__(self) -> int:
        return len(self._whole)

    def add(self, one: Id, key: str, marks: Marks | None) -> None:
        """Remember a picture; one that is known already is replaced.

        Raises:
            ValueError: the key is none.
        """
        self.remove(one)
        self._whole.add(key, one)
        if marks is None or marks.flat:
            return
        for number, part in enumerate(marks.parts[:PARTS_KEPT]):
            self._parts.add(part, (one, number))
        self._keys[one] = np.array([words_of(each) for each in (key, *marks.parts)], np.uint64)
        self._crops[one] = crops(marks)

    def remove(self, one: Id) -> None:
        """Forget a picture; one that is not known is fine."""
        self._whole.remove(one)
        self._keys.pop(one, None)
        for number in range(PARTS_KEPT):
            self._parts.remove((one, number))
        self._crops.pop(one, None)

    def find(self, key: str, marks: Marks | None, alike: Sequence[Id]) -> list[Id]:
        """The copies of a picture, the nearest first.

        Args:
            key: its near key.
            marks: its marks; without them only copies of the whole are found.
            alike: those among the remembered whose embedding is the nearest.
        """
        found: dict[Id, int] = {}

        def note(one: Id, far: int) -> None:
            found[one] = min(far, found.get(one, far))

        if marks is not None and marks.flat:
            return []  # every picture without detail has the same key
        for one, far in self._whole.within(key, NEAR):
            note(one, far)
        if marks is not None:
            for part in marks.parts[:PARTS_ASKED]:
                for one, far in self._whole.within(part, CLOSE):
                    note(one, far)
            for (one, _), far in self._parts.within(key, CLOSE):
                note(one, far)
            for one, far in self._cropped(key, marks, alike):
                note(one, far)
        return sorted(found, key=lambda one: found[one])

    def _cropped(self, key: str, marks: Marks, alike: Sequence[Id]) -> list[tuple[Id, int]]:
        ids = [one for one in alike if one in self._crops]
        if not ids:
            return []
        mine = np.array([words_of(each) for each in (key, *marks.parts)], np.uint64)
        theirs = np.stack([self._crops[one] for one in ids])
        nearest = _nearest(mine, theirs.reshape(-1, 4)).reshape(len(ids), -1).min(axis=1)
        counts = [len(self._keys[one]) for one in ids]
        whole = np.concatenate([self._keys[one] for one in ids])
        other = _nearest(np.concatenate([mine, crops(marks)]), whole)
        other = np.minimum.reduceat(other, np.r_[0, np.cumsum(counts)[:-1]])
        best = np.minimum(nearest, other)
        return [(one, int(far)) for one, far in zip(ids, best, strict=True) if far <= CLOSE]


def _nearest(some: Keys, many: Keys) -> NDArray[np.uint16]:
    """For each of ``many`` [m, 4] the distance to the nearest of ``some`` [n, 4]."""
    columns = np.ascontiguousarray(many.T)
    return np.asarray(distances_among(some, columns).min(axis=0))

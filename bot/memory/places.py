"""What is remembered in one place: its embeddings in blocks of rows, and its copies' keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bot.memory.copies import CANDIDATES, Copies
from bot.memory.kernel import Evidence, kernel
from bot.memory.types import Entry
from model.marks import Marks, read_marks
from model.near import words_of
from model.types import NOBODY

Id = tuple[int, int]
"""Community and blob."""

Vector = NDArray[np.float32]

_BLOCK = 256
"""Rows of a block. One matrix that doubles is copied whole while everybody waits: 60 ms at 10,000 rows."""


class Place:
    """The entries of one community, or of all of them."""

    def __init__(self) -> None:
        self.entries: dict[Id, Entry] = {}
        self._copies: Copies[Id] = Copies()
        self._ids: list[Id] = []
        self._rows: dict[Id, int] = {}
        self._blocks: list[Vector] = []
        self._said: NDArray[np.int64] = np.zeros(0, np.int64)  # which of `_sayings`; 0 for what does not lean
        self._sayings: dict[tuple[str, ...] | None, int] = {None: 0}

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, entry: Entry) -> None:
        """Remember; the same blob of the same community is replaced.

        Raises:
            ValueError: its near key is none; nothing has changed then.
        """
        words_of(entry.near_key)
        one = entry.community, entry.blob
        self.drop(one)
        self.entries[one] = entry
        self._copies.add(one, entry.near_key, read_marks(entry.marks))
        vector = None if entry.embedding is None else unit(entry.embedding)
        if vector is None or (self._ids and len(vector) != self._blocks[0].shape[1]):
            return  # of another model, or damaged: it cannot be compared
        row = len(self._ids)
        if not row:
            self._blocks = []
        if row == len(self._blocks) * _BLOCK:
            self._blocks.append(np.zeros((_BLOCK, len(vector)), np.float32))
        if row >= len(self._said):
            self._said = np.concatenate([self._said, np.zeros(max(_BLOCK, len(self._said)), np.int64)])
        self._vector(row)[:] = vector
        saying = tuple(sorted(set(entry.slugs))) if entry.leans else None
        self._said[row] = self._sayings.setdefault(saying, len(self._sayings))
        self._ids.append(one)
        self._rows[one] = row

    def drop(self, one: Id) -> None:
        """Forget; what is not known is fine."""
        if self.entries.pop(one, None) is None:
            return
        self._copies.remove(one)
        row = self._rows.pop(one, None)
        if row is None:
            return
        last = self._ids.pop()
        if row < len(self._ids):  # the last one moves into the gap
            self._ids[row] = last
            self._rows[last] = row
            self._vector(row)[:] = self._vector(len(self._ids))
            self._said[row] = self._said[len(self._ids)]

    def _vector(self, row: int) -> Vector:
        found: Vector = self._blocks[row // _BLOCK][row % _BLOCK]
        return found

    def cosines(self, vector: Vector | None) -> Vector:
        """[N] with every row; none when there is nothing to compare.

        Row by row: a product of matrix and vector is spread over threads, which cost more than they bring
        where a worker keeps all cores busy.
        """
        if vector is None or not self._ids or len(vector) != self._blocks[0].shape[1]:
            return np.zeros(0, np.float32)
        found = np.empty(len(self._ids), np.float32)
        for start in range(0, len(found), _BLOCK):
            part = found[start : start + _BLOCK]
            np.vecdot(self._blocks[start // _BLOCK][: len(part)], vector, out=part)
        return found

    def copies(self, near_key: str, marks: Marks | None, cosines: Vector) -> list[Entry]:
        """The entries of copies of this picture, the nearest first."""
        alike = [self._ids[row] for row in _largest(cosines, CANDIDATES)]
        return [self.entries[one] for one in self._copies.find(near_key, marks, alike)]

    def evidence(self, cosines: Vector, sharpness: float) -> dict[str, Evidence]:
        """What the leaning entries say of a picture with these cosines."""
        if not len(cosines):
            return {}
        said = self._said[: len(cosines)]
        totals = np.bincount(said, kernel(cosines, sharpness), len(self._sayings))
        counts = np.bincount(said, minlength=len(self._sayings))
        found: dict[str, tuple[float, float]] = {}
        for slugs, number in self._sayings.items():
            if slugs is None or not counts[number]:
                continue
            for slug in slugs or (NOBODY,):
                total, count = found.get(slug, (0.0, 0.0))
                share = 1 / max(1, len(slugs))
                found[slug] = total + share * float(totals[number]), count + share * float(counts[number])
        return {slug: Evidence(total, count) for slug, (total, count) in found.items()}

    def supporters(self, slug: str, cosines: Vector, most: int) -> tuple[int, ...]:
        """The blobs of the leaning entries of one character (or `NOBODY`) that are most like it."""
        of_it = [
            number
            for slugs, number in self._sayings.items()
            if slugs is not None and slug in (slugs or (NOBODY,))
        ]
        rows = np.flatnonzero(np.isin(self._said[: len(cosines)], of_it))
        return tuple(self._ids[rows[index]][1] for index in _largest(cosines[rows], most))


def unit(vector: NDArray[np.floating]) -> Vector | None:
    """Of length 1, or None for a vector that has no direction."""
    plain = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(plain)) if plain.ndim == 1 and len(plain) else 0.0
    return plain / np.float32(length) if np.isfinite(length) and length > 0 else None


def _largest(values: Vector, most: int) -> list[int]:
    """The indices of the largest values, the largest first."""
    some = np.argpartition(values, -most)[-most:] if len(values) > most else np.arange(len(values))
    chosen: list[int] = some[np.argsort(-values[some], kind="stable")].tolist()
    return chosen

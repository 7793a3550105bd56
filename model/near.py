"""Near copies: one key a picture, one distance, one threshold, used by cases, cache, memory and splits alike.

The key is a perceptual hash after Zauner, *Implementation and Benchmarking of Perceptual Image Hash
Functions* (2010), its DCT based hash: the two-dimensional DCT of the small grey picture, of which the
16 x 16 lowest frequencies say one bit each. The bit is the sign of the coefficient rather than its side
of the median: mirroring a picture negates exactly its odd horizontal frequencies, so that the key of the
mirror image follows from the key itself, and a mirrored copy needs no second key.

Measured on 6,242 film stills, drawings, toys and photographs (224 pixels on the short side; 19.5 million
pairs from different groups of the project's split), with `NEAR` = 64 of 256 bits:

=============================================  ==================
copies                                         found
=============================================  ==================
JPEG of quality 40                             100 %
half the size / three times the size           99.98 % / 100 %
a third of the size, then JPEG 40              99.95 %
mirrored / mirrored, halved, JPEG 40           100 % / 99.97 %
10 % wider                                     100 %
cropped evenly by 2 % / 5 % / 10 %             99.98 % / 99.1 % / 18 %
cropped by 10 % at one corner                  0 %
a bar over the lowest 12 %                     99.4 %
15 % of caption above / a border all round     0.3 % / 0.8 %
=============================================  ==================

64 pairs of pictures from different groups came out near; by eye about 50 of those are copies that the
split does not know of (colours graded anew, a logo or title added), which leaves about 8 in 10 million
pairs falsely near: mostly toys and drawings in one pose on an empty ground. A picture without any detail
(one flat colour) has the key of every other such picture: callers that see one compare sha256 instead.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""The picture that `near_key` looks at is SIDE x SIDE."""

BITS = 256
"""The length of a key in bits."""

NEAR = 64
"""The greatest distance in bits at which two pictures still count as copies of one another."""

_FREQUENCIES = 16
_SILENCE = 0.5  # grey levels; smaller coefficients are rounding noise and always say 0
_WORDS = BITS // 64

Id = TypeVar("Id", bound=Hashable)
_Packed = NDArray[np.uint64]


@cache
def cosines() -> NDArray[np.float64]:
    """The first rows of the orthonormal DCT-II of length SIDE."""
    frequency = np.arange(_FREQUENCIES)[:, None]
    angles = np.pi * (2 * np.arange(SIDE)[None, :] + 1) * frequency / (2 * SIDE)
    rows: NDArray[np.float64] = np.cos(angles) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows


_ODD = np.packbits(np.tile(np.arange(_FREQUENCIES) % 2 == 1, _FREQUENCIES)).view(np.uint64)


def near_key(luma: NDArray[np.floating | np.integer]) -> str:
    """The near-copy key of a picture.

    Args:
        luma: grey levels 0 to 255 of the upright picture squeezed to [SIDE, SIDE] by averaging.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: the array has another shape.
    """
    if luma.shape != (SIDE, SIDE):
        raise ValueError(f"a near key is made from a {SIDE} x {SIDE} array, not from {luma.shape}")
    spectrum = cosines() @ luma.astype(np.float64) @ cosines().T
    return np.packbits(spectrum.ravel() > _SILENCE).tobytes().hex()


def words_of(key: str) -> _Packed:
    """A key as [4] words.

    Raises:
        ValueError: it is none.
    """
    try:
        raw = bytes.fromhex(key)
    except ValueError:
        raw = b""
    if len(raw) != BITS // 8:
        raise ValueError(f"a near key has {BITS // 4} hexadecimal digits, this is none: {key[:80]!r}")
    return np.frombuffer(raw, dtype=np.uint64)


def distances(key: _Packed, others: _Packed) -> NDArray[np.uint16]:
    """Distances [n] from one packed key [4] to many [4, n], each the smaller of plain and mirrored."""
    plain = np.zeros(others.shape[1], dtype=np.uint16)
    mirrored = np.zeros_like(plain)
    for word, row, odd in zip(key, others, _ODD, strict=True):  # by columns: summing rows of 4 is slow
        differing = row ^ word
        plain += np.bitwise_count(differing)
        mirrored += np.bitwise_count(differing ^ odd)
    return np.minimum(plain, mirrored, out=plain)


def distances_among(some: _Packed, many: _Packed) -> NDArray[np.uint16]:
    """Distances [n, m] of packed keys [n, 4] to [4, m], each the smaller of plain and mirrored."""
    plain = np.zeros((len(some), many.shape[1]), dtype=np.uint16)
    mirrored = np.zeros_like(plain)
    for key, row, odd in zip(some.T, many, _ODD, strict=True):
        differing = key[:, None] ^ row[None, :]
        plain += np.bitwise_count(differing)
        mirrored += np.bitwise_count(differing ^ odd)
    return np.minimum(plain, mirrored, out=plain)


def distance(a: str, b: str) -> int:
    """How many of the 256 bits differ, with or without mirroring one of the two, whichever is less."""
    return int(distances(words_of(a), words_of(b)[:, None])[0])


def is_near(a: str, b: str) -> bool:
    """Whether two keys are those of copies of one picture."""
    return distance(a, b) <= NEAR


def group(keys: Sequence[str]) -> list[int]:
    """Put near copies together, and copies of copies with them.

    Returns:
        For every key the position of the first key of its group. Time is quadratic: 6,000 keys take
        0.2 s, 100,000 about a minute.
    """
    packed = np.array([words_of(key) for key in keys], dtype=np.uint64).reshape(-1, _WORDS).T.copy()
    parent = list(range(len(keys)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in range(len(keys) - 1):
        for offset in np.flatnonzero(distances(packed[:, i], packed[:, i + 1 :]) <= NEAR):
            a, b = root(i), root(i + 1 + int(offset))
            parent[max(a, b)] = min(a, b)
    return [root(i) for i in range(len(keys))]


class NearIndex(Generic[Id]):
    """Finds the near copies among very many keys: a scan, half a millisecond for 100,000."""

    def __init__(self) -> None:
        self._keys: _Packed = np.empty((_WORDS, 64), dtype=np.uint64)
        self._ids: list[Id] = []
        self._rows: dict[Id, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: Id) -> bool:  # noqa: A002 - the word that the ledger uses
        return id in self._rows

    def add(self, key: str, id: Id) -> None:  # noqa: A002
        """Remember a key; an id that is already known gets the new key."""
        packed = words_of(key)
        row = self._rows.get(id)
        if row is None:
            row = len(self._ids)
            if row == self._keys.shape[1]:
                self._keys = np.concatenate([self._keys, np.empty_like(self._keys)], axis=1)
            self._ids.append(id)
            self._rows[id] = row
        self._keys[:, row] = packed

    def remove(self, id: Id) -> None:  # noqa: A002
        """Forget an id; one that is not known is fine."""
        row = self._rows.pop(id, None)
        if row is None:
            return
        last = self._ids.pop()
        if row < len(self._ids):  # the last one moves into the gap
            self._ids[row] = last
            self._rows[last] = row
            self._keys[:, row] = self._keys[:, len(self._ids)]

    def query(self, key: str) -> list[Id]:
        """The ids of all near copies of a key, the nearest first."""
        return [id for id, _ in self.within(key, NEAR)]  # noqa: A001

    def within(self, key: str, most: int) -> list[tuple[Id, int]]:
        """The ids of all keys at most that far from a key, with their distances, the nearest first."""
        found = distances(words_of(key), self._keys[:, : len(self._ids)])
        rows = np.flatnonzero(found <= most)
        return [(self._ids[row], int(found[row])) for row in rows[np.argsort(found[rows], kind="stable")]]

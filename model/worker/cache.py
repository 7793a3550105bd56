"""What is known of pictures seen before: logits, embedding, near key, marks, size, by sha256 and bundle."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from model.preprocess import Floats

Key = tuple[str, str, str]
"""sha256 of the bytes, bundle, level."""


@dataclass(frozen=True, slots=True)
class Known:
    """``logits`` [C] and ``embedding`` [D] are float32."""

    logits: Floats
    embedding: Floats
    near_key: str
    width: int
    height: int
    marks: bytes = b""

    @property
    def bytes(self) -> int:
        """About what an entry takes, keys and bookkeeping included."""
        return self.logits.nbytes + self.embedding.nbytes + len(self.marks) + 800


class Kept:
    """Pictures re-encoded to be stored, by the sha256 of what was posted: made once, for all who post it."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._stored: OrderedDict[str, bytes] = OrderedDict()

    def get(self, sha256: str) -> bytes | None:
        """The encoded picture, if it is still here."""
        stored = self._stored.get(sha256)
        if stored is not None:
            self._stored.move_to_end(sha256)
        return stored

    def put(self, sha256: str, stored: bytes) -> None:
        """Remember; the least recently used go when together they are too large."""
        self.bytes += len(stored) - len(self._stored.pop(sha256, b""))
        self._stored[sha256] = stored
        while self.bytes > self.most_bytes:
            self.bytes -= len(self._stored.popitem(last=False)[1])


class Cache:
    """The least recently used go first when there are too many or they take too much memory."""

    def __init__(self, entries: int, most_bytes: int) -> None:
        self.entries = entries
        self.most_bytes = most_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._known: OrderedDict[Key, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: Key) -> Known | None:
        """What is known, counted as a hit or a miss."""
        known = self._known.get(key)
        if known is None:
            self.misses += 1
            return None
        self.hits += 1
        self._known.move_to_end(key)
        return known

    def put(self, key: Key, known: Known) -> None:
        """Remember; what is known already is replaced."""
        old = self._known.pop(key, None)
        if old is not None:
            self.bytes -= old.bytes
        self._known[key] = known
        self.bytes += known.bytes
        while self._known and (len(self._known) > self.entries or self.bytes > self.most_bytes):
            _, gone = self._known.popitem(last=False)
            self.bytes -= gone.bytes

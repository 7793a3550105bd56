"""Which of the remembered pictures are held: at most so many, and the same ones in every process.

When there are too many, the oldest of whatever has most goes first, where what has most is one answer (a
character, several together, or nobody) in one community: a server that floods its memory, or one character
that everybody posts, pushes out nothing of anybody else.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heappush

from corrections.memory.reading import Remembered

Key = tuple[int, int]
"""Community and blob, by their rows."""

_Crowd = tuple[int, tuple[str, ...]]
_Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be put into an engine, and what is to be taken out of it first."""

    put: tuple[Remembered, ...]
    drop: tuple[Key, ...]


class Holding:
    """At most ``most`` remembered pictures.

    ``incomplete``: some were left out, so that there may be room for them when others go.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Key, Remembered] = {}
        self._cases: dict[int, set[Key]] = {}
        self._crowds: dict[_Crowd, list[_Place]] = {}
        self._sizes: list[tuple[int, _Crowd]] = []  # a heap of (-size, crowd); what is out of date is skipped
        self.incomplete = False

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def all(self) -> list[Remembered]:
        """Everything that is held, the oldest first."""
        return sorted(self._held.values(), key=lambda each: (each.decided_at, each.blob))

    def instead_of(self, before: Holding) -> Change:
        """What is to be done where ``before`` was held and this is from now on."""
        put = [each for key, each in self._held.items() if before._held.get(key) != each]
        return Change(tuple(put), tuple(sorted(before._held.keys() - self._held.keys())))

    def replace(self, cases: Collection[int], found: Iterable[Remembered]) -> Change:
        """What is to be remembered of these cases is now this."""
        old: set[Key] = set().union(*(self._cases.get(case, ()) for case in cases))
        put: dict[Key, Remembered] = {}
        for each in found:
            key = each.community, each.blob
            there = self._held.get(key)
            if there is not None and key not in old and there.decided_at > each.decided_at:
                continue  # the same picture in another case, decided later
            if key in put and put[key].decided_at > each.decided_at:
                continue
            put[key] = each
        gone = old | (put.keys() & self._held.keys())
        for key in gone:
            self._remove(key)
        for key, each in put.items():
            self._add(key, each)
        gone |= {key for key in self._make_room() if key in gone or key not in put}
        kept = [each for key, each in put.items() if key in self._held]
        return Change(tuple(kept), tuple(sorted(gone - self._held.keys())))

    def _add(self, key: Key, each: Remembered) -> None:
        self._held[key] = each
        self._cases.setdefault(each.case, set()).add(key)
        crowd = each.community, each.slugs
        insort(self._crowds.setdefault(crowd, []), (each.decided_at, each.blob))
        self._resized(crowd)

    def _remove(self, key: Key) -> None:
        each = self._held.pop(key)
        of_case = self._cases[each.case]
        of_case.discard(key)
        if not of_case:
            del self._cases[each.case]
        crowd = each.community, each.slugs
        self._crowds[crowd].remove((each.decided_at, each.blob))
        if self._crowds[crowd]:
            self._resized(crowd)
        else:
            del self._crowds[crowd]

    def _resized(self, crowd: _Crowd) -> None:
        heappush(self._sizes, (-len(self._crowds[crowd]), crowd))
        if len(self._sizes) > 1000 + 4 * len(self._crowds):
            self._sizes = [(-len(places), each) for each, places in self._crowds.items()]
            heapify(self._sizes)

    def _largest(self) -> _Crowd:
        while True:
            size, crowd = self._sizes[0]
            if len(self._crowds.get(crowd, ())) == -size:
                return crowd
            heappop(self._sizes)

    def _make_room(self) -> set[Key]:
        gone: set[Key] = set()
        while len(self._held) > self._most:
            crowd = self._largest()
            key = crowd[0], self._crowds[crowd][0][1]
            self._remove(key)
            gone.add(key)
            self.incomplete = True
        return gone

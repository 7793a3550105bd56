"""Who may come in, and who is next: bounded in all and for each fairness key, in turns over keys.

A fairness key may have two parts, ``server/channel|person``: what is before the first bar is a *group*, and
groups take turns before the keys in them do. A server with a thousand posters has one turn like everybody.

How much of the house a key or a group may take depends on how much is free (the dynamic threshold of
Choudhury and Hahne, IEEE/ACM Transactions on Networking 6 (2), 1998): the one who floods alone gets half of
it, two get a third each, and whoever comes after them still finds room, without anybody being sent away who
was let in.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from model.errors import WorkerBusy

T = TypeVar("T")


class Ticket:
    """One request that was let in, and the bytes that it holds."""

    def __init__(self, door: Admission) -> None:
        self._door = door
        self.bytes = 0

    def hold(self, count: int) -> None:
        """Count more bytes against the bound; raises WorkerBusy when there are too many in all."""
        if self._door.bytes + count > self._door.most_bytes:
            raise self._door.busy()
        self.bytes += count
        self._door.bytes += count


class Admission:
    """Counts the requests that are in the house, waiting or at work."""

    def __init__(self, total: int, per_key: int, most_bytes: int) -> None:
        self.total = total
        self.per_key = per_key
        self.most_bytes = most_bytes
        self.bytes = 0
        self.inside: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()
        self._share = per_key / (total - per_key) if per_key < total else math.inf  # of what is free
        self.seconds_each = 0.1  # what one request takes of the house, smoothed
        self._somebody_left = asyncio.Event()

    def __len__(self) -> int:
        return self.inside.total()

    @contextmanager
    def enter(self, key: str) -> Iterator[Ticket]:
        """Let one request in until the block ends; raises WorkerBusy when there is no room for it."""
        self.check(key)
        group = group_of(key)
        self.inside[key] += 1
        self._groups[group] += 1
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            self.bytes -= ticket.bytes
            for counted, name in ((self.inside, key), (self._groups, group)):
                counted[name] -= 1
                if not counted[name]:
                    del counted[name]
            self._somebody_left.set()

    def check(self, key: str) -> None:
        """Raise what `enter` would raise, from the headers alone: before a body was sent."""
        free = self.total - len(self)
        group = group_of(key)
        if (
            free <= 0
            or self.inside[key] >= self.per_key
            or self.inside[key] >= self._share * free
            or self._groups[group] >= self._share * free
        ):
            raise self.busy()

    async def alone(self) -> None:
        """Return when nobody but the caller, who is inside, is there."""
        while len(self) > 1:
            self._somebody_left.clear()
            await self._somebody_left.wait()

    def took(self, seconds: float) -> None:
        """Note how long one picture kept the house busy."""
        self.seconds_each += 0.1 * (seconds - self.seconds_each)

    def busy(self) -> WorkerBusy:
        """The error that says when half of those inside will have left."""
        return WorkerBusy(min(30.0, max(0.1, len(self) * self.seconds_each / 2)))


class FairQueue(Generic[T]):
    """Groups take turns, in each its keys, in each first come, first served. Unbounded: see Admission."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, OrderedDict[str, deque[T]]] = OrderedDict()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(len(line) for lines in self._groups.values() for line in lines.values())

    def put(self, key: str, item: T) -> None:
        """Stand in line."""
        self._groups.setdefault(group_of(key), OrderedDict()).setdefault(key, deque()).append(item)
        self._filled.set()

    def discard(self, key: str, item: T) -> None:
        """Leave the line; nothing happens if the item is at work already."""
        lines = self._groups.get(group_of(key), OrderedDict())
        line = lines.get(key)
        if line and item in line:
            line.remove(item)
            if not line:
                del lines[key]
            if not lines:
                del self._groups[group_of(key)]

    async def get(self) -> T:
        """The first of the line whose turn it is."""
        while not self._groups:
            self._filled.clear()
            await self._filled.wait()
        return self.pop()

    def pop(self) -> T:
        """The same at once; raises KeyError when nobody stands there."""
        if not self._groups:
            raise KeyError("the queue is empty")
        group, lines = next(iter(self._groups.items()))
        key, line = next(iter(lines.items()))
        item = line.popleft()
        if line:
            lines.move_to_end(key)
        else:
            del lines[key]
        if lines:
            self._groups.move_to_end(group)
        else:
            del self._groups[group]
        return item


def group_of(key: str) -> str:
    """What stands before the first bar; a key without one is a group of its own."""
    return key.partition("|")[0]

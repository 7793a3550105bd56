"""Who may come in, and who is next: bounded in all and for each fairness key, round robin over keys."""

from __future__ import annotations

import asyncio
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
        self.seconds_each = 0.1  # what one request takes of the house, smoothed
        self._somebody_left = asyncio.Event()

    def __len__(self) -> int:
        return self.inside.total()

    @contextmanager
    def enter(self, key: str) -> Iterator[Ticket]:
        """Let one request in until the block ends; raises WorkerBusy when there is no room for it."""
        if len(self) >= self.total or self.inside[key] >= self.per_key:
            raise self.busy()
        self.inside[key] += 1
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            self.bytes -= ticket.bytes
            self.inside[key] -= 1
            if not self.inside[key]:
                del self.inside[key]
            self._somebody_left.set()

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
    """A queue in which each key has a line of its own, and the lines take turns. Unbounded: see Admission."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def put(self, key: str, item: T) -> None:
        """Stand in line."""
        self._lines.setdefault(key, deque()).append(item)
        self._filled.set()

    def discard(self, key: str, item: T) -> None:
        """Leave the line; nothing happens if the item is at work already."""
        line = self._lines.get(key)
        if line and item in line:
            line.remove(item)
            if not line:
                del self._lines[key]

    async def get(self) -> T:
        """The first of the line whose turn it is."""
        while not self._lines:
            self._filled.clear()
            await self._filled.wait()
        key, line = next(iter(self._lines.items()))
        item = line.popleft()
        if line:
            self._lines.move_to_end(key)
        else:
            del self._lines[key]
        return item

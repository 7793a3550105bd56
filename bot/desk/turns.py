"""Whose picture is fetched and looked at next: so many at a time, and the places that wait take turns.

The worker is fair to all who ask it, but it cannot be fair to what still waits here: without turns one place
in which many people post would stand before everybody who comes later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

from model.errors import WorkerBusy
from model.worker.queue import Admission, FairQueue


class Turns:
    """``async with turns.taken(key, seconds)`` around the work; keys as `model.worker.queue` has them."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """``at_once`` work at a time; ``waiting`` and at work together, the others are refused at once."""
        self._at_once = self._free = at_once
        self._door = Admission(waiting, waiting // 2, 0)
        self._line: FairQueue[asyncio.Future[None]] = FairQueue()

    @contextmanager
    def looked_up(self, key: str) -> Iterator[bool]:
        """Keep a place while something is looked up; False: there is none, and `taken` would refuse."""
        with ExitStack() as inside:
            try:
                inside.enter_context(self._door.enter(key))
            except WorkerBusy:
                yield False
            else:
                yield True

    @asynccontextmanager
    async def taken(self, key: str, seconds: float) -> AsyncIterator[None]:
        """Wait for a turn, at most so many seconds.

        Raises:
            WorkerBusy: there are too many, or the turn did not come in time.
        """
        with self._door.enter(key):
            await self._turn(key, seconds)
            began = asyncio.get_running_loop().time()
            try:
                yield
            finally:
                self._door.took((asyncio.get_running_loop().time() - began) / self._at_once)
                self._next()

    async def _turn(self, key: str, seconds: float) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.put(key, turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), seconds)
        except BaseException as error:
            if turn.done():  # it came at the last moment
                self._next()
            else:
                self._line.discard(key, turn)
            if isinstance(error, TimeoutError):
                raise WorkerBusy(seconds / 4) from None
            raise

    def _next(self) -> None:
        if len(self._line):
            self._line.pop().set_result(None)
        else:
            self._free += 1


def key_of(home: tuple[str, ...], person: tuple[str, ...]) -> str:
    """The fairness key of a person in a place: the place is the group."""
    return f"{'/'.join(home)}|{'/'.join(person)}"

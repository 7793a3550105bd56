"""Whose turn it is to be sent in a chat: one message at a time, and only so many that wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

MOST_WAITING = 100
"""Messages that wait in one chat; Telegram takes 20 a minute to a group, so these are five minutes' worth."""


@dataclass(eq=False, slots=True)
class _Waiting:
    minor: bool
    turn: asyncio.Future[bool]


@dataclass(slots=True)
class _Line:
    waiting: list[_Waiting] = field(default_factory=list)
    left_out: int = 0


class Turns:
    """Lines, one for each chat that is being written to."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    @asynccontextmanager
    async def turn(self, chat: int, *, minor: bool) -> AsyncIterator[bool]:
        """Wait until it is one's turn in a chat, and hold it.

        False: too much waits there, and this is left out. What is minor is left out first, then the oldest.
        """
        if not await self._comes(chat, minor):
            yield False
            return
        try:
            yield True
        finally:
            self._next(chat)

    async def _comes(self, chat: int, minor: bool) -> bool:
        line = self._lines.get(chat)
        if line is None:
            self._lines[chat] = _Line()
            return True
        mine = _Waiting(minor, asyncio.get_running_loop().create_future())
        line.waiting.append(mine)
        if len(line.waiting) > MOST_WAITING:
            self._leave_out(chat, line)
        try:
            return await mine.turn
        except asyncio.CancelledError:
            if mine in line.waiting:
                line.waiting.remove(mine)
            elif not mine.turn.cancelled() and mine.turn.result():  # the turn had just come
                self._next(chat)
            raise

    def _leave_out(self, chat: int, line: _Line) -> None:
        loser = next((each for each in line.waiting if each.minor), line.waiting[0])
        line.waiting.remove(loser)
        if not loser.turn.done():
            loser.turn.set_result(False)
        line.left_out += 1
        if line.left_out == 1:
            log.warning("more than %d messages wait for one chat, the oldest are left out", MOST_WAITING)

    def _next(self, chat: int) -> None:
        line = self._lines[chat]
        while line.waiting:
            following = line.waiting.pop(0)
            if not following.turn.done():  # cancelled this very moment
                following.turn.set_result(True)
                return
        if line.left_out:
            log.warning("%d messages for one chat were left out", line.left_out)
        del self._lines[chat]

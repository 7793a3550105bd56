"""Albums: Telegram sends a message (and an update) for each picture; they belong together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from telegram import Message

from bot.telegram_adapter.background import Background

QUIET_SECONDS = 1.0
"""An album is complete when nothing of it came for so long."""
LONGEST_SECONDS = 5.0
MOST = 10
"""Messages that an album can have."""


@dataclass
class _Album:
    messages: dict[int, Message] = field(default_factory=dict)
    more: asyncio.Event = field(default_factory=asyncio.Event)


class Albums:
    """Collects the messages of an album and hands them on once, in order."""

    def __init__(self, deliver: Callable[[list[Message]], Awaitable[None]], background: Background) -> None:
        self._deliver = deliver
        self._background = background
        self._open: dict[tuple[int, str], _Album] = {}
        self._hurry = False

    def add(self, message: Message) -> None:
        """One message of an album; those with its ``media_group_id`` are waited for."""
        key = message.chat.id, message.media_group_id or ""
        album = self._open.get(key)
        if album is None:
            album = self._open[key] = _Album()
            self._background.start(self._collect(key, album), f"album-{key[1]}")
        album.messages[message.message_id] = message
        album.more.set()

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._hurry = True
        for album in self._open.values():
            album.more.set()

    async def _collect(self, key: tuple[int, str], album: _Album) -> None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                while len(album.messages) < MOST and not self._hurry:
                    album.more.clear()
                    async with asyncio.timeout(QUIET_SECONDS):
                        await album.more.wait()
        except TimeoutError:
            pass
        del self._open[key]
        await self._deliver([album.messages[number] for number in sorted(album.messages)])

"""Sessions, the WebSocket connections that carry them, and what is counted about both."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import discord
from aiohttp import web

from .wire import Packer

EVENTS_KEPT = 5000


@dataclass
class Session:
    """One identified session. It outlives its connections, so that RESUME finds what was missed."""

    id: str
    intents: discord.Intents
    shard: tuple[int, int]
    seq: int = 0
    events: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    connection: Connection | None = None


@dataclass
class Connections:
    """What tests ask about connections, over the life of the stand-in.

    ``close_codes`` has the code of each ended connection: ours where we closed it, else the bot's.
    """

    opened: int = 0
    identifies: int = 0
    resumes: int = 0
    refused: int = 0
    heartbeats: int = 0
    close_codes: list[int] = field(default_factory=list)
    intents: list[discord.Intents] = field(default_factory=list)
    presence: dict[str, Any] | None = None


class Connection:
    """One WebSocket: everything goes out through a queue, so order is what the world's order was."""

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport | None, pack: Packer) -> None:
        self.ws = ws
        self.session: Session | None = None
        self.closed_with: int | None = None
        self._transport = transport
        self._pack = pack
        self._out: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._pongs: dict[bytes, asyncio.Future[None]] = {}

    def send(self, text: str) -> None:
        self._out.put_nowait(text)

    def send_op(self, op: int, d: Any = None) -> None:
        self.send(json.dumps({"op": op, "d": d, "s": None, "t": None}))

    async def write(self) -> None:
        """Carry the queue to the socket until it closes."""
        while not self.ws.closed:
            item = await self._out.get()
            try:
                if isinstance(item, bytes):
                    await self.ws.ping(item)
                    continue
                packed = self._pack.pack(item)
                await (self.ws.send_str(packed) if isinstance(packed, str) else self.ws.send_bytes(packed))
            except ConnectionError:
                return

    async def round_trip(self) -> None:
        """Return when the bot has read everything sent so far; also when the connection ends instead."""
        mark = secrets.token_bytes(8)
        done = self._pongs[mark] = asyncio.get_running_loop().create_future()
        self._out.put_nowait(mark)
        await done

    def pong(self, mark: bytes) -> None:
        waiting = self._pongs.pop(mark, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def ended(self) -> None:
        for mark in list(self._pongs):
            self.pong(mark)

    async def close(self, code: int) -> None:
        self.closed_with = code
        await self.ws.close(code=code)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

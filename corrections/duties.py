"""What one process does for all that share a ledger: whoever takes a duty has it until its process ends.

On PostgreSQL a duty is an advisory lock of a transaction that is kept open (so it also holds behind a
connection pooler that hands out connections by transaction); on SQLite it is a lock on a file beside the
ledger. Either is let go of by the system when the process ends, however it ends, and another process has the
duty when it asks the next time. A machine that loses its power or its network says nothing of it: the server
finds that out by asking, in about a minute; behind a pooler, the pooler has to. A connection that broke gave
its duties up, and who had them learns it by asking again: until then two processes may do the same, so what
is done must stand being done twice.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from corrections.engine import complaint, place_of
from corrections.errors import LedgerClosed, Unwritable
from corrections.lock import locked

SPACE = 0x77686F73
"""The first of the two numbers of a duty's advisory lock, "whos"; the second is the CRC-32 of its name."""

SWEEPING = "sweeping"
"""Removing pictures whose time is over."""
REBUILDING = "rebuilding"
"""Looking again at what the memory lacks."""
RETRAINING = "retraining"
"""Making a new model out of the ledger."""

_TRY = text("SELECT pg_try_advisory_xact_lock(:space, :number)")
_SILENT = """
SELECT set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('tcp_keepalives_idle', '30', true),
       set_config('tcp_keepalives_interval', '10', true),
       set_config('tcp_keepalives_count', '3', true)
"""
"""It says nothing for hours, and yet the server has to notice when its machine is gone: its own two hours
are too long for that. Over a socket of the same machine the last three say nothing."""

ANSWER_SECONDS = 5.0
"""For a server that is there to say so, or to let go. TCP alone waits 15 minutes for one that vanished."""
TAKING_SECONDS = 45.0
"""For a connection and its lock: longer than the pool keeps somebody waiting, who is then told why."""


class Duties:
    """The duties of one process; `close` gives them all up."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()
        self._connections: dict[str, AsyncConnection] = {}
        self._files: dict[str, int] = {}
        self._closed = False

    async def mine(self, name: str) -> bool:
        """Whether that falls to this process: it has it already, or nobody had.

        Args:
            name: what is done, in letters, digits and ``-``.

        Raises:
            LedgerError: the database does not answer, or no file can be made beside it.
        """
        async with self._turn:
            if self._closed:
                raise LedgerClosed("the ledger is closed")
            try:
                if self._engine.dialect.name == "sqlite":
                    return await asyncio.to_thread(self._by_file, name)
                return await self._by_lock(name)
            except (DBAPIError, NoConnection, OSError) as error:
                raise complaint(error, place_of(self._engine)) from error

    async def give_up(self, name: str) -> None:
        """Let another process have it; nothing where it is not ours."""
        async with self._turn:
            await self._give_up(name)

    async def close(self) -> None:
        """Give all of them up. Twice is fine."""
        async with self._turn:
            self._closed = True
            for name in [*self._files, *self._connections]:
                await self._give_up(name)

    def _by_file(self, name: str) -> bool:
        if name in self._files:
            return True
        ledger = Path(self._engine.url.database or "")
        descriptor = os.open(
            ledger.with_name(f".{ledger.name}-{name}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        if not locked(descriptor):
            os.close(descriptor)
            return False
        self._files[name] = descriptor
        return True

    async def _by_lock(self, name: str) -> bool:
        if (held := self._connections.get(name)) is not None:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await held.exec_driver_sql("SELECT 1")
                return True
            except TimeoutError:
                await held.invalidate()  # closing it would ask the same server once more
                await self._give_up(name)
                return False  # the next who asks finds out whether the server is back
            except DBAPIError:
                await self._give_up(name)
        try:
            async with asyncio.timeout(TAKING_SECONDS):  # one from the pool may have lost its server as well
                return await self._taken(name)
        except TimeoutError:
            raise Unwritable(f"{place_of(self._engine)} does not answer") from None

    async def _taken(self, name: str) -> bool:
        # Nothing is read in it: a snapshot that is held for hours would keep the server from cleaning up.
        engine = self._engine.execution_options(isolation_level="READ COMMITTED")
        connection = await engine.connect()
        try:
            await connection.exec_driver_sql(_SILENT)
            number = crc32(name.encode()) - (1 << 31)  # a signed one
            if await connection.scalar(_TRY, {"space": SPACE, "number": number}):
                self._connections[name] = connection
                return True
        finally:
            if name not in self._connections:
                await connection.close()
        return False

    async def _give_up(self, name: str) -> None:
        if (descriptor := self._files.pop(name, None)) is not None:
            os.close(descriptor)
        if (connection := self._connections.pop(name, None)) is not None:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await connection.close()
            except (DBAPIError, TimeoutError):  # it has broken, and the lock goes with it
                if not connection.closed:
                    await connection.invalidate()

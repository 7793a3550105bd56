"""The only door to the database: reads in a snapshot, writes one after another and never cut in two."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from corrections.engine import complaint, empty_log, passing, place_of, readers, writers
from corrections.errors import LedgerClosed

T = TypeVar("T")
TROUBLE = (DBAPIError, NoConnection, OSError)
Work = Callable[[AsyncSession], Awaitable[T]]

PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Seconds before a transaction that the database gave up is done again; some more or less."""


class UnitOfWork:
    """Sessions of one engine. Reads run side by side; writes wait for one another."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._place = place_of(engine)
        self._readers = async_sessionmaker(readers(engine), expire_on_commit=False)
        self._writers = async_sessionmaker(writers(engine), expire_on_commit=False)
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._reading = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session to read with; all its reads see the same moment.

        Raises:
            LedgerError: the database does not answer; see `corrections.engine.complaint`.
        """
        self._check_open()
        self._reading += 1
        self._quiet.clear()
        try:
            async with self._readers() as session:
                yield session
        except TROUBLE as error:
            raise complaint(error, self._place) from error
        finally:
            self._reading -= 1
            if not self._reading:
                self._quiet.set()

    async def write(self, work: Work[T]) -> T:
        """Do ``work`` in one transaction; when this returns, it is committed and on the disk.

        A caller that is cancelled meanwhile does not tear the transaction: it ends by itself. ``work`` runs
        once more when a row that it wanted to insert was inserted by another process in between, so it has
        to be written as look first, then insert; and a few times more when the database gave it up for a
        reason that passes (a deadlock, a connection that broke before the commit was asked for).

        Raises:
            LedgerError: nothing was written; see `corrections.engine.complaint`.
        """
        self._check_open()
        task = asyncio.create_task(self._write(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def wipe(self) -> bool:
        """Leave nothing that was deleted in the database's log; False while somebody reads an older moment.

        Raises:
            LedgerError: the database does not answer.
        """
        self._check_open()
        async with self._turn:
            try:
                return await empty_log(self.engine)
            except TROUBLE as error:
                raise complaint(error, self._place) from error

    async def _write(self, work: Work[T]) -> T:
        async with self._turn:
            try:
                return await self._patiently(work)
            except TROUBLE as error:
                raise complaint(error, self._place) from error

    async def _patiently(self, work: Work[T]) -> T:
        inserted = False
        for pause in PAUSES:
            try:
                return await self._attempt(work)
            except IntegrityError:
                if inserted:
                    raise
                inserted = True
            except DBAPIError as error:
                if not passing(error):
                    raise
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # apart from others
        return await self._attempt(work)

    async def _attempt(self, work: Work[T]) -> T:
        async with self._writers() as session, session.begin() as transaction:
            done = await work(session)
            await session.flush()
            try:
                await transaction.commit()
            except DBAPIError as error:
                if error.connection_invalidated:  # it may have been committed: not to be done twice
                    raise complaint(error, self._place) from error
                raise
            return done

    @property
    def busy(self) -> bool:
        """Whether a write is under way or waits for its turn."""
        return bool(self._under_way)

    async def close(self) -> None:
        """Let what is under way end, then let go of the database. Twice is fine."""
        self._closed = True
        await self._quiet.wait()
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerClosed("the ledger is closed")

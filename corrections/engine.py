"""The database underneath: its address, its connections, and its complaints in one sentence.

All that only SQLite needs is here, and nowhere else: write-ahead log, durable commits, foreign keys, waiting
for a lock, and ``BEGIN IMMEDIATE``, so that a transaction that reads and then writes never finds its ground
shifted. What only PostgreSQL needs is in `corrections.postgres`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from corrections import postgres
from corrections.errors import BadUrl, LedgerError, LedgerLocked, NotALedger, NotMigrated, Unwritable

WRITE = "ledger_write"
"""Execution option of a connection whose transactions write: True, or the seconds that they wait."""

ASYNC_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": postgres.DRIVER,
    "postgres": postgres.DRIVER,
}


def ledger_url(url: str) -> URL:
    """The database's address with the driver that we use.

    Raises:
        BadUrl: it is not an address, or names a database that the ledger does not run on.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise BadUrl("database.url is not a database address such as sqlite:///data/ledger.db") from error
    parsed = parsed.set(drivername=ASYNC_DRIVERS.get(parsed.drivername, parsed.drivername))
    if parsed.drivername not in ASYNC_DRIVERS.values():
        raise BadUrl(f"the ledger runs on SQLite or PostgreSQL, not on {parsed.drivername!r}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise BadUrl("the ledger needs a file: a database in memory forgets what people said")
    return parsed if parsed.get_backend_name() == "sqlite" else postgres.checked(parsed)


def file_of(url: str) -> Path | None:
    """The file of a SQLite ledger; None for another database.

    Raises:
        BadUrl: see `ledger_url`.
    """
    parsed = ledger_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def create_engine(url: str, busy_timeout: float = 5.0) -> AsyncEngine:
    """An engine whose connections are set up as the ledger needs them. Nothing is opened yet.

    Args:
        url: see `ledger_url`.
        busy_timeout: seconds to wait for another process's write to end.

    Raises:
        BadUrl: see `ledger_url`; or the driver is not installed.
    """
    parsed = ledger_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = (
        {"connect_args": {"timeout": busy_timeout}} if sqlite else postgres.arguments(busy_timeout)
    )
    try:
        # What people said is in the parameters, and an error is written into logs.
        engine = create_async_engine(parsed, hide_parameters=True, **arguments)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise BadUrl(
            f"{parsed.get_backend_name()} needs a driver that is not installed: {postgres.INSTALL}"
        ) from None
    if sqlite:
        _set_up_sqlite(engine, busy_timeout)
    else:
        postgres.set_up(engine, WRITE)
    return engine


def readers(engine: AsyncEngine) -> AsyncEngine:
    """The engine for transactions that read: all that one reads is of the same moment."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(postgresql_readonly=True)


def writers(engine: AsyncEngine, patience: float | None = None) -> AsyncEngine:
    """The engine for transactions that write: they wait for one another, in whichever process they are.

    Args:
        patience: seconds to wait for somebody else's, if not the engine's (PostgreSQL).
    """
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{WRITE: True})
    # What was committed while it waited for its turn has to be seen.
    return engine.execution_options(**{WRITE: patience or True}, isolation_level="READ COMMITTED")


def passing(error: DBAPIError) -> bool:
    """Whether a transaction that failed before its end may well succeed when it is done once more."""
    return error.connection_invalidated or postgres.code_of(error) in postgres.PASSING


def _set_up_sqlite(engine: AsyncEngine, busy_timeout: float) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = (
            None  # transactions begin where `begin` says, not where the driver guesses
        )
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {round(busy_timeout * 1000)}")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is not left in the file
        finally:
            cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


async def empty_log(engine: AsyncEngine) -> bool:
    """Bring SQLite's write-ahead log into the file and empty it, so that nothing deleted is left in it.

    Returns:
        False while a reader needs the log.
    """
    if engine.url.get_backend_name() != "sqlite":
        return True
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        async with driver.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
            busy, *_ = await cursor.fetchone()
    return not busy


def complaint(error: DBAPIError | NoConnection | OSError, place: str) -> LedgerError:
    """What the database or the file system says, as an error of ours in one sentence."""
    if isinstance(error, DBAPIError) and (known := postgres.complaint(error, place)):
        return known
    if isinstance(error, OSError):
        return Unwritable(f"{error.filename or place} cannot be read or written: {error.strerror or error}")
    if isinstance(error, NoConnection):
        return LedgerLocked(f"too many are reading {place} at once")
    said = str(error.orig).lower()
    if "is locked" in said or "is busy" in said:
        return LedgerLocked(f"another process is writing to {place} and does not let go")
    if "not a database" in said or "image is malformed" in said:
        return NotALedger(f"{place} is not a ledger, or it is damaged")
    if "disk is full" in said or "no space left" in said:
        return Unwritable(f"the disk under {place} is full")
    if "unable to open" in said or "readonly" in said or "disk i/o" in said:
        return Unwritable(f"{place} cannot be opened or written to")
    if "no such table" in said or "no such column" in said:
        return NotMigrated(f"the tables in {place} are older than this version of the program")
    return LedgerError(f"the database refused: {said.splitlines()[0] if said else type(error).__name__}")


def place_of(engine: AsyncEngine | URL) -> str:
    """The database as a person may read it: a file's path, or the address without its password."""
    url = engine if isinstance(engine, URL) else engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    return postgres.place(url)


def secrets_in(url: str) -> list[str]:
    """The passwords in a database's address, which must never be printed; none in what is no address."""
    try:
        return postgres.secrets(make_url(url)) if url else []
    except (ArgumentError, ValueError):
        return []

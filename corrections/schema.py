"""Bringing a database to the tables of this version, by Alembic, without a configuration file."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from corrections.engine import complaint, create_engine, file_of, place_of, writers
from corrections.errors import NotALedger, SchemaTooNew

HEAD = "head"

PATIENCE = 120.0
"""Seconds to wait for another process that may be bringing a large ledger up (PostgreSQL)."""


def configuration() -> Config:
    """Alembic's configuration: the scripts that this package carries, and nothing else."""
    config = Config()
    config.set_main_option("script_location", "corrections:migrations")
    return config


async def upgrade(url: str, revision: str = HEAD) -> None:
    """Bring the database at this address to a revision; a new one is made where there is none.

    Raises:
        OpenError: it is something else, damaged, newer than this version, or cannot be written to.
        LedgerLocked: another process does not let go of it.
    """
    engine = create_engine(url)
    try:
        await migrate(engine, revision)
    finally:
        await engine.dispose()


async def migrate(engine: AsyncEngine, revision: str = HEAD) -> None:
    """As `upgrade`, through an engine of `corrections.engine.create_engine`.

    One transaction that only one process holds at a time: several may start at once, and a failure leaves
    the tables as they were. Where nothing is to be done nobody is waited for.
    """
    try:
        if revision == HEAD:
            async with engine.connect() as connection:
                if await connection.run_sync(_is_current):
                    return
        async with writers(engine, PATIENCE).begin() as connection:
            await connection.run_sync(_migrate, place_of(engine), revision)
    except (DBAPIError, OSError) as error:
        raise complaint(error, place_of(engine)) from error


def head() -> str:
    """The revision that this version of the program works with."""
    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def known() -> set[str]:
    """Every revision that this version of the program can bring up."""
    return {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}


async def current(url: str) -> str | None:
    """The revision of the database at this address; None when it has no tables yet.

    Nothing is made: a SQLite file that is not there stays so.

    Raises:
        OpenError: it is something else, damaged, or cannot be read.
        LedgerLocked: another process does not let go of it.
    """
    engine = create_engine(url)
    file = file_of(url)
    try:
        if file is not None and not file.exists():
            return None
        async with engine.connect() as connection:
            return await connection.run_sync(_current, place_of(engine))
    except (DBAPIError, OSError) as error:
        raise complaint(error, place_of(engine)) from error
    finally:
        await engine.dispose()


def _current(connection: Connection, place: str) -> str | None:
    present = MigrationContext.configure(connection).get_current_heads()
    if not present and inspect(connection).get_table_names():
        raise NotALedger(f"{place} is a database of something else")
    return present[0] if present else None


def _is_current(connection: Connection) -> bool:
    return MigrationContext.configure(connection).get_current_heads() == (head(),)


def _migrate(connection: Connection, place: str, revision: str) -> None:
    config = configuration()
    scripts = ScriptDirectory.from_config(config)
    present = set(MigrationContext.configure(connection).get_current_heads())
    if present - known():
        raise SchemaTooNew(f"{place} was written by a newer version of this program: update it first")
    if not present and inspect(connection).get_table_names():
        raise NotALedger(f"{place} is a database of something else")
    if present == set(scripts.get_heads()) and revision == HEAD:
        return
    config.attributes["connection"] = connection
    command.upgrade(config, revision)

"""Bringing a database to the tables of this version, by Alembic, without a configuration file.

Alembic takes as long to import as a tenth of the bot's start: only who has something to migrate does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from corrections.engine import complaint, create_engine, file_of, place_of, writers
from corrections.errors import NotALedger, SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "head"
NEWEST = "0005"
"""The last of the migrations."""

PATIENCE = 120.0
"""Seconds to wait for another process that may be bringing a large ledger up (PostgreSQL)."""


def configuration() -> Config:
    """Alembic's configuration: the scripts that this package carries, and nothing else."""
    from alembic.config import Config

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
    return NEWEST


def known() -> set[str]:
    """Every revision that this version of the program can bring up."""
    from alembic.script import ScriptDirectory

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
    present = _revision(connection)
    if not present and inspect(connection).get_table_names():
        raise NotALedger(f"{place} is a database of something else")
    return present


def _is_current(connection: Connection) -> bool:
    return _revision(connection) == head()


def _revision(connection: Connection) -> str | None:
    """As Alembic keeps it; this project's migrations have no branches."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _migrate(connection: Connection, place: str, revision: str) -> None:
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

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

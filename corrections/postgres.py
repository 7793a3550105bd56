"""All that only PostgreSQL needs: how a connection is made, who writes, and what its error codes mean.

Writes take one lock of the whole ledger (an advisory lock that ends with the transaction), as SQLite's
``BEGIN IMMEDIATE`` does: whoever looks first and then inserts never finds the ground shifted, numbers are
committed in their order, and of two processes that start at once one migrates while the other waits. Reads
see one moment (REPEATABLE READ) and wait for nobody.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from corrections.errors import BadUrl, LedgerError, LedgerLocked, NotMigrated, Unwritable

DRIVER = "postgresql+asyncpg"
INSTALL = "pip install 'whosthat[postgres]'"

LOCK = 0x77686F7374686174
"""The number of the lock that whoever writes holds: "whosthat". Each database has its own."""

CONNECT_SECONDS = 10.0
THINKS_SECONDS = 60
"""A writer that has said nothing for so long has lost its network: the server ends it, so that others may."""

_BEGIN_WRITING = f"""
SELECT pg_advisory_xact_lock({LOCK}),
       set_config('idle_in_transaction_session_timeout', '{THINKS_SECONDS}s', true),
       CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
"""  # noqa: E501  # of constants; a commit is on the disk when it returns, whatever the server's default

PASSING = frozenset({
    "40001",  # serialization failure
    "40P01",  # deadlock
    "0A000",  # a plan that another process's migration made stale
})  # fmt: skip
"""What goes away when the same is done again."""

TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
"""What libpq knows in an address, and asyncpg there alone: whom to trust, and who we are."""

_GONE = frozenset({"57P01", "57P02", "57P03", "25P03"})  # shut down, crashed, starting, idle for too long


def arguments(busy_timeout: float) -> dict[str, Any]:
    """What `create_async_engine` gets beside the address."""
    settings = {
        "application_name": "whosthat",
        "lock_timeout": str(max(1, round(busy_timeout * 1000))),
        "TimeZone": "UTC",
    }
    return {
        "pool_pre_ping": True,  # a server may have been started anew
        "isolation_level": "REPEATABLE READ",
        "connect_args": {
            "async_creator_fn": _connect,
            "timeout": CONNECT_SECONDS,
            "server_settings": settings,
        },
    }


def set_up(engine: AsyncEngine, write: str) -> None:
    """Have every transaction that writes hold the lock from its beginning; ``write`` is the option's name."""

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        patience = connection.get_execution_options().get(write, False)
        if patience and patience is not True:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(patience * 1000)}")
        if patience:
            connection.exec_driver_sql(_BEGIN_WRITING)


def checked(url: URL) -> URL:
    """The address as asyncpg takes it.

    Raises:
        BadUrl: it names no database.
    """
    if not url.database:
        raise BadUrl("database.url names no database: postgresql://USER:PASSWORD@HOST:5432/DATABASE")
    if "sslmode" in url.query:  # as libpq calls it, and most people write it
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    return url


def place(url: URL) -> str:
    """The address as a person may read it: without password and options."""
    host = url.host or next(iter(_several(url.query.get("host"))), "localhost")
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{host}{port}/{url.database}"


def secrets(url: URL) -> list[str]:
    """The passwords in an address, as they are and as they are written in it."""
    plain = [str(url.password or ""), *_several(url.query.get("password"))]
    return sorted({form for each in plain if each for form in (each, quote(each), quote(each, safe=""))})


def _several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()


def _trusting(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options about TLS out, and give them back as asyncpg reads them.

    Raises:
        BadUrl: there is no such file.
    """
    files = {name: given.pop(name) for name in TLS_FILES if name in given}
    for name, file in files.items():
        if not Path(file).is_file():
            raise BadUrl(f"{name} in database.url names a file that is not there")
    return {"dsn": f"postgresql://?{urlencode(files)}"} if files else {}


async def _connect(**given: Any) -> Any:
    """Connect, with what stands in the way said in one sentence.

    SQLAlchemy lets the driver's own errors through at this place alone.
    """
    import asyncpg  # type: ignore[import-untyped]

    shown = place(
        URL.create(
            "postgresql",
            given.get("user"),
            host=str(given.get("host") or "localhost"),
            port=given.get("port"),
            database=given.get("database"),
        )
    )
    given |= _trusting(given)
    try:
        return await asyncpg.connect(**given)
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or "TLS fails"
        raise Unwritable(f"{shown} is not trusted: {why}") from None
    except asyncpg.PostgresError as error:
        raise _refused(error.sqlstate or "", shown, str(error)) from None
    except TimeoutError:
        raise Unwritable(f"{shown} does not answer within {CONNECT_SECONDS:g} seconds") from None
    except OSError as error:
        raise Unwritable(f"{shown} does not answer: {error.strerror or 'nobody listens there'}") from None
    except (TypeError, ValueError, asyncpg.InterfaceError) as error:  # their words may hold what was given
        if "root certificate" in str(error):
            raise BadUrl("database.url wants to know whom to trust: add &sslrootcert=FILE") from None
        raise BadUrl("database.url has an option that is none of asyncpg's, or a wrong one") from None


def _refused(code: str, shown: str, said: str) -> LedgerError:
    if code == "28000" and "no encryption" in said:
        return Unwritable(f"{shown} wants TLS: add ?ssl=verify-full, or ?ssl=require, to database.url")
    if code in ("28P01", "28000"):
        return Unwritable(f"{shown} refuses that user or password")
    if code == "3D000":
        return Unwritable(f"{shown} is not there: make the database with createdb first")
    if code in ("53300", "57P03"):
        return LedgerLocked(f"{shown} takes no more connections at the moment")
    return Unwritable(f"{shown} refuses the connection: {said.splitlines()[0]}")


def code_of(error: DBAPIError) -> str:
    """PostgreSQL's five characters for what is wrong; empty where there are none."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def complaint(error: DBAPIError, shown: str) -> LedgerError | None:
    """What the database says as an error of ours; None for what only a programmer can use."""
    code = code_of(error)
    if code in ("55P03", *PASSING):
        return LedgerLocked(f"another process is writing to {shown} and does not let go")
    if error.connection_invalidated or code in _GONE or code.startswith("08"):
        return LedgerLocked(f"{shown} has broken off the connection")
    if code == "53100":
        return Unwritable(f"the disk under {shown} is full")
    if code in ("42501", "25006"):
        return Unwritable(f"{shown} does not let its user write there")
    if code in ("42P01", "42703"):
        return NotMigrated(f"the tables in {shown} are older than this version of the program")
    return None

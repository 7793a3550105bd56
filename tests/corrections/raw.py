"""The tables as they are, past the ledger: the same SQL for SQLite and for PostgreSQL, in either's file.

All functions block, in whichever thread; parameters are written ``?``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

from corrections.engine import ledger_url
from corrections.tables import Table

SECONDS = 60.0


def rows(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds; JSON as its text."""
    if (file := file_of(url)) is not None:
        with contextlib.closing(sqlite3.connect(file)) as database:
            return database.execute(query, values).fetchall()
    return [tuple(row) for row in _on_postgres(url, query, values)]


def change(url: str, statement: str, *values: object) -> None:
    """Do something and commit it."""
    if (file := file_of(url)) is not None:
        with contextlib.closing(sqlite3.connect(file, timeout=5)) as database:
            database.execute(statement, values)
            database.commit()
    else:
        _on_postgres(url, statement, values)


def change_many(url: str, statement: str, values: list[tuple[object, ...]]) -> None:
    """The same for many values, in one transaction."""
    if (file := file_of(url)) is not None:
        with contextlib.closing(sqlite3.connect(file, timeout=5)) as database:
            database.executemany(statement, values)
            database.commit()
    else:
        _on_postgres(url, statement, values)


def tables(url: str) -> list[str]:
    """All tables that are there."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if file_of(url)
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    found = sorted(name for (name,) in rows(url, query))
    assert set(Table.metadata.tables) <= set(found)
    return found


def everything(url: str) -> str:
    """All rows of all tables, as text."""
    return "\n".join(
        f"{name} {row!r}"
        for name in tables(url)
        for row in sorted(rows(url, f'SELECT * FROM "{name}"'), key=repr)
    )


def file_of(url: str) -> Path | None:
    """The file of a ledger on SQLite."""
    parsed = ledger_url(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def _on_postgres(
    url: str, statement: str, values: tuple[object, ...] | list[tuple[object, ...]]
) -> list[asyncpg.Record]:
    first, *rest = statement.split("?")
    numbers = itertools.count(1)
    numbered = first + "".join(f"${next(numbers)}{part}" for part in rest)

    async def do() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            if isinstance(values, list):
                await connection.executemany(numbered, values)
                return []
            return list(await connection.fetch(numbered, *values))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
        return thread.submit(asyncio.run, do()).result(SECONDS)

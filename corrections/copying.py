"""A whole ledger from one database into another: SQLite to PostgreSQL, back, or among themselves.

One transaction reads at one moment, and one writes: whoever ends it half-way leaves the other database empty
as it was. Rows travel in batches, so that memory does not grow with the ledger. At the end both sides are
counted and summed up, table by table, before anything is committed.

Pictures are files and stay where they are, and so does the key that people are known by.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Row, bindparam, func, insert, select, text, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from corrections import schema
from corrections.engine import (
    complaint,
    create_engine,
    empty_log,
    file_of,
    ledger_url,
    place_of,
    readers,
    writers,
)
from corrections.errors import CopyError, LedgerError, SchemaTooNew
from corrections.tables import Table

Progress = Callable[[float], None]

BATCH = 500
"""Rows at a time: what a model saw in a picture has some 10 KB a row."""

TABLES: tuple[SqlTable, ...] = tuple(Table.metadata.sorted_tables)


@dataclass(frozen=True, slots=True)
class Copied:
    """One table of both ledgers; ``checksum`` (hexadecimal) depends on all values, not on the rows' order."""

    table: str
    rows: int
    checksum: str


class _Sum:
    """Counts rows and sums up their SHA-256 modulo 2^256, so that their order does not matter.

    Databases sort letters differently. Every row has a key, so no two are the same and cancel out.
    """

    def __init__(self) -> None:
        self.rows = self._sum = 0

    def add(self, row: Row[Any]) -> None:
        """One row, all its columns in their order."""
        content = json.dumps(list(row), default=_plain, ensure_ascii=True).encode()
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(content).digest())) % (1 << 256)

    def copied(self, table: str) -> Copied:
        """What came together."""
        return Copied(table, self.rows, f"{self._sum:064x}")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"no column of the ledger is a {type(value).__name__}")


async def copy(source: str, target: str, progress: Progress = lambda part: None) -> list[Copied]:
    """Copy everything from one ledger into another, which is empty; its tables are made if it has none.

    Nobody should write to ``source`` meanwhile: what is written after the beginning is not copied.

    Args:
        source: the address of a ledger of this version.
        target: the address of a database without anything in it.
        progress: told how much is done, from 0 to 1.

    Returns:
        Every table with its count and checksum, which are the same on both sides.

    Raises:
        CopyError: they cannot be copied; ``target`` has no rows.
        OpenError: one of them cannot be opened.
        LedgerLocked: another process does not let go of one of them.
    """
    await _see_versions(source, target)
    origin, goal = create_engine(source), create_engine(target)
    try:
        async with _at(origin, reading=True) as reader:
            await _see_apart(reader, origin, goal)
            await schema.migrate(goal)
            async with _at(goal, reading=False) as writer:
                await _see_empty(writer, place_of(goal))
                done = await _everything(reader, writer, place_of(goal), progress)
        await empty_log(goal)
    finally:
        await origin.dispose()
        await goal.dispose()
    progress(1.0)
    return done


@contextlib.asynccontextmanager
async def _at(engine: AsyncEngine, *, reading: bool) -> AsyncIterator[AsyncConnection]:
    """A connection in one transaction, which is committed if nothing goes wrong."""
    try:
        async with (readers(engine) if reading else writers(engine)).begin() as connection:
            yield connection
    except (DBAPIError, OSError) as error:
        raise complaint(error, place_of(engine)) from error


async def _see_versions(source: str, target: str) -> None:
    there, head, place = await schema.current(source), schema.head(), place_of(ledger_url(source))
    if there is None:
        raise CopyError(f"there is no ledger at {place}")
    if there not in schema.known():
        raise SchemaTooNew(f"{place} was written by a newer version of this program: update it first")
    if there != head:
        raise CopyError(
            f"{place} has revision {there}, this version copies {head}: run whosthat db upgrade there first"
        )
    file = file_of(target)
    if file is not None:
        origin = file_of(source)
        if origin is not None and file.exists() and file.samefile(origin):
            raise CopyError(f"{file} cannot be copied into itself")
        file.parent.mkdir(parents=True, exist_ok=True)


async def _see_apart(reader: AsyncConnection, origin: AsyncEngine, goal: AsyncEngine) -> None:
    """See that two addresses of PostgreSQL are not the same database by two names.

    Whoever holds a lock of a number that nobody else can know holds it in this database alone.
    """
    if "sqlite" in (origin.dialect.name, goal.dialect.name):
        return
    number = secrets.randbits(62)
    await reader.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
    async with _at(goal, reading=True) as other:
        free = await other.scalar(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": number})
    if not free:
        raise CopyError(f"{place_of(goal)} cannot be copied into itself")


async def _see_empty(writer: AsyncConnection, place: str) -> None:
    for table in TABLES:
        if await writer.scalar(select(1).select_from(table).limit(1)) is not None:
            raise CopyError(
                f"{place} is not empty: there are rows in its table {table.name}; "
                "copy into a new database, which no bot has used yet"
            )


async def _everything(
    reader: AsyncConnection, writer: AsyncConnection, place: str, progress: Progress
) -> list[Copied]:
    whole = 0
    for table in TABLES:
        whole += await reader.scalar(select(func.count()).select_from(table)) or 0
    passed = 0

    def went(rows: int) -> None:
        nonlocal passed
        passed += rows
        progress(min(0.999, passed / max(1, 2 * whole)))  # each row is written, and read again

    sums = [await _table(table, reader, writer, place, went) for table in TABLES]
    for table, there in zip(TABLES, sums, strict=True):
        here = _Sum()
        async for rows in _batches(writer, table):
            for row in rows:
                here.add(row)
            went(len(rows))
        if here.copied(table.name) != there:
            raise CopyError(
                f"the table {table.name} arrived in {place} as something else "
                f"({here.rows} rows of {there.rows}): nothing was copied"
            )
        await _number_on(table, reader, writer)
    if writer.dialect.name == "postgresql":
        await writer.exec_driver_sql("ANALYZE")  # what the planner goes by
    return sums


async def _batches(connection: AsyncConnection, table: SqlTable) -> AsyncIterator[list[Row[Any]]]:
    """All rows, by their key; as many in memory as one batch has."""
    query = select(table).order_by(*table.primary_key.columns)
    async with connection.stream(query, execution_options={"yield_per": BATCH}) as result:
        async for rows in result.partitions():
            yield list(rows)


async def _table(
    table: SqlTable, reader: AsyncConnection, writer: AsyncConnection, place: str, went: Callable[[int], None]
) -> Copied:
    """Copy one table; those that it refers to are there already."""
    total, later = _Sum(), _of_itself(table)
    try:
        async for rows in _batches(reader, table):
            plain = [dict(row._mapping) for row in rows]
            for row in rows:
                total.add(row)
            await writer.execute(insert(table), [each | dict.fromkeys(later) for each in plain])
            went(len(rows))
        for column in later:  # to a row that may have come after it
            async for rows in _batches(reader, table):
                await _point(table, column, [dict(row._mapping) for row in rows], writer)
    except DBAPIError as error:
        known = complaint(error, place)
        if type(known) is not LedgerError:
            raise
        raise CopyError(
            f"a row of the table {table.name} is not taken by {place}: nothing was copied ({known})"
        ) from error
    return total.copied(table.name)


def _of_itself(table: SqlTable) -> list[str]:
    """The columns that refer to rows of the same table."""
    return [
        column.name
        for column in table.columns
        if any(key.column.table is table for key in column.foreign_keys)
    ]


async def _point(
    table: SqlTable, column: str, rows: list[Mapping[str, Any]], writer: AsyncConnection
) -> None:
    (key,) = table.primary_key.columns
    pairs = [{"its_key": row[key.name], "to": row[column]} for row in rows if row[column] is not None]
    if pairs:
        statement = update(table).where(key == bindparam("its_key")).values({column: bindparam("to")})
        await writer.execute(statement, pairs)


async def _number_on(table: SqlTable, reader: AsyncConnection, writer: AsyncConnection) -> None:
    """No number is ever used twice, not even that of a row that was removed: go on behind the last one."""
    column = table.autoincrement_column
    if column is None:
        return
    greatest = await reader.scalar(select(func.max(column))) or 0
    last = max(greatest, await _last_used(table, column, reader))
    if writer.dialect.name == "postgresql":
        sequence = select(func.pg_get_serial_sequence(table.name, column.name)).scalar_subquery()
        await writer.execute(select(func.setval(sequence, max(1, last), last > 0)))
    elif last and table.dialect_options["sqlite"]["autoincrement"]:
        named = {"name": table.name, "last": last}
        await writer.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        await writer.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), named)


async def _last_used(table: SqlTable, column: Column[Any], reader: AsyncConnection) -> int:
    if reader.dialect.name == "postgresql":
        sequence = await reader.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        row = (await reader.execute(text(f"SELECT last_value, is_called FROM {sequence}"))).one()  # noqa: S608
        return int(row.last_value) if row.is_called else 0
    if not table.dialect_options["sqlite"]["autoincrement"]:
        return 0
    return (
        await reader.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        or 0
    )

"""A ledger with very many pictures, written straight into the tables: the usual way would take hours."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Table as SqlTable
from sqlalchemy import func, insert, select

from corrections.ledger import Ledger
from corrections.tables import (
    BlobRow,
    CaseRow,
    CommunityRow,
    ConsentRow,
    PersonRow,
    PostRow,
    PredictionRow,
    Table,
)
from tests.corrections.support import moment

SLUGS = ("loki", "thor", "hulk", "iron-man", "thanos", "gamora", "groot", "vision")
_AT_ONCE = 5_000


def content_of(number: int, size: int) -> bytes:
    """The bytes of a picture: not one that can be decoded, which nothing here does."""
    return random.Random(number).randbytes(size)


async def fill(ledger: Ledger, data_dir: Path, count: int, size: int = 300) -> None:
    """Approved pictures whose poster agrees, each a case of its own."""
    await ledger.work.write(lambda session: _first(session))
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(count, start + _AT_ONCE))
        made = await asyncio.to_thread(lambda numbers=numbers: list(_files(data_dir, numbers, size)))
        rows = {
            BlobRow: [
                {
                    "id": n + 1,
                    "sha256": sha256,
                    "near_key": f"{random.Random(-n - 1).getrandbits(256):064x}",
                    "size": size,
                    "format": "webp",
                    "width": 8,
                    "height": 8,
                    "created_at": moment(),
                    "posted_at": moment(),
                }
                for n, sha256 in made
            ],
            CaseRow: [
                {
                    "id": n + 1,
                    "community_id": 1,
                    "status": "approved",
                    "decided": [SLUGS[n % len(SLUGS)]],
                    "created_at": moment(),
                    "decided_at": moment(n % 1000),
                }
                for n, _ in made
            ],
            PostRow: [
                {
                    "id": n + 1,
                    "blob_id": n + 1,
                    "case_id": n + 1,
                    "person_id": 1,
                    "community_id": 1,
                    "platform": "telegram",
                    "channel": "c",
                    "message": f"{n}",
                    "slot": 0,
                    "original_sha256": sha256,
                    "created_at": moment(),
                }
                for n, sha256 in made
            ],
            PredictionRow: [
                {
                    "id": n + 1,
                    "post_id": n + 1,
                    "bundle": "b1",
                    "level": "fp32",
                    "verdict": "sure",
                    "character": SLUGS[n % len(SLUGS)],
                    "confidence": 0.9,
                    "known": 0.9,
                    "ranked": [],
                    "milliseconds": 1.0,
                    "created_at": moment(),
                }
                for n, _ in made
            ],
        }
        await ledger.work.write(lambda session, rows=rows: _insert(session, rows))
    await ledger.work.write(number_on)


async def number_on(session: Any) -> None:
    """After rows whose numbers were given: SQLite goes on behind the last one, PostgreSQL has to be told."""
    if (await session.connection()).dialect.name == "postgresql":
        for table in Table.metadata.sorted_tables:
            if (column := table.autoincrement_column) is not None:
                sequence = select(func.pg_get_serial_sequence(table.name, column.name)).scalar_subquery()
                last = select(func.max(column)).scalar_subquery()
                await session.execute(select(func.setval(sequence, func.coalesce(last, 1))))


async def _first(session: Any) -> None:
    at = {"created_at": moment()}
    await _insert(
        session,
        {
            CommunityRow: [{"id": 1, "platform": "telegram", "native": "-1", **at}],
            PersonRow: [{"id": 1, "person_key": "0" * 64, **at}],
            ConsentRow: [{"person_id": 1, "post_id": None, "granted": True, **at}],
        },
    )


async def _insert(session: Any, rows: dict[Any, list[dict[str, Any]]]) -> None:
    for table, values in rows.items():
        where: SqlTable = table.__table__
        await session.execute(insert(where), values)


def _files(data_dir: Path, numbers: range, size: int) -> Iterator[tuple[int, str]]:
    for n in numbers:
        content = content_of(n, size)
        sha256 = hashlib.sha256(content).hexdigest()
        path = data_dir / "blobs" / sha256[:2] / f"{sha256[2:]}.webp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        yield n, sha256

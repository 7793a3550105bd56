"""The list of what has changed: short rows that every process reads on from where it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.tables import BlobRow, CaseRow, MemoryChangeRow, PostRow
from corrections.tables.base import UtcTime

KEPT = timedelta(days=1)
"""How long a change stays in the list; whoever has not read for that long reads everything."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed: ``cases``, or ``everything`` that is remembered; ``version`` is where that leads."""

    version: int
    cases: frozenset[int]
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.cases)


async def noted(session: AsyncSession, cases: Iterable[int], at: datetime) -> None:
    """There is something else to remember of these cases."""
    session.add_all(MemoryChangeRow(case_id=case, created_at=at) for case in sorted(set(cases)))
    await session.flush()


async def noted_everywhere(session: AsyncSession, at: datetime) -> None:
    """Characters or communities are others than before."""
    session.add(MemoryChangeRow(case_id=None, created_at=at))
    await session.flush()


async def noted_pictures(session: AsyncSession, pictures: Select[str], at: datetime) -> None:
    """Consent to these pictures, or their bytes, came or went: note the approved cases that have them.

    Args:
        pictures: selects their SHA-256.
    """
    cases = (
        select(PostRow.case_id, literal(at, UtcTime))
        .join(BlobRow, PostRow.blob_id == BlobRow.id)
        .join(CaseRow, PostRow.case_id == CaseRow.id)
        .where(BlobRow.sha256.in_(pictures), CaseRow.status == APPROVED)
        .distinct()
    )
    await session.execute(insert(MemoryChangeRow).from_select(["case_id", "created_at"], cases))


async def version(session: AsyncSession) -> int:
    """Grows with every change."""
    return await session.scalar(select(func.max(MemoryChangeRow.id))) or 0


async def since(session: AsyncSession, after: int) -> Changes:
    """What has changed since a version; everything, if that version is of another ledger's future.

    One process writes at a time, on every database: a smaller number is never committed after a greater one.
    """
    newest = await version(session)
    if newest < after:
        return Changes(newest, frozenset(), everything=True)
    if newest == after:
        return Changes(newest, frozenset())
    rows = await session.scalars(select(MemoryChangeRow.case_id).where(MemoryChangeRow.id > after).distinct())
    cases = set(rows)
    everything = None in cases
    return Changes(newest, frozenset(case for case in cases if case is not None), everything)


async def prune(session: AsyncSession, now: datetime) -> None:
    """Let go of what everybody has read; the last row stays, for its number."""
    last = select(func.max(MemoryChangeRow.id)).scalar_subquery()
    old = MemoryChangeRow.created_at < now - KEPT, MemoryChangeRow.id < last
    await session.execute(
        delete(MemoryChangeRow).where(*old), execution_options={"synchronize_session": False}
    )

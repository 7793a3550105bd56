"""What becomes of the cases of somebody who is forgotten, once their votes and pictures are gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import WITHDRAWN
from corrections.memory import changes
from corrections.tables import FORGOTTEN, CaseRow, PostRow

_AT_ONCE = 500
_QUIETLY = {"synchronize_session": False}
T = TypeVar("T")


async def withdraw(session: AsyncSession, who: int, cases: Iterable[int], at: datetime) -> set[int]:
    """Withdraw the cases of which nothing is left; returns the others.

    Shells leave the cases of other people's pictures, so that nobody reaches one of those through them.
    """
    cases = set(cases)
    gone: set[int] = set()
    left = exists().where(PostRow.case_id == CaseRow.id, PostRow.original_sha256 != FORGOTTEN)
    for some in slices(sorted(cases)):
        these = CaseRow.id.in_(some), ~left.correlate(CaseRow)
        gone |= set(await session.scalars(select(CaseRow.id).where(*these)))
        await changes.noted(session, some, at)
        await session.execute(
            update(CaseRow)
            .where(*these)
            .values(
                status=WITHDRAWN,
                decided=None,
                decided_at=None,
                leading=None,
                agreement=0.0,
                agreed=False,
                reason="few",
                priority=0.0,
                skipped_at=None,
                claimed_by=None,
                claimed_until=None,
                revision=CaseRow.revision + 1,
            ),
            execution_options=_QUIETLY,
        )
        # What leads in the others is counted again right afterwards: until then nothing does.
        await session.execute(
            update(CaseRow)
            .where(CaseRow.id.in_(some), CaseRow.status != WITHDRAWN)
            .values(leading=None, agreement=0.0, agreed=False, revision=CaseRow.revision + 1),
            execution_options=_QUIETLY,
        )
    live = select(CaseRow.id).where(CaseRow.status != WITHDRAWN)
    shells = PostRow.person_id == who, PostRow.case_id.in_(live)
    for community in (await session.scalars(select(PostRow.community_id).where(*shells).distinct())).all():
        case = CaseRow(community_id=community, status=WITHDRAWN, created_at=at)
        session.add(case)
        await session.flush()
        await session.execute(
            update(PostRow).where(*shells, PostRow.community_id == community).values(case_id=case.id),
            execution_options=_QUIETLY,
        )
    return cases - gone


def slices(of: Sequence[T]) -> Iterable[Sequence[T]]:
    """Few enough for one statement's variables."""
    return (of[start : start + _AT_ONCE] for start in range(0, len(of), _AT_ONCE))

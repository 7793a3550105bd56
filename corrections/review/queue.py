"""Which cases come next, and for whom: a case that one moderator looks at is not offered to another."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Integer, Text, cast, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED, WITHDRAWN
from corrections.review.deciding import APPROVE, REJECT, REJECTED, SKIP, UNDO
from corrections.review.priority import GONE
from corrections.review.scores import OPEN
from corrections.review.types import Filter, Progress
from corrections.tables import CaseRow, DecisionRow
from corrections.vocabulary import MERGED, Vocabulary
from model.types import NOBODY

CLAIMED_FOR = timedelta(seconds=120)
"""How long a case is kept for the moderator who looks at it."""


def matching(
    wanted: Filter, community: int | None, vocabulary: Vocabulary
) -> tuple[ColumnElement[bool], ...]:
    """The conditions of a filter; ``community`` None: all of them. What was forgotten is shown to nobody."""
    conditions = [CaseRow.status == wanted.status, CaseRow.status != WITHDRAWN]
    if wanted.status == OPEN:
        conditions.append(CaseRow.priority > GONE)
    if community is not None:
        conditions.append(CaseRow.community_id == community)
    if wanted.reason is not None:
        conditions.append(CaseRow.reason == wanted.reason)
    if wanted.agreed is not None:
        conditions.append(CaseRow.agreed.is_(wanted.agreed))
    if wanted.character is not None:
        column = cast(CaseRow.leading if wanted.status == OPEN else CaseRow.decided, Text)
        conditions.append(
            column == "[]"
            if wanted.character == NOBODY
            else or_(*_naming(column, wanted.character, vocabulary))
        )
    return tuple(conditions)


def _naming(column: ColumnElement[str], slug: str, vocabulary: Vocabulary) -> Iterable[ColumnElement[bool]]:
    """Lists with a slug, or with one that was merged into it."""
    merged = [
        each.slug
        for each in vocabulary.characters.values()
        if each.status == MERGED
        and (found := vocabulary.by_slug(each.slug, each.community)) is not None
        and found.slug == slug
    ]
    return [column.contains(f'"{each}"', autoescape=True) for each in (slug, *merged)]


async def claim(
    session: AsyncSession,
    conditions: Iterable[ColumnElement[bool]],
    me: int,
    count: int,
    at: datetime,
    without: Collection[int],
) -> list[CaseRow]:
    """The best cases that nobody else is looking at; from now on they are this moderator's for a while."""
    free = or_(CaseRow.claimed_until.is_(None), CaseRow.claimed_until <= at, CaseRow.claimed_by == me)
    query = select(CaseRow).where(*conditions, free)
    if without:
        query = query.where(CaseRow.id.not_in(list(without)))
    rows = list(await session.scalars(query.order_by(CaseRow.priority.desc(), CaseRow.id).limit(count)))
    for row in rows:
        row.claimed_by, row.claimed_until = me, at + CLAIMED_FOR
    await session.flush()
    return rows


async def release(session: AsyncSession, cases: Collection[int], me: int, community: int | None) -> None:
    """Somebody else may have them; ``community``: the only one that they may be of."""
    mine = [CaseRow.id.in_(list(cases)), CaseRow.claimed_by == me]
    if community is not None:
        mine.append(CaseRow.community_id == community)
    await session.execute(update(CaseRow).where(*mine).values(claimed_by=None, claimed_until=None))


async def progress(session: AsyncSession, community: int | None, me: int | None, at: datetime) -> Progress:
    """How far the review is."""
    here = () if community is None else (CaseRow.community_id == community,)
    opened, agreed = (
        await session.execute(
            select(func.count(), func.sum(cast(CaseRow.agreed, Integer))).where(
                CaseRow.status == OPEN, CaseRow.priority > GONE, *here
            )
        )
    ).one()
    done = {
        status: await session.scalar(select(func.count()).where(CaseRow.status == status, *here)) or 0
        for status in (APPROVED, REJECTED)
    }
    mine = 0
    if me is not None:
        midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        today = DecisionRow.person_id == me, DecisionRow.created_at >= midnight
        undone = DecisionRow.after["undoes"].as_integer()
        taken_back = select(undone).where(*today, DecisionRow.action == UNDO, undone.is_not(None))
        query = select(func.count()).where(
            *today,
            DecisionRow.action.in_((APPROVE, REJECT, SKIP)),
            DecisionRow.id.not_in(taken_back),
        )
        if community is not None:
            query = query.where(DecisionRow.community_id == community)
        mine = await session.scalar(query) or 0
    return Progress(opened, agreed or 0, done[APPROVED], done[REJECTED], mine)

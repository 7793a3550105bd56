"""What is to be remembered: of every approved case the pictures that were there when it was decided.

A picture that joins a decided case later is a copy of one of them and is recalled as such. Would it be
remembered itself, copies of copies would count, each a little further from what a moderator has seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED, flat
from corrections.consent import post_consented
from corrections.export.sayings import labels_of
from corrections.export.scope import Scope
from corrections.review.types import Labels
from corrections.tables import FORGOTTEN, BlobRow, CaseRow, CommunityRow, FormerCommunityRow, PostRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary

PAGE = 200
"""Rows that are read in one go: the event loop is held up for a few milliseconds."""

PER_CASE = 5
"""Copies of one picture that are remembered: those that may lean first, then the oldest."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One picture that something was decided of, in one community; there are no two of the same.

    ``slugs`` are those of the vocabulary by now, none for nobody on the list. ``leans``: pictures like it may
    lean toward it, by the very rule of what may leave. ``there``: its bytes are kept, so that it can be
    looked at again.
    """

    blob: int
    case: int
    community: int
    home: Community
    slugs: Labels
    near_key: str
    sha256: str
    decided_at: datetime
    leans: bool
    there: bool


async def remembered(
    session: AsyncSession,
    vocabulary: Vocabulary,
    allow_discord: bool,
    cases: Collection[int] | None = None,
) -> AsyncIterator[list[Remembered]]:
    """Pages of what is to be remembered, of these cases or of all; a page has whole cases."""
    if cases is not None:
        order = sorted(cases)
        for start in range(0, len(order), PAGE):
            yield await _page(session, vocabulary, allow_discord, order[start : start + PAGE])
        return
    last = 0
    while True:
        approved = select(CaseRow.id).where(CaseRow.status == APPROVED, CaseRow.id > last)
        ids = list(await session.scalars(approved.order_by(CaseRow.id).limit(PAGE)))
        if not ids:
            return
        yield await _page(session, vocabulary, allow_discord, ids)
        last = ids[-1]


async def _page(
    session: AsyncSession, vocabulary: Vocabulary, allow_discord: bool, cases: Sequence[int]
) -> list[Remembered]:
    rows = await session.execute(
        select(
            *(BlobRow.id, CaseRow.id, CaseRow.community_id, CaseRow.decided, CaseRow.decided_at),
            *(CommunityRow.platform, CommunityRow.native),
            *(BlobRow.near_key, BlobRow.sha256, BlobRow.erased_at, _leans(allow_discord)),
        )
        .select_from(PostRow)
        .join(BlobRow, PostRow.blob_id == BlobRow.id)
        .join(CaseRow, PostRow.case_id == CaseRow.id)
        .join(CommunityRow, CaseRow.community_id == CommunityRow.id)
        .where(CaseRow.id.in_(cases), CaseRow.status == APPROVED, PostRow.original_sha256 != FORGOTTEN)
        .group_by(BlobRow.id, CaseRow.id, CommunityRow.id)
        .having(or_(CaseRow.decided_at.is_(None), func.min(PostRow.created_at) <= CaseRow.decided_at))
        .order_by(CaseRow.id, BlobRow.id)
    )
    by_case: defaultdict[int, list[Remembered]] = defaultdict(list)
    found: Sequence[Any] = rows.all()
    for blob, number, where, decided, at, platform, native, key, sha256, erased_at, leans in found:
        home = (platform, native)
        slugs = labels_of(vocabulary, decided or (), home)
        if slugs is None or at is None or flat(key):
            continue
        there = erased_at is None
        by_case[number].append(
            Remembered(blob, number, where, home, slugs, key, sha256, at, bool(leans) and there, there)
        )
    return [each for copies in by_case.values() for each in fewest(copies)]


def _leans(allow_discord: bool) -> ColumnElement[int]:
    """Whether a post of the picture there lets it be learned from; see `corrections.export.scope`."""
    allowed = Scope(None, None, None, allow_discord).allowed()
    may: ColumnElement[int] = func.max(case((and_(allowed, post_consented()), 1), else_=0))
    return may


def fewest(copies: Iterable[Remembered]) -> list[Remembered]:
    """As many copies of one case as are remembered."""
    order = sorted(copies, key=lambda each: (not each.leans, not each.there, each.blob))
    return order[:PER_CASE]


async def homes(session: AsyncSession) -> dict[Community, int]:
    """The rows of all communities by their ids on the platforms, also by those that they had."""
    rows = await session.execute(select(CommunityRow.platform, CommunityRow.native, CommunityRow.id))
    former = await session.execute(
        select(FormerCommunityRow.platform, FormerCommunityRow.native, FormerCommunityRow.community_id)
    )
    found = {(platform, native): row for platform, native, row in former}
    return found | {(platform, native): row for platform, native, row in rows}

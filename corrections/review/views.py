"""Cases as a moderator sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.consent import post_consented
from corrections.review.reading import settled
from corrections.review.scores import Scored, Scorer
from corrections.review.types import CasePicture, CaseView
from corrections.tables import BlobRow, CaseRow, PostRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary

MOST_PICTURES = 24
"""Near copies of a case that are shown; the rest is counted."""


async def view(
    session: AsyncSession,
    scorer: Scorer,
    vocabulary: Vocabulary,
    rows: Sequence[CaseRow],
    home: Mapping[int, Community],
    me: int | None,
    at: datetime,
) -> list[CaseView]:
    """These cases, in this order.

    Args:
        home: the communities by their rows.
        me: the moderator's row, if they have one yet.
    """
    if not rows:
        return []
    scored = {each.row.id: each for each in await scorer.weighed(session, vocabulary, rows, at, home)}
    pictures, leaving = await _pictures(session, [row.id for row in rows])
    return [
        _view(scored[row.id], home[row.community_id], vocabulary, pictures[row.id], row.id in leaving, me, at)
        for row in rows
    ]


def _view(
    scored: Scored,
    community: Community,
    vocabulary: Vocabulary,
    pictures: Sequence[CasePicture],
    may_leave: bool,
    me: int | None,
    at: datetime,
) -> CaseView:
    row, weighed = scored.row, scored.weighed
    return CaseView(
        case_id=row.id,
        revision=row.revision,
        community=community,
        status=row.status,  # type: ignore[arg-type]  # the table checks it
        decided=None if row.decided is None else settled(row.decided, vocabulary, community),
        pictures=tuple(pictures[:MOST_PICTURES]),
        copies=len(pictures),
        guess=scored.guess,
        opinions=weighed.opinions,
        voters=weighed.voters,
        leading=weighed.leading,
        agreement=weighed.probability,
        agreed=weighed.agreed,
        reason=row.reason,  # type: ignore[arg-type]
        may_leave=may_leave,
        taken=taken(row, me, at),
        opened_at=row.created_at,
        decided_at=row.decided_at,
    )


def taken(row: CaseRow, me: int | None, at: datetime) -> bool:
    """Whether somebody else is looking at it."""
    return row.claimed_until is not None and row.claimed_until > at and row.claimed_by != me


async def _pictures(
    session: AsyncSession, cases: Sequence[int]
) -> tuple[Mapping[int, list[CasePicture]], set[int]]:
    """The pictures of each case, and the cases with a post that has consent."""
    rows = await session.execute(
        select(
            PostRow.case_id,
            BlobRow.sha256,
            BlobRow.width,
            BlobRow.height,
            BlobRow.erased_at,
            func.min(PostRow.created_at),
            func.max(case((post_consented(), 1), else_=0)),
        )
        .join(BlobRow, PostRow.blob_id == BlobRow.id)
        .where(PostRow.case_id.in_(cases))
        .group_by(PostRow.case_id, BlobRow.id)
        .order_by(BlobRow.id)
    )
    pictures: defaultdict[int, list[CasePicture]] = defaultdict(list)
    leaving: set[int] = set()
    for case_id, sha256, width, height, erased, posted, consented in rows:
        pictures[case_id].append(CasePicture(sha256, width, height, erased is None, posted))
        if consented:
            leaving.add(case_id)
    for each in pictures.values():
        each.sort(key=lambda picture: (not picture.there, -picture.width * picture.height))
    return pictures, leaving

"""Answers that people or moderators have corrected, and that another model may get right by now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED, OPEN
from corrections.memory.said import said_of
from corrections.replies import latest_about
from corrections.tables import (
    FORGOTTEN,
    BlobRow,
    CaseRow,
    PostRow,
    PredictionRow,
    ReplyRow,
)
from corrections.types import Address
from model.types import Verdict

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Corrected:
    """An answer that is not what was decided, or, where nothing was, what most weight is behind.

    ``slug`` is who it is instead ("" nobody on the list); ``reply`` is our newest message about it.
    """

    prediction_id: int
    blob_sha256: str
    slug: str
    reply: Address


async def corrected(
    session: AsyncSession, bundle: str, platforms: Collection[str], limit: int
) -> list[Corrected]:
    """The latest answers by other bundles than ``bundle`` that people have corrected, the newest first.

    Their pictures are kept, our replies on ``platforms`` stand as far as we know, and one character (or
    nobody) is right.
    """
    found: list[Corrected] = []
    last: int | None = None
    replied = exists().where(
        ReplyRow.prediction_id == PredictionRow.id, ReplyRow.platform.in_(sorted(platforms))
    )
    while len(found) < limit:
        query = (
            select(
                PredictionRow,
                BlobRow.sha256,
                CaseRow.status,
                CaseRow.decided,
                CaseRow.leading,
            )
            .join(PostRow, PredictionRow.post_id == PostRow.id)
            .join(BlobRow, PostRow.blob_id == BlobRow.id)
            .join(CaseRow, PostRow.case_id == CaseRow.id)
            .where(
                PredictionRow.bundle != bundle,
                PostRow.original_sha256 != FORGOTTEN,
                BlobRow.erased_at.is_(None),
                CaseRow.voters > 0,
                or_(CaseRow.status == APPROVED, CaseRow.status == OPEN),
                replied,
            )
            .order_by(PredictionRow.id.desc())
            .limit(_AT_ONCE)
        )
        if last is not None:
            query = query.where(PredictionRow.id < last)
        rows = (await session.execute(query)).all()
        for row, sha256, status, decided, leading in rows:
            labels = decided if status == APPROVED else leading
            if labels is None or len(labels) > 1:
                continue
            told = said_of(row)  # where memory knew better, there is nothing to be told any more
            slug, said = "".join(labels), "" if told.verdict is Verdict.NOBODY else told.character
            if slug != said and (reply := await latest_about(session, row.id)) is not None:
                found.append(Corrected(row.id, sha256, slug, reply))
        if len(rows) < _AT_ONCE:
            break
        last = rows[-1][0].id
    return found[:limit]

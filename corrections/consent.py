"""Consent: what posters answered to *may I learn from this?*, and what follows from it.

An answer is a row of ``consents``: about one post, or, without a post, about all of a person's (from
``since`` on, if that is set). What is taken back stays, with the time at which it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from corrections.memory import changes
from corrections.tables import BlobRow, ConsentRow, PostRow, SnapshotItemRow, SnapshotRow

Standing = Literal["ask", "from-now", "all", "never"]
"""*ask*: only what was agreed to singly; *from-now*: that and what is posted later; *all*: everything, ever;
*never*: nothing, and what had been agreed to is withdrawn."""

STANDINGS: tuple[Standing, ...] = ("ask", "from-now", "all", "never")


def post_consented(post: Any = PostRow) -> ColumnElement[bool]:
    """Whether a post's poster agrees to it being learned from, correlated on the enclosing query's post.

    Args:
        post: `PostRow`, or the alias of it that the query uses.
    """
    single, wide = aliased(ConsentRow), aliased(ConsentRow)
    return or_(
        exists()
        .where(
            single.post_id == post.id,
            single.person_id == post.person_id,
            single.granted.is_(True),
            single.withdrawn_at.is_(None),
        )
        .correlate(post),
        exists()
        .where(
            wide.person_id == post.person_id,
            wide.post_id.is_(None),
            wide.granted.is_(True),
            wide.withdrawn_at.is_(None),
            or_(wide.since.is_(None), wide.since <= post.created_at),
        )
        .correlate(post),
    )


async def standing_of(session: AsyncSession, person_id: int) -> Standing:
    """What a person chose for all of their pictures."""
    return _standing(await _wide(session, person_id))


def _standing(rows: Sequence[ConsentRow]) -> Standing:
    if not rows:
        return "ask"
    newest = rows[-1]
    if not newest.granted:
        return "never"
    return "all" if newest.since is None else "from-now"


async def _wide(session: AsyncSession, person_id: int) -> list[ConsentRow]:
    rows = await session.scalars(
        select(ConsentRow)
        .where(
            ConsentRow.person_id == person_id,
            ConsentRow.post_id.is_(None),
            ConsentRow.withdrawn_at.is_(None),
        )
        .order_by(ConsentRow.id)
    )
    return list(rows)


async def choose(session: AsyncSession, person_id: int, standing: Standing, at: datetime) -> None:
    """Write what a person chose for all of their pictures; choosing the same again changes nothing."""
    rows = await _wide(session, person_id)
    if _standing(rows) == standing:
        return
    for row in rows:
        row.withdrawn_at = at
    if standing == "never":
        await session.execute(
            update(ConsentRow)
            .where(
                ConsentRow.person_id == person_id,
                ConsentRow.granted.is_(True),
                ConsentRow.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=at)
        )
    if standing != "ask":
        session.add(
            ConsentRow(
                person_id=person_id,
                granted=standing != "never",
                since=at if standing == "from-now" else None,
                created_at=at,
            )
        )
    await session.flush()
    await mark_snapshots(session, _pictures_of(person_id), at)


async def allow(session: AsyncSession, post_id: int, person_id: int, at: datetime) -> bool:
    """Agree to one post; whoever had never chosen agrees to what they post later as well.

    Returns:
        False when that post was agreed to already.
    """
    if await consented(session, post_id):
        return False
    await _agree(session, post_id, person_id, at)
    wide = await _wide(session, person_id)
    standing = _standing(wide)
    if standing == "ask":
        session.add(ConsentRow(person_id=person_id, granted=True, since=at, created_at=at))
    elif standing == "never":  # a yes to one picture, said after the no to all: "ask" is what holds now
        for each in wide:
            each.withdrawn_at = at
    await session.flush()
    await _mark_picture(session, post_id, at)
    return True


async def agree(session: AsyncSession, post_id: int, person_id: int, at: datetime) -> None:
    """Agree to one post and to nothing else: what is posted later is asked about as before."""
    row = await session.scalar(select(ConsentRow).where(ConsentRow.post_id == post_id))
    if row is None or not row.granted or row.withdrawn_at is not None:
        await _agree(session, post_id, person_id, at)
        await session.flush()
        await _mark_picture(session, post_id, at)


async def _agree(session: AsyncSession, post_id: int, person_id: int, at: datetime) -> None:
    row = await session.scalar(select(ConsentRow).where(ConsentRow.post_id == post_id))
    if row is None:
        row = ConsentRow(post_id=post_id)
        session.add(row)
    row.person_id, row.granted, row.created_at, row.withdrawn_at = person_id, True, at, None


async def _mark_picture(session: AsyncSession, post_id: int, at: datetime) -> None:
    picture = select(BlobRow.sha256).join(PostRow, PostRow.blob_id == BlobRow.id).where(PostRow.id == post_id)
    await mark_snapshots(session, picture, at)


async def consented(session: AsyncSession, post_id: int) -> bool:
    """Whether a post is agreed to, singly or with all others."""
    found = await session.scalar(select(PostRow.id).where(PostRow.id == post_id, post_consented()))
    return found is not None


def _pictures_of(person_id: int) -> Select[str]:
    return (
        select(BlobRow.sha256)
        .join(PostRow, PostRow.blob_id == BlobRow.id)
        .where(PostRow.person_id == person_id)
    )


async def mark_snapshots(session: AsyncSession, pictures: Select[str], at: datetime) -> None:
    """Say in the snapshots which of these pictures nobody agrees to any more, and which somebody does again.

    In a community's own snapshot its own posters alone count. Memories are told to look again, too.

    Args:
        pictures: selects their SHA-256.
    """
    agreed = (
        exists()
        .where(
            BlobRow.sha256 == SnapshotItemRow.sha256,
            PostRow.blob_id == BlobRow.id,
            SnapshotRow.id == SnapshotItemRow.snapshot_id,
            or_(SnapshotRow.community_id.is_(None), SnapshotRow.community_id == PostRow.community_id),
            post_consented(),
        )
        .correlate(SnapshotItemRow)
    )
    about = SnapshotItemRow.sha256.in_(pictures)
    quietly = {"synchronize_session": False}
    await session.execute(
        update(SnapshotItemRow)
        .where(about, SnapshotItemRow.withdrawn_at.is_(None), ~agreed)
        .values(withdrawn_at=at),
        execution_options=quietly,
    )
    await session.execute(
        update(SnapshotItemRow)
        .where(about, SnapshotItemRow.withdrawn_at.is_not(None), agreed)
        .values(withdrawn_at=None),
        execution_options=quietly,
    )
    await changes.noted_pictures(session, pictures, at)

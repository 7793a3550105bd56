"""Which bytes may stay: those of deleted messages, of pictures nobody cared for, and what a cap allows.

Files are removed inside the transaction that says so, while nobody else can write: a picture that is posted
again at that very moment is stored again afterwards. What a crash leaves is a row whose file is gone, which
reads as erased, or a file that no row knows, which the next sweep removes.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.blobs import BlobStore, Stray
from corrections.cases import APPROVED, OPEN
from corrections.consent import post_consented
from corrections.memory import changes, features
from corrections.people import FORGOTTEN_PERSON
from corrections.review.priority import GONE
from corrections.tables import BlobRow, CaseRow, PostRow, TombstoneRow, VoteRow
from corrections.types import Swept
from corrections.unit_of_work import UnitOfWork

AT_ONCE = 200
"""Files removed in one transaction, so that people's votes do not wait behind a large sweep."""

ON_ITS_WAY = timedelta(days=1)
"""Longer than anything is on its way to the ledger."""

STRAY_AFTER = 3600.0
"""Seconds after which a file that no row knows is nobody's work in progress any more."""


def _voted() -> ColumnElement[bool]:
    return exists().where(VoteRow.blob_id == BlobRow.id)


def _approved() -> ColumnElement[bool]:
    return exists().where(
        PostRow.blob_id == BlobRow.id, CaseRow.id == PostRow.case_id, CaseRow.status == APPROVED
    )


def _consented() -> ColumnElement[bool]:
    return exists().where(PostRow.blob_id == BlobRow.id, post_consented())


def _live() -> ColumnElement[bool]:
    return exists().where(PostRow.blob_id == BlobRow.id, PostRow.message.is_not(None))


async def erase_unclaimed(session: AsyncSession, store: BlobStore, blob_ids: set[int], at: datetime) -> Swept:
    """Remove these blobs' bytes unless another message still shows them or a case of theirs is approved."""
    blobs = await session.scalars(
        select(BlobRow).where(
            BlobRow.id.in_(blob_ids), BlobRow.erased_at.is_(None), ~or_(_live(), _approved())
        )
    )
    return await _erase(session, store, list(blobs), at)


async def sweep(
    work: UnitOfWork,
    store: BlobStore,
    now: datetime,
    keep_unvoted: timedelta,
    keep_unconsented: timedelta,
    disk_cap_bytes: int | None,
) -> Swept:
    """See `corrections.ledger.Ledger.sweep`."""
    expired = and_(
        BlobRow.posted_at < now - min(keep_unvoted, keep_unconsented),  # for the index; the rest decides
        or_(
            and_(BlobRow.posted_at < now - keep_unvoted, ~_voted(), ~_approved()),
            and_(BlobRow.posted_at < now - keep_unconsented, ~_consented()),
        ),
    )
    total = await _in_batches(work, store, expired, now)
    if disk_cap_bytes is not None:
        total = _sum(total, await _to_cap(work, store, disk_cap_bytes, now))
    await work.write(lambda session: _unbury(session, now))
    await work.write(lambda session: changes.prune(session, now))
    return _sum(total, await _sweep_strays(work, store))


async def _unbury(session: AsyncSession, now: datetime) -> None:
    """Nothing of somebody who was forgotten a day ago is on its way any more: not even that is kept."""
    old = TombstoneRow.kind == FORGOTTEN_PERSON, TombstoneRow.created_at < now - ON_ITS_WAY
    await session.execute(delete(TombstoneRow).where(*old), execution_options={"synchronize_session": False})


async def _in_batches(work: UnitOfWork, store: BlobStore, which: ColumnElement[bool], now: datetime) -> Swept:
    total = Swept(0, 0)

    async def one(session: AsyncSession) -> tuple[int, Swept]:
        query = select(BlobRow).where(BlobRow.erased_at.is_(None), which)
        blobs = list(await session.scalars(query.order_by(BlobRow.posted_at, BlobRow.id).limit(AT_ONCE)))
        return len(blobs), await _erase(session, store, blobs, now)

    while True:
        found, swept = await work.write(one)
        total = _sum(total, swept)
        if found < AT_ONCE:
            return total


async def _to_cap(work: UnitOfWork, store: BlobStore, cap: int, now: datetime) -> Swept:
    total = Swept(0, 0)

    async def one(session: AsyncSession) -> tuple[int, Swept]:
        held = await session.scalar(select(func.sum(BlobRow.size)).where(BlobRow.erased_at.is_(None)))
        over = int(held or 0) - cap
        if over <= 0:
            return 0, Swept(0, 0)
        oldest = await session.scalars(
            select(BlobRow)
            .where(BlobRow.erased_at.is_(None), ~and_(_approved(), _consented()))
            .order_by(BlobRow.posted_at, BlobRow.id)
            .limit(AT_ONCE)
        )
        chosen = []
        for blob in oldest:
            if over <= 0:
                break
            chosen.append(blob)
            over -= blob.size
        return len(chosen), await _erase(session, store, chosen, now)

    while True:
        found, swept = await work.write(one)
        total = _sum(total, swept)
        if found < AT_ONCE:
            return total


async def _sweep_strays(work: UnitOfWork, store: BlobStore) -> Swept:
    total = Swept(0, 0)
    strays = await asyncio.to_thread(lambda: list(store.strays(STRAY_AFTER)))
    for start in range(0, len(strays), AT_ONCE):
        batch = strays[start : start + AT_ONCE]
        if await _unknown(work, batch):

            async def one(session: AsyncSession, batch: list[Stray] = batch) -> list[int]:
                unknown = await _of_nobody(session, batch)
                return await asyncio.to_thread(lambda: [store.remove(stray.path) for stray in unknown])

            sizes = await work.write(one)
            total = _sum(total, Swept(len(sizes), sum(sizes)))
    return total


async def _unknown(work: UnitOfWork, batch: list[Stray]) -> bool:
    async with work.read() as session:
        return bool(await _of_nobody(session, batch))


async def _of_nobody(session: AsyncSession, batch: list[Stray]) -> list[Stray]:
    digests = [stray.sha256 for stray in batch if stray.sha256]
    known = set(
        await session.scalars(
            select(BlobRow.sha256).where(BlobRow.sha256.in_(digests), BlobRow.erased_at.is_(None))
        )
    )
    return [stray for stray in batch if stray.sha256 not in known]


async def _erase(session: AsyncSession, store: BlobStore, blobs: list[BlobRow], at: datetime) -> Swept:
    sizes = await asyncio.to_thread(lambda: [store.delete(blob.sha256, blob.format) for blob in blobs])
    for blob in blobs:
        blob.erased_at = at
    if blobs:
        await session.flush()
        await features.drop(session, [blob.id for blob in blobs])
        gone = select(BlobRow.sha256).where(BlobRow.id.in_([blob.id for blob in blobs]))
        await changes.noted_pictures(session, gone, at)
        await _nothing_to_see(session, [blob.id for blob in blobs])
    return Swept(sum(size > 0 for size in sizes), sum(sizes))


async def _nothing_to_see(session: AsyncSession, blobs: list[int]) -> None:
    """An open case without any picture left is in no moderator's queue; see `corrections.review.priority`."""
    there = exists().where(
        PostRow.case_id == CaseRow.id, BlobRow.id == PostRow.blob_id, BlobRow.erased_at.is_(None)
    )
    await session.execute(
        update(CaseRow)
        .where(
            CaseRow.id.in_(select(PostRow.case_id).where(PostRow.blob_id.in_(blobs))),
            CaseRow.status == OPEN,
            ~there.correlate(CaseRow),
        )
        .values(priority=GONE),
        execution_options={"synchronize_session": False},
    )


def _sum(a: Swept, b: Swept) -> Swept:
    return Swept(a.count + b.count, a.bytes + b.bytes)

"""What was posted, and what we said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.addresses import address_of, posted_in
from corrections.cases import APPROVED, CaseFinder, case_for, hold
from corrections.errors import WasForgotten, Withdrawn
from corrections.memory import changes, features
from corrections.memory.said import recalled_of, said_of, written
from corrections.people import community_id, person_id
from corrections.replies import latest_about, take_replies
from corrections.tables import (
    FORGOTTEN,
    BlobRow,
    CaseRow,
    CommunityRow,
    PersonRow,
    PostRow,
    PredictionRow,
    ReplyRow,
    TombstoneRow,
)
from corrections.types import Address, PredictionView, Recalled, Recorded, Seen
from model.types import Answer

RANKED_KEPT = 10
"""How many of the likeliest characters are kept with a prediction."""

MESSAGE = "message"
"""Kind of the tombstone of a deleted message."""

FORGOTTEN_MESSAGE = "forgotten"
"""Kind of the tombstone of a message whose poster asked to be forgotten."""


@dataclass(frozen=True, slots=True)
class Entry:
    """All that one call of `Ledger.record` brings.

    ``digest`` is the SHA-256 of the stored bytes, ``since`` is when the picture began to be looked at.
    """

    address: Address
    slot: int
    poster_key: str
    message_key: str
    seen: Seen
    digest: str
    bundle: str
    level: str
    answer: Answer
    milliseconds: float
    at: datetime
    since: datetime
    recalled: Recalled | None = None


async def recorded(session: AsyncSession, address: Address, slot: int, bundle: str) -> Recorded | None:
    """What was recorded before for this picture of this message by this bundle."""
    found = (
        await session.execute(
            select(PredictionRow.id, PostRow.id)
            .join(PostRow, PredictionRow.post_id == PostRow.id)
            .where(*posted_in(address), PostRow.slot == slot, PredictionRow.bundle == bundle)
        )
    ).one_or_none()
    return Recorded(found[0], found[1], new=False) if found else None


async def record(session: AsyncSession, finder: CaseFinder, entry: Entry) -> Recorded:
    """Post, blob, case and prediction; what is there already is left as it is.

    Raises:
        Withdrawn: the message has been deleted.
        WasForgotten: its poster has asked to be forgotten.
    """
    before = await recorded(session, entry.address, entry.slot, entry.bundle)
    if before is not None:
        return before
    gone = TombstoneRow.kind.in_((MESSAGE, FORGOTTEN_MESSAGE)), TombstoneRow.key == entry.message_key
    kinds = set(await session.scalars(select(TombstoneRow.kind).where(*gone)))
    if MESSAGE in kinds:
        raise Withdrawn("the message was deleted before its picture could be recorded")
    if kinds:
        raise WasForgotten("the poster of that message has asked to be forgotten")
    post = await session.scalar(
        select(PostRow).where(*posted_in(entry.address), PostRow.slot == entry.slot)
    ) or await _post(session, finder, entry)
    answer = entry.answer
    prediction = PredictionRow(
        post_id=post.id,
        bundle=entry.bundle,
        level=entry.level,
        verdict=answer.verdict.value,
        character=answer.character,
        confidence=answer.confidence,
        known=answer.known,
        ranked=[(r.character, r.probability) for r in answer.ranked[:RANKED_KEPT]],
        milliseconds=entry.milliseconds,
        memory=None if entry.recalled is None else entry.recalled.version,
        how="" if entry.recalled is None else entry.recalled.how,
        said=written(entry.recalled, answer, RANKED_KEPT),
        created_at=entry.at,
    )
    session.add(prediction)
    await session.flush()
    await _remember(session, post, entry)
    return Recorded(prediction.id, post.id, new=True)


async def _post(session: AsyncSession, finder: CaseFinder, entry: Entry) -> PostRow:
    poster = await person_id(session, entry.poster_key, entry.since)
    community = await community_id(session, entry.address.home, entry.at)
    blob = await session.scalar(select(BlobRow).where(BlobRow.sha256 == entry.digest))
    if blob is None:
        seen = entry.seen
        blob = BlobRow(
            sha256=entry.digest,
            near_key=seen.near_key,
            size=len(seen.stored),
            format=seen.stored_format,
            width=seen.width,
            height=seen.height,
            created_at=entry.at,
            posted_at=entry.at,
        )
        session.add(blob)
        await session.flush()
        known = False
    else:
        blob.posted_at = max(blob.posted_at, entry.at)
        blob.erased_at = None
        known = True
    post = PostRow(
        blob_id=blob.id,
        case_id=await case_for(
            session, finder, community, blob.id if known else None, blob.near_key, entry.at
        ),
        person_id=poster,
        community_id=community,
        platform=entry.address.platform,
        channel=entry.address.channel,
        message=entry.address.message,
        slot=entry.slot,
        original_sha256=entry.seen.sha256,
        created_at=entry.at,
    )
    session.add(post)
    await session.flush()
    hold(session, post)
    return post


async def _remember(session: AsyncSession, post: PostRow, entry: Entry) -> None:
    """Keep what the bundle saw beside the picture; a case that is approved may have more to go by now."""
    looked = features.features(entry.bundle, entry.seen.embedding, entry.seen.marks, entry.answer.ranked)
    if looked is not None:
        await features.keep(session, post.blob_id, looked, entry.at)
    case = await session.get(CaseRow, post.case_id)
    if case is not None and case.status == APPROVED:
        await changes.noted(session, [post.case_id], entry.at)


async def kept(session: AsyncSession, sha256: str) -> bool:
    """Whether the bytes of a picture are there for somebody."""
    found = await session.scalar(
        select(BlobRow.id).where(BlobRow.sha256 == sha256, BlobRow.erased_at.is_(None))
    )
    return found is not None


async def withdrawn(session: AsyncSession, message_key: str, kind: str = MESSAGE) -> bool:
    """Whether a message that we knew has been deleted, or its poster forgotten."""
    found = await session.scalar(
        select(TombstoneRow.id).where(TombstoneRow.kind == kind, TombstoneRow.key == message_key)
    )
    return found is not None


async def prediction(session: AsyncSession, prediction_id: int) -> PredictionView | None:
    """One prediction with all that is about it."""
    found = (
        await session.execute(
            select(
                PredictionRow,
                PostRow,
                CommunityRow.platform,  # not the post's, where a picture was imported
                CommunityRow.native,
                PersonRow.person_key,
                BlobRow.sha256,
            )
            .join(PostRow, PredictionRow.post_id == PostRow.id)
            .join(CommunityRow, PostRow.community_id == CommunityRow.id)
            .join(PersonRow, PostRow.person_id == PersonRow.id)
            .join(BlobRow, PostRow.blob_id == BlobRow.id)
            .where(PredictionRow.id == prediction_id, PostRow.original_sha256 != FORGOTTEN)
        )
    ).one_or_none()
    if found is None:
        return None
    row, post, platform, native, poster_key, sha256 = found
    said = said_of(row)
    return PredictionView(
        prediction_id=row.id,
        address=address_of(post.platform, native, post.channel, post.message),
        community=(platform, native),
        slot=post.slot,
        poster_key=poster_key,
        character=said.character,
        confidence=said.confidence,
        verdict=said.verdict,
        known=said.known,
        ranked=said.ranked,
        blob_sha256=sha256,
        bundle=row.bundle,
        level=row.level,
        milliseconds=row.milliseconds,
        at=row.created_at,
        reply=await latest_about(session, prediction_id),
        recalled=recalled_of(row),
    )


async def known(session: AsyncSession, address: Address) -> bool:
    """Whether a picture of this message was recorded."""
    return await session.scalar(select(PostRow.id).where(*posted_in(address)).limit(1)) is not None


async def forget_message(
    session: AsyncSession, address: Address, message_key: str, at: datetime
) -> tuple[list[Address], set[int]]:
    """Erase where a message and our answers to it were.

    Returns:
        The addresses of our answers, and the ids of the blobs that the message had.
    """
    posts = (await session.execute(select(PostRow.id, PostRow.blob_id).where(*posted_in(address)))).all()
    if not posts:
        return [], set()
    predictions = select(PredictionRow.id).where(PredictionRow.post_id.in_([post_id for post_id, _ in posts]))
    addresses = await take_replies(session, ReplyRow.prediction_id.in_(predictions))
    await session.execute(
        update(PostRow)
        .where(PostRow.id.in_([post_id for post_id, _ in posts]))
        .values(channel=None, message=None)
    )
    if not await withdrawn(session, message_key):
        session.add(TombstoneRow(kind=MESSAGE, key=message_key, created_at=at))
    return addresses, {blob_id for _, blob_id in posts}

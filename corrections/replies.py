"""Our own messages: where they are, which pictures one answers, and which one is the newest in a channel."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.addresses import posted_in, replied_in, reply_addresses
from corrections.errors import NotFound
from corrections.people import community_id
from corrections.tables import FORGOTTEN, PostRow, PredictionRow, ReplyRow
from corrections.types import Address


async def replied(session: AsyncSession, prediction_ids: Iterable[int], reply: Address, at: datetime) -> None:
    """Remember where the answer to these predictions is.

    Raises:
        NotFound: one of them does not exist.
    """
    wanted = set(prediction_ids)
    noted = and_(ReplyRow.prediction_id == PredictionRow.id, *replied_in(reply))
    there = {
        prediction_id: reply_id is not None
        for prediction_id, reply_id in await session.execute(
            select(PredictionRow.id, ReplyRow.prediction_id)
            .join(PostRow, PredictionRow.post_id == PostRow.id)
            .outerjoin(ReplyRow, noted)
            .where(PredictionRow.id.in_(wanted), PostRow.original_sha256 != FORGOTTEN)
        )
    }
    if missing := wanted - there.keys():
        raise NotFound(f"there is no prediction {min(missing)}")
    known = {prediction_id for prediction_id, is_there in there.items() if is_there}
    community = await community_id(session, reply.home, at)
    session.add_all(
        ReplyRow(
            prediction_id=prediction_id,
            community_id=community,
            platform=reply.platform,
            channel=reply.channel,
            message=reply.message,
            created_at=at,
        )
        for prediction_id in sorted(wanted - known)
    )


async def reply_to(session: AsyncSession, address: Address) -> Address | None:
    """Our latest answer to a message."""
    found = (
        await session.execute(
            reply_addresses()
            .join(PredictionRow, ReplyRow.prediction_id == PredictionRow.id)
            .join(PostRow, PredictionRow.post_id == PostRow.id)
            .where(*posted_in(address))
            .order_by(ReplyRow.id.desc())
            .limit(1)
        )
    ).one_or_none()
    return Address(*found) if found else None


async def latest_replies(session: AsyncSession, most: int) -> list[tuple[Address, Address]]:
    """Our newest messages, oldest first: what each answers, and where it is."""
    found = await session.execute(
        reply_addresses()
        .add_columns(PostRow.channel, PostRow.message)
        .join(PredictionRow, ReplyRow.prediction_id == PredictionRow.id)
        .join(PostRow, PredictionRow.post_id == PostRow.id)
        .where(PostRow.channel.is_not(None), PostRow.message.is_not(None))
        .order_by(ReplyRow.id.desc())
        .limit(most)
    )
    both = [
        (Address(platform, native, asked_in, asked), Address(platform, native, channel, message))
        for platform, native, channel, message, asked_in, asked in found
    ]
    return both[::-1]


async def latest_about(session: AsyncSession, prediction_id: int) -> Address | None:
    """Our newest message about a prediction."""
    found = (
        await session.execute(
            reply_addresses()
            .where(ReplyRow.prediction_id == prediction_id)
            .order_by(ReplyRow.id.desc())
            .limit(1)
        )
    ).one_or_none()
    return Address(*found) if found else None


async def answered_by(session: AsyncSession, reply: Address) -> tuple[int, ...]:
    """The predictions that one message of ours answers, in the order of their pictures."""
    found = await session.scalars(
        select(PredictionRow.id)
        .join(ReplyRow, ReplyRow.prediction_id == PredictionRow.id)
        .join(PostRow, PredictionRow.post_id == PostRow.id)
        .where(*replied_in(reply))
        .order_by(PostRow.slot)
    )
    return tuple(found)


async def latest_reply(session: AsyncSession, platform: str, channel: str) -> tuple[int, ...]:
    """The predictions of our newest message in a channel; none if there is none."""
    newest = await session.scalar(
        select(ReplyRow)
        .where(ReplyRow.platform == platform, ReplyRow.channel == channel)
        .order_by(ReplyRow.id.desc())
        .limit(1)
    )
    if newest is None:
        return ()
    return await answered_by(session, Address(platform, "", channel, newest.message))


async def forget_reply(session: AsyncSession, reply: Address) -> None:
    """A message of ours is gone: what it answered counts as not answered."""
    await session.execute(delete(ReplyRow).where(*replied_in(reply)))


async def take_replies(session: AsyncSession, which: ColumnElement[bool]) -> list[Address]:
    """Remove replies; returns where they were, each message once, the oldest first."""
    rows = await session.execute(reply_addresses().where(which).order_by(ReplyRow.id))
    addresses = list(dict.fromkeys(Address(*row) for row in rows))
    await session.execute(delete(ReplyRow).where(which), execution_options={"synchronize_session": False})
    return addresses

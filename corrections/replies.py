"""Our own messages: which pictures one answers, and which one is the newest in a channel."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.tables import PostRow, PredictionRow, ReplyRow
from corrections.types import Address


async def answered_by(session: AsyncSession, reply: Address) -> tuple[int, ...]:
    """The predictions that one message of ours answers, in the order of their pictures."""
    found = await session.scalars(
        select(PredictionRow.id)
        .join(ReplyRow, ReplyRow.prediction_id == PredictionRow.id)
        .join(PostRow, PredictionRow.post_id == PostRow.id)
        .where(
            ReplyRow.platform == reply.platform,
            ReplyRow.channel == reply.channel,
            ReplyRow.message == reply.message,
        )
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
    await session.execute(
        delete(ReplyRow).where(
            ReplyRow.platform == reply.platform,
            ReplyRow.channel == reply.channel,
            ReplyRow.message == reply.message,
        )
    )

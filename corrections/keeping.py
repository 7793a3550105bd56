"""The part of the ledger that keeps pictures and knows our replies, and lets go of both."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import posts, replies, retention
from corrections.errors import Unwritable
from corrections.naming import Naming
from corrections.opening import Parts
from corrections.tables import BlobRow
from corrections.types import Address, Seen, Swept

_DELETED_REMEMBERED = 10_000


class Keeping(Naming):
    """Replies, pictures, deletion and retention; see `corrections.ledger.Ledger`."""

    def __init__(self, parts: Parts, proposals_per_day: int) -> None:
        super().__init__(parts, proposals_per_day)
        self._store = parts.store
        self._deleted: OrderedDict[str, None] = OrderedDict()

    # What we answered, and what of it is kept

    async def replied(self, prediction_ids: Iterable[int], reply: Address) -> None:
        """Remember which message of ours answers these predictions.

        Raises:
            NotFound: one of the predictions does not exist.
        """
        ids = list(prediction_ids)
        now = datetime.now(UTC)
        await self.work.write(lambda session: replies.replied(session, ids, reply, now))

    async def reply_to(self, address: Address) -> Address | None:
        """The message of ours that answers this one; None when it has not been answered."""
        async with self.work.read() as session:
            return await replies.reply_to(session, address)

    async def latest_replies(self, most: int) -> list[tuple[Address, Address]]:
        """Our newest messages, oldest first: what each answers, and where it is."""
        async with self.work.read() as session:
            return await replies.latest_replies(session, most)

    async def answered_by(self, reply: Address) -> tuple[int, ...]:
        """The predictions that one message of ours answers, in the order of their pictures."""
        async with self.work.read() as session:
            return await replies.answered_by(session, reply)

    async def latest_reply(self, platform: str, channel: str) -> tuple[int, ...]:
        """The predictions of our newest message in a channel; none if there is none."""
        async with self.work.read() as session:
            return await replies.latest_reply(session, platform, channel)

    async def picture(self, blob_sha256: str) -> bytes | None:
        """The kept bytes of a picture; None when they are gone."""
        async with self.work.read() as session:
            suffix = await session.scalar(
                select(BlobRow.format).where(BlobRow.sha256 == blob_sha256, BlobRow.erased_at.is_(None))
            )
        return None if suffix is None else await asyncio.to_thread(self._store.get, blob_sha256, suffix)

    # What goes away

    async def message_deleted(self, address: Address) -> list[Address]:
        """Forget where a deleted message was and what it showed.

        The bytes of its pictures go unless another message still shows them or moderators approved them;
        votes stay votes. A picture of it that is still being looked at will not be recorded.

        Returns:
            The messages of ours that answered it, to be deleted too.
        """
        key = self._message_key(address)
        self._deleted[key] = None
        if len(self._deleted) > _DELETED_REMEMBERED:
            self._deleted.popitem(last=False)
        now = datetime.now(UTC)

        async def work(session: AsyncSession) -> list[Address]:
            answers, blobs = await posts.forget_message(session, address, key, now)
            if blobs:
                await retention.erase_unclaimed(session, self._store, blobs, now)
            return answers

        if not self.work.busy:  # platforms tell of every deletion, and most are not ours
            async with self.work.read() as session:
                if not await posts.known(session, address):
                    return []
        return await self.work.write(work)

    async def reply_deleted(self, reply: Address) -> None:
        """A message may have been one of ours, and is gone: whoever asks again is answered anew."""
        if await self.answered_by(reply):
            await self.work.write(lambda session: replies.forget_reply(session, reply))

    async def sweep(
        self,
        now: datetime,
        keep_unvoted: timedelta = timedelta(hours=24),
        keep_unconsented: timedelta = timedelta(days=30),
        disk_cap_bytes: int | None = None,
    ) -> Swept:
        """Remove the bytes whose time is over; what was said of the pictures stays.

        Args:
            now: the moment that ages are counted from, with a time zone.
            keep_unvoted: how long a picture is kept that nobody voted on, since it was last posted.
            keep_unconsented: how long a picture is kept without a consent to learn from it.
            disk_cap_bytes: the most that all pictures together may have: above it the oldest go first, never
                what is approved and consented to.
        """
        swept = await retention.sweep(
            self.work, self._store, now, keep_unvoted, keep_unconsented, disk_cap_bytes
        )
        await self.work.wipe()
        return swept

    def _message_key(self, address: Address) -> str:
        return self._names.message(address.platform, address.channel, address.message)

    async def _put(self, sha256: str, seen: Seen) -> None:
        try:
            await asyncio.to_thread(self._store.put, sha256, seen.stored_format, seen.stored)
        except OSError as error:
            raise Unwritable(f"{self._store.folder} does not take a picture: {error.strerror}") from error

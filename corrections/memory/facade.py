"""What the ledger tells a memory, reached as ``ledger.memory``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.memory import changes, features, reading
from corrections.memory.changes import Changes
from corrections.memory.features import Features
from corrections.memory.reading import Remembered
from corrections.opening import Parts
from corrections.tables import BlobRow, CaseRow, PostRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary

__all__ = ["Changes", "Features", "LedgerMemory", "Remembered"]


class LedgerMemory:
    """Read by every process that answers; written by the ledger itself, and where pictures are looked at."""

    def __init__(self, parts: Parts, current: Callable[[], Awaitable[Vocabulary]]) -> None:
        self._work = parts.work
        self._current = current

    async def changes(self, after: int) -> Changes:
        """What has changed since version ``after``; committed by whichever process."""
        async with self._work.read() as session:
            return await changes.since(session, after)

    async def version(self) -> int:
        """The version by now."""
        async with self._work.read() as session:
            return await changes.version(session)

    async def remembered(
        self, allow_discord: bool, cases: Collection[int] | None = None
    ) -> AsyncIterator[list[Remembered]]:
        """Pages of what is to be remembered; see `corrections.memory.reading`.

        Args:
            allow_discord: the setting ``discord.allow_training``.
            cases: of these only.
        """
        vocabulary = await self._current()
        async with self._work.read() as session:
            async for page in reading.remembered(session, vocabulary, allow_discord, cases):
                yield page

    async def homes(self) -> dict[Community, int]:
        """What the communities are called here, by all the ids that they have or had."""
        async with self._work.read() as session:
            return await reading.homes(session)

    async def private_names(self) -> dict[str, Community]:
        """The characters that one community alone knows."""
        known = (await self._current()).characters.values()
        return {each.slug: each.community for each in known if each.community is not None}

    async def features(self, blobs: Collection[int]) -> tuple[dict[int, Features], list[int]]:
        """By picture what a bundle saw in it, where that is kept; and of which pictures it is damaged."""
        async with self._work.read() as session:
            return await features.read(session, blobs)

    async def looked(self, blob: int, seen: Features, at: datetime | None = None) -> bool:
        """Keep what was seen in a picture that was looked at again, while its bytes are kept.

        Returns:
            Whether it is kept from now on, so that every process reads it.
        """
        now = at or datetime.now(UTC)

        async def work(session: AsyncSession) -> bool:
            there = select(BlobRow.id).where(BlobRow.id == blob, BlobRow.erased_at.is_(None))
            if await session.scalar(there) is None or not await features.keep(session, blob, seen, now):
                return False
            cases = await session.scalars(
                select(PostRow.case_id)
                .join(CaseRow, PostRow.case_id == CaseRow.id)
                .where(PostRow.blob_id == blob, CaseRow.status == APPROVED)
                .distinct()
            )
            await changes.noted(session, cases, now)
            return True

        return await self._work.write(work)

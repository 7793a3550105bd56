"""The part of the review that looks: the queue, cases and their pictures, figures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.errors import NotFound
from corrections.opening import Parts
from corrections.people import find_person
from corrections.review import figures, queue, reading
from corrections.review.agreement import ReviewRules
from corrections.review.priority import GONE
from corrections.review.scoped import NOWHERE, Scoped, utc_now
from corrections.review.scores import OPEN, Scorer
from corrections.review.types import (
    AgreementReport,
    CaseView,
    DecisionView,
    Filter,
    Moderator,
    Progress,
    Stats,
)
from corrections.review.views import view
from corrections.tables import BlobRow, CaseRow, PostRow
from corrections.types import Community, Person
from corrections.vocabulary import Vocabulary

AUTO: Person = ("whosthat", "auto")
"""Who approves what people agree on, where the settings say so."""

EVERYTHING = Filter()


class Looking(Scoped):
    """What a moderator sees. Nothing is written but who is looking at which case."""

    def __init__(
        self, parts: Parts, rules: ReviewRules, current: Callable[[], Awaitable[Vocabulary]]
    ) -> None:
        super().__init__(parts, current)
        self.rules = rules
        self._scorer = Scorer(rules)

    async def next(
        self,
        moderator: Moderator,
        filter: Filter = EVERYTHING,  # noqa: A002
        count: int = 1,
        at: datetime | None = None,
        without: Collection[int] = (),
    ) -> list[CaseView]:
        """The cases that are most worth a look, the best first, for this moderator alone for two minutes.

        Cases that somebody else is looking at are left out, skipped ones come last.
        """
        now, vocabulary = at or utc_now(), await self._current()

        async def work(session: AsyncSession) -> tuple[list[CaseRow], int]:
            where = await self._scope(session, moderator, filter.community)
            if where == NOWHERE:
                return [], 0
            me = await self._me(session, moderator, now)
            conditions = queue.matching(filter, where, vocabulary)
            return await queue.claim(session, conditions, me, count, now, without), me

        rows, me = await self._work.write(work)
        if not rows:
            return []
        async with self._work.read() as session:  # nobody waits for it
            home = await reading.communities(session, {row.community_id for row in rows})
            return await view(session, self._scorer, vocabulary, rows, home, me, now)

    async def case(self, moderator: Moderator, case_id: int, at: datetime | None = None) -> CaseView:
        """One case.

        Raises:
            NotFound: there is none, or it is another community's.
        """
        vocabulary = await self._current()
        async with self._work.read() as session:
            row, home = await self._row(session, moderator, case_id)
            me = await find_person(session, self._names.person(moderator.person))
            return await self._seen(session, vocabulary, row, home, me, at or utc_now())

    async def picture(self, moderator: Moderator, case_id: int, sha256: str) -> tuple[bytes, str] | None:
        """The bytes of one of a case's pictures and their suffix ("webp"); None when they are gone.

        Raises:
            NotFound: there is no such case for them, or the picture is not of it.
        """
        async with self._work.read() as session:
            await self._row(session, moderator, case_id)
            blob = await session.scalar(
                select(BlobRow)
                .join(PostRow, PostRow.blob_id == BlobRow.id)
                .where(PostRow.case_id == case_id, BlobRow.sha256 == sha256)
                .limit(1)
            )
        if blob is None:
            raise NotFound(f"there is no such picture in case {case_id}")
        if blob.erased_at is not None:
            return None
        content = await asyncio.to_thread(self._store.get, sha256, blob.format)
        return None if content is None else (content, blob.format)

    async def release(self, moderator: Moderator, case_ids: Collection[int]) -> None:
        """Let others have cases that this moderator was looking at."""

        async def work(session: AsyncSession) -> None:
            me = await find_person(session, self._names.person(moderator.person))
            if me is not None and case_ids:
                await queue.release(session, case_ids, me, await self._scope(session, moderator))

        await self._work.write(work)

    async def progress(self, moderator: Moderator, at: datetime | None = None) -> Progress:
        """How far the review is."""
        async with self._work.read() as session:
            where = await self._scope(session, moderator)
            me = await find_person(session, self._names.person(moderator.person))
            return await queue.progress(session, where, me, at or utc_now())

    async def waiting(self) -> int:
        """How many cases wait for a moderator, of all communities."""
        query = select(func.count()).where(CaseRow.status == OPEN, CaseRow.priority > GONE)
        async with self._work.read() as session:
            return await session.scalar(query) or 0

    async def history(
        self, moderator: Moderator, limit: int = 50, before: int | None = None
    ) -> list[DecisionView]:
        """What was decided, the latest first; ``before``: the `DecisionView.position` to read on from."""
        async with self._work.read() as session:
            where = await self._scope(session, moderator)
            me, auto = self._names.person(moderator.person), self._names.person(AUTO)
            return await figures.history(session, where, me, auto, limit, before)

    async def stats(self, moderator: Moderator, at: datetime | None = None) -> Stats:
        """Progress, characters, and what the bot takes for what."""
        vocabulary = await self._current()
        progress = await self.progress(moderator, at)
        async with self._work.read() as session:
            where = await self._scope(session, moderator)
            confused = await figures.confusion(session, vocabulary, where)
            counts = await figures.counts(session, vocabulary, where, moderator.community, confused)
        right = sum(count for (decided, said), count in confused.items() if decided == said)
        return Stats(progress, counts, dict(confused), sum(confused.values()), right)

    async def agreement(self, moderator: Moderator, at: datetime | None = None) -> AgreementReport:
        """How much people agree, without anybody's name."""
        vocabulary = await self._current()
        async with self._work.read() as session:
            where = await self._scope(session, moderator)
            return await figures.agreement(session, vocabulary, where, self.rules, at or utc_now())

    async def _seen(
        self,
        session: AsyncSession,
        vocabulary: Vocabulary,
        row: CaseRow,
        home: Community,
        me: int | None,
        at: datetime,
    ) -> CaseView:
        homes = {row.community_id: home}
        return (await view(session, self._scorer, vocabulary, [row], homes, me, at))[0]

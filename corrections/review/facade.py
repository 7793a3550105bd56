"""What moderators do with the ledger, reached as ``ledger.review``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Text, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.characters import load
from corrections.people import person_id
from corrections.review import deciding, naming, reading, rescoring
from corrections.review.characters import Characters
from corrections.review.decisions import Decisions
from corrections.review.judging import Ruling
from corrections.review.looking import AUTO
from corrections.review.scoped import utc_now
from corrections.review.scores import OPEN
from corrections.review.types import Guess, Labels, Moderator
from corrections.tables import CaseRow, PostRow
from corrections.types import Character
from corrections.vocabulary import Vocabulary
from model.types import Answer

RESCORED = 50
"""Cases that are brought up to date in one transaction."""


class Review(Characters, Decisions):
    """The queue, decisions, characters and figures, each for one moderator and their community only.

    Beside: what keeps the cases up to date while people vote.
    """

    async def touched(
        self,
        session: AsyncSession,
        vocabulary: Vocabulary,
        cases: Iterable[int],
        at: datetime,
        stirs: bool = True,
        pictures: bool = True,
    ) -> None:
        """Bring cases up to date whose votes or pictures have just changed, in that transaction.

        Where the settings say so, what people agree on is approved.

        Args:
            stirs: whether votes changed, so that `rescore` has something to do.
            pictures: whether pictures may have come or gone.
        """
        scored = await self._scorer.refresh(session, vocabulary, cases, at, pictures)
        if stirs and any(each.said for each in scored):
            self._stirred |= {each.row.community_id for each in scored}
            self._stir.set()
        if self.rules.auto_approve == "agreed" and any(each.weighed.agreed for each in scored):
            auto = await person_id(session, self._names.person(AUTO), at)
            waiting = [each for each in scored if each.row.status == OPEN and each.row.skipped_at is None]
            await self._approve(session, vocabulary, waiting, auto, deciding.AUTO, at)

    async def recorded(
        self, session: AsyncSession, post_id: int, answer: Answer, bundle: str, at: datetime
    ) -> None:
        """A picture was posted and answered, in that transaction: its case has something new to look at."""
        post = await session.get(PostRow, post_id)
        row = None if post is None else await session.get(CaseRow, post.case_id)
        if row is None:
            return
        if row.voters or row.status != OPEN:
            await self.touched(session, await load(session), [row.id], at, stirs=False)
            return
        row.revision += 1  # what approving would approve is what the bot said last
        guess = Guess(
            prediction_id=0,
            character=answer.character,
            verdict=answer.verdict,
            confidence=answer.confidence,
            known=answer.known,
            ranked=tuple(answer.ranked),
            bundle=bundle,
        )
        await self._scorer.shown(session, row, guess)

    async def remove(self, moderator: Moderator, slug: str, at: datetime | None = None) -> Character:
        """Let a character that was known here be no name any more; its pictures wait to be decided again.

        Raises:
            UnknownLabel: there is no such character for them.
            SharedCharacter: it is everybody's, and this is no operator.
            BadLabel: it is one that the program brings.
        """
        now = at or utc_now()
        removed = await self._change(moderator, slug, naming.REMOVE, naming.remove, now)
        last = 0

        async def reopen(session: AsyncSession) -> int:
            me = await person_id(session, self._names.person(moderator.person), now)
            vocabulary = await load(session)
            named = cast(CaseRow.decided, Text).contains(f'"{slug}"', autoescape=True)
            query = select(CaseRow).where(CaseRow.status == APPROVED, CaseRow.id > last, named)
            rows = list(await session.scalars(query.order_by(CaseRow.id).limit(RESCORED)))
            homes = await reading.communities(session, {row.community_id for row in rows})
            for row in rows:
                if (entry := await deciding.latest(session, row.id)) is not None:
                    home = homes[row.community_id]
                    await self._undo(session, row, entry, Ruling(me, deciding.UNDO, now, home, vocabulary))
            return rows[-1].id if rows else 0

        # A case that is not reached, should this be cut short, counts for nothing all the same.
        while reached := await self._work.write(reopen):
            last = reached
        self._stir.set()
        return removed

    async def taught(self, session: AsyncSession, row: CaseRow, labels: Labels, ruling: Ruling) -> None:
        """Approve a case as a moderator's example, in that transaction; `stir` afterwards."""
        await self._settle(session, row, APPROVED, labels, ruling)

    def stir(self) -> None:
        """Decisions were committed: what follows from them is worked out soon."""
        self._stir.set()

    async def rescore(self, at: datetime | None = None, everything: bool = False) -> int:
        """Work out anew how often people are right, and bring the open cases up to date that change by it.

        Done for the communities where anybody has voted or decided since the last time; it costs a read of
        their newest votes and, for each fifty cases that change, a transaction.

        Args:
            everything: for all communities, as after a start.

        Returns:
            How many cases were brought up to date.
        """
        now, vocabulary = at or utc_now(), await self._current()
        stirred, cases = self._stirred, self._named
        self._stirred, self._named = set(), set()
        self._stir.clear()
        if everything:
            async with self._work.read() as session:
                voted = select(CaseRow.community_id).where(CaseRow.voters > 0).distinct()
                stirred |= set(await session.scalars(voted))
        for community in sorted(stirred):
            cases |= set(await rescoring.rescore(self._work, vocabulary, self.rules, community, now))
        order = sorted(cases)
        for start in range(0, len(order), RESCORED):
            batch = order[start : start + RESCORED]

            async def work(session: AsyncSession, batch: Sequence[int] = batch) -> None:
                await self.touched(session, await load(session), batch, now, False, False)

            await self._work.write(work)
        return len(order)

    async def keep_fresh(self, pause: float = 2.0) -> None:
        """Rescore now, and again whenever votes, decisions or names have changed something, until cancelled.

        Between two times is a pause of at least ten times as long as it takes.
        """
        everything = True
        while True:
            began = time.monotonic()
            await self.rescore(everything=everything)
            everything = False
            await asyncio.sleep(max(pause, 10 * (time.monotonic() - began)))
            await self._stir.wait()

"""The part of the review that decides: one case at a time, back again, or many that people agree on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.characters import load
from corrections.errors import BadLabel, NotFound, Stale
from corrections.naming import slug_for
from corrections.people import find_person
from corrections.review import deciding, queue, reading
from corrections.review.judging import Ruling
from corrections.review.looking import EVERYTHING, Looking
from corrections.review.priority import said
from corrections.review.scoped import NOWHERE, utc_now
from corrections.review.scores import OPEN, Scored
from corrections.review.types import CaseView, Filter, Labels, Moderator, Verb
from corrections.tables import CaseRow, DecisionRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary

MOST_LABELS = 12
"""Characters that one picture may be approved as showing."""

BULK = 100
"""Cases that are approved in one transaction, so that people's votes do not wait long."""


class Decisions(Looking):
    """What a moderator decides."""

    async def rescore(self, at: datetime | None = None, everything: bool = False) -> int:
        """See `corrections.review.facade.Review.rescore`."""
        raise NotImplementedError

    async def decide(
        self,
        moderator: Moderator,
        case_id: int,
        revision: int,
        verb: Verb,
        labels: Labels | None,
        at: datetime | None = None,
        bulk: bool = False,
    ) -> CaseView:
        """Approve a case as showing ``labels``, reject it, or skip it for now; near copies go along.

        A proposed name that is approved is accepted in its community by that.

        Args:
            revision: the one that the moderator saw. The same decision again changes nothing.
            labels: slugs, names or aliases for *approve*; none of them: nobody on the list. None approves
                what leads among people, or what the bot said when nobody has said anything.
            bulk: it is one of several with the same ``at``, which are undone together.

        Raises:
            NotFound: there is no such case for them.
            Stale: it has changed since; nothing is written, and the error has the case as it is.
            UnknownLabel: nobody is called so in the case's community.
            BadLabel: more characters than one picture may have.
        """
        now, vocabulary = at or utc_now(), await self._current()
        if labels is not None and len(labels) > MOST_LABELS:
            raise BadLabel("too-many")

        async def work(session: AsyncSession) -> CaseView | Stale:
            row, home = await self._row(session, moderator, case_id)
            me = await self._me(session, moderator, now)
            shown = None if labels is None else _slugs(vocabulary, labels, home)
            if row.revision != revision:
                now_seen = await self._seen(session, vocabulary, row, home, me, now)
                if await _done_before(session, row, me, revision, verb, shown):
                    return now_seen
                raise Stale(now_seen)
            ruling = Ruling(me, verb, now, home, vocabulary, bulk)
            if verb == deciding.SKIP:
                await deciding.skip(session, row, me, now)
                await self._scorer.refresh(session, vocabulary, [row.id], now)
            elif verb == deciding.REJECT:
                await self._settle(session, row, deciding.REJECTED, None, ruling)
            else:
                if shown is None:
                    shown = await self._leading(session, vocabulary, row, home, now)
                if shown is None:  # something else leads by now than when the row was last written
                    return Stale(await self._seen(session, vocabulary, row, home, me, now))
                await self._settle(session, row, APPROVED, shown, ruling)
            return await self._seen(session, vocabulary, row, home, me, now)

        done = await self._work.write(work)
        self._stir.set()
        if isinstance(done, Stale):
            raise done
        return done

    async def undo(self, moderator: Moderator, at: datetime | None = None) -> CaseView | None:
        """Take back this moderator's latest decision that still stands; None when there is none.

        A bulk approval is one decision: it is taken back but for what somebody decided on top of it.

        Raises:
            Stale: somebody has decided on top of it.
        """
        now, vocabulary = at or utc_now(), await self._current()

        async def work(session: AsyncSession) -> tuple[CaseView, DecisionRow] | None:
            where = await self._scope(session, moderator)
            me = await find_person(session, self._names.person(moderator.person))
            entry = None if me is None else await deciding.to_undo(session, me, where)
            if me is None or entry is None or entry.case_id is None:
                return None
            row, home = await self._row(session, moderator, entry.case_id)
            latest = await deciding.latest(session, row.id)
            if latest is not None and latest.id > entry.id:
                raise Stale(await self._seen(session, vocabulary, row, home, me, now))
            await self._undo(session, row, entry, Ruling(me, deciding.UNDO, now, home, vocabulary))
            row.claimed_by, row.claimed_until = me, now + queue.CLAIMED_FOR
            await session.flush()
            return await self._seen(session, vocabulary, row, home, me, now), entry

        done = await self._work.write(work)
        self._stir.set()
        if done is None:
            return None
        shown, entry = done

        async def more(session: AsyncSession) -> int:
            where = await self._scope(session, moderator)
            rest = await deciding.rest_of(session, entry, where, BULK)
            for each in rest:
                row, home = await self._row(session, moderator, each.case_id or 0)
                ruling = Ruling(each.person_id, deciding.UNDO, now, home, vocabulary)
                await self._undo(session, row, each, ruling)
            return len(rest)

        while (entry.after or {}).get("bulk") and await self._work.write(more):
            pass
        return shown

    async def approve_agreed(
        self,
        moderator: Moderator,
        filter: Filter = EVERYTHING,  # noqa: A002
        at: datetime | None = None,
        progress: Callable[[int, int], None] | None = None,
        without: Collection[int] = (),
    ) -> int:
        """Approve every open case of a filter that enough people agree on, computed afresh for each.

        Left out are cases that somebody else is looking at, and names that no moderator has accepted.

        Args:
            progress: told how many of how many cases have been looked at.
            without: cases that stay as they are.

        Returns:
            How many were approved.
        """
        now = at or utc_now()
        await self.rescore(now)
        vocabulary = await self._current()
        wanted = Filter(OPEN, filter.character, filter.reason, None, filter.community)
        async with self._work.read() as session:
            where = await self._scope(session, moderator, filter.community)
            if where == NOWHERE:
                return 0
            enough, left = CaseRow.voters >= self.rules.voices, CaseRow.id.not_in(without)
            conditions = (*queue.matching(wanted, where, vocabulary), enough, left)
            ids = list(await session.scalars(select(CaseRow.id).where(*conditions).order_by(CaseRow.id)))
        approved = 0
        for start in range(0, len(ids), BULK):
            batch = ids[start : start + BULK]

            async def work(session: AsyncSession, batch: Sequence[int] = batch) -> int:
                me = await self._me(session, moderator, now)
                free = or_(
                    CaseRow.claimed_until.is_(None), CaseRow.claimed_until <= now, CaseRow.claimed_by == me
                )
                query = select(CaseRow).where(CaseRow.id.in_(batch), CaseRow.status == OPEN, free)
                rows = list(await session.scalars(query))
                vocabulary = await load(session)
                scored = await self._scorer.weighed(session, vocabulary, rows, now)
                return await self._approve(session, vocabulary, scored, me, deciding.APPROVE, now)

            approved += await self._work.write(work)
            if progress is not None:
                progress(min(start + BULK, len(ids)), len(ids))
        return approved

    async def _undo(self, session: AsyncSession, row: CaseRow, entry: DecisionRow, ruling: Ruling) -> None:
        if row.status == APPROVED:
            self._scorer.approved(row.community_id, row.decided or (), -1)
        if await deciding.undone(session, entry, row, ruling):
            self._stirred.add(row.community_id)
        await self._scorer.refresh(session, ruling.vocabulary, [row.id], ruling.at)

    async def _approve(
        self,
        session: AsyncSession,
        vocabulary: Vocabulary,
        scored: Iterable[Scored],
        by: int,
        action: str,
        at: datetime,
    ) -> int:
        """Approve those of the cases that are agreed on. Nobody looked at them, so nobody is judged by it."""
        agreed = [
            (each.row, each.weighed.leading)
            for each in scored
            if each.weighed.agreed
            and each.weighed.leading is not None
            and not deciding.proposals_among(each.weighed.leading, vocabulary)
        ]
        home = await reading.communities(session, {row.community_id for row, _ in agreed})
        for row, leading in agreed:
            ruling = Ruling(by, action, at, home[row.community_id], vocabulary, bulk=True)
            row.reason, row.priority = "agreed", 0.0
            await deciding.settle(session, row, APPROVED, leading, ruling, judges=False)
            self._scorer.approved(row.community_id, leading)
        await session.flush()
        return len(agreed)

    async def _settle(
        self, session: AsyncSession, row: CaseRow, status: str, labels: Labels | None, ruling: Ruling
    ) -> None:
        people = await deciding.settle(session, row, status, labels, ruling, judges=status == APPROVED)
        row.reason, row.priority = "agreed", 0.0
        await session.flush()
        if people:
            self._stirred.add(row.community_id)
        if status == APPROVED:
            self._scorer.approved(row.community_id, labels or ())
            if deciding.proposals_among(labels or (), ruling.vocabulary):
                await deciding.accept_proposals(session, labels or ())

    async def _leading(
        self, session: AsyncSession, vocabulary: Vocabulary, row: CaseRow, home: Community, at: datetime
    ) -> Labels | None:
        """What leads among people, else what the bot said; None when it is not what the row says."""
        before = row.revision
        (scored,) = await self._scorer.refresh(session, vocabulary, [row.id], at)
        if row.revision != before:
            return None
        if scored.weighed.leading is not None:
            return scored.weighed.leading
        if scored.guess is None:
            raise NotFound("nobody has said anything of this picture")
        return _slugs(vocabulary, said(scored.guess), home)


def _slugs(vocabulary: Vocabulary, labels: Iterable[str], home: Community) -> Labels:
    return tuple(sorted({slug_for(vocabulary, each, home) for each in labels}))


async def _done_before(
    session: AsyncSession, row: CaseRow, me: int, revision: int, verb: str, shown: Labels | None
) -> bool:
    """Whether the case is as it is because of this very decision."""
    entry = await deciding.latest(session, row.id)
    return (
        entry is not None
        and entry.person_id == me
        and entry.action == verb
        and (entry.before or {}).get("revision") == revision
        and (entry.after or {}).get("revision") == row.revision
        and (shown is None or list(shown) == row.decided)
    )

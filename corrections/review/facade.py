"""What moderators do with the ledger, reached as ``ledger.review``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.characters import load
from corrections.errors import BadLabel, NotFound, Stale
from corrections.naming import slug_for
from corrections.opening import Parts
from corrections.people import find_person, person_id
from corrections.review import deciding, figures, queue, rescoring
from corrections.review.agreement import ReviewRules
from corrections.review.characters import Characters
from corrections.review.priority import said
from corrections.review.scoped import NOWHERE
from corrections.review.scores import OPEN, Scored, Scorer
from corrections.review.types import (
    AgreementReport,
    CaseView,
    DecisionView,
    Filter,
    Labels,
    Moderator,
    Progress,
    Stats,
    Verb,
)
from corrections.review.views import view
from corrections.tables import BlobRow, CaseRow, PostRow
from corrections.types import Community, Person
from corrections.vocabulary import Vocabulary

AUTO: Person = ("whosthat", "auto")
"""Who approves what people agree on, where the settings say so."""

MOST_LABELS = 12
BULK = 100
"""Cases that are approved in one transaction, so that people's votes do not wait long."""

RESCORED = 50
EVERYTHING = Filter()


class Review(Characters):
    """The queue, decisions, characters and figures, each for one moderator and their community only.

    Args:
        current: the vocabulary as it is now.
    """

    def __init__(
        self, parts: Parts, rules: ReviewRules, current: Callable[[], Awaitable[Vocabulary]]
    ) -> None:
        super().__init__(parts, current)
        self.rules = rules
        self._store = parts.store
        self._scorer = Scorer(rules)

    # The queue

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
        now, vocabulary = at or _now(), await self._current()
        me_key = self._names.person(moderator.person)

        async def work(session: AsyncSession) -> tuple[list[int], int]:
            where = await self._scope(session, moderator, filter.community)
            if where == NOWHERE:
                return [], 0
            me = await person_id(session, me_key, now)
            conditions = queue.matching(filter, where, vocabulary)
            rows = await queue.claim(session, conditions, me, count, now, without)
            return [row.id for row in rows], me

        ids, me = await self._work.write(work)
        if not ids:
            return []
        async with self._work.read() as session:
            found = {row.id: row for row in await session.scalars(select(CaseRow).where(CaseRow.id.in_(ids)))}
            rows = [found[each] for each in ids if each in found]
            return await view(session, self._scorer, vocabulary, rows, me, now)

    async def case(self, moderator: Moderator, case_id: int, at: datetime | None = None) -> CaseView:
        """One case.

        Raises:
            NotFound: there is none, or it is another community's.
        """
        vocabulary = await self._current()
        async with self._work.read() as session:
            row = await self._row(session, moderator, case_id)
            me = await find_person(session, self._names.person(moderator.person))
            return (await view(session, self._scorer, vocabulary, [row], me, at or _now()))[0]

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
                await queue.release(session, case_ids, me)

        await self._work.write(work)

    async def progress(self, moderator: Moderator, at: datetime | None = None) -> Progress:
        """How far the review is."""
        async with self._work.read() as session:
            where = await self._scope(session, moderator)
            me = await find_person(session, self._names.person(moderator.person))
            return await queue.progress(session, where, me, at or _now())

    # Decisions

    async def decide(
        self,
        moderator: Moderator,
        case_id: int,
        revision: int,
        verb: Verb,
        labels: Labels | None,
        at: datetime | None = None,
    ) -> CaseView:
        """Approve a case as showing ``labels``, reject it, or skip it for now; near copies go along.

        Args:
            revision: the one that the moderator saw. The same decision again changes nothing.
            labels: slugs, names or aliases for *approve*; none of them: nobody on the list. None approves
                what leads among people, or what the bot said when nobody has said anything.

        Raises:
            NotFound: there is no such case for them.
            Stale: it has changed since; nothing is written, and the error has the case as it is.
            UnknownLabel: nobody is called so in the case's community.
            BadLabel: more characters than one picture may have.
        """
        now, vocabulary = at or _now(), await self._current()
        if labels is not None and len(labels) > MOST_LABELS:
            raise BadLabel("too-many")

        async def work(session: AsyncSession) -> CaseView | Stale:
            row = await self._row(session, moderator, case_id)
            me = await person_id(session, self._names.person(moderator.person), now)
            home = await self._home(session, row)
            shown = (
                None
                if labels is None
                else tuple(sorted({slug_for(vocabulary, each, home) for each in labels}))
            )
            if row.revision != revision:
                if await self._done_before(session, row, me, revision, verb, shown):
                    return (await view(session, self._scorer, vocabulary, [row], me, now))[0]
                raise Stale((await view(session, self._scorer, vocabulary, [row], me, now))[0])
            if verb == deciding.SKIP:
                await deciding.skip(session, row, me, now)
                await self._scorer.refresh(session, vocabulary, [row.id], now)
            elif verb == deciding.REJECT:
                await self._settle(session, vocabulary, row, home, deciding.REJECTED, None, me, verb, now)
            else:
                if shown is None:
                    shown = await self._leading(session, vocabulary, row, now)
                if shown is None:  # something else leads by now than when the row was last written
                    return Stale((await view(session, self._scorer, vocabulary, [row], me, now))[0])
                await self._settle(session, vocabulary, row, home, APPROVED, shown, me, verb, now)
            return (await view(session, self._scorer, vocabulary, [row], me, now))[0]

        done = await self._work.write(work)
        self._stir.set()
        if isinstance(done, Stale):
            raise done
        return done

    async def undo(self, moderator: Moderator, at: datetime | None = None) -> CaseView | None:
        """Take back this moderator's latest decision that still stands; None when there is none.

        Raises:
            Stale: somebody has decided on top of it.
        """
        now, vocabulary = at or _now(), await self._current()

        async def work(session: AsyncSession) -> CaseView | None:
            where = await self._scope(session, moderator)
            me = await find_person(session, self._names.person(moderator.person))
            entry = None if me is None else await deciding.to_undo(session, me, where)
            if me is None or entry is None or entry.case_id is None:
                return None
            row = await self._row(session, moderator, entry.case_id)
            latest = await deciding.latest(session, row.id)
            if latest is not None and latest.id > entry.id:
                raise Stale((await view(session, self._scorer, vocabulary, [row], me, now))[0])
            home = await self._home(session, row)
            people = await deciding.undone(session, entry, row, me, now, home, vocabulary)
            if people:
                self._stirred.add(row.community_id)
            await self._scorer.refresh(session, vocabulary, [row.id], now)
            row.claimed_by, row.claimed_until = me, now + queue.CLAIMED_FOR
            await session.flush()
            return (await view(session, self._scorer, vocabulary, [row], me, now))[0]

        done = await self._work.write(work)
        self._stir.set()
        return done

    async def approve_agreed(
        self,
        moderator: Moderator,
        filter: Filter = EVERYTHING,  # noqa: A002
        at: datetime | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Approve every open case of a filter that enough people agree on, computed afresh for each.

        Left out are cases that somebody else is looking at, and names that no moderator has accepted.

        Returns:
            How many were approved.
        """
        now, vocabulary = at or _now(), await self._current()
        await self.rescore(now)
        wanted = Filter(OPEN, filter.character, filter.reason, None, filter.community)
        async with self._work.read() as session:
            where = await self._scope(session, moderator, filter.community)
            if where == NOWHERE:
                return 0
            conditions = (*queue.matching(wanted, where, vocabulary), CaseRow.voters >= self.rules.voices)
            ids = list(await session.scalars(select(CaseRow.id).where(*conditions).order_by(CaseRow.id)))
        approved = 0
        for start in range(0, len(ids), BULK):
            batch = ids[start : start + BULK]

            async def work(session: AsyncSession, batch: Sequence[int] = batch) -> int:
                me = await person_id(session, self._names.person(moderator.person), now)
                vocabulary = await load(session)
                rows = list(
                    await session.scalars(
                        select(CaseRow).where(
                            CaseRow.id.in_(batch),
                            CaseRow.status == OPEN,
                            (CaseRow.claimed_until.is_(None))
                            | (CaseRow.claimed_until <= now)
                            | (CaseRow.claimed_by == me),
                        )
                    )
                )
                scored = await self._scorer.weighed(session, vocabulary, rows, now)
                return await self._approve(session, vocabulary, scored, me, deciding.APPROVE, now)

            approved += await self._work.write(work)
            if progress is not None:
                progress(min(start + BULK, len(ids)), len(ids))
        return approved

    # Votes, as they come in

    async def touched(
        self,
        session: AsyncSession,
        vocabulary: Vocabulary,
        cases: Iterable[int],
        at: datetime,
        stirs: bool = True,
    ) -> None:
        """Bring cases up to date whose votes or pictures have just changed, in that transaction."""
        scored = await self._scorer.refresh(session, vocabulary, cases, at)
        if stirs and any(each.said for each in scored):
            self._stirred |= {each.row.community_id for each in scored}
            self._stir.set()
        if self.rules.auto_approve == "agreed" and any(each.weighed.agreed for each in scored):
            auto = await person_id(session, self._names.person(AUTO), at)
            waiting = [each for each in scored if each.row.status == OPEN and each.row.skipped_at is None]
            await self._approve(session, vocabulary, waiting, auto, deciding.AUTO, at)

    async def recorded(
        self, session: AsyncSession, vocabulary: Vocabulary, post_id: int, at: datetime
    ) -> None:
        """A picture was posted, in that transaction: its case has something new to look at."""
        row = await session.scalar(
            select(CaseRow).join(PostRow, PostRow.case_id == CaseRow.id).where(PostRow.id == post_id)
        )
        if row is not None:
            if row.voters == 0:  # what approving would approve is what the bot said last
                row.revision += 1
            await self.touched(session, vocabulary, [row.id], at)

    async def rescore(self, at: datetime | None = None, everything: bool = False) -> int:
        """Work out anew how often people are right, and bring the open cases up to date that change by it.

        Done for the communities where anybody has voted or decided since the last time; it costs a read of
        their newest votes and, for each fifty cases that change, a transaction.

        Args:
            everything: for all communities, as after a start.

        Returns:
            How many cases were brought up to date.
        """
        now, vocabulary = at or _now(), await self._current()
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
                await self.touched(session, await load(session), batch, now, stirs=False)

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

    # Figures

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
            return await figures.agreement(session, vocabulary, where, self.rules, at or _now())

    # What these share

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
        approved = 0
        for each in scored:
            leading = each.weighed.leading
            if not each.weighed.agreed or leading is None:
                continue
            if deciding.proposals_among(leading, vocabulary):
                continue
            home = await self._home(session, each.row)
            each.row.reason, each.row.priority = "agreed", 0.0
            await deciding.settle(
                session,
                each.row,
                APPROVED,
                leading,
                by=by,
                action=action,
                at=at,
                home=home,
                vocabulary=vocabulary,
            )
            approved += 1
        return approved

    async def _settle(
        self,
        session: AsyncSession,
        vocabulary: Vocabulary,
        row: CaseRow,
        home: Community,
        status: str,
        labels: Labels | None,
        me: int,
        action: str,
        at: datetime,
    ) -> None:
        row.reason, row.priority = "agreed", 0.0
        people = await deciding.settle(
            session,
            row,
            status,
            labels,
            by=me,
            action=action,
            at=at,
            home=home,
            vocabulary=vocabulary,
            judges=status == APPROVED,
        )
        if people:
            self._stirred.add(row.community_id)
        if labels:
            await deciding.accept_proposals(session, labels)

    async def _leading(
        self, session: AsyncSession, vocabulary: Vocabulary, row: CaseRow, at: datetime
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
        home = await self._home(session, row)
        return tuple(slug_for(vocabulary, each, home) for each in said(scored.guess))

    async def _done_before(
        self, session: AsyncSession, row: CaseRow, me: int, revision: int, verb: str, shown: Labels | None
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


def _now() -> datetime:
    return datetime.now(UTC)

"""The corrections ledger as everybody else sees it: frozen things in, frozen things out.

Every method that writes has committed, to the disk, when it returns. What is done twice with the same
arguments is done once (except `Ledger.undo`, which goes one step further back). Errors: `corrections.errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, communities, hindsight, people, posts, votes
from corrections.blobs import digest
from corrections.cases import CaseFinder
from corrections.duties import Duties
from corrections.errors import BadLabel, Withdrawn
from corrections.export.facade import Exports
from corrections.hindsight import Corrected
from corrections.keeping import Keeping
from corrections.links import Links
from corrections.memory.facade import LedgerMemory
from corrections.naming import slug_for
from corrections.opening import Parts, open_parts
from corrections.privacy import Privacy
from corrections.review.agreement import ReviewRules
from corrections.review.facade import Review
from corrections.teaching import Teaching
from corrections.types import (
    Address,
    Community,
    CommunitySettings,
    MyVote,
    Person,
    PredictionView,
    Recalled,
    Recorded,
    Seen,
    Tally,
    VoteReceipt,
)
from model.types import Answer

MOST_LABELS = 12
"""Characters that one vote may name."""


class Ledger(Keeping):
    """One open ledger. Make it with `open`; close it at the end."""

    def __init__(self, parts: Parts, proposals_per_day: int, rules: ReviewRules) -> None:
        super().__init__(parts, proposals_per_day)
        self.review = Review(parts, rules, self._current)
        self.duties = Duties(parts.work.engine)
        self.links = Links(parts)
        self.exports = Exports(parts)
        self.memory = LedgerMemory(parts, self._current)
        self._finder = CaseFinder()
        self.privacy = Privacy(parts, self._finder, self._rescored)
        self.teaching = Teaching(parts, self._finder, self.review, proposals_per_day)

    @classmethod
    async def open(
        cls,
        url: str,
        data_dir: Path,
        *,
        proposals_per_day: int = 10,
        busy_timeout: float = 5.0,
        review: ReviewRules | None = None,
    ) -> Ledger:
        """Open a ledger, making or upgrading whatever is missing or old.

        Args:
            url: the database's address, such as ``sqlite:///data/ledger.db`` or ``postgresql://…``.
            data_dir: the folder for the pictures and the secret that people are known by.
            proposals_per_day: how many new names one person may propose within 24 hours.
            busy_timeout: seconds to wait for another process's write (SQLite).
            review: when people agree; None for the usual rules.

        Raises:
            OpenError: one sentence that says what stands in the way.
            LedgerLocked: another process does not let go of the database.
        """
        parts = await open_parts(url, data_dir, busy_timeout)
        return cls(parts, proposals_per_day, review or ReviewRules())

    async def close(self) -> None:
        """Let what is under way end and let go of the database. Twice is fine."""
        await self.duties.close()
        await super().close()

    # What was posted and answered

    async def record(
        self,
        address: Address,
        slot: int,
        poster: Person,
        seen: Seen,
        bundle: str,
        level: str,
        answer: Answer,
        milliseconds: float,
        at: datetime,
        since: datetime | None = None,
        recalled: Recalled | None = None,
    ) -> Recorded:
        """Keep one picture of one message, and what a bundle said of it.

        Args:
            address: the message that the picture was posted in.
            slot: the picture's place among the pictures of the message, from 0.
            poster: whose picture it is.
            seen: the picture as it is to be kept.
            bundle: which model answered; one prediction a picture of a message and bundle is kept.
            level: at which of its levels of speed.
            answer: what it said by itself; the ten likeliest are kept.
            milliseconds: how long that took.
            at: when, with a time zone.
            since: when the picture began to be looked at, if that is not the same.
            recalled: what memory made of ``answer``, which is the bundle's own; None where there is none.

        Raises:
            Withdrawn: the message has been deleted meanwhile; nothing is kept.
            WasForgotten: the poster has asked to be forgotten meanwhile; nothing is kept.
        """
        if self._finder.behind(address.home):
            async with self.work.read() as session:
                await self._finder.read_on(session, address.home)
        key = self._message_key(address)
        sha256 = await asyncio.to_thread(digest, seen.stored)
        poster_key = self.person_key(poster)
        looked = (bundle, level, answer, milliseconds, at, since or at, recalled)
        entry = posts.Entry(address, slot, poster_key, key, seen, sha256, *looked)
        said = answer if recalled is None else recalled.answer
        # Written before the transaction, so that nobody waits for the disk twice.
        await self._put(sha256, seen)

        async def work(session: AsyncSession) -> Recorded:
            try:
                if key in self._deleted:
                    raise Withdrawn("the message was deleted before its picture could be recorded")
                done = await posts.record(session, self._finder, entry)
            except Withdrawn:
                if not await posts.kept(session, sha256):
                    await asyncio.to_thread(self._store.delete, sha256, seen.stored_format)
                raise
            if not done.new and not await posts.kept(session, sha256):  # delivered twice, and gone by now
                await asyncio.to_thread(self._store.delete, sha256, seen.stored_format)
            if done.new:  # a sweep may have removed the file since
                await self._put(sha256, seen)
                await self.review.recorded(session, done.post_id, said, bundle, at)
            return done

        return await self.work.write(work)

    async def pulse(self) -> None:
        """See that the database answers.

        Raises:
            LedgerError: it does not.
        """
        async with self.work.read() as session:
            await session.execute(text("SELECT version_num FROM alembic_version"))

    async def prediction(self, prediction_id: int) -> PredictionView | None:
        """What was said of which picture; None when there is no such prediction."""
        async with self.work.read() as session:
            return await posts.prediction(session, prediction_id)

    async def corrected(self, bundle: str, platforms: Collection[str], limit: int) -> list[Corrected]:
        """The newest answers of other models than ``bundle`` that people have corrected; see `Corrected`."""
        async with self.work.read() as session:
            return await hindsight.corrected(session, bundle, platforms, limit)

    # What people say of it

    async def vote(
        self, prediction_id: int, voter: Person, labels: frozenset[str], at: datetime
    ) -> VoteReceipt:
        """Say who is in the picture. One vote a person a picture: a later one takes the place of an earlier.

        Args:
            prediction_id: the prediction whose picture is meant.
            voter: who says so.
            labels: slugs, names or aliases of characters; none for *nobody on the list*.
            at: when, with a time zone.

        Raises:
            NotFound: there is no such prediction.
            UnknownLabel: nobody is called so in the picture's community.
            BadLabel: more characters than a vote may name.
        """
        if len(labels) > MOST_LABELS:
            raise BadLabel("too-many")
        vocabulary = await self._current()
        key = self.person_key(voter)

        async def work(session: AsyncSession) -> VoteReceipt:
            about = await votes.target(session, prediction_id)
            slugs = frozenset(slug_for(vocabulary, label, about.community) for label in labels)
            person = await people.person_id(session, key, at)
            done = await votes.vote(session, about, person, slugs, at)
            await self.review.touched(session, vocabulary, done.cases, at, pictures=False)
            return done.receipt

        return await self.work.write(work)

    async def undo(
        self, voter: Person, prediction_id: int | None = None, *, at: datetime
    ) -> VoteReceipt | None:
        """Take a person's vote back: the one before it stands again, if there was one.

        Args:
            voter: whose vote.
            prediction_id: about which picture; None for that person's latest vote.
            at: when, with a time zone.

        Returns:
            The vote as it stands now (``labels`` is None when none is left); None when nothing was to undo.

        Raises:
            NotFound: there is no such prediction.
        """
        key, vocabulary = self.person_key(voter), await self._current()

        async def work(session: AsyncSession) -> VoteReceipt | None:
            if prediction_id is not None:
                await votes.target(session, prediction_id)
            person = await people.find_person(session, key)
            done = None if person is None else await votes.undo(session, person, prediction_id, at)
            if done is None:
                return None
            await self.review.touched(session, vocabulary, done.cases, at, pictures=False)
            return done.receipt

        return await self.work.write(work)

    async def tally(self, prediction_id: int) -> Tally:
        """What people in this community said of the picture and its near copies.

        Raises:
            NotFound: there is no such prediction.
        """
        vocabulary = await self._current()
        async with self.work.read() as session:
            return await votes.tally(session, vocabulary, prediction_id)

    async def votes_of(self, voter: Person, limit: int = 25, before: int | None = None) -> list[MyVote]:
        """A person's standing votes, the latest first; ``before``: the `MyVote.position` to read on from."""
        key = self.person_key(voter)
        async with self.work.read() as session:
            person = await people.find_person(session, key)
            return [] if person is None else await votes.votes_of(session, person, limit, before)

    # What communities choose for themselves

    async def community_settings(self, community: Community) -> CommunitySettings:
        """What a community chose; the defaults when it never did."""
        async with self.work.read() as session:
            return await communities.settings_of(session, community)

    async def change_settings(
        self, community: Community, by: Person, settings: CommunitySettings, at: datetime
    ) -> CommunitySettings:
        """Write what a community chose, with who chose it and what held before.

        Raises:
            BadSetting: its ``reason`` says what cannot be chosen.
        """
        wanted, key = communities.valid(settings), self.person_key(by)
        return await self.work.write(lambda s: communities.change(s, community, key, wanted, at))

    async def community_moved(self, old: Community, new: Community) -> None:
        """Let everything of ``old`` belong to ``new``, whose own settings hold where it has chosen any.

        What still comes in under the old id counts for the new one.
        """
        now = datetime.now(UTC)
        await self.work.write(lambda s: communities.moved(s, old, new, now))

    async def reviewed_communities(self) -> list[Community]:
        """The communities that have a case, in the order in which they were met."""
        async with self.work.read() as session:
            return await communities.reviewed(session)

    async def current_community(self, community: Community) -> Community:
        """The id that a community has now: another one than this when it has moved."""
        async with self.work.read() as session:
            return await communities.current(session, community)

    async def _rescored(self, session: AsyncSession, cases: Iterable[int], at: datetime) -> None:
        await self.review.touched(session, await characters.load(session), cases, at)

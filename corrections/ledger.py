"""The corrections ledger as everybody else sees it: frozen things in, frozen things out.

Every method that writes has committed, to the disk, when it returns. What is done twice with the same
arguments is done once (except `Ledger.undo`, which goes one step further back). Errors: `corrections.errors`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, communities, hindsight, people, posts, replies, retention, votes
from corrections.blobs import digest
from corrections.cases import CaseFinder
from corrections.errors import BadLabel, Unwritable, Withdrawn
from corrections.export.facade import Exports
from corrections.hindsight import Corrected
from corrections.links import Links
from corrections.naming import Naming, slug_for
from corrections.opening import Parts, open_parts
from corrections.privacy import Privacy
from corrections.review.agreement import ReviewRules
from corrections.review.facade import Review
from corrections.tables import BlobRow
from corrections.types import (
    Address,
    Community,
    CommunitySettings,
    MyVote,
    Person,
    PredictionView,
    Recorded,
    Seen,
    Swept,
    Tally,
    VoteReceipt,
)
from model.types import Answer

MOST_LABELS = 12
"""Characters that one vote may name."""

_DELETED_REMEMBERED = 10_000


class Ledger(Naming):
    """One open ledger. Make it with `open`; close it at the end."""

    def __init__(self, parts: Parts, proposals_per_day: int, rules: ReviewRules) -> None:
        super().__init__(parts, proposals_per_day)
        self.review = Review(parts, rules, self._current)
        self.links = Links(parts)
        self.exports = Exports(parts)
        self._store = parts.store
        self._finder = CaseFinder()
        self.privacy = Privacy(parts, self._finder, self._rescored)
        self._deleted: OrderedDict[str, None] = OrderedDict()

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
    ) -> Recorded:
        """Keep one picture of one message, and what a bundle said of it.

        Args:
            address: the message that the picture was posted in.
            slot: the picture's place among the pictures of the message, from 0.
            poster: whose picture it is.
            seen: the picture as it is to be kept.
            bundle: which model answered; one prediction a picture of a message and bundle is kept.
            level: at which of its levels of speed.
            answer: what it said; the ten likeliest are kept.
            milliseconds: how long that took.
            at: when, with a time zone.
            since: when the picture began to be looked at, if that is not the same.

        Raises:
            Withdrawn: the message has been deleted meanwhile; nothing is kept.
            WasForgotten: the poster has asked to be forgotten meanwhile; nothing is kept.
        """
        async with self.work.read() as session:
            before = await posts.recorded(session, address, slot, bundle)
            if before is not None:
                return before
            await self._finder.read_on(session, address.home)
        key = self._message_key(address)
        sha256 = await asyncio.to_thread(digest, seen.stored)
        poster_key = self.person_key(poster)
        entry = posts.Entry(
            address, slot, poster_key, key, seen, sha256, bundle, level, answer, milliseconds, at, since or at
        )
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
            if done.new:  # a sweep may have removed the file since
                await self._put(sha256, seen)
                await self.review.recorded(session, done.post_id, answer, bundle, at)
            return done

        return await self.work.write(work)

    async def replied(self, prediction_ids: Iterable[int], reply: Address) -> None:
        """Remember which message of ours answers these predictions.

        Raises:
            NotFound: one of the predictions does not exist.
        """
        ids = list(prediction_ids)
        now = datetime.now(UTC)
        await self.work.write(lambda session: posts.replied(session, ids, reply, now))

    async def reply_to(self, address: Address) -> Address | None:
        """The message of ours that answers this one; None when it has not been answered."""
        async with self.work.read() as session:
            return await posts.reply_to(session, address)

    async def answered_by(self, reply: Address) -> tuple[int, ...]:
        """The predictions that one message of ours answers, in the order of their pictures."""
        async with self.work.read() as session:
            return await replies.answered_by(session, reply)

    async def latest_reply(self, platform: str, channel: str) -> tuple[int, ...]:
        """The predictions of our newest message in a channel; none if there is none."""
        async with self.work.read() as session:
            return await replies.latest_reply(session, platform, channel)

    async def prediction(self, prediction_id: int) -> PredictionView | None:
        """What was said of which picture; None when there is no such prediction."""
        async with self.work.read() as session:
            return await posts.prediction(session, prediction_id)

    async def picture(self, blob_sha256: str) -> bytes | None:
        """The kept bytes of a picture; None when they are gone."""
        async with self.work.read() as session:
            suffix = await session.scalar(
                select(BlobRow.format).where(BlobRow.sha256 == blob_sha256, BlobRow.erased_at.is_(None))
            )
        return None if suffix is None else await asyncio.to_thread(self._store.get, blob_sha256, suffix)

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

    async def _rescored(self, session: AsyncSession, cases: Iterable[int], at: datetime) -> None:
        await self.review.touched(session, await characters.load(session), cases, at)

    def _message_key(self, address: Address) -> str:
        return self._names.message(address.platform, address.channel, address.message)

    async def _put(self, sha256: str, seen: Seen) -> None:
        try:
            await asyncio.to_thread(self._store.put, sha256, seen.stored_format, seen.stored)
        except OSError as error:
            raise Unwritable(f"{self._store.folder} does not take a picture: {error.strerror}") from error

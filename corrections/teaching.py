"""Teaching a character: some pictures of somebody and the name that they are examples of, all or nothing.

What is taught goes the way of every correction: each picture is a post with a prediction and a case. A
moderator's examples are approved at once, and their name is known from then on; other people's are votes, and
their name is a proposal. So memory, review, export and forgetting need to know nothing of teaching.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, consent, people, pinyin, posts, votes
from corrections.blobs import digest
from corrections.cases import CaseFinder, flat
from corrections.contradicting import check, shows
from corrections.errors import LedgerError, NotFound, Unwritable
from corrections.labels import clean_label, language_of
from corrections.lessons import Example, Learned, Lesson
from corrections.opening import Parts
from corrections.review import naming
from corrections.review.deciding import APPROVE
from corrections.review.judging import Ruling
from corrections.review.types import Moderator
from corrections.tables import BlobRow, CaseRow, PostRow
from corrections.vocabulary import KNOWN, PROPOSED, Vocabulary
from model.near import is_near

if TYPE_CHECKING:
    from corrections.review.facade import Review


class Teaching:
    """``ledger.teaching``."""

    def __init__(self, parts: Parts, finder: CaseFinder, review: Review, proposals_per_day: int) -> None:
        self._work = parts.work
        self._store = parts.store
        self._names = parts.names
        self._finder = finder
        self._review = review
        self._proposals_per_day = proposals_per_day

    async def teach(self, lesson: Lesson) -> Learned:
        """Keep the pictures as examples of that name, in one transaction; the same lesson again adds nothing.

        A name that somebody has already means them. A proposal that a moderator teaches is accepted by that.

        Raises:
            BadLabel: nobody can be called so; its ``reason`` says why.
            TooManyProposals: enough new names from this person for a day.
            Contradicted: one of the pictures is said to show somebody else already.
            NotFound: the moderator is one of another community.
            Withdrawn: the message has been deleted, or its poster forgotten, meanwhile.
        """
        async with self._work.read() as session:
            await self._finder.read_on(session, lesson.address.home)
        readings: dict[str, str] = {}
        if pinyin.is_chinese(lesson.name):
            readings = await asyncio.to_thread(pinyin.read, [clean_label(lesson.name)])
        contents = [each.seen.stored for each in lesson.examples]
        digests = await asyncio.to_thread(lambda: [digest(each) for each in contents])
        # Written before the transaction, so that nobody waits for the disk twice.
        await self._put(lesson, digests)
        try:
            done = await self._work.write(lambda session: self._teach(session, lesson, digests, readings))
        except LedgerError:
            with contextlib.suppress(LedgerError):  # then a sweep finds what no row knows
                await self._work.write(lambda session: self._let_go(session, lesson, digests))
            raise
        self._review.stir()
        return done

    async def _teach(
        self, session: AsyncSession, lesson: Lesson, digests: Sequence[str], readings: dict[str, str]
    ) -> Learned:
        home, at = lesson.address.home, lesson.at
        where = await people.community_id(session, home, at)
        await self._check_scope(session, lesson.moderator, where)
        who = await people.person_id(session, self._names.person(lesson.teacher), lesson.since)
        vocabulary = await characters.load(session)
        # Looked up before anything is inserted: what the finder has read must be there after a rollback too.
        places = await self._places(session, lesson, where, digests)
        found = vocabulary.resolve(lesson.name, home).character
        slug = None if found is None else found.slug
        for example, case in zip(lesson.examples, places, strict=True):
            row = None if case is None else await session.get(CaseRow, case)
            if row is not None:
                await check(session, row, lesson, slug, who, vocabulary, example.slot)
        slug = await self._named(session, lesson, vocabulary, where, who, readings)
        vocabulary = await characters.load(session)
        kept = await self._record(session, lesson, digests, places)
        agreed = await self._agree(session, lesson, who, kept)
        fresh = await self._settle(session, lesson, vocabulary, slug, who, kept)
        predictions = tuple(each.prediction_id for each in kept)
        return Learned(vocabulary.characters[slug], found is None, fresh, predictions, agreed)

    async def _check_scope(self, session: AsyncSession, moderator: Moderator | None, where: int) -> None:
        if moderator is None or moderator.community is None:
            return
        if await people.find_community(session, moderator.community) != where:
            raise NotFound("that is another community's")

    async def _places(
        self, session: AsyncSession, lesson: Lesson, where: int, digests: Sequence[str]
    ) -> list[int | None]:
        """For every picture the case of a copy of it that is there already."""
        found = []
        for example, sha256 in zip(lesson.examples, digests, strict=True):
            blob = await session.scalar(select(BlobRow.id).where(BlobRow.sha256 == sha256))
            found.append(await self._finder.find(session, where, blob or 0, example.seen.near_key))
        return found

    async def _named(
        self,
        session: AsyncSession,
        lesson: Lesson,
        vocabulary: Vocabulary,
        where: int,
        who: int,
        readings: dict[str, str],
    ) -> str:
        """The slug that the name means from now on."""
        home, at = lesson.address.home, lesson.at
        if lesson.moderator is None:
            done = await characters.propose(
                session,
                vocabulary,
                lesson.name,
                who,
                home,
                where,
                at,
                self._proposals_per_day,
                readings,
            )
            return done.slug
        found = vocabulary.resolve(lesson.name, home).character
        if found is None:
            label = clean_label(lesson.name)
            # The operator's names are everybody's, as those that they add by themselves.
            owner = where if lesson.moderator.community is not None else None
            row = await naming.add(session, {language_of(label): label}, owner, home, readings, at)
            session.add(naming.entry(row, who, owner, naming.ADD, None, at))
            await session.flush()
            return row.slug
        if found.status == PROPOSED:
            row = await naming.mine(session, found.slug, where)
            before = naming.state(row)
            row.status, row.revision = KNOWN, await characters.next_revision(session)
            await session.flush()
            session.add(naming.entry(row, who, row.community_id, naming.ACCEPT, before, at))
            await session.flush()
        return found.slug

    async def _record(
        self, session: AsyncSession, lesson: Lesson, digests: Sequence[str], places: Sequence[int | None]
    ) -> list[_Kept]:
        """The pictures' rows, each in the place of its copies."""
        address, finder = lesson.address, _Place()
        key = self._names.message(address.platform, address.channel, address.message)
        poster = self._names.person(lesson.poster)
        kept: list[_Kept] = []
        for number, (example, sha256) in enumerate(zip(lesson.examples, digests, strict=True)):
            copies = (
                kept[before].case_id
                for before, other in enumerate(lesson.examples[:number])
                if digests[before] == sha256 or _near(other.seen.near_key, example.seen.near_key)
            )
            finder.case = places[number] if places[number] is not None else next(copies, None)
            entry = posts.Entry(
                address=address,
                slot=example.slot,
                poster_key=poster,
                message_key=key,
                seen=example.seen,
                digest=sha256,
                bundle=example.bundle,
                level=example.level,
                answer=example.answer,
                milliseconds=example.milliseconds,
                at=lesson.at,
                since=lesson.since,
            )
            done = await posts.record(session, finder, entry)
            if done.new:  # a sweep may have removed the file since
                await self._put_one(example, sha256)
                await self._review.recorded(session, done.post_id, example.answer, example.bundle, lesson.at)
            post = await session.get_one(PostRow, done.post_id)
            kept.append(_Kept(done.prediction_id, done.post_id, post.case_id))
        return kept

    async def _agree(self, session: AsyncSession, lesson: Lesson, who: int, kept: Sequence[_Kept]) -> bool:
        """Who teaches with pictures of their own agrees to just these being learned from, unless never."""
        if lesson.poster != lesson.teacher or await consent.standing_of(session, who) == "never":
            return False
        for each in kept:
            await consent.agree(session, each.post_id, who, lesson.at)
        return True

    async def _settle(
        self,
        session: AsyncSession,
        lesson: Lesson,
        vocabulary: Vocabulary,
        slug: str,
        who: int,
        kept: Sequence[_Kept],
    ) -> int:
        """Approve the cases, or vote on the pictures; of how many pictures that was new."""
        home, at = lesson.address.home, lesson.at
        rows = {each.case_id: await session.get_one(CaseRow, each.case_id) for each in kept}
        waiting = {case for case, row in rows.items() if not shows(row, slug, vocabulary, home)}
        if lesson.moderator is not None:
            ruling = Ruling(who, APPROVE, at, home, vocabulary, bulk=len(waiting) > 1)
            for case in sorted(waiting):
                await self._review.taught(session, rows[case], (slug,), ruling)
            return sum(each.case_id in waiting for each in kept)
        fresh, touched = 0, set[int]()
        for each in kept:
            about = await votes.target(session, each.prediction_id)
            done = await votes.vote(session, about, who, frozenset({slug}), at)
            fresh += done.receipt.changed and each.case_id in waiting
            touched |= done.cases
        await self._review.touched(session, vocabulary, touched, at, pictures=False)
        return fresh

    async def _put(self, lesson: Lesson, digests: Sequence[str]) -> None:
        for example, sha256 in zip(lesson.examples, digests, strict=True):
            await self._put_one(example, sha256)

    async def _put_one(self, example: Example, sha256: str) -> None:
        seen = example.seen
        try:
            await asyncio.to_thread(self._store.put, sha256, seen.stored_format, seen.stored)
        except OSError as error:
            raise Unwritable(f"{self._store.folder} does not take a picture: {error.strerror}") from error

    async def _let_go(self, session: AsyncSession, lesson: Lesson, digests: Sequence[str]) -> None:
        """Remove the files that were put there for nothing."""
        for example, sha256 in zip(lesson.examples, digests, strict=True):
            if not await posts.kept(session, sha256):
                await asyncio.to_thread(self._store.delete, sha256, example.seen.stored_format)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A picture's rows."""

    prediction_id: int
    post_id: int
    case_id: int


class _Place(CaseFinder):
    """Says the case that was found beforehand, for one picture after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.case: int | None = None

    async def find(
        self, session: AsyncSession, community_id: int, blob_id: int | None, near_key: str
    ) -> int | None:
        """The case that was found; None opens one."""
        return self.case


def _near(one: str, other: str) -> bool:
    return not flat(one) and not flat(other) and is_near(one, other)

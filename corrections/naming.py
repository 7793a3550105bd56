"""The part of the ledger that knows who can be named, and by which people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, people, pinyin
from corrections.errors import UnknownLabel
from corrections.labels import clean_label
from corrections.opening import Parts
from corrections.types import Character, Community, Person, Resolution, Suggestion
from corrections.vocabulary import Vocabulary


class Naming:
    """People by their keys, characters by whatever they are called; see `corrections.ledger.Ledger`."""

    def __init__(self, parts: Parts, proposals_per_day: int) -> None:
        self.work = parts.work
        self._names = parts.names
        self._vocabulary = parts.vocabulary
        self._proposals_per_day = proposals_per_day

    async def close(self) -> None:
        """Let what is under way end and let go of the database. Twice is fine."""
        await self.work.close()

    def person_key(self, person: Person) -> str:
        """What the ledger calls this person: 64 hexadecimal digits that say nothing without its secret."""
        return self._names.person(person)

    async def characters(self, community: Community | None = None) -> list[Character]:
        """Everybody who can be named, by English name: the known ones, and the community's own proposals."""
        return (await self._current()).visible(community)

    async def resolve(self, text: str, community: Community | None = None) -> Resolution:
        """Who is called exactly so, spelling aside."""
        return (await self._current()).resolve(text, community)

    async def suggest(
        self, text: str, community: Community | None = None, language: str = "en", limit: int = 25
    ) -> list[Suggestion]:
        """Who may be meant, the likeliest first; see `Vocabulary.suggest`."""
        return (await self._current()).suggest(text, community, language, limit)

    async def adopt(self, slugs: Iterable[str]) -> dict[str, str]:
        """Make the characters that a model knows known here; those called so already stay as they are.

        Args:
            slugs: the model's own.

        Returns:
            By the model's slug the one that is used here.
        """
        wanted = list(dict.fromkeys(slugs))
        current = await self._current()
        here = {slug: found.slug for slug in wanted if (found := current.by_slug(slug, None)) is not None}
        if len(here) == len(wanted):
            return here

        async def work(session: AsyncSession) -> dict[str, str]:
            vocabulary = await characters.load(session)
            return await characters.adopt(session, vocabulary, wanted, datetime.now(UTC))

        return await self.work.write(work)

    async def propose(self, text: str, proposer: Person, community: Community, at: datetime) -> Character:
        """Propose a new name, which only its community sees until it is accepted.

        A name that somebody has already gives that character.

        Raises:
            BadLabel: nobody can be called so; its ``reason`` says why.
            TooManyProposals: enough from this person for a day.
        """
        key = self.person_key(proposer)
        readings: dict[str, str] = {}
        if pinyin.is_chinese(text) and not await self.resolve(text, community):
            readings = await asyncio.to_thread(pinyin.read, [clean_label(text)])

        async def work(session: AsyncSession) -> Character:
            vocabulary = await characters.load(session)
            where = await people.community_id(session, community, at)
            who = await people.person_id(session, key, at)
            return await characters.propose(
                session, vocabulary, text, who, community, where, at, self._proposals_per_day, readings
            )

        return await self.work.write(work)

    async def _current(self) -> Vocabulary:
        async with self.work.read() as session:
            if await characters.current_revision(session) != self._vocabulary.revision:
                self._vocabulary = await characters.load(session)
            return self._vocabulary


def slug_for(vocabulary: Vocabulary, label: str, community: Community) -> str:
    """The slug that a label means in a community.

    Raises:
        UnknownLabel: nobody is called so there.
    """
    found = vocabulary.by_slug(label, community) or vocabulary.resolve(label, community).character
    if found is None:
        raise UnknownLabel(label)
    return found.slug

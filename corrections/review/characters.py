"""The part of the review that is about characters; see `corrections.review.naming` for the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from corrections import pinyin
from corrections.characters import load, next_revision
from corrections.memory import changes
from corrections.people import community_id, person_id
from corrections.review import figures, naming
from corrections.review.scoped import Scoped
from corrections.review.types import CharacterCount, Moderator
from corrections.tables import CharacterRow
from corrections.types import Character
from corrections.vocabulary import KNOWN

Change = Callable[[AsyncSession, CharacterRow], Awaitable[None]]


UNNAMING = (naming.MERGE, naming.REFUSE, naming.REMOVE)
"""What changes whom the pictures of a character show."""


class Characters(Scoped):
    """Names, as a moderator may change them."""

    async def characters(self, moderator: Moderator) -> list[CharacterCount]:
        """Every character that can be named there, with its cases; proposals among them."""
        vocabulary = await self._current()
        async with self._work.read() as session:
            where = await self._scope(session, moderator)
            confused = await figures.confusion(session, vocabulary, where)
            return list(await figures.counts(session, vocabulary, where, moderator.community, confused))

    async def accept(
        self, moderator: Moderator, slug: str, names: Mapping[str, str], at: datetime | None = None
    ) -> Character:
        """Make a proposal known: in its community, or to everybody when the operator does it.

        Args:
            names: by language, where they shall be others than were proposed.

        Raises:
            UnknownLabel: there is no such character for them.
            SharedCharacter: it is everybody's, and this is no operator.
            BadLabel: a name cannot be one, or somebody else is called so.
        """
        wanted = naming.clean_names(names)
        readings = await self._readings(wanted.values())

        async def change(session: AsyncSession, row: CharacterRow) -> None:
            row.status, row.revision = KNOWN, await next_revision(session)
            if moderator.community is None:
                row.community_id = None
            await session.flush()
            await naming.rename(session, row, wanted, None, moderator.community, readings)

        return await self._change(moderator, slug, naming.ACCEPT, change, at)

    async def refuse(self, moderator: Moderator, slug: str, at: datetime | None = None) -> Character:
        """Let a proposal not be a name: votes for it count no longer, and it cannot be proposed again.

        Raises:
            UnknownLabel, SharedCharacter: see `accept`.
            BadLabel: it has been accepted already.
        """
        return await self._change(moderator, slug, naming.REFUSE, naming.refuse, at)

    async def rename(
        self,
        moderator: Moderator,
        slug: str,
        names: Mapping[str, str],
        aliases: Iterable[str] | None = None,
        at: datetime | None = None,
    ) -> Character:
        """Give a character other names; what it was called until now becomes an alias.

        Args:
            names: by language; languages that are left out stay as they are.
            aliases: all that it shall have; None leaves them as they are.

        Raises:
            UnknownLabel, SharedCharacter, BadLabel: see `accept`.
        """
        wanted = naming.clean_names(names)
        others = None if aliases is None else naming.clean_aliases(aliases)
        readings = await self._readings([*wanted.values(), *(others or ())])

        async def change(session: AsyncSession, row: CharacterRow) -> None:
            await naming.rename(session, row, wanted, others, moderator.community, readings)

        return await self._change(moderator, slug, naming.RENAME, change, at)

    async def merge(
        self, moderator: Moderator, slug: str, into: str, at: datetime | None = None
    ) -> Character:
        """Let a character be another one: what was said and decided of it counts for that one from now on.

        Raises:
            UnknownLabel: there is no such character, or the other one is not known where this one is.
            SharedCharacter: see `accept`.
            BadLabel: the two are the same.
        """

        async def change(session: AsyncSession, row: CharacterRow) -> None:
            await naming.merge(session, row, into, moderator.community)

        return await self._change(moderator, slug, naming.MERGE, change, at)

    async def add(
        self, moderator: Moderator, names: Mapping[str, str], at: datetime | None = None
    ) -> Character:
        """A new character, known in the moderator's community, or to everybody when the operator adds it.

        Raises:
            BadLabel: no name, none that can be one, or somebody is called so already.
        """
        wanted = naming.clean_names(names)
        readings = await self._readings(wanted.values())
        now = at or datetime.now(UTC)

        async def work(session: AsyncSession) -> Character:
            me = await person_id(session, self._names.person(moderator.person), now)
            home = moderator.community
            where = None if home is None else await community_id(session, home, now)
            row = await naming.add(session, wanted, where, home, readings, now)
            session.add(naming.entry(row, me, where, naming.ADD, None, now))
            await session.flush()
            return (await load(session)).characters[row.slug]

        return await self._work.write(work)

    async def _change(
        self, moderator: Moderator, slug: str, action: str, change: Change, at: datetime | None
    ) -> Character:
        now = at or datetime.now(UTC)
        named: set[int] = set()

        async def work(session: AsyncSession) -> Character:
            me = await person_id(session, self._names.person(moderator.person), now)
            where = await self._scope(session, moderator)
            row = await naming.mine(session, slug, where, removing=action == naming.REMOVE)
            before = naming.state(row)
            await change(session, row)
            if naming.state(row) != before:
                session.add(naming.entry(row, me, row.community_id or where, action, before, now))
                if action in UNNAMING:  # its pictures show somebody else now
                    await changes.noted_everywhere(session, now)
                await session.flush()
            named.clear()
            named.update(await naming.cases_naming(session, row.id))
            return (await load(session)).characters[row.slug]

        changed = await self._work.write(work)
        if action in UNNAMING:
            self._named |= named
            self._stir.set()
        return changed

    async def _readings(self, texts: Iterable[str]) -> dict[str, str]:
        spoken = naming.chinese(texts)
        return await asyncio.to_thread(pinyin.read, spoken) if spoken else {}

"""Whose cases a moderator may see: every look at the ledger for one begins here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import WITHDRAWN
from corrections.errors import NotFound
from corrections.opening import Parts
from corrections.people import find_community, find_person, person_id
from corrections.review.types import Moderator
from corrections.tables import CaseRow, CommunityRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary

NOWHERE = -1
"""The row of a community that we have never heard of: nothing is in it."""


class Scoped:
    """What the parts of the review share."""

    def __init__(self, parts: Parts, current: Callable[[], Awaitable[Vocabulary]]) -> None:
        self._work = parts.work
        self._store = parts.store
        self._names = parts.names
        self._current = current
        self._stirred: set[int] = set()  # communities in which somebody voted or decided
        self._named: set[int] = set()  # cases whose characters' names changed
        self._stir = asyncio.Event()

    async def _scope(
        self, session: AsyncSession, moderator: Moderator, wanted: Community | None = None
    ) -> int | None:
        """The row of the only community that is meant; None: all of them."""
        if moderator.community is None:
            if wanted is None:
                return None
            found = await find_community(session, wanted)
        else:
            found = await find_community(session, moderator.community)
            if wanted is not None and found != await find_community(session, wanted):
                return NOWHERE
        return NOWHERE if found is None else found

    async def _row(
        self, session: AsyncSession, moderator: Moderator, case_id: int
    ) -> tuple[CaseRow, Community]:
        """A case and its community.

        Raises:
            NotFound: there is none, its pictures were forgotten, or it is another community's: nobody
                learns which.
        """
        query = (
            select(CaseRow, CommunityRow.platform, CommunityRow.native)
            .join(CommunityRow, CaseRow.community_id == CommunityRow.id)
            .where(CaseRow.id == case_id, CaseRow.status != WITHDRAWN)
        )
        found = (await session.execute(query)).one_or_none() if 0 < case_id < 1 << 63 else None
        if found is not None:
            row, home = found[0], (found[1], found[2])
            if moderator.community in (None, home):
                return row, home
            # A community that moved may still be known to somebody by the id that it had.
            if await self._scope(session, moderator) == row.community_id:
                return row, home
        raise NotFound(f"there is no case {case_id}")

    async def _me(self, session: AsyncSession, moderator: Moderator, at: datetime) -> int:
        """The moderator's row, made when they are new."""
        key = self._names.person(moderator.person)
        found = await find_person(session, key)
        return found if found is not None else await person_id(session, key, at)


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)

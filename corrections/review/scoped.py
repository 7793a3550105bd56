"""Whose cases a moderator may see: every look at the ledger for one begins here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import WITHDRAWN
from corrections.errors import NotFound
from corrections.opening import Parts
from corrections.people import find_community
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

    async def _row(self, session: AsyncSession, moderator: Moderator, case_id: int) -> CaseRow:
        """A case.

        Raises:
            NotFound: there is none, its pictures were forgotten, or it is another community's: nobody
                learns which.
        """
        row = await session.get(CaseRow, case_id) if 0 < case_id < 1 << 63 else None
        if (
            row is None
            or row.status == WITHDRAWN
            or await self._scope(session, moderator) not in (None, row.community_id)
        ):
            raise NotFound(f"there is no case {case_id}")
        return row

    async def _home(self, session: AsyncSession, row: CaseRow) -> Community:
        community = await session.get(CommunityRow, row.community_id)
        assert community is not None  # a foreign key says so
        return community.platform, community.native

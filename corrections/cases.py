"""Which case a picture belongs to: that of its near copies in the same community, or a new one."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.tables import FORGOTTEN, BlobRow, CaseRow, CommunityRow, PostRow
from corrections.types import Community
from model.near import NearIndex

OPEN, APPROVED, WITHDRAWN = "open", "approved", "withdrawn"

FRESH_SECONDS = 30.0
"""For so long after a look the rest is little enough to be read in the transaction that asks."""
FRESH_KEPT = 10_000

_AT_ONCE = 2_000  # rows read in one go: the loop is held up for a few milliseconds


@dataclass
class _Shelf:
    """The near keys of one community, as far as they have been read."""

    read_to: int = 0  # the last post
    index: NearIndex[int] = field(default_factory=NearIndex)  # the number of a key, see `cases`
    keys: dict[str, int] = field(default_factory=dict)  # near key to its number
    cases: list[int] = field(default_factory=list)  # number to case


class CaseFinder:
    """Finds the case of a near key; holds the keys of the communities used last, ``most_keys`` at most.

    It only ever learns of committed posts, by reading on from the last one it has seen: nothing has to be
    rebuilt or told after a restart, a rollback or another process's write.
    """

    def __init__(self, most_keys: int = 400_000) -> None:
        self._shelves: OrderedDict[int, _Shelf] = OrderedDict()
        self._most = most_keys
        self._reading = asyncio.Lock()
        self._fresh: dict[Community, float] = {}

    async def read_on(self, session: AsyncSession, community: Community) -> None:
        """Learn what has been posted in a community since the last time.

        To be called before the transaction that asks: after a start there may be much to read.
        """
        platform, native = community
        community_id = await session.scalar(
            select(CommunityRow.id).where(CommunityRow.platform == platform, CommunityRow.native == native)
        )
        if community_id is not None:
            async with self._reading:
                await self._read_on(session, community_id)
        if len(self._fresh) > FRESH_KEPT:
            self._fresh.clear()
        self._fresh[community] = time.monotonic() + FRESH_SECONDS

    async def _read_on(self, session: AsyncSession, community_id: int) -> _Shelf:
        shelf = self._shelves.setdefault(community_id, _Shelf())
        self._shelves.move_to_end(community_id)
        while True:
            rows = (
                await session.execute(
                    select(PostRow.id, BlobRow.near_key, PostRow.case_id)
                    .join(BlobRow, PostRow.blob_id == BlobRow.id)
                    .where(
                        PostRow.community_id == community_id,
                        PostRow.id > shelf.read_to,
                        PostRow.original_sha256 != FORGOTTEN,
                    )
                    .order_by(PostRow.id)
                    .limit(_AT_ONCE)
                )
            ).all()
            new = [(key, case) for _, key, case in rows]
            if len(new) > 100:  # a long list would hold up the loop
                await asyncio.to_thread(_shelve, shelf, new)
            else:
                _shelve(shelf, new)
            if rows:
                shelf.read_to = rows[-1][0]
            if len(rows) < _AT_ONCE:
                break
        while len(self._shelves) > 1 and sum(len(s.cases) for s in self._shelves.values()) > self._most:
            self._shelves.popitem(last=False)
            self._fresh.clear()
        return shelf

    def drop(self, communities: Iterable[int]) -> None:
        """Read the keys of these communities anew when they are asked for: some are gone."""
        self._fresh.clear()
        for community in communities:
            self._shelves.pop(community, None)

    def behind(self, community: Community) -> bool:
        """Whether there may be much to read on: nothing has been read there for a while, or ever."""
        return time.monotonic() > self._fresh.get(community, 0.0)

    async def find(
        self, session: AsyncSession, community_id: int, blob_id: int | None, near_key: str
    ) -> int | None:
        """The case of the nearest copy in the community, if there is one; ``blob_id`` None: new bytes."""
        same = (
            None
            if blob_id is None
            else await session.scalar(
                select(PostRow.case_id)
                .where(
                    PostRow.community_id == community_id,
                    PostRow.blob_id == blob_id,
                    PostRow.original_sha256 != FORGOTTEN,
                )
                .limit(1)
            )
        )
        if same is not None or flat(near_key):
            return same
        async with self._reading:
            shelf = await self._read_on(session, community_id)
            if near_key in shelf.keys:
                return shelf.cases[shelf.keys[near_key]]
            near = shelf.index.query(near_key)
            return shelf.cases[near[0]] if near else None


async def case_for(
    session: AsyncSession,
    finder: CaseFinder,
    community_id: int,
    blob_id: int | None,
    near_key: str,
    at: datetime,
) -> int:
    """The case of a picture in a community, opened when there is none yet; see `CaseFinder.find`."""
    found = await finder.find(session, community_id, blob_id, near_key)
    if found is not None:
        # Everything in it was forgotten, and another process may still know the near key: it begins anew.
        await session.execute(
            update(CaseRow).where(CaseRow.id == found, CaseRow.status == WITHDRAWN).values(status=OPEN)
        )
        return found
    case = CaseRow(community_id=community_id, status=OPEN, created_at=at)
    session.add(case)
    await session.flush()
    hold(session, case)
    return case.id


def hold(session: AsyncSession, row: object) -> None:
    """Keep a row until the session ends, which has it but weakly, and would ask for it again."""
    session.info.setdefault("held", []).append(row)


def _shelve(shelf: _Shelf, new: list[tuple[str, int]]) -> None:
    for key, case in new:
        if key not in shelf.keys and not flat(key):
            number = shelf.keys[key] = len(shelf.cases)
            shelf.cases.append(case)
            shelf.index.add(key, number)


def flat(key: str) -> bool:
    """A picture without any detail shares its key with all such pictures: only its very bytes are a copy."""
    return int(key, 16).bit_count() <= 1

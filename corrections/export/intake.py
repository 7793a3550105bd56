"""What an import needs of the ledger beside recording pictures: which are here already, that their owner
agrees, and the splits that they come with. `bot.importing` does the rest with what everybody uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, consent, people
from corrections.cases import flat
from corrections.export import snapshots
from corrections.export.splits import Fate, Group, Splitter, as_split
from corrections.export.types import Policy, Split
from corrections.opening import Parts
from corrections.review.types import Labels, Moderator, Status
from corrections.tables import (
    BlobRow,
    CaseRow,
    DecisionRow,
    PostRow,
    PredictionRow,
    SplitGroupRow,
)
from corrections.types import Address, Character, Community, Person
from model.near import NearIndex

PLATFORM = "import"
IMPORTER: Person = (PLATFORM, "operator")
"""Whose pictures they are."""

IMPORT = "import"
"""Action of the entry that an import leaves in the history."""

_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Imported(Address):
    """Where an imported picture is: in a community of any platform, by the SHA-256 of its file."""

    into: Community

    @property
    def home(self) -> Community:
        """The community that it was imported into."""
        return self.into


def address_of(community: Community, sha256: str) -> Imported:
    """The address of an imported picture.

    Args:
        sha256: that of its file as it came.
    """
    return Imported(PLATFORM, community[1], ":".join(community)[:128], sha256, community)


@dataclass(frozen=True, slots=True)
class Before:
    """A file that was imported before; ``prediction_id`` is None when its picture is gone again.

    ``slot``: where it is, or where to record it once more.
    """

    prediction_id: int | None
    slot: int


@dataclass(frozen=True, slots=True)
class CaseNow:
    """The case of an imported picture."""

    case_id: int
    revision: int
    status: Status
    decided: Labels | None


class Intake:
    """``ledger.exports.intake``."""

    def __init__(self, parts: Parts) -> None:
        self._work = parts.work
        self._names = parts.names
        self._near: NearIndex[int] = NearIndex()  # of pictures that have a group, by row
        self._mark: snapshots.Mark | None = None

    async def before(self, community: Community, sha256: str) -> Before:
        """Whether a file was imported there before."""
        place = address_of(community, sha256)
        async with self._work.read() as session:
            rows = await session.execute(
                select(PostRow.slot, PredictionRow.id, BlobRow.erased_at)
                .join(BlobRow, PostRow.blob_id == BlobRow.id)
                .join(PredictionRow, PredictionRow.post_id == PostRow.id)
                .where(
                    PostRow.platform == place.platform,
                    PostRow.channel == place.channel,
                    PostRow.message == place.message,
                )
                .order_by(PostRow.slot.desc(), PredictionRow.id.desc())
            )
            found = rows.first()
        if found is None:
            return Before(None, 0)
        slot, prediction_id, erased_at = found
        return Before(prediction_id, slot) if erased_at is None else Before(None, slot + 1)

    async def case(self, prediction_id: int) -> CaseNow:
        """The case of a prediction's picture."""
        async with self._work.read() as session:
            row = (
                await session.execute(
                    select(CaseRow)
                    .join(PostRow, PostRow.case_id == CaseRow.id)
                    .join(PredictionRow, PredictionRow.post_id == PostRow.id)
                    .where(PredictionRow.id == prediction_id)
                )
            ).scalar_one()
        status: Any = row.status
        return CaseNow(row.id, row.revision, status, None if row.decided is None else tuple(row.decided))

    async def settle(self, prediction_id: int, agreed: bool, split: Split | None, policy: Policy) -> None:
        """Say that the owner of an imported picture agrees, and keep it in the split that it comes with.

        A picture that comes with *test* is never trained on; one that was, is not from now on. Twice is fine.
        """
        at, key = datetime.now(UTC), self._names.person(IMPORTER)

        async def work(session: AsyncSession) -> None:
            post, blob = (
                await session.execute(
                    select(PostRow, BlobRow)
                    .join(BlobRow, PostRow.blob_id == BlobRow.id)
                    .join(PredictionRow, PredictionRow.post_id == PostRow.id)
                    .where(PredictionRow.id == prediction_id)
                )
            ).one()
            if agreed:
                # For this post alone: the next import says for itself whether it may be learned from.
                await consent.agree(session, post.id, await people.person_id(session, key, at), at)
            if split is not None:
                await self._place(session, blob, split, policy, at)

        await self._work.write(work)

    async def propose(self, text: str, community: Community) -> Character:
        """Propose a name that an import brings, however many there are.

        Raises:
            BadLabel: nobody can be called so.
        """
        at, key = datetime.now(UTC), self._names.person(IMPORTER)

        async def work(session: AsyncSession) -> Character:
            vocabulary = await characters.load(session)
            where = await people.community_id(session, community, at)
            who = await people.person_id(session, key, at)
            return await characters.propose(
                session, vocabulary, text, who, community, where, at, 1_000_000_000, {}
            )

        return await self._work.write(work)

    async def noted(self, by: Moderator, community: Community, counts: dict[str, int]) -> None:
        """Write in the history that somebody imported so many pictures."""
        at, key = datetime.now(UTC), self._names.person(by.person)

        async def work(session: AsyncSession) -> None:
            session.add(
                DecisionRow(
                    person_id=await people.person_id(session, key, at),
                    community_id=await people.community_id(session, community, at),
                    action=IMPORT,
                    after=counts,
                    created_at=at,
                )
            )

        await self._work.write(work)

    async def _place(
        self, session: AsyncSession, blob: BlobRow, split: Split, policy: Policy, at: datetime
    ) -> None:
        if await snapshots.mark_of(session) != self._mark:
            await self._read(session)
        splitter = Splitter(policy)
        if blob.split_group_id is not None:
            splitter.known(await _group(session, blob.split_group_id), blob.near_key, blob.sha256)
            splitter.insist(blob.split_group_id, split)
            await snapshots.write_groups(session, splitter.settle(), [], at)
        else:
            near = [] if flat(blob.near_key) else self._near.query(blob.near_key)
            for other in await _blobs(session, near):
                assert other.split_group_id is not None
                splitter.known(await _group(session, other.split_group_id), other.near_key, other.sha256)
            number = splitter.new(blob.near_key, blob.sha256, split)
            changed: list[Fate] = splitter.settle()
            await snapshots.write_groups(session, changed, [(blob.id, splitter.fate(number))], at)
            if not flat(blob.near_key):
                self._near.add(blob.near_key, blob.id)  # undone by the mark, should this be rolled back
        self._mark = await snapshots.mark_of(session)

    async def _read(self, session: AsyncSession) -> None:
        self._near, last = NearIndex(), 0
        while True:
            rows = (
                await session.execute(
                    select(BlobRow.id, BlobRow.near_key)
                    .where(BlobRow.split_group_id.is_not(None), BlobRow.id > last)
                    .order_by(BlobRow.id)
                    .limit(_AT_ONCE)
                )
            ).all()
            for blob, near_key in rows:
                if not flat(near_key):
                    self._near.add(near_key, blob)
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1][0]


async def _group(session: AsyncSession, group: int) -> Group:
    row = await session.get_one(SplitGroupRow, group, populate_existing=True)
    return Group(row.id, as_split(row.split), row.was_test)


async def _blobs(session: AsyncSession, ids: Sequence[int]) -> list[BlobRow]:
    if not ids:
        return []
    rows = await session.scalars(select(BlobRow).where(BlobRow.id.in_(ids)).order_by(BlobRow.id))
    return list(rows)

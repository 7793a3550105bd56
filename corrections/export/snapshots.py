"""The ledger's own record of what left: groups of near copies, snapshots, and what was withdrawn since."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from corrections.errors import NotFound
from corrections.export.scope import Scope
from corrections.export.splits import Fate, Group, Splitter, as_split
from corrections.export.types import Counts, SnapshotView
from corrections.tables import BlobRow, CommunityRow, DecisionRow, SnapshotItemRow, SnapshotRow, SplitGroupRow
from corrections.types import Community

T = TypeVar("T")
EXPORT = "export"
"""Action of the entry that an export leaves in the history."""

_AT_ONCE = 2_000
_QUIETLY = {"synchronize_session": False}

Mark = tuple[int, int, int, int]
"""Says whether anybody has put pictures into groups meanwhile."""


async def mark_of(session: AsyncSession) -> Mark:
    """Where the groups stand."""
    groups, last = (
        await session.execute(select(func.count(), func.max(SplitGroupRow.id)).select_from(SplitGroupRow))
    ).one()
    held_out = await session.scalar(
        select(func.count()).select_from(SplitGroupRow).where(SplitGroupRow.was_test.is_(True))
    )
    grouped = await session.scalar(
        select(func.count()).select_from(BlobRow).where(BlobRow.split_group_id.is_not(None))
    )
    return groups, last or 0, held_out or 0, grouped or 0


async def read_groups(session: AsyncSession, splitter: Splitter) -> None:
    """Tell a splitter all that is grouped."""
    last = 0
    while True:
        rows = (
            await session.execute(
                select(
                    BlobRow.id,
                    BlobRow.near_key,
                    BlobRow.sha256,
                    SplitGroupRow.id,
                    SplitGroupRow.split,
                    SplitGroupRow.was_test,
                )
                .join(SplitGroupRow, BlobRow.split_group_id == SplitGroupRow.id)
                .where(BlobRow.id > last)
                .order_by(BlobRow.id)
                .limit(_AT_ONCE)
            )
        ).all()
        for _, near_key, sha256, group, split, was_test in rows:
            splitter.known(Group(group, as_split(split), was_test), near_key, sha256)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1][0]


async def once_in_test(session: AsyncSession) -> set[str]:
    """Pictures that have no group and were in test once: whoever had posted them was forgotten meanwhile.

    They must not be drawn anew: a snapshot that is out there has them in test.
    """
    rows = await session.scalars(
        select(SnapshotItemRow.sha256)
        .join(BlobRow, BlobRow.sha256 == SnapshotItemRow.sha256)
        .where(BlobRow.split_group_id.is_(None), SnapshotItemRow.file_name.startswith("test/"))
        .distinct()
    )
    return set(rows)


async def write_groups(
    session: AsyncSession, fates: Sequence[Fate], joined: Iterable[tuple[int, Fate]], at: datetime
) -> None:
    """Write what `Splitter.settle` decided.

    Args:
        joined: the pictures that had no group, by their row, and what becomes of each.
    """
    connection = await session.connection()
    rows_of = await _new_rows(connection, [fate for fate in fates if fate.id is None], at)

    def row_of(fate: Fate) -> int:
        return rows_of[id(fate)] if fate.id is None else fate.id

    for pairs in _batches(joined, _AT_ONCE):
        await connection.execute(
            update(BlobRow.__table__)  # type: ignore[arg-type]
            .where(BlobRow.__table__.c.id == bindparam("blob"))
            .values(split_group_id=bindparam("group")),
            [{"blob": blob, "group": row_of(fate)} for blob, fate in pairs],
        )
    for fate in fates:
        if fate.absorbed:
            await session.execute(
                update(BlobRow)
                .where(BlobRow.split_group_id.in_(fate.absorbed))
                .values(split_group_id=row_of(fate)),
                execution_options=_QUIETLY,
            )
            await session.execute(
                delete(SplitGroupRow).where(SplitGroupRow.id.in_(fate.absorbed)), execution_options=_QUIETLY
            )
    dropped = [fate.id for fate in fates if fate.split is None]
    if dropped:
        await session.execute(
            update(SplitGroupRow).where(SplitGroupRow.id.in_(dropped)).values(was_test=True),
            execution_options=_QUIETLY,
        )


async def _new_rows(connection: AsyncConnection, fates: Sequence[Fate], at: datetime) -> dict[int, int]:
    """Rows of new groups, by the identity of their fates; the fates stay as they are, lest it be done twice.

    Rows of one split are all alike, so it does not matter which becomes whose: that saves asking for the
    number of each, which takes ten times as long, while nobody else can write.
    """
    groups = SplitGroupRow.__table__.c
    last = await connection.scalar(select(func.max(groups.id))) or 0
    for batch in _batches(fates, _AT_ONCE):
        rows = [{"split": fate.split, "was_test": fate.split == "test", "created_at": at} for fate in batch]
        await connection.execute(insert(SplitGroupRow.__table__), rows)  # type: ignore[arg-type]
    free: defaultdict[str, list[int]] = defaultdict(list)
    if fates:
        found = await connection.execute(
            select(groups.id, groups.split).where(groups.id > last, groups.created_at == at)
        )
        for group, split in found:
            free[split].append(group)
    return {id(fate): free[fate.split or ""].pop() for fate in fates}


async def find(session: AsyncSession, name: str) -> SnapshotRow | None:
    """A snapshot by its name."""
    found: SnapshotRow | None = await session.scalar(select(SnapshotRow).where(SnapshotRow.name == name))
    return found


async def add(
    session: AsyncSession,
    row: SnapshotRow,
    files: Iterable[tuple[str, str]],
) -> None:
    """Write a snapshot and its pictures (path, SHA-256)."""
    session.add(row)
    await session.flush()
    connection = await session.connection()
    source = iter(files)
    while batch := await asyncio.to_thread(lambda: list(islice(source, _AT_ONCE))):  # they come from a file
        await connection.execute(
            insert(SnapshotItemRow.__table__),  # type: ignore[arg-type]
            [{"snapshot_id": row.id, "file_name": path, "sha256": sha256} for path, sha256 in batch],
        )


async def still_may_leave(session: AsyncSession, snapshot: int, scope: Scope) -> int:
    """How many of a snapshot's pictures may leave at this moment."""
    return (
        await session.scalar(
            select(func.count())
            .select_from(SnapshotItemRow)
            .join(BlobRow, BlobRow.sha256 == SnapshotItemRow.sha256)
            .where(SnapshotItemRow.snapshot_id == snapshot, scope.may_leave())
        )
    ) or 0


def entry(person: int, community: int | None, name: str, items: int, form: str, at: datetime) -> DecisionRow:
    """What the history says of an export."""
    return DecisionRow(
        person_id=person,
        community_id=community,
        action=EXPORT,
        after={"snapshot": name, "items": items, "format": form},
        created_at=at,
    )


async def views(session: AsyncSession, community: int | None, name: str | None = None) -> list[SnapshotView]:
    """Snapshots, the newest first; of one community alone, or all."""
    withdrawn = (
        select(func.count())
        .where(SnapshotItemRow.snapshot_id == SnapshotRow.id, SnapshotItemRow.withdrawn_at.is_not(None))
        .scalar_subquery()
    )
    query = (
        select(SnapshotRow, CommunityRow.platform, CommunityRow.native, withdrawn)
        .outerjoin(CommunityRow, SnapshotRow.community_id == CommunityRow.id)
        .order_by(SnapshotRow.id.desc())
    )
    if community is not None:
        query = query.where(SnapshotRow.community_id == community)
    if name is not None:
        query = query.where(SnapshotRow.name == name)
    rows = (await session.execute(query)).all()
    return [view(row, (platform, native) if platform else None, gone) for row, platform, native, gone in rows]


def view(row: SnapshotRow, community: Community | None, withdrawn: int) -> SnapshotView:
    """A snapshot as others see it."""
    return SnapshotView(
        name=row.name,
        items=row.items,
        counts=Counts(**row.manifest["figures"]),
        community=community,
        format=row.manifest["format"],
        at=row.created_at,
        manifest_sha256=row.manifest_sha256,
        withdrawn=withdrawn,
    )


def kept(manifest: Mapping[str, Any], counts: Counts) -> dict[str, Any]:
    """What the row keeps of a manifest: all but the list of files, and the figures as we use them."""
    return {**manifest, "figures": asdict(counts)}


async def withdrawn(session: AsyncSession, community: int | None, name: str) -> list[str]:
    """The files of a snapshot that are to be left out by now.

    Raises:
        NotFound: there is no such snapshot, or it is another community's.
    """
    row = await find(session, name)
    if row is None or (community is not None and row.community_id != community):
        raise NotFound(f"there is no snapshot {name[:64]!r}")
    names = await session.scalars(
        select(SnapshotItemRow.file_name).where(
            SnapshotItemRow.snapshot_id == row.id, SnapshotItemRow.withdrawn_at.is_not(None)
        )
    )
    return sorted(names)  # here, for every database sorts letters in its own way


def _batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(things)
    while batch := list(islice(source, size)):
        yield batch

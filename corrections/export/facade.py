"""Frozen snapshots of approved corrections: made, listed, and what was withdrawn from them.

An export reads the ledger at one moment, writes its files into a draft, and then, in one transaction, writes
the snapshot and its splits, unless what it exports may not leave any more: then it begins anew. Last the
draft gets its name. Nothing but that transaction keeps anybody from voting.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from corrections import people
from corrections.errors import MovedOn, NotFound
from corrections.export import snapshots
from corrections.export.intake import Intake
from corrections.export.planning import GROUPED, Plan, Question, community_row, gather, make_plan
from corrections.export.rows import path_of
from corrections.export.sinks import FolderSink, Sink, ZipSink, said_plainly
from corrections.export.threads import Entered, in_thread
from corrections.export.types import Counts, ExportQuery, Format, Policy, Progress, SnapshotView
from corrections.export.writing import Writer, Written
from corrections.opening import Parts
from corrections.review.types import Moderator
from corrections.tables import SnapshotRow

ATTEMPTS = 5
"""How often an export begins anew because what it exports may not leave any more."""

MakeSink = Callable[[datetime], Sink]


def _silent(part: float) -> None:
    """Nobody watches."""


class Exports:
    """Snapshots; ``ledger.exports``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._work = parts.work
        self._names = parts.names
        self.intake = Intake(parts)
        """What an import needs."""

    async def preview(self, query: ExportQuery, policy: Policy, by: Moderator | None = None) -> Counts:
        """What an export would hold; see `Counts` for what it does not know yet.

        Raises:
            NotFound: there is no such community, or ``by`` is no moderator there.
            UnknownLabel: nobody is called so.
        """
        async with self._work.read() as session:
            found, _, _ = await gather(session, self._parts, Question(query, policy, by), set(), _silent)
            found.close()
            return found.counts(found.characters, {}, 0)

    async def export(
        self,
        out: Path,
        query: ExportQuery,
        policy: Policy,
        format: Format,  # noqa: A002  # the word that everybody uses
        by: Moderator,
        progress: Progress = _silent,
    ) -> SnapshotView:
        """Write a snapshot into a new folder; a second one of the same ledger has the same bytes and name.

        Args:
            out: the folder, not there yet or empty.
            query: which pictures; a community's moderator may ask for that community only.
            policy: the operator's settings.
            format: how it is laid out.
            by: who exports; that is written in the history.
            progress: told how much is done, from 0 to 1, in this thread.

        Raises:
            ExportError: one sentence; there is nothing at ``out`` that was not there before.
            NotFound: there is no such community, or ``by`` is no moderator there.
            UnknownLabel: nobody is called so.
        """
        return await self._export(lambda at: FolderSink(out), out, query, policy, format, by, progress)

    async def archive(
        self,
        out: Path,
        query: ExportQuery,
        policy: Policy,
        format: Format,  # noqa: A002
        by: Moderator,
        progress: Progress = _silent,
    ) -> SnapshotView:
        """The same as one zip file; see `export`."""
        return await self._export(lambda at: ZipSink(out, at), out, query, policy, format, by, progress)

    async def snapshots(self, moderator: Moderator) -> list[SnapshotView]:
        """What was exported, the newest first; a community's moderator sees that community's."""
        async with self._work.read() as session:
            try:
                where = await community_row(session, moderator.community)
            except NotFound:  # nothing was ever posted there
                return []
            return await snapshots.views(session, where)

    async def withdrawn(self, moderator: Moderator, name: str) -> list[str]:
        """The files of a snapshot that a retraining must leave out.

        Raises:
            NotFound: there is no such snapshot, or it is another community's.
        """
        async with self._work.read() as session:
            where = await community_row(session, moderator.community)
            return await snapshots.withdrawn(session, where, name)

    async def _export(
        self,
        make: MakeSink,
        out: Path,
        query: ExportQuery,
        policy: Policy,
        form: Format,
        by: Moderator,
        progress: Progress,
    ) -> SnapshotView:
        gone: set[str] = set()
        for _ in range(ATTEMPTS):
            plan = await make_plan(self._parts, Question(query, policy, by), form, gone, progress)
            try:
                with said_plainly(out):
                    sink = make(plan.found.latest)
                    async with Entered(sink):
                        written = await self._write(sink, plan, form, progress)
                        if written.missing:
                            gone |= written.missing
                            continue
                        view = await self._commit(plan, written, by)
                        if view is not None:
                            await asyncio.to_thread(sink.finish)
                            progress(1.0)
                            return view
            finally:
                plan.found.close()
        raise MovedOn("what was to be exported changed again and again meanwhile: try once more")

    async def _write(self, sink: Sink, plan: Plan, form: Format, progress: Progress) -> Written:
        def write(stop: threading.Event, tell: Progress) -> Written:
            return Writer(sink, self._parts.store, plan.placed, form, plan.facts, tell, stop).write()

        return await in_thread(write, lambda part: progress(GROUPED + part * (0.97 - GROUPED)))

    async def _commit(self, plan: Plan, written: Written, by: Moderator) -> SnapshotView | None:
        """Write it all down; None when it has to begin anew."""
        key, at = self._names.person(by.person), datetime.now(UTC)

        async def work(session: AsyncSession) -> SnapshotView:
            if await snapshots.mark_of(session) != plan.mark:
                raise _BeginAnew
            row = await snapshots.find(session, written.name)
            if row is None:
                row = SnapshotRow(
                    community_id=plan.scope.community,
                    person_id=await people.person_id(session, key, at),
                    name=written.name,
                    items=plan.counts.items,
                    manifest_sha256=written.manifest_sha256,
                    manifest=snapshots.kept(written.manifest, plan.counts),
                    created_at=at,
                )
                files = ((path_of(item, split), item["sha256"]) for item, split, _ in plan.placed)
                await snapshots.add(session, row, files)
            if await snapshots.still_may_leave(session, row.id, plan.scope) != plan.counts.items:
                raise _BeginAnew
            await snapshots.write_groups(session, plan.changed, plan.joined(), at)
            person = await people.person_id(session, key, at)
            community = plan.scope.community
            session.add(snapshots.entry(person, community, row.name, row.items, plan.facts["format"], at))
            return (await snapshots.views(session, None, row.name))[0]

        try:
            return await self._work.write(work)
        except _BeginAnew:
            return None


class _BeginAnew(Exception):
    """What was planned does not hold any more."""

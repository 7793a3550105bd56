"""Frozen snapshots of approved corrections: made, listed, and what was withdrawn from them.

An export reads the ledger at one moment, writes its files into a draft, and then, in one transaction, writes
the snapshot and its splits, unless what it exports may not leave any more: then it begins anew. Last the
draft gets its name. Nothing but that transaction keeps anybody from voting.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, people
from corrections.errors import MovedOn, NotFound, NothingToExport, UnknownLabel
from corrections.export import snapshots
from corrections.export.gather import Gathered, Gatherer, Scope
from corrections.export.intake import Intake
from corrections.export.rows import path_of
from corrections.export.sinks import FolderSink, Sink, ZipSink, said_plainly
from corrections.export.splits import Fate, Splitter
from corrections.export.types import SPLITS, Counts, ExportQuery, Format, Policy, Progress, SnapshotView
from corrections.export.writing import Placed, Stopped, Writer, Written
from corrections.opening import Parts
from corrections.review.types import Moderator
from corrections.tables import SnapshotRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary
from model.types import NOBODY

ATTEMPTS = 5
"""How often an export begins anew because what it exports may not leave any more."""

_READING, _GROUPING = 0.1, 0.3  # the shares of the work at which these are done

T = TypeVar("T")
MakeSink = Callable[[datetime], Sink]


def _silent(part: float) -> None:
    """Nobody watches."""


@dataclass
class _Plan:
    """What one attempt is going to write."""

    found: Gathered
    scope: Scope
    vocabulary: Vocabulary
    splitter: Splitter
    numbers: list[int]
    changed: list[Fate]
    mark: snapshots.Mark
    counts: Counts
    facts: dict[str, Any]

    def fate(self, place: int) -> Fate:
        return self.splitter.fate(self.numbers[place])

    @property
    def placed(self) -> Placed:
        splits = [self.fate(place).split for place in range(len(self.numbers))]
        return Placed(self.found, splits, lambda place: self.fate(place).name)


class Exports:
    """Snapshots; ``ledger.exports``."""

    def __init__(self, parts: Parts) -> None:
        self._work = parts.work
        self._store = parts.store
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
            found = await self._gather(session, query, policy, by, set(), _silent)
            found[0].close()
            return found[0].counts(found[0].characters, {}, 0)

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
        """The same as one zip file, which takes the place of one that is there; see `export`."""
        return await self._export(lambda at: ZipSink(out, at), out, query, policy, format, by, progress)

    async def snapshots(self, moderator: Moderator) -> list[SnapshotView]:
        """What was exported, the newest first; a community's moderator sees that community's."""
        async with self._work.read() as session:
            try:
                where = await self._community(session, moderator.community)
            except NotFound:  # nothing was ever posted there
                return []
            return await snapshots.views(session, where)

    async def withdrawn(self, moderator: Moderator, name: str) -> list[str]:
        """The files of a snapshot that a retraining must leave out.

        Raises:
            NotFound: there is no such snapshot, or it is another community's.
        """
        async with self._work.read() as session:
            where = await self._community(session, moderator.community)
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
            plan = await self._plan(query, policy, form, by, gone, progress)
            try:
                with said_plainly(out):
                    sink = make(plan.found.latest)
                    async with _entered(sink):
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

    async def _gather(
        self,
        session: AsyncSession,
        query: ExportQuery,
        policy: Policy,
        by: Moderator | None,
        gone: set[str],
        progress: Progress,
    ) -> tuple[Gathered, Scope, Vocabulary]:
        where = query.community
        if by is not None and by.community is not None:
            if where not in (None, by.community):
                raise NotFound("there is no such community")
            where = by.community
        vocabulary = await characters.load(session)
        try:
            community = await self._community(session, where)
        except NotFound:
            if by is None or by.community is None:
                raise
            raise _nothing(Counts()) from None  # nothing was ever posted there
        who = _character(vocabulary, query.character, where)
        scope = Scope(community, query.since, who, policy.allow_discord)
        tag = _plain_tag if query.name_communities else self._tag
        gatherer = Gatherer(session, self._store, vocabulary, scope, tag, gone)
        return await gatherer.gather(progress), scope, vocabulary

    async def _plan(
        self,
        query: ExportQuery,
        policy: Policy,
        form: Format,
        by: Moderator,
        gone: set[str],
        progress: Progress,
    ) -> _Plan:
        splitter = Splitter(policy)
        async with self._work.read() as session:
            found, scope, vocabulary = await self._gather(
                session, query, policy, by, gone, lambda part: progress(part * _READING)
            )
            try:
                mark = await snapshots.mark_of(session)
                await snapshots.read_groups(session, splitter)
            except BaseException:
                found.close()
                raise
        try:
            numbers = await _in_thread(
                lambda stop, tell: _number(splitter, found, stop, tell), _share(progress)
            )
            changed = await asyncio.to_thread(splitter.settle)
            plan = _Plan(found, scope, vocabulary, splitter, numbers, changed, mark, Counts(), {})
            by_split: Counter[str] = Counter(dict.fromkeys(SPLITS, 0))
            by_character: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SPLITS, 0))
            await asyncio.to_thread(_count, plan.placed, by_split, by_character)
            totals = {slug: sum(splits.values()) for slug, splits in by_character.items()}
            near_test = len(numbers) - sum(by_split.values())
            plan.counts = found.counts(totals, by_split, near_test)
            if not plan.counts.items:
                raise _nothing(plan.counts)
            where = query.community or by.community
            tag = _plain_tag if query.name_communities else self._tag
            plan.facts = {
                "made_by": "whosthat",
                "format": form,
                "latest_decision": _iso(found.latest),
                "query": {
                    "community": None if where is None else tag(where),
                    "since": None if query.since is None else _iso(query.since),
                    "character": scope.character,
                },
                "policy": {
                    "discord.allow_training": policy.allow_discord,
                    "export.validation": policy.validation,
                    "export.test": policy.test,
                },
                "counts": {
                    "items": plan.counts.items,
                    "by_split": dict(by_split),
                    "by_character": dict(sorted(by_character.items())),
                },
                "held_back": held_back(plan.counts),
                "bundles": sorted(found.bundles - {""}),
                "vocabulary": _vocabulary(vocabulary, found.slugs, where),
            }
            return plan
        except BaseException:
            found.close()
            raise

    async def _write(self, sink: Sink, plan: _Plan, form: Format, progress: Progress) -> Written:
        def write(stop: threading.Event, tell: Progress) -> Written:
            return Writer(sink, self._store, plan.placed, form, plan.facts, tell, stop).write()

        return await _in_thread(write, lambda part: progress(_GROUPING + part * (0.97 - _GROUPING)))

    async def _commit(self, plan: _Plan, written: Written, by: Moderator) -> SnapshotView | None:
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
            joined = (
                (blob, plan.fate(place))
                for place, (blob, group) in enumerate(zip(plan.found.blobs, plan.found.groups, strict=True))
                if not group
            )
            await snapshots.write_groups(session, plan.changed, joined, at)
            person = await people.person_id(session, key, at)
            community = plan.scope.community
            session.add(snapshots.entry(person, community, row.name, row.items, plan.facts["format"], at))
            return (await snapshots.views(session, None, row.name))[0]

        try:
            return await self._work.write(work)
        except _BeginAnew:
            return None

    async def _community(self, session: AsyncSession, community: Community | None) -> int | None:
        if community is None:
            return None
        found = await people.find_community(session, community)
        if found is None:
            raise NotFound(f"there is no community {':'.join(community)[:80]!r} in the ledger")
        return found

    def _tag(self, community: Community) -> str:
        """A community without its id; a private chat is one person's, so it has no name at all."""
        platform, native = community
        if native.startswith("dm:") or platform == "web":
            return "private"
        return f"c-{self._names.community(community)[:16]}"


class _BeginAnew(Exception):
    """What was planned does not hold any more."""


class _entered:  # noqa: N801  # reads as a function
    """A sink as ``async with``: entering and leaving touch the disk."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def __aenter__(self) -> Sink:
        return await asyncio.to_thread(self._sink.__enter__)

    async def __aexit__(self, *said: Any) -> None:
        await asyncio.shield(asyncio.to_thread(self._sink.__exit__, *said))


async def _in_thread(work: Callable[[threading.Event, Progress], T], progress: Progress) -> T:
    """Run blocking work that can be stopped; whoever is cancelled waits for it to have stopped."""
    stop, loop = threading.Event(), asyncio.get_running_loop()

    def tell(part: float) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(progress, part)

    task = asyncio.ensure_future(asyncio.to_thread(work, stop, tell))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        with contextlib.suppress(Exception):
            task.result()
        raise


def _share(progress: Progress) -> Progress:
    return lambda part: progress(_READING + part * (_GROUPING - _READING))


def _number(splitter: Splitter, found: Gathered, stop: threading.Event, tell: Progress) -> list[int]:
    """The number of every picture in the splitter. Blocking."""
    numbers: list[int] = []
    for item, group in zip(found.items(), found.groups, strict=True):
        if stop.is_set():
            raise Stopped
        if group:
            numbers.append(splitter.number_of(group))
        else:
            numbers.append(splitter.new(item["near_key"], item["sha256"]))
        if len(numbers) % 200 == 0:
            tell(len(numbers) / len(found.groups))
    return numbers


def _count(placed: Placed, by_split: Counter[str], by_character: defaultdict[str, dict[str, int]]) -> None:
    for item, split, _ in placed:
        by_split[split] += 1
        for slug in item["labels"] or (NOBODY,):
            by_character[slug][split] += 1


def held_back(counts: Counts) -> list[dict[str, Any]]:
    """Why pictures are not in a snapshot, as manifest and data card say it."""
    reasons = (
        ("no consent", counts.held_no_consent, "no consent"),
        ("discord.allow_training", counts.held_discord, "Discord training is off (discord.allow_training)"),
        ("gone", counts.held_gone, "their bytes are not kept any more"),
        ("disputed", counts.held_disputed, "communities decided differently"),
        ("refused", counts.held_refused, "a character of theirs was refused since"),
        ("near a test picture", counts.near_test, "near a test picture"),
    )
    return [
        {"reason": reason, "count": count, "sentence": f"{count} held back: {why}"}
        for reason, count, why in reasons
        if count
    ]


def _nothing(counts: Counts) -> NothingToExport:
    why = "; ".join(each["sentence"] for each in held_back(counts))
    return NothingToExport(
        f"there is nothing to export: {why or 'nothing that is approved fits'}", counts.held
    )


def _character(vocabulary: Vocabulary, text: str | None, community: Community | None) -> str | None:
    if text is None or text.strip().casefold() == NOBODY:
        return None if text is None else NOBODY
    found = vocabulary.by_slug(text, community) or vocabulary.resolve(text, community).character
    if found is None:
        found = vocabulary.characters.get(text) if community is None else None  # the operator sees all
    if found is None:
        raise UnknownLabel(text)
    return found.slug


def _vocabulary(vocabulary: Vocabulary, slugs: set[str], community: Community | None) -> Mapping[str, Any]:
    shared = {each.slug for each in vocabulary.visible(community) if each.status == "known"}
    return {
        slug: dict(sorted(vocabulary.characters[slug].names.items()))
        for slug in sorted(shared | slugs)
        if slug in vocabulary.characters
    }


def _plain_tag(community: Community) -> str:
    return ":".join(community)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

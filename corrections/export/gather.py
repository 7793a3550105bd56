"""What may leave: approved pictures whose posters agree, a page at a time, each with all that is said of it.

A picture leaves with what was decided in an approved case, while one of its posts has consent; posts that the
policy does not allow give neither consent nor label. An export of one community knows its posts alone.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.blobs import BlobStore
from corrections.export.sayings import automatic_of, labels_of, said_of, voices_of
from corrections.export.scope import Scope
from corrections.export.types import Counts, Progress
from corrections.review.types import Labels
from corrections.tables import BlobRow, CaseRow, CommunityRow, PostRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary
from model.types import NOBODY

PAGE = 400
"""Pictures read in one go."""


@dataclass
class Gathered:
    """What `gather` found: compact numbers in memory, one entry a picture; the rest in a file without a name.

    ``blobs`` and ``groups``: the rows' ids, in the order of the pictures' SHA-256 (group 0: none yet).
    """

    spool: IO[bytes]
    blobs: array[int] = field(default_factory=lambda: array("q"))
    groups: array[int] = field(default_factory=lambda: array("q"))
    held: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    bundles: set[str] = field(default_factory=set)
    slugs: set[str] = field(default_factory=set)
    latest: datetime = datetime(1980, 1, 1, tzinfo=UTC)

    def keep(self, blob: int, group: int, item: Mapping[str, Any]) -> None:
        """Add a picture that may leave."""
        self.blobs.append(blob)
        self.groups.append(group)
        self.spool.write(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self.characters.update(item["labels"] or (NOBODY,))
        self.slugs.update(item["labels"])
        self.bundles.add(item["bundle"])

    def items(self) -> Iterator[dict[str, Any]]:
        """All that were kept, again from the first. Blocking."""
        self.spool.seek(0)
        for line in self.spool:
            yield json.loads(line)

    def counts(self, characters: Mapping[str, int], splits: Mapping[str, int], near_test: int) -> Counts:
        """The figures; of what leaves those that are given."""
        return Counts(
            items=len(self.blobs) - near_test,
            held_no_consent=self.held["no-consent"],
            held_discord=self.held["discord"],
            held_gone=self.held["gone"],
            by_character=dict(sorted(characters.items())),
            by_split=dict(splits),
            held_disputed=self.held["disputed"],
            held_refused=self.held["refused"],
            near_test=near_test,
        )

    def close(self) -> None:
        """Let go of the file."""
        self.spool.close()


@dataclass(frozen=True, slots=True)
class _Case:
    id: int
    labels: Labels | None  # None: a character of it was refused
    at: datetime
    home: Community
    allowed: bool


class Gatherer:
    """Goes through the pictures once.

    Args:
        tag: what a community is called in the metadata.
        gone: pictures whose bytes turned out damaged.
    """

    def __init__(
        self,
        session: AsyncSession,
        store: BlobStore,
        vocabulary: Vocabulary,
        scope: Scope,
        tag: Callable[[Community], str],
        gone: set[str],
    ) -> None:
        self._session = session
        self._store = store
        self._vocabulary = vocabulary
        self._scope = scope
        self._tag = tag
        self._gone = gone

    async def gather(self, progress: Progress) -> Gathered:
        """All pictures that may leave, by SHA-256; whoever gets them closes them."""
        found = Gathered(await asyncio.to_thread(tempfile.TemporaryFile))
        try:
            total = await self._session.scalar(select(func.count()).select_from(BlobRow)) or 1
            async for blobs in self._pages():
                await self._page(found, blobs)
                # Their digests are evenly spread, so the last one says how far we are.
                progress(min(1.0, int(blobs[-1][0].sha256[:8], 16) / 2**32) if total > PAGE else 1.0)
        except BaseException:
            found.close()
            raise
        return found

    async def _pages(self) -> AsyncIterator[list[tuple[BlobRow, bool]]]:
        last = ""
        while True:
            rows = (
                await self._session.execute(
                    select(BlobRow, self._scope.agreed())
                    .where(BlobRow.sha256 > last, self._scope.candidate())
                    .order_by(BlobRow.sha256)
                    .limit(PAGE)
                )
            ).all()
            if not rows:
                return
            yield [(blob, agreed) for blob, agreed in rows]
            last = rows[-1][0].sha256
            self._session.expunge_all()

    async def _page(self, found: Gathered, blobs: Sequence[tuple[BlobRow, bool]]) -> None:
        ids = [blob.id for blob, _ in blobs]
        cases = await self._cases(ids)
        there = await asyncio.to_thread(self._there, [blob for blob, _ in blobs])
        chosen: dict[int, tuple[_Case, Labels]] = {}
        for blob, agreed in blobs:
            held, speaks = self._judge(cases[blob.id], agreed, blob.sha256 in there)
            if held:
                found.held[held] += 1
            elif speaks is not None:
                chosen[blob.id] = speaks, speaks.labels or ()
        voices = await voices_of(
            self._session, self._vocabulary, {speaks.id: speaks.home for speaks, _ in chosen.values()}
        )
        automatic = await automatic_of(self._session, [speaks.id for speaks, _ in chosen.values()])
        said = await said_of(self._session, self._scope, list(chosen))
        for blob, _ in blobs:
            if blob.id not in chosen:
                continue
            speaks, labels = chosen[blob.id]
            bundle, character, confidence = said.get(blob.id, ("", "", 0.0))
            found.latest = max(found.latest, speaks.at)
            item = {
                "sha256": blob.sha256,
                "format": blob.format,
                "width": blob.width,
                "height": blob.height,
                "near_key": blob.near_key,
                "labels": list(labels),
                "community": self._tag(speaks.home),
                "votes": sum(voices[speaks.id].values()),
                "votes_agreeing": voices[speaks.id][labels],
                "decided_by": "agreement" if speaks.id in automatic else "moderator",
                "decided_at": speaks.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                "bundle": bundle,
                "said": character,
                "confidence": round(float(confidence), 6),
            }
            found.keep(blob.id, blob.split_group_id or 0, item)

    def _judge(self, cases: Sequence[_Case], agreed: bool, there: bool) -> tuple[str, _Case | None]:
        """Why a picture is held back, or which case speaks for it; neither: it is not in question."""
        wanted = self._scope.character
        if wanted is not None and not any(_shows(each.labels, wanted) for each in cases):
            return "", None
        if not there:
            return "gone", None
        allowed = [each for each in cases if each.allowed]
        if not allowed:
            return "discord", None
        if not agreed:
            return "no-consent", None
        named = [each for each in allowed if each.labels is not None]
        if not named:
            return "refused", None
        if len({each.labels for each in named}) > 1:
            return "disputed", None
        newest = max(named, key=lambda each: (each.at, each.id))
        return "", newest if wanted is None or _shows(newest.labels, wanted) else None

    def _there(self, blobs: Sequence[BlobRow]) -> set[str]:
        return {
            blob.sha256
            for blob in blobs
            if blob.erased_at is None
            and blob.sha256 not in self._gone
            and self._store.exists(blob.sha256, blob.format)
        }

    async def _cases(self, blobs: list[int]) -> dict[int, list[_Case]]:
        rows = await self._session.execute(
            select(PostRow.blob_id, PostRow.case_id, func.max(case((self._scope.allowed(), 1), else_=0)))
            .join(CaseRow, PostRow.case_id == CaseRow.id)
            .where(PostRow.blob_id.in_(blobs), self._scope.post(), self._scope.case())
            .group_by(PostRow.blob_id, PostRow.case_id)
        )
        where = [(blob, case_id, bool(allowed)) for blob, case_id, allowed in rows]
        facts: dict[int, tuple[Labels | None, datetime, Community]] = {}
        for case_id, decided, at, created, platform, native in await self._session.execute(
            select(
                CaseRow.id,
                CaseRow.decided,
                CaseRow.decided_at,
                CaseRow.created_at,
                CommunityRow.platform,
                CommunityRow.native,
            )
            .join(CommunityRow, CaseRow.community_id == CommunityRow.id)
            .where(CaseRow.id.in_({case_id for _, case_id, _ in where}))
        ):
            home = (platform, native)
            facts[case_id] = labels_of(self._vocabulary, decided or (), home), at or created, home
        cases: defaultdict[int, list[_Case]] = defaultdict(list)
        for blob, case_id, allowed in where:
            labels, at, home = facts[case_id]
            cases[blob].append(_Case(case_id, labels, at, home, allowed))
        return cases


def _shows(labels: Labels | None, wanted: str) -> bool:
    if labels is None:
        return False
    return not labels if wanted == NOBODY else wanted in labels

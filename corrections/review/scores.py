"""What a case's row says of its votes: kept up to date in the transaction of each vote and decision."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.review import reading
from corrections.review.agreement import ReviewRules, Weighed, weigh, weight
from corrections.review.priority import GONE, SKIPPED, priority
from corrections.review.reading import Said, settled
from corrections.review.types import Guess, Labels
from corrections.tables import BlobRow, CaseRow, CommunityRow, PostRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary
from model.types import NOBODY

OPEN: Literal["open"] = "open"
COUNTED_FOR = 60.0
"""Seconds for which a count of approved cases is good enough to say what is rare."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A case and what its votes come to at this moment."""

    row: CaseRow
    said: tuple[Said, ...]
    weighed: Weighed
    guess: Guess | None


class Scorer:
    """Weighs cases by the rules of one ledger."""

    def __init__(self, rules: ReviewRules) -> None:
        self.rules = rules
        self._approved: dict[int, tuple[float, Counter[str]]] = {}

    async def weighed(
        self,
        session: AsyncSession,
        vocabulary: Vocabulary,
        rows: Collection[CaseRow],
        at: datetime,
        home: Mapping[int, Community] | None = None,
    ) -> list[Scored]:
        """What the votes of these cases come to now; nothing is written."""
        if home is None:
            home = await reading.communities(session, {row.community_id for row in rows})
        said = await reading.said(session, vocabulary, {row.id: home[row.community_id] for row in rows})
        guesses = await reading.guesses(session, [row.id for row in rows])
        scored = []
        for community, cases in reading.by_community({row.id: row.community_id for row in rows}).items():
            people = {each.person for case in cases for each in said[case]}
            records = await reading.records(session, community, people, self.rules.newcomer_days, at)
            for row in (row for row in rows if row.id in set(cases)):
                voices = [(each.labels, weight(records[each.person], each.labels)) for each in said[row.id]]
                scored.append(
                    Scored(row, tuple(said[row.id]), weigh(voices, self.rules), guesses.get(row.id))
                )
        return scored

    async def refresh(
        self,
        session: AsyncSession,
        vocabulary: Vocabulary,
        cases: Iterable[int],
        at: datetime,
        pictures: bool = True,
    ) -> list[Scored]:
        """Write what the votes of these cases come to into their rows.

        ``revision`` grows when something else leads than before: whoever approves what they saw leading
        must not approve what came after.

        Args:
            pictures: whether some of theirs may have come or gone.
        """
        found = (
            await session.execute(
                select(CaseRow, CommunityRow.platform, CommunityRow.native)
                .join(CommunityRow, CaseRow.community_id == CommunityRow.id)
                .where(CaseRow.id.in_(set(cases)))
                .order_by(CaseRow.id)
            )
        ).all()
        rows = [row for row, _, _ in found]
        if not rows:
            return []
        home = {row.community_id: (platform, native) for row, platform, native in found}
        scored = await self.weighed(session, vocabulary, rows, at, home)
        gone = await _gone(session, [row.id for row in rows], pictures, rows)
        for each in scored:
            row, weighed = each.row, each.weighed
            leading = None if weighed.leading is None else list(weighed.leading)
            if row.leading != leading:
                row.leading = leading
                row.revision += 1
            row.agreement, row.voters, row.agreed = weighed.probability, weighed.voters, weighed.agreed
            if row.status == OPEN:
                approved = await self._approved_cases(session, row.community_id)
                row.reason, row.priority = priority(weighed, each.guess, rarest(weighed.leading, approved))
                row.priority += SKIPPED if row.skipped_at is not None else 0.0
            else:
                decided = settled(row.decided or (), vocabulary, home[row.community_id])
                row.reason, row.priority = _contradicted(each, decided)
            if row.id in gone:
                row.priority = GONE
        await session.flush()
        return scored

    async def shown(self, session: AsyncSession, row: CaseRow, guess: Guess) -> None:
        """A picture was posted of whose case nobody has said anything: there is what the bot said."""
        row.reason, row.priority = priority(weigh((), self.rules), guess, 0)
        row.priority += SKIPPED if row.skipped_at is not None else 0.0
        await session.flush()

    def approved(self, community: int, labels: Iterable[str], count: int = 1) -> None:
        """A case has been approved here, or (-1) is so no longer."""
        if community in self._approved:
            for slug in tuple(labels) or (NOBODY,):
                self._approved[community][1][slug] += count

    async def _approved_cases(self, session: AsyncSession, community: int) -> Counter[str]:
        """How many approved cases each character has; what other processes approve is seen in a minute."""
        until, counted = self._approved.get(community, (0.0, Counter()))
        if time.monotonic() > until:
            decided = cast(CaseRow.decided, Text)
            counted = Counter()
            for text, count in await session.execute(
                select(decided, func.count())
                .where(CaseRow.community_id == community, CaseRow.status == APPROVED)
                .group_by(decided)
            ):
                for slug in labels_of(text) or (NOBODY,):
                    counted[slug] += count
            self._approved[community] = (time.monotonic() + COUNTED_FOR, counted)
        return counted


async def _gone(
    session: AsyncSession, ids: Collection[int], pictures: bool, rows: Collection[CaseRow]
) -> set[int]:
    """The cases without any bytes left."""
    if not pictures:
        return {row.id for row in rows if row.priority == GONE}
    there = await session.scalars(
        select(PostRow.case_id)
        .join(BlobRow, PostRow.blob_id == BlobRow.id)
        .where(PostRow.case_id.in_(ids), BlobRow.erased_at.is_(None))
        .distinct()
    )
    return set(ids) - set(there)


def _contradicted(scored: Scored, decided: Labels) -> tuple[str, float]:
    """A decided case is worth another look when people contradict the decision who spoke after it."""
    row = scored.row
    since = [each for each in scored.said if row.decided_at is not None and each.at > row.decided_at]
    against = sum(each.labels != decided for each in since)
    if row.status == APPROVED and against >= 2 and 2 * against > len(since):
        return "disagreement", float(against)
    return "agreed", 0.0


def rarest(leading: Labels | None, approved: Mapping[str, int]) -> int:
    """How many approved cases the rarest of these has."""
    return min(approved.get(slug, 0) for slug in leading or (NOBODY,))


def labels_of(text: str | None) -> Labels:
    """A column of labels that was read as text."""
    return tuple(json.loads(text) or ()) if text else ()

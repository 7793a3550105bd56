"""What the review reads of cases: who said what, who those people are, what the bot said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.memory.said import said_of
from corrections.review.agreement import Record
from corrections.review.types import Guess, Labels
from corrections.tables import (
    CharacterRow,
    CommunityRow,
    PersonRow,
    PostRow,
    PredictionRow,
    TrustRow,
    VoteCaseRow,
    VoteLabelRow,
    VoteRow,
)
from corrections.types import Community
from corrections.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of a case, and since when; ``order`` grows with time."""

    person: int
    labels: Labels
    at: datetime
    order: int


async def communities(session: AsyncSession, ids: Collection[int]) -> dict[int, Community]:
    """The communities of these rows."""
    rows = await session.execute(
        select(CommunityRow.id, CommunityRow.platform, CommunityRow.native).where(CommunityRow.id.in_(ids))
    )
    return {row: (platform, native) for row, platform, native in rows}


async def said(
    session: AsyncSession, vocabulary: Vocabulary, cases: Mapping[int, Community]
) -> dict[int, list[Said]]:
    """By case what people say there: of each person the latest, on whichever copy it was.

    Merged characters count as those they were merged into; whoever named only a refused one, or one that
    another community keeps to itself, is left out.
    """
    rows = await session.execute(
        select(
            VoteCaseRow.case_id, VoteRow.event_id, VoteRow.person_id, VoteRow.created_at, CharacterRow.slug
        )
        .join(VoteRow, VoteCaseRow.vote_id == VoteRow.id)
        .outerjoin(VoteLabelRow, VoteLabelRow.vote_id == VoteRow.id)
        .outerjoin(CharacterRow, VoteLabelRow.character_id == CharacterRow.id)
        .where(VoteCaseRow.case_id.in_(cases))
        .order_by(VoteRow.event_id)
    )
    latest: dict[tuple[int, int], tuple[int, datetime, set[str | None]]] = {}
    for case, vote, person, at, slug in rows:  # a vote is known by the event that gave it
        if (case, person) not in latest or latest[case, person][0] != vote:
            latest[case, person] = (vote, at, set())
        if slug is not None:
            found = vocabulary.by_slug(slug, cases[case])
            latest[case, person][2].add(found.slug if found else None)
    by_case: dict[int, list[Said]] = {case: [] for case in cases}
    for (case, person), (order, at, labels) in latest.items():
        if labels != {None}:
            by_case[case].append(Said(person, tuple(sorted(s for s in labels if s is not None)), at, order))
    return by_case


async def records(
    session: AsyncSession, community: int, people: Collection[int], newcomer_days: int, at: datetime
) -> dict[int, Record]:
    """What is known of these people in a community."""
    rows = await session.execute(
        select(PersonRow.id, PersonRow.created_at, TrustRow)
        .outerjoin(TrustRow, and_(TrustRow.person_id == PersonRow.id, TrustRow.community_id == community))
        .where(PersonRow.id.in_(people))
    )
    youngest = at - timedelta(days=newcomer_days)
    return {
        person: Record(
            trust.judged, trust.confirmed, since > youngest, trust.compared, trust.matched, trust.bursts or {}
        )
        if trust
        else Record(new=since > youngest)
        for person, since, trust in rows
    }


async def guesses(session: AsyncSession, cases: Collection[int]) -> dict[int, Guess]:
    """By case what was last said of one of its pictures."""
    newest = (
        select(PostRow.case_id, func.max(PredictionRow.id).label("id"))
        .join(PredictionRow, PredictionRow.post_id == PostRow.id)
        .where(PostRow.case_id.in_(cases))
        .group_by(PostRow.case_id)
        .subquery()
    )
    rows = await session.execute(
        select(newest.c.case_id, PredictionRow).join(newest, PredictionRow.id == newest.c.id)
    )
    return {case: guess(row) for case, row in rows}


def guess(row: PredictionRow) -> Guess:
    """One prediction, as it was said."""
    said = said_of(row)
    return Guess(
        prediction_id=row.id,
        character=said.character,
        verdict=said.verdict,
        confidence=said.confidence,
        known=said.known,
        ranked=said.ranked,
        bundle=row.bundle,
    )


def settled(labels: Sequence[str], vocabulary: Vocabulary, community: Community) -> Labels:
    """Slugs as they are called now: what was merged meanwhile counts as what it was merged into."""
    found = {slug: vocabulary.by_slug(slug, community) for slug in labels}
    return tuple(sorted({character.slug if character else slug for slug, character in found.items()}))


def by_community(cases: Mapping[int, int]) -> dict[int, list[int]]:
    """Cases grouped by the row of their community."""
    grouped: defaultdict[int, list[int]] = defaultdict(list)
    for case, community in cases.items():
        grouped[community].append(case)
    return grouped

"""Counts for moderators: characters, what the bot confuses, how much people agree, and the history."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.review import reading
from corrections.review.agreement import Record, ReviewRules, weight
from corrections.review.priority import GONE
from corrections.review.reading import settled
from corrections.review.scores import OPEN, labels_of
from corrections.review.types import AgreementReport, CharacterCount, DecisionView, Labels
from corrections.tables import (
    CaseRow,
    CharacterRow,
    CommunityRow,
    DecisionRow,
    PersonRow,
    PostRow,
    PredictionRow,
)
from corrections.types import Community
from corrections.vocabulary import KNOWN, PROPOSED, Vocabulary
from model.types import NOBODY

FEWEST_JUDGED = 5
"""Votes of a person that moderators must have judged before their share is in the histogram."""

AT_ONCE = 5_000


async def confusion(
    session: AsyncSession, vocabulary: Vocabulary, community: int | None
) -> Counter[tuple[str, str]]:
    """(decided, said by the bot last) to approved cases with one character at most."""
    newest = (
        select(PostRow.case_id, func.max(PredictionRow.id).label("id"))
        .join(PredictionRow, PredictionRow.post_id == PostRow.id)
        .group_by(PostRow.case_id)
    )
    if community is not None:
        newest = newest.where(PostRow.community_id == community)
    last = newest.subquery()
    decided = cast(CaseRow.decided, Text)
    query = (
        select(
            decided,
            CommunityRow.platform,
            CommunityRow.native,
            PredictionRow.verdict,
            PredictionRow.character,
            func.count(),
        )
        .join(last, last.c.case_id == CaseRow.id)
        .join(PredictionRow, PredictionRow.id == last.c.id)
        .join(CommunityRow, CaseRow.community_id == CommunityRow.id)
        .where(CaseRow.status == APPROVED)
        .group_by(decided, CommunityRow.platform, CommunityRow.native)
        .group_by(PredictionRow.verdict, PredictionRow.character)
    )
    if community is not None:
        query = query.where(CaseRow.community_id == community)
    counted: Counter[tuple[str, str]] = Counter()
    for text, platform, native, verdict, character, count in await session.execute(query):
        labels = settled(labels_of(text), vocabulary, (platform, native))
        if len(labels) <= 1:
            answered = NOBODY if verdict == NOBODY else character
            said = NOBODY if answered == NOBODY else settled((answered,), vocabulary, (platform, native))[0]
            counted[labels[0] if labels else NOBODY, said] += count
    return counted


async def counts(
    session: AsyncSession,
    vocabulary: Vocabulary,
    community: int | None,
    home: Community | None,
    confused: Mapping[tuple[str, str], int],
) -> tuple[CharacterCount, ...]:
    """Every character that can be named there, by English name; for the operator those of all communities."""
    approved = await _cases(session, vocabulary, community, APPROVED)
    opened = await _cases(session, vocabulary, community, OPEN)
    judged: Counter[str] = Counter()
    for (decided, _), count in confused.items():
        judged[decided] += count
    seen = [
        each
        for each in vocabulary.characters.values()
        if each.status in (KNOWN, PROPOSED)
        and (community is None or each.community is None or each.community == home)
    ]
    return tuple(
        CharacterCount(
            slug=each.slug,
            names=each.names,
            aliases=each.aliases,
            status=each.status,
            community=each.community,
            approved=approved[each.slug],
            open=opened[each.slug],
            judged=judged[each.slug],
            right=confused.get((each.slug, each.slug), 0),
        )
        for each in sorted(seen, key=lambda c: (c.name().casefold(), c.slug))
    )


async def _cases(
    session: AsyncSession, vocabulary: Vocabulary, community: int | None, status: str
) -> Counter[str]:
    column = cast(CaseRow.leading if status == OPEN else CaseRow.decided, Text)
    query = (
        select(column, CommunityRow.platform, CommunityRow.native, func.count())
        .join(CommunityRow, CaseRow.community_id == CommunityRow.id)
        .where(CaseRow.status == status)
        .group_by(column, CommunityRow.platform, CommunityRow.native)
    )
    if status == OPEN:
        query = query.where(CaseRow.priority > GONE)
    if community is not None:
        query = query.where(CaseRow.community_id == community)
    counted: Counter[str] = Counter()
    for text, platform, native, count in await session.execute(query):
        for slug in settled(labels_of(text), vocabulary, (platform, native)):
            counted[slug] += count
    return counted


async def history(
    session: AsyncSession, community: int | None, me: str, auto: str, limit: int, before: int | None
) -> list[DecisionView]:
    """The newest entries first; ``me`` and ``auto`` are person keys."""
    query = (
        select(DecisionRow, PersonRow.person_key, CharacterRow.slug)
        .join(PersonRow, DecisionRow.person_id == PersonRow.id)
        .outerjoin(CharacterRow, DecisionRow.character_id == CharacterRow.id)
        .order_by(DecisionRow.id.desc())
        .limit(limit)
    )
    if community is not None:
        query = query.where(DecisionRow.community_id == community)
    if before is not None:
        query = query.where(DecisionRow.id < before)
    return [
        DecisionView(
            position=row.id,
            who="auto" if key == auto else key[:8],
            mine=key == me,
            action=row.action,
            case_id=row.case_id,
            character=slug,
            before=row.before,
            after=row.after,
            at=row.created_at,
        )
        for row, key, slug in await session.execute(query)
    ]


async def agreement(
    session: AsyncSession, vocabulary: Vocabulary, community: int | None, rules: ReviewRules, at: datetime
) -> AgreementReport:
    """How much people agree, and how often moderators confirmed them; nobody is named."""
    query = select(CaseRow.id, CaseRow.community_id, CaseRow.agreed, CaseRow.status).where(CaseRow.voters > 0)
    if community is not None:
        query = query.where(CaseRow.community_id == community)
    rows = (await session.execute(query.order_by(CaseRow.id))).all()
    home = await reading.communities(session, {row.community_id for row in rows})
    units: list[Counter[Labels]] = []
    voters: defaultdict[int, set[int]] = defaultdict(set)
    for start in range(0, len(rows), AT_ONCE):
        batch = rows[start : start + AT_ONCE]
        said = await reading.said(session, vocabulary, {row.id: home[row.community_id] for row in batch})
        for row in batch:
            units.append(Counter(each.labels for each in said[row.id]))
            voters[row.community_id] |= {each.person for each in said[row.id]}
    records: list[Record] = []
    for where, people in voters.items():
        for some in _chunks(sorted(people), AT_ONCE):
            found = await reading.records(session, where, some, rules.newcomer_days, at)
            records += found.values()
    newcomer = weight(Record(new=True))
    histogram = [0] * 10
    for record in records:
        if record.judged >= FEWEST_JUDGED:
            histogram[min(9, 10 * record.confirmed // record.judged)] += 1
    confirmed = await _confirmed(session, community)
    return AgreementReport(
        people=len({person for people in voters.values() for person in people}),
        trusted=sum(weight(each) > newcomer for each in records),
        doubted=sum(weight(each) < newcomer for each in records),
        judged=sum(each.judged for each in records),
        confirmed=sum(each.confirmed for each in records),
        histogram=tuple(histogram),
        alpha=await asyncio.to_thread(alpha, units),
        agreed_cases=sum(row.agreed for row in rows),
        agreed_and_confirmed=confirmed,
    )


async def _confirmed(session: AsyncSession, community: int | None) -> int:
    query = select(func.count()).where(
        CaseRow.agreed.is_(True),
        CaseRow.status == APPROVED,
        cast(CaseRow.leading, Text) == cast(CaseRow.decided, Text),
    )
    if community is not None:
        query = query.where(CaseRow.community_id == community)
    return await session.scalar(query) or 0


def alpha(units: Iterable[Mapping[Labels, int]]) -> float | None:
    """Krippendorff's alpha for nominal values: 1 when all agree, 0 when as if by chance.

    Krippendorff, Content Analysis (2004), section 11.3: one minus the observed over the expected
    disagreement. None when nobody could disagree with anybody, or nobody ever said anything else.
    """
    totals: Counter[Labels] = Counter()
    observed = 0.0
    for counts in units:
        together = sum(counts.values())
        if together >= 2:
            totals.update(counts)
            observed += (together**2 - sum(count**2 for count in counts.values())) / (together - 1)
    values = sum(totals.values())
    expected = values**2 - sum(count**2 for count in totals.values())
    return 1 - (values - 1) * observed / expected if expected else None


def _chunks(items: list[int], size: int) -> Iterable[list[int]]:
    return (items[start : start + size] for start in range(0, len(items), size))

"""In the background: what people's votes say of one another, and the cases that it makes a difference for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.review import reading
from corrections.review.agreement import Record, ReviewRules, Weighed, weigh, weight
from corrections.review.deciding import APPROVE, AUTO, UNDO
from corrections.review.peers import Heard, Peers, compare
from corrections.review.reading import Said
from corrections.review.scores import OPEN
from corrections.review.types import Labels
from corrections.tables import CaseRow, DecisionRow, PersonRow, TrustRow
from corrections.unit_of_work import UnitOfWork
from corrections.vocabulary import Vocabulary

T = TypeVar("T")

MOST_VOTES = 50_000
"""Votes of a community, on its newest cases, that are compared with one another."""

AT_ONCE = 250
"""Cases read, and people written, in one go."""

NOTICEABLE = 0.02
"""A case whose probability changes by less keeps its place in the queue."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a case's row says of its votes; ``claimed``: a moderator is looking at it."""

    case: int
    status: str
    leading: Labels | None
    agreement: float
    agreed: bool
    claimed: bool = False


def differs(stored: Stored, weighed: Weighed) -> bool:
    """Whether a case is noticeably another than its row says."""
    return (
        stored.leading != weighed.leading
        or stored.agreed != weighed.agreed
        or abs(stored.agreement - weighed.probability) > NOTICEABLE
    )


async def rescore(
    work: UnitOfWork, vocabulary: Vocabulary, rules: ReviewRules, community: int, at: datetime
) -> list[int]:
    """Write what others' votes say of the people of a community.

    Returns:
        The open cases that are noticeably others by it.
    """
    stored, said, judged, records = await _read(work, vocabulary, rules, community, at)
    known, differing = await asyncio.to_thread(_work_out, stored, said, judged, records, rules)
    changed = [person for person, record in known.items() if record != records[person]]
    for some in _chunks(changed):

        async def write(session: AsyncSession, some: Sequence[int] = some) -> None:
            await _keep(session, community, {person: known[person] for person in some})

        await work.write(write)
    return differing


def _work_out(
    stored: Sequence[Stored],
    said: Mapping[int, Sequence[Said]],
    judged: set[int],
    records: Mapping[int, Record],
    rules: ReviewRules,
) -> tuple[dict[int, Record], list[int]]:
    votes = [
        Heard(each.case, vote.person, vote.labels, vote.order)
        for each in stored
        if each.status in (OPEN, APPROVED) and each.case not in judged
        for vote in said[each.case]
    ]
    known = with_peers(records, compare(votes, records))
    differing = []
    for each in stored:
        if each.status == OPEN and not each.claimed:  # nobody's case changes under their eyes by this
            voices = [(vote.labels, weight(known[vote.person], vote.labels)) for vote in said[each.case]]
            if differs(each, weigh(voices, rules)):
                differing.append(each.case)
    return known, sorted(differing)


def with_peers(records: Mapping[int, Record], peers: Mapping[int, Peers]) -> dict[int, Record]:
    """What is known of people, with what others' votes say of them."""
    return {
        person: replace(
            record,
            compared=peers[person].compared,
            matched=peers[person].matched,
            bursts=dict(peers[person].bursts),
        )
        for person, record in records.items()
    }


async def _read(
    work: UnitOfWork, vocabulary: Vocabulary, rules: ReviewRules, community: int, at: datetime
) -> tuple[list[Stored], dict[int, list[Said]], set[int], dict[int, Record]]:
    async with work.read() as session:
        home = (await reading.communities(session, [community])).get(community)
        rows = await session.stream(
            select(
                *(CaseRow.id, CaseRow.status, CaseRow.leading, CaseRow.agreement, CaseRow.agreed),
                *(CaseRow.voters, CaseRow.claimed_until),
            )
            .where(CaseRow.community_id == community, CaseRow.voters > 0)
            .order_by(CaseRow.id.desc())
        )
        stored: list[Stored] = []
        votes = 0
        async for case, status, leading, agreement, agreed, voters, claimed in rows:
            if votes >= MOST_VOTES:
                break
            votes += voters
            lead = None if leading is None else tuple(leading)
            stored.append(Stored(case, status, lead, agreement, agreed, claimed is not None and claimed > at))
        await rows.close()
    said: dict[int, list[Said]] = {}
    judged: set[int] = set()
    records: dict[int, Record] = {}
    for some in _chunks(stored):
        cases = [each.case for each in some]
        async with work.read() as session:  # one after the other, so that nobody waits for long
            if home is not None:
                said |= await reading.said(session, vocabulary, dict.fromkeys(cases, home))
            approved = [each.case for each in some if each.status == APPROVED]
            judged |= await _judged(session, approved)
            people = {vote.person for case in cases for vote in said[case]} - set(records)
            records |= await reading.records(session, community, people, rules.newcomer_days, at)
    return stored, said, judged, records


async def _judged(session: AsyncSession, cases: Sequence[int]) -> set[int]:
    """Those of these approved cases that a moderator has looked at."""
    if not cases:
        return set()
    newest = (
        select(func.max(DecisionRow.id))
        .where(DecisionRow.case_id.in_(cases), DecisionRow.action.in_((APPROVE, UNDO, AUTO)))
        .group_by(DecisionRow.case_id)
    )
    rows = await session.execute(
        select(DecisionRow.case_id, DecisionRow.after).where(DecisionRow.id.in_(newest))
    )
    return {case for case, after in rows if case is not None and (after or {}).get("judged") is not None}


async def _keep(session: AsyncSession, community: int, known: Mapping[int, Record]) -> None:
    rows = {
        row.person_id: row
        for row in await session.scalars(
            select(TrustRow).where(TrustRow.community_id == community, TrustRow.person_id.in_(known))
        )
    }
    here = set(await session.scalars(select(PersonRow.id).where(PersonRow.id.in_(known))))
    for person in here:  # whoever was forgotten meanwhile stays forgotten
        row = rows.get(person)
        if row is None:
            row = TrustRow(community_id=community, person_id=person, judged=0, confirmed=0)
            session.add(row)
        row.compared, row.matched = known[person].compared, known[person].matched
        row.bursts = dict(known[person].bursts) or None
    await session.flush()


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))

"""What a moderator's decision says of the people who voted: whom it confirms, and whom it does not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.review.reading import settled
from corrections.review.types import Labels
from corrections.tables import CaseRow, TrustRow, VoteEventRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary
from corrections.votes import replay


@dataclass(frozen=True, slots=True)
class Ruling:
    """Who rules, by which action, when, and what names mean there; ``by`` is a person's row.

    ``bulk``: it is one of many at that very moment, which are undone together.
    """

    by: int
    action: str
    at: datetime
    home: Community
    vocabulary: Vocabulary
    bulk: bool = False


async def judge(
    session: AsyncSession,
    row: CaseRow,
    labels: Labels,
    upto: int | None,
    sign: int,
    ruling: Ruling,
    but: int | None,
) -> tuple[set[int], int]:
    """Count for or against everybody whose vote stood at that event; ``but``: never for oneself.

    Returns:
        These people, and the last event that was looked at.
    """
    stood, last = await standing_at(session, row.id, upto)
    stood.pop(but or 0, None)
    if not stood:
        return set(), last
    home, vocabulary = ruling.home, ruling.vocabulary
    right = settled(labels, vocabulary, home)
    confirmed = [person for person, said in stood.items() if settled(sorted(said), vocabulary, home) == right]
    hit = case((TrustRow.person_id.in_(confirmed), sign), else_=0)
    done = await session.scalars(
        update(TrustRow)
        .where(TrustRow.community_id == row.community_id, TrustRow.person_id.in_(stood))
        .values(
            judged=_not_below_none(TrustRow.judged + sign),
            confirmed=_not_below_none(TrustRow.confirmed + hit),
        )
        .returning(TrustRow.person_id),
        execution_options={"synchronize_session": False},
    )
    known = set(done)
    session.add_all(
        TrustRow(
            community_id=row.community_id, person_id=person, judged=1, confirmed=int(person in confirmed)
        )
        for person in stood
        if person not in known and sign > 0
    )
    return set(stood), last


def _not_below_none(value: ColumnElement[int]) -> ColumnElement[int]:
    return case((value < 0, 0), else_=value)


async def standing_at(
    session: AsyncSession, case_id: int, upto: int | None
) -> tuple[dict[int, frozenset[str]], int]:
    """By person what they said of a case when that event was the last, None for now.

    It is the latest of their opinions that had been given there, on whichever copy.

    Returns:
        That, and the last event that matters for it.
    """
    given = select(VoteEventRow.blob_id).where(VoteEventRow.case_id == case_id)
    query = select(VoteEventRow).where(VoteEventRow.blob_id.in_(given))
    if upto is not None:
        query = query.where(VoteEventRow.id <= upto)
    last = 0
    histories: defaultdict[tuple[int, int], list[VoteEventRow]] = defaultdict(list)
    for event in await session.scalars(query.order_by(VoteEventRow.id)):
        histories[event.person_id, event.blob_id].append(event)
        last = event.id
    standing: dict[int, tuple[int, frozenset[str]]] = {}
    for (person, _), history in histories.items():
        stack = replay(history)
        if not stack or not any(case_id in opinion.cases for opinion in stack):
            continue
        top = stack[-1]
        if person not in standing or standing[person][0] < top.event_id:
            standing[person] = (top.event_id, top.labels)
    return {person: labels for person, (_, labels) in standing.items()}, last

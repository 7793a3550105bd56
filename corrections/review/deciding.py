"""Decisions: each in one transaction with its entry in the history and with what it says of the voters.

An entry's ``before`` and ``after`` hold the case's ``status``, ``decided`` and ``revision``; ``judged`` is
the last vote event that the decision looked at, when it counts for or against people (``judge``: all but the
one who decided), so that undoing it takes back exactly what it counted; an undo names what it ``undoes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from corrections import characters
from corrections.cases import APPROVED, WITHDRAWN
from corrections.memory import changes
from corrections.review.judging import Ruling, judge
from corrections.review.scores import OPEN
from corrections.review.types import Labels
from corrections.tables import CaseRow, CharacterRow, DecisionRow
from corrections.vocabulary import KNOWN, PROPOSED, Vocabulary

APPROVE, REJECT, SKIP, UNDO, AUTO = "approve", "reject", "skip", "undo", "auto"
REJECTED = "rejected"
OF_CASES = (APPROVE, REJECT, SKIP, UNDO, AUTO)
OF_STATUS = (APPROVE, REJECT, UNDO, AUTO)
UNDOABLE = (APPROVE, REJECT, SKIP)


async def settle(
    session: AsyncSession, row: CaseRow, status: str, labels: Labels | None, ruling: Ruling, judges: bool
) -> set[int]:
    """Give a case another status, and write who did; the caller flushes.

    Args:
        judges: whether the people who voted were confirmed or contradicted by it: a person looked at it.

    Returns:
        The people whose trust changed.
    """
    state = await _state(session, row)
    touched = await _take_back(session, row, state, ruling)
    judged: int | None = None
    if judges and status == APPROVED:
        people, judged = await judge(session, row, labels or (), None, +1, ruling, but=ruling.by)
        touched |= people
    row.status, row.decided = status, None if labels is None else list(labels)
    row.decided_at = ruling.at if status != OPEN else None
    row.revision += 1
    row.skipped_at = row.claimed_by = row.claimed_until = None
    after = {"status": row.status, "decided": row.decided, "revision": row.revision, "judged": judged}
    if judged is not None:
        after["judge"] = ruling.by
    if ruling.bulk:
        after["bulk"] = True
    session.add(_entry(row, ruling.by, ruling.action, state, after, ruling.at))
    if APPROVED in (state["status"], row.status):
        await changes.noted(session, [row.id], ruling.at)
    return touched


async def skip(session: AsyncSession, row: CaseRow, by: int, at: datetime) -> None:
    """Put a case after all others for now."""
    before = {"skipped_at": None if row.skipped_at is None else row.skipped_at.isoformat()}
    row.skipped_at, row.claimed_by, row.claimed_until = at, None, None
    session.add(_entry(row, by, SKIP, before, {"skipped_at": at.isoformat()}, at))
    await session.flush()


async def undone(session: AsyncSession, entry: DecisionRow, row: CaseRow, ruling: Ruling) -> set[int]:
    """Let what was before an entry hold again.

    Returns:
        The people whose trust changed.
    """
    before = dict(entry.before or {})
    if entry.action == SKIP:
        previous = before.get("skipped_at")
        row.skipped_at = datetime.fromisoformat(previous) if previous else None
        after = before | {"undoes": entry.id}
        session.add(_entry(row, ruling.by, UNDO, dict(entry.after or {}), after, ruling.at))
        await session.flush()
        return set()
    state = await _state(session, row)
    touched = await _take_back(session, row, state, ruling)
    judged, by = before.get("judged"), before.get("judge")
    row.status, row.decided = before["status"], before["decided"]
    if judged is not None:
        labels = tuple(before["decided"] or ())
        people, _ = await judge(session, row, labels, judged, +1, ruling, but=by)
        touched |= people
    earlier = before.get("decided_at")
    row.decided_at = datetime.fromisoformat(earlier) if earlier else None
    row.revision += 1
    row.claimed_by = row.claimed_until = None
    after = {**before, "revision": row.revision, "undoes": entry.id}
    session.add(_entry(row, ruling.by, UNDO, state, after, ruling.at))
    if APPROVED in (state["status"], row.status):
        await changes.noted(session, [row.id], ruling.at)
    await session.flush()
    return touched


async def to_undo(session: AsyncSession, by: int, community: int | None) -> DecisionRow | None:
    """A moderator's latest decision of a case that has not been undone yet; nothing of forgotten pictures."""
    there = exists().where(CaseRow.id == DecisionRow.case_id, CaseRow.status != WITHDRAWN)
    taken_back: set[int] = set()
    before: int | None = None
    while True:
        query = select(DecisionRow).where(
            DecisionRow.person_id == by, DecisionRow.action.in_(OF_CASES), there
        )
        if community is not None:
            query = query.where(DecisionRow.community_id == community)
        if before is not None:
            query = query.where(DecisionRow.id < before)
        entries = list(await session.scalars(query.order_by(DecisionRow.id.desc()).limit(50)))
        for entry in entries:
            if entry.action == UNDO:
                taken_back.add((entry.after or {})["undoes"])
            elif entry.action in UNDOABLE and entry.id not in taken_back:
                return entry
        if not entries:
            return None
        before = entries[-1].id


async def rest_of(
    session: AsyncSession, entry: DecisionRow, community: int | None, most: int
) -> list[DecisionRow]:
    """What belongs to the same bulk approval and still holds; nothing of forgotten pictures."""
    there = exists().where(CaseRow.id == DecisionRow.case_id, CaseRow.status != WITHDRAWN)
    later = aliased(DecisionRow)
    newest = (
        select(func.max(later.id))
        .where(later.case_id == DecisionRow.case_id, later.action.in_(OF_STATUS))
        .correlate(DecisionRow)
        .scalar_subquery()
    )
    found = await session.scalars(
        select(DecisionRow)
        .where(
            DecisionRow.person_id == entry.person_id,
            DecisionRow.action == entry.action,
            DecisionRow.created_at == entry.created_at,
            DecisionRow.id == newest,
            there,
            *(() if community is None else (DecisionRow.community_id == community,)),
        )
        .order_by(DecisionRow.id.desc())
        .limit(most)
    )
    return [each for each in found if (each.after or {}).get("bulk")]


async def latest(session: AsyncSession, case_id: int) -> DecisionRow | None:
    """The entry that gave a case the status that it has."""
    entry: DecisionRow | None = await session.scalar(
        select(DecisionRow)
        .where(DecisionRow.case_id == case_id, DecisionRow.action.in_(OF_STATUS))
        .order_by(DecisionRow.id.desc())
        .limit(1)
    )
    return entry


async def accept_proposals(session: AsyncSession, labels: Iterable[str]) -> bool:
    """Names that a moderator approved a picture under are proposals no longer; whether any was."""
    rows = list(
        await session.scalars(
            select(CharacterRow).where(CharacterRow.slug.in_(list(labels)), CharacterRow.status == PROPOSED)
        )
    )
    if rows:
        revision = await characters.next_revision(session)
        for row in rows:
            row.status, row.revision = KNOWN, revision
        await session.flush()
    return bool(rows)


def _entry(
    row: CaseRow, by: int, action: str, before: dict[str, Any], after: dict[str, Any], at: datetime
) -> DecisionRow:
    return DecisionRow(
        person_id=by,
        community_id=row.community_id,
        case_id=row.id,
        action=action,
        before=before,
        after=after,
        created_at=at,
    )


async def _state(session: AsyncSession, row: CaseRow) -> dict[str, Any]:
    """What an entry says of a case before it: as much as an undo needs."""
    state: dict[str, Any] = {"status": row.status, "decided": row.decided, "revision": row.revision}
    state["judged"] = None
    if row.status != OPEN:
        state["decided_at"] = None if row.decided_at is None else row.decided_at.isoformat()
        entry = await latest(session, row.id)
        said = (entry.after or {}) if entry is not None else {}
        state |= {key: said[key] for key in ("judged", "judge") if key in said}
    return state


async def _take_back(session: AsyncSession, row: CaseRow, state: dict[str, Any], ruling: Ruling) -> set[int]:
    """Take back what the decision that holds said of people."""
    if state["judged"] is None:
        return set()
    labels = tuple(row.decided or ())
    people, _ = await judge(session, row, labels, state["judged"], -1, ruling, but=state.get("judge"))
    return people


def proposals_among(labels: Sequence[str], vocabulary: Vocabulary) -> bool:
    """Whether one of these is a name that no moderator has accepted yet."""
    return any(
        (found := vocabulary.characters.get(slug)) is not None and found.status == PROPOSED for slug in labels
    )

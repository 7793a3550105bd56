"""What people say is in a picture: one vote a person a picture, changed and undone at will, never lost.

The truth is the append-only history; `replay` says what stands after it, and the tables ``votes``,
``vote_labels`` and ``vote_cases`` hold that for reading.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.addresses import address_of
from corrections.characters import ids_of
from corrections.errors import NotFound
from corrections.memory.said import said_of
from corrections.tables import (
    BlobRow,
    CharacterRow,
    CommunityRow,
    PostRow,
    PredictionRow,
    VoteCaseRow,
    VoteEventRow,
    VoteLabelRow,
    VoteRow,
)
from corrections.types import Community, MyVote, Tally, VoteReceipt
from corrections.vocabulary import Vocabulary

VOTE, AGAIN, UNDO = "vote", "again", "undo"


@dataclass
class Opinion:
    """One opinion of a person about a picture, and the cases (one a community) in which it was given."""

    event_id: int
    prediction_id: int
    labels: frozenset[str]
    at: datetime
    cases: set[int] = field(default_factory=set)


def replay(events: Iterable[VoteEventRow]) -> list[Opinion]:
    """The opinions that a person's history about one picture leaves, the standing one last."""
    stack: list[Opinion] = []
    for event in events:
        if event.action == UNDO:  # two at once from two machines may find one opinion only
            del stack[-1:]
        elif event.action == AGAIN:
            for standing in stack[-1:]:
                standing.cases.add(event.case_id)
        else:
            labels = frozenset(event.labels or ())
            stack.append(
                Opinion(event.id, event.prediction_id, labels, event.created_at, cases={event.case_id})
            )
    return stack


@dataclass(frozen=True, slots=True)
class Target:
    """What a prediction's buttons are about."""

    prediction_id: int
    blob_id: int
    case_id: int
    community: Community


async def target(session: AsyncSession, prediction_id: int) -> Target:
    """The picture and case of a prediction.

    Raises:
        NotFound: there is no such prediction.
    """
    found = (
        await session.execute(
            select(PostRow.blob_id, PostRow.case_id, CommunityRow.platform, CommunityRow.native)
            .join(PredictionRow, PredictionRow.post_id == PostRow.id)
            .join(CommunityRow, PostRow.community_id == CommunityRow.id)
            .where(PredictionRow.id == prediction_id)
        )
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no prediction {prediction_id}")
    return Target(prediction_id, found[0], found[1], (found[2], found[3]))


@dataclass(frozen=True, slots=True)
class Done:
    """What a vote or an undo did; ``cases`` are those whose votes changed by it."""

    receipt: VoteReceipt
    cases: frozenset[int] = frozenset()


async def vote(
    session: AsyncSession, about: Target, person_id: int, labels: frozenset[str], at: datetime
) -> Done:
    """Give or change a vote; the same vote again changes nothing.

    Args:
        labels: slugs that can be named in the community.
    """
    history = await _history(session, person_id, about.blob_id)
    stack = replay(history)
    previous = stack[-1].labels if stack else None
    changed = previous != labels
    cases: frozenset[int] = frozenset()
    if changed or about.case_id not in stack[-1].cases:
        event = await _append(session, about, person_id, VOTE if changed else AGAIN, labels, at)
        cases = await _stand(session, person_id, about.blob_id, replay([*history, event]))
    return Done(VoteReceipt(about.prediction_id, labels, previous, changed), cases)


async def undo(session: AsyncSession, person_id: int, prediction_id: int | None, at: datetime) -> Done | None:
    """Take back a person's standing opinion about a picture (or the latest one of all); see `Ledger.undo`."""
    if prediction_id is None:
        prediction_id = await session.scalar(
            select(VoteRow.prediction_id)
            .where(VoteRow.person_id == person_id)
            .order_by(VoteRow.event_id.desc())
            .limit(1)
        )
        if prediction_id is None:
            return None
    about = await target(session, prediction_id)
    stack = replay(await _history(session, person_id, about.blob_id))
    if not stack:
        return None
    taken = stack.pop()
    labels = stack[-1].labels if stack else None
    await _append(session, about, person_id, UNDO, labels, at)
    cases = await _stand(session, person_id, about.blob_id, stack)
    return Done(VoteReceipt(prediction_id, labels, taken.labels, changed=True), cases)


async def _history(session: AsyncSession, person_id: int, blob_id: int) -> list[VoteEventRow]:
    found = await session.scalars(
        select(VoteEventRow)
        .where(VoteEventRow.person_id == person_id, VoteEventRow.blob_id == blob_id)
        .order_by(VoteEventRow.id)
    )
    return list(found)


async def _append(
    session: AsyncSession,
    about: Target,
    person_id: int,
    action: str,
    labels: frozenset[str] | None,
    at: datetime,
) -> VoteEventRow:
    event = VoteEventRow(
        person_id=person_id,
        blob_id=about.blob_id,
        prediction_id=about.prediction_id,
        case_id=about.case_id,
        action=action,
        labels=None if labels is None else sorted(labels),
        created_at=at,
    )
    session.add(event)
    await session.flush()
    return event


async def _stand(session: AsyncSession, person_id: int, blob_id: int, stack: list[Opinion]) -> frozenset[int]:
    """Make the tables say what the history says; returns the cases that are touched by it."""
    before: set[int] = set()
    row = await session.scalar(
        select(VoteRow).where(VoteRow.person_id == person_id, VoteRow.blob_id == blob_id)
    )
    if row is not None:
        before = set(await session.scalars(select(VoteCaseRow.case_id).where(VoteCaseRow.vote_id == row.id)))
        await session.execute(delete(VoteLabelRow).where(VoteLabelRow.vote_id == row.id))
        await session.execute(delete(VoteCaseRow).where(VoteCaseRow.vote_id == row.id))
    if not stack:
        if row is not None:
            await session.delete(row)
            await session.flush()
        return frozenset(before)
    standing = stack[-1]
    if row is None:
        row = VoteRow(person_id=person_id, blob_id=blob_id)
        session.add(row)
    row.prediction_id, row.event_id, row.created_at = standing.prediction_id, standing.event_id, standing.at
    await session.flush()
    ids = await ids_of(session, standing.labels)
    session.add_all(VoteLabelRow(vote_id=row.id, character_id=ids[slug]) for slug in sorted(standing.labels))
    # The standing opinion counts wherever its person spoke of the picture and has not taken that back.
    cases = set().union(*(opinion.cases for opinion in stack))
    session.add_all(VoteCaseRow(vote_id=row.id, case_id=case_id) for case_id in sorted(cases))
    await session.flush()
    return frozenset(before | cases)


async def tally(session: AsyncSession, vocabulary: Vocabulary, prediction_id: int) -> Tally:
    """Count the votes in the case of a prediction: of each person the latest, on whichever copy it was.

    Raises:
        NotFound: there is no such prediction.
    """
    about = await target(session, prediction_id)
    rows = await session.execute(
        select(VoteRow.person_id, VoteRow.id, CharacterRow.slug)
        .join(VoteCaseRow, VoteCaseRow.vote_id == VoteRow.id)
        .outerjoin(VoteLabelRow, VoteLabelRow.vote_id == VoteRow.id)
        .outerjoin(CharacterRow, VoteLabelRow.character_id == CharacterRow.id)
        .where(VoteCaseRow.case_id == about.case_id)
        .order_by(VoteRow.event_id)
    )
    said: dict[int, tuple[int, set[str | None]]] = {}
    for person, vote_id, slug in rows:
        if person not in said or said[person][0] != vote_id:
            said[person] = (vote_id, set())
        if slug is None:
            continue
        # None: a name that was refused, or that another community keeps to itself
        character = vocabulary.by_slug(slug, about.community)
        said[person][1].add(character.slug if character else None)
    opinions = [labels - {None} for _, labels in said.values() if labels != {None}]
    counts = Counter(slug for labels in opinions for slug in labels if slug is not None)
    return Tally(
        characters=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        nobody=sum(not labels for labels in opinions),
        voters=len(opinions),
    )


async def votes_of(session: AsyncSession, person_id: int, limit: int, before: int | None) -> list[MyVote]:
    """A person's standing votes, the latest first."""
    query = (
        select(VoteRow, PredictionRow, PostRow, CommunityRow.native, BlobRow.sha256)
        .join(PredictionRow, VoteRow.prediction_id == PredictionRow.id)
        .join(PostRow, PredictionRow.post_id == PostRow.id)
        .join(CommunityRow, PostRow.community_id == CommunityRow.id)
        .join(BlobRow, VoteRow.blob_id == BlobRow.id)
        .where(VoteRow.person_id == person_id)
        .order_by(VoteRow.event_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(VoteRow.event_id < before)
    rows = (await session.execute(query)).all()
    labels: defaultdict[int, set[str]] = defaultdict(set)
    for vote_id, slug in await session.execute(
        select(VoteLabelRow.vote_id, CharacterRow.slug)
        .join(CharacterRow, VoteLabelRow.character_id == CharacterRow.id)
        .where(VoteLabelRow.vote_id.in_([row.id for row, *_ in rows]))
    ):
        labels[vote_id].add(slug)
    return [
        MyVote(
            position=row.event_id,
            prediction_id=row.prediction_id,
            labels=frozenset(labels[row.id]),
            said=said_of(said).character,
            verdict=said_of(said).verdict,
            blob_sha256=sha256,
            address=address_of(post.platform, native, post.channel, post.message),
            at=row.created_at,
        )
        for row, said, post, native, sha256 in rows
    ]

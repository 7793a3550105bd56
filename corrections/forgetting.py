"""Forgetting a person: everything that is theirs goes, what other people said stays theirs.

One transaction, and the files inside it, as `corrections.retention` does. What remains:

- the person's row, under a random key, so that a moderator's decisions and the shells below are nobody's;
- of a post that other people voted on, a shell in a withdrawn case, without address and without the hash
  of what was posted (`corrections.tables.FORGOTTEN`), since their votes hang on it; other posts go entirely;
- a picture that somebody else has posted too; every other picture's bytes, near key and hash are gone;
- keyed hashes in ``tombstones``: of the messages, so that an old one that is asked about again is not taken
  for a new one, and for a day of the person, so that nothing of theirs which is on its way slips in later.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from corrections import people
from corrections.blobs import BlobStore
from corrections.consent import mark_snapshots
from corrections.homes import empty_homes, homes_of
from corrections.memory import features
from corrections.people import Pseudonyms
from corrections.posts import FORGOTTEN_MESSAGE
from corrections.replies import take_replies
from corrections.tables import (
    FORGOTTEN,
    BlobRow,
    CaseRow,
    CharacterRow,
    ConsentRow,
    LinkRow,
    PersonRow,
    PostRow,
    PredictionRow,
    ReplyRow,
    TombstoneRow,
    TrustRow,
    VoteCaseRow,
    VoteEventRow,
    VoteLabelRow,
    VoteRow,
)
from corrections.types import Address, Person
from corrections.withdrawing import slices, withdraw

NO_NEAR_KEY = "0" * 64
"""Of a picture that is forgotten: a flat one's, which is near to nothing (see `corrections.cases`)."""

_QUIETLY = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went: pictures that were posted, standing votes. ``replies``: messages of ours to be deleted."""

    pictures: int
    votes: int
    replies: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Also the communities whose near keys changed, and the cases whose votes or pictures did."""

    done: Forgotten
    communities: frozenset[int]
    cases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leaving:
    """Who is to be forgotten, and by which names they are known."""

    person: Person
    names: Pseudonyms

    @property
    def key(self) -> str:
        """Their person key."""
        return self.names.person(self.person)


async def forget(session: AsyncSession, store: BlobStore, whom: Leaving, at: datetime) -> Outcome:
    """See `corrections.privacy.Privacy.forget`, which calls this in a transaction."""
    await people.refuse_until(session, whom.key, at)
    homes = await homes_of(session, whom.person)
    who = await people.find_person(session, whom.key)
    done, touched, left = Forgotten(0, 0, ()), list(homes), set[int]()
    if who is not None:
        mine = PostRow.person_id == who
        touched += await session.scalars(select(PostRow.community_id).where(mine).distinct())
        replies = await _replies(session, who, homes)
        await _bury_messages(session, whom.names, who, at)
        votes, cases = await _votes(session, who)
        cases |= set(await session.scalars(select(PostRow.case_id).where(mine).distinct()))
        await _answers(session, who)
        pictures = await _pictures(session, store, who, at)
        left = await withdraw(session, who, cases, at)
        done = Forgotten(pictures, votes, tuple(replies))
        await session.execute(
            update(PersonRow).where(PersonRow.id == who).values(person_key=secrets.token_hex(32))
        )
    await empty_homes(session, homes)
    return Outcome(done, frozenset(touched), tuple(sorted(left)))


async def _replies(session: AsyncSession, who: int, homes: Sequence[int]) -> list[Address]:
    """Take the addresses of our answers to them, and of all our answers in their private chats."""
    theirs = (
        select(PredictionRow.id)
        .join(PostRow, PredictionRow.post_id == PostRow.id)
        .where(PostRow.person_id == who)
    )
    which = or_(ReplyRow.prediction_id.in_(theirs), ReplyRow.community_id.in_(homes))
    return await take_replies(session, which)


async def _bury_messages(session: AsyncSession, names: Pseudonyms, who: int, at: datetime) -> None:
    rows = await session.execute(
        select(PostRow.platform, PostRow.channel, PostRow.message)
        .where(PostRow.person_id == who, PostRow.message.is_not(None))
        .distinct()
    )
    keys = [names.message(platform, channel or "", message or "") for platform, channel, message in rows]
    for some in slices(keys):
        known = set(
            await session.scalars(
                select(TombstoneRow.key).where(
                    TombstoneRow.kind == FORGOTTEN_MESSAGE, TombstoneRow.key.in_(some)
                )
            )
        )
        session.add_all(
            TombstoneRow(kind=FORGOTTEN_MESSAGE, key=key, created_at=at) for key in some if key not in known
        )
    await session.flush()


async def _votes(session: AsyncSession, who: int) -> tuple[int, set[int]]:
    """Remove what they said; how many votes stood, and the cases in which they counted."""
    votes = select(VoteRow.id).where(VoteRow.person_id == who)
    count = await session.scalar(select(func.count()).select_from(VoteRow).where(VoteRow.person_id == who))
    cases = set(
        await session.scalars(select(VoteCaseRow.case_id).where(VoteCaseRow.vote_id.in_(votes)).distinct())
    )
    for statement in (
        delete(VoteLabelRow).where(VoteLabelRow.vote_id.in_(votes)),
        delete(VoteCaseRow).where(VoteCaseRow.vote_id.in_(votes)),
        delete(VoteRow).where(VoteRow.person_id == who),
        delete(VoteEventRow).where(VoteEventRow.person_id == who),
    ):
        await session.execute(statement, execution_options=_QUIETLY)
    return count or 0, cases


async def _answers(session: AsyncSession, who: int) -> None:
    """Remove what they agreed to and what is known of them as voter, proposer or moderator."""
    for statement in (
        delete(ConsentRow).where(ConsentRow.person_id == who),
        delete(TrustRow).where(TrustRow.person_id == who),
        delete(LinkRow).where(LinkRow.person_id == who),
        update(CharacterRow).where(CharacterRow.proposed_by == who).values(proposed_by=None),
        update(CaseRow).where(CaseRow.claimed_by == who).values(claimed_by=None, claimed_until=None),
    ):
        await session.execute(statement, execution_options=_QUIETLY)


async def _pictures(session: AsyncSession, store: BlobStore, who: int, at: datetime) -> int:
    """Remove their posts, and the pictures that nobody else has posted; how many they had posted."""
    mine = PostRow.person_id == who
    count = await session.scalar(
        select(func.count()).select_from(PostRow).where(mine, PostRow.original_sha256 != FORGOTTEN)
    )
    hashes = select(BlobRow.sha256).join(PostRow, PostRow.blob_id == BlobRow.id).where(mine)
    # Their consents are gone by now: what still has one is somebody else's picture as well.
    await mark_snapshots(session, hashes, at)
    other = aliased(PostRow)
    blobs = (
        await session.execute(
            select(BlobRow.id, BlobRow.sha256, BlobRow.format).where(
                exists().where(PostRow.blob_id == BlobRow.id, mine),
                ~exists().where(
                    other.blob_id == BlobRow.id, other.person_id != who, other.original_sha256 != FORGOTTEN
                ),
            )
        )
    ).all()
    await _posts(session, who)
    await asyncio.to_thread(lambda: [store.delete(blob.sha256, blob.format) for blob in blobs])
    for some in slices([blob.id for blob in blobs]):
        these = BlobRow.id.in_(some)
        await features.drop(session, some)
        referred = or_(
            exists().where(PostRow.blob_id == BlobRow.id),
            exists().where(VoteEventRow.blob_id == BlobRow.id),
            exists().where(VoteRow.blob_id == BlobRow.id),
        )
        await session.execute(delete(BlobRow).where(these, ~referred), execution_options=_QUIETLY)
        shells = list(await session.scalars(select(BlobRow.id).where(these)))
        if shells:
            await session.execute(update(BlobRow), [_blank(blob_id, at) for blob_id in shells])
    return count or 0


def _blank(blob_id: int, at: datetime) -> dict[str, Any]:
    """Nothing that could be worked out again from the picture."""
    return {
        "id": blob_id,
        "sha256": secrets.token_hex(32),
        "near_key": NO_NEAR_KEY,
        "size": 0,
        "width": 0,
        "height": 0,
        "erased_at": at,
    }


async def _posts(session: AsyncSession, who: int) -> None:
    """Remove the posts and what we said of them; shells where other people's votes hang on that."""
    mine = PostRow.person_id == who
    said = aliased(PredictionRow)
    voted = (
        exists().where(said.post_id == PostRow.id, VoteEventRow.prediction_id == said.id).correlate(PostRow)
    )
    gone = select(PostRow.id).where(mine, ~voted)
    await session.execute(
        delete(PredictionRow).where(PredictionRow.post_id.in_(gone)), execution_options=_QUIETLY
    )
    await session.execute(
        delete(PostRow).where(mine, ~exists().where(PredictionRow.post_id == PostRow.id).correlate(PostRow)),
        execution_options=_QUIETLY,
    )
    await session.execute(
        update(PostRow).where(mine).values(channel=None, message=None, original_sha256=FORGOTTEN),
        execution_options=_QUIETLY,
    )

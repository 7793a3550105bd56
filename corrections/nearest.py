"""Pictures that people named and that a community may be shown beside a new one: *Why?* asks for them.

Only pictures of that very community, approved, agreed to by their poster, still kept, whose message still
stands. Whether the reader may see the channel that a picture was posted in, the platform says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.characters import load
from corrections.consent import post_consented
from corrections.export.sayings import labels_of
from corrections.export.scope import Scope
from corrections.memory import features
from corrections.memory.features import Features
from corrections.tables import FORGOTTEN, BlobRow, CaseRow, CommunityRow, PostRow, PredictionRow
from corrections.types import Community
from corrections.unit_of_work import UnitOfWork
from model.near import distance, is_near

LOOKED_THROUGH = 500
"""The pictures of a community decided last: those that are compared."""


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """One picture and who people say is in it: slugs, none for nobody on the list.

    ``channel`` is where its message stands.
    """

    sha256: str
    slugs: tuple[str, ...]
    channel: str


@dataclass(frozen=True, slots=True)
class _Asked:
    community: int
    home: Community
    blob: int
    near_key: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    blob: int
    near_key: str
    picture: NamedPicture


async def nearest(
    work: UnitOfWork,
    prediction_id: int,
    slug: str,
    *,
    allow_discord: bool,
    may_see: Callable[[str], bool],
    most: int,
) -> list[NamedPicture]:
    """The named pictures nearest to the one of a prediction, the nearest first, each once.

    Near copies come first, then what a model sees alike (cosine of the embeddings), whoever is in it. Where
    it is not known what the model saw, pictures of the character ``slug`` stand in, the latest decided first.

    Args:
        allow_discord: the setting ``discord.allow_training``.
        may_see: whether the reader may see what is posted in a channel.
    """
    async with work.read() as session:
        asked = await _asked(session, prediction_id)
        if asked is None:
            return []
        candidates = [
            each for each in await _candidates(session, asked, allow_discord) if may_see(each.picture.channel)
        ]
        seen, _ = await features.read(session, [asked.blob, *(each.blob for each in candidates)])
    order: dict[str, tuple[float, NamedPicture]] = {}
    for place, each in enumerate(candidates):
        closeness = _closeness(asked, each, seen)
        if closeness is None and slug in each.picture.slugs:
            closeness = -1.0 - place
        if closeness is not None:
            order.setdefault(each.picture.sha256, (closeness, each.picture))
    return [picture for _, picture in sorted(order.values(), key=lambda each: -each[0])][:most]


def _closeness(asked: _Asked, other: _Candidate, seen: dict[int, Features]) -> float | None:
    """More than 1 for copies, the cosine for others; None when it cannot be told."""
    if is_near(asked.near_key, other.near_key):
        return 1_000.0 - distance(asked.near_key, other.near_key)
    here, there = seen.get(asked.blob), seen.get(other.blob)
    if here is None or there is None or here.bundle != there.bundle:
        return None
    return float(here.embedding @ there.embedding)


async def _asked(session: AsyncSession, prediction_id: int) -> _Asked | None:
    found = (
        await session.execute(
            select(
                *(PostRow.community_id, CommunityRow.platform, CommunityRow.native),
                *(BlobRow.id, BlobRow.near_key),
            )
            .join(PredictionRow, PredictionRow.post_id == PostRow.id)
            .join(CommunityRow, PostRow.community_id == CommunityRow.id)
            .join(BlobRow, PostRow.blob_id == BlobRow.id)
            .where(PredictionRow.id == prediction_id, PostRow.original_sha256 != FORGOTTEN)
        )
    ).one_or_none()
    return None if found is None else _Asked(found[0], (found[1], found[2]), found[3], found[4])


async def _candidates(session: AsyncSession, asked: _Asked, allow_discord: bool) -> Sequence[_Candidate]:
    """What may be shown there, the latest decided first."""
    vocabulary = await load(session)
    scope = Scope(asked.community, None, None, allow_discord)
    rows = await session.execute(
        select(BlobRow.id, BlobRow.near_key, BlobRow.sha256, CaseRow.decided, PostRow.channel)
        .join(PostRow, PostRow.blob_id == BlobRow.id)
        .join(CaseRow, PostRow.case_id == CaseRow.id)
        .where(
            *(scope.post(), scope.allowed(), scope.case(), post_consented()),
            CaseRow.community_id == asked.community,
            BlobRow.id != asked.blob,
            BlobRow.erased_at.is_(None),
            PostRow.channel.is_not(None),
            PostRow.original_sha256 != FORGOTTEN,
            PostRow.created_at <= CaseRow.decided_at,  # what came later no moderator has looked at
        )
        .order_by(CaseRow.decided_at.desc(), PostRow.id.desc())
        .limit(LOOKED_THROUGH)
    )
    found = []
    for blob, key, sha256, decided, channel in rows:
        slugs = labels_of(vocabulary, decided or (), asked.home)
        if slugs is not None:
            found.append(_Candidate(blob, key, NamedPicture(sha256, tuple(slugs), str(channel))))
    return found

"""What is said of pictures that leave: by the voters of their cases, by whoever decided, and by the bot."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.export.scope import Scope
from corrections.review.types import Labels
from corrections.tables import (
    CharacterRow,
    DecisionRow,
    PostRow,
    PredictionRow,
    VoteCaseRow,
    VoteLabelRow,
    VoteRow,
)
from corrections.types import Community
from corrections.vocabulary import Vocabulary
from model.types import NOBODY


def labels_of(vocabulary: Vocabulary, decided: Iterable[str], home: Community) -> Labels | None:
    """Slugs as a community calls them by now; None when one of them was refused there."""
    found = [vocabulary.by_slug(slug, home) for slug in decided]
    if any(character is None for character in found):
        return None
    return tuple(sorted({character.slug for character in found if character is not None}))


async def voices_of(
    session: AsyncSession, vocabulary: Vocabulary, homes: Mapping[int, Community]
) -> dict[int, Counter[Labels]]:
    """What the voters of each case say, the latest of each; ``homes``: by case its community."""
    rows = await session.execute(
        select(VoteCaseRow.case_id, VoteRow.person_id, VoteRow.id, CharacterRow.slug)
        .join(VoteRow, VoteCaseRow.vote_id == VoteRow.id)
        .outerjoin(VoteLabelRow, VoteLabelRow.vote_id == VoteRow.id)
        .outerjoin(CharacterRow, VoteLabelRow.character_id == CharacterRow.id)
        .where(VoteCaseRow.case_id.in_(list(homes)))
        .order_by(VoteRow.event_id)
    )
    latest: dict[tuple[int, int], tuple[int, set[str]]] = {}
    for case_id, person, vote, slug in rows:
        if latest.get((case_id, person), (None,))[0] != vote:
            latest[case_id, person] = (vote, set())
        if slug is not None:
            latest[case_id, person][1].add(slug)
    voices: defaultdict[int, Counter[Labels]] = defaultdict(Counter)
    for (case_id, _), (_, slugs) in latest.items():
        labels = labels_of(vocabulary, sorted(slugs), homes[case_id])
        if labels is not None:
            voices[case_id][labels] += 1
    return voices


async def automatic_of(session: AsyncSession, cases: list[int]) -> set[int]:
    """Which of these cases were approved by agreement."""
    newest = (
        select(func.max(DecisionRow.id))
        .where(DecisionRow.case_id.in_(cases), DecisionRow.action.in_(("approve", "auto")))
        .group_by(DecisionRow.case_id)
    )
    return set(
        await session.scalars(
            select(DecisionRow.case_id).where(DecisionRow.id.in_(newest), DecisionRow.action == "auto")
        )
    )


async def said_of(session: AsyncSession, scope: Scope, blobs: list[int]) -> dict[int, tuple[str, str, float]]:
    """By picture what was said of it last, where it is in question: bundle, character, confidence."""
    newest = (
        select(func.max(PredictionRow.id))
        .join(PostRow, PredictionRow.post_id == PostRow.id)
        .where(PostRow.blob_id.in_(blobs), scope.post(), scope.allowed())
        .group_by(PostRow.blob_id)
    )
    rows = await session.execute(
        select(
            PostRow.blob_id,
            PredictionRow.bundle,
            PredictionRow.verdict,
            PredictionRow.character,
            PredictionRow.confidence,
        )
        .join(PostRow, PredictionRow.post_id == PostRow.id)
        .where(PredictionRow.id.in_(newest))
    )
    return {
        blob: (bundle, NOBODY if verdict == NOBODY else character, confidence)
        for blob, bundle, verdict, character, confidence in rows
    }

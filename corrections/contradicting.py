"""Whether a picture that is taught is known to show somebody else already."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.cases import APPROVED
from corrections.errors import Contradicted
from corrections.lessons import Lesson
from corrections.review.deciding import REJECTED
from corrections.review.reading import settled
from corrections.tables import CaseRow, VoteCaseRow, VoteEventRow, VoteRow
from corrections.types import Community
from corrections.vocabulary import Vocabulary


def shows(row: CaseRow, slug: str, vocabulary: Vocabulary, home: Community) -> bool:
    """Whether a case is approved as showing that character, alone or with others."""
    if row.status != APPROVED:
        return False
    return slug in settled(row.decided or (), vocabulary, home)


async def check(
    session: AsyncSession,
    row: CaseRow,
    lesson: Lesson,
    slug: str | None,
    who: int,
    vocabulary: Vocabulary,
    slot: int,
) -> None:
    """Whether a picture that is here already may be an example of that character (None: a new one).

    Raises:
        Contradicted: it is said to show somebody else; by its moderators, or by the one who teaches.
    """
    home = lesson.address.home
    decided = row.decided or []
    gone = [each for each in decided if vocabulary.by_slug(each, home) is None]  # removed or refused since
    if row.status == APPROVED and not (gone and gone == decided):
        if slug is None or not shows(row, slug, vocabulary, home):
            raise Contradicted(slot, settled(row.decided or (), vocabulary, home))
        return
    if lesson.moderator is not None:
        return
    if row.status == REJECTED:
        raise Contradicted(slot, None)
    said = await session.scalar(
        select(VoteEventRow.labels)
        .join(VoteRow, VoteRow.event_id == VoteEventRow.id)
        .join(VoteCaseRow, VoteCaseRow.vote_id == VoteRow.id)
        .where(VoteCaseRow.case_id == row.id, VoteRow.person_id == who)
        .order_by(VoteRow.event_id.desc())
        .limit(1)
    )
    # A vote for a name that was refused since counts as none.
    if said is None or any(vocabulary.by_slug(each, home) is None for each in said):
        return
    mine = settled(said, vocabulary, home)
    if slug is None or mine != (slug,):
        raise Contradicted(slot, mine, mine=True)

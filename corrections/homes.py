"""The communities that are one person's alone: a private chat with the bot, a session of the page."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import communities
from corrections.characters import next_revision
from corrections.tables import (
    CharacterRow,
    CommunityRow,
    CommunitySettingsRow,
    DecisionRow,
    FormerCommunityRow,
    LinkRow,
    SnapshotRow,
)
from corrections.types import Person

_QUIETLY = {"synchronize_session": False}
_FIGURES = ("format", "figures")


async def homes_of(session: AsyncSession, person: Person) -> list[int]:
    """The rows of the communities that are theirs alone, which bear their platform's id for them."""
    platform, native = person
    home = native if platform == "web" else f"dm:{native}"
    found = await session.scalars(
        select(CommunityRow.id).where(CommunityRow.platform == platform, CommunityRow.native == home)
    )
    return list(found)


async def empty_homes(session: AsyncSession, homes: Sequence[int]) -> None:
    """A private chat's name is its person's id: nothing may tell it any more."""
    if not homes:
        return
    for statement in (
        delete(LinkRow).where(LinkRow.community_id.in_(homes)),
        delete(CommunitySettingsRow).where(CommunitySettingsRow.community_id.in_(homes)),
        delete(FormerCommunityRow).where(FormerCommunityRow.community_id.in_(homes)),
    ):
        await session.execute(statement, execution_options=_QUIETLY)
    proposed = await session.scalars(
        select(CharacterRow).where(CharacterRow.community_id.in_(homes), CharacterRow.status != "merged")
    )
    for row in proposed.all():
        row.slug, row.names, row.aliases = f"forgotten-{secrets.token_hex(8)}", {}, []
        row.status, row.pinyin, row.revision = "refused", None, await next_revision(session)
        await session.flush()
    places = []
    for home in await session.scalars(select(CommunityRow).where(CommunityRow.id.in_(homes))):
        places.append([home.platform, home.native])
        home.native = f"gone:{secrets.token_hex(16)}"
    await session.flush()
    # What was done there was nobody else's business, and names the place.
    settings = await session.scalars(select(DecisionRow).where(DecisionRow.action == communities.SETTINGS))
    named = [each.id for each in settings if (each.after or {}).get("community") in places]
    await session.execute(
        update(DecisionRow)
        .where(or_(DecisionRow.id.in_(named), DecisionRow.community_id.in_(homes)))
        .values(before=None, after=None),
        execution_options=_QUIETLY,
    )
    for snapshot in await session.scalars(select(SnapshotRow).where(SnapshotRow.community_id.in_(homes))):
        snapshot.manifest = {key: snapshot.manifest[key] for key in _FIGURES if key in snapshot.manifest}
    await session.flush()

"""What communities choose for themselves, and what happens when a platform gives one another id."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.characters import next_revision
from corrections.errors import BadSetting
from corrections.memory import changes
from corrections.people import community_id, find_community, person_id
from corrections.tables import (
    CaseRow,
    CharacterRow,
    CommunityRow,
    CommunitySettingsRow,
    DecisionRow,
    FormerCommunityRow,
    LinkRow,
    PostRow,
    ReplyRow,
    SnapshotRow,
    TrustRow,
)
from corrections.types import LANGUAGES, Community, CommunitySettings

SETTINGS = "settings"
"""Action of a decision about a community's settings."""

MOST_CHANNELS, MOST_ROLES, MOST_PER_MINUTE = 500, 100, 1000

_ID = re.compile(r"-?[0-9]{1,24}(:[0-9]{1,24})?")  # with a colon: a topic of a group
_OWNED = (PostRow, CaseRow, ReplyRow, CharacterRow, SnapshotRow, LinkRow, DecisionRow)


def valid(settings: CommunitySettings) -> CommunitySettings:
    """The settings as they are kept: nothing named twice.

    Raises:
        BadSetting: its ``reason`` says what is wrong.
    """
    watched = settings.watched if settings.watched is None else tuple(dict.fromkeys(settings.watched))
    roles = tuple(dict.fromkeys(settings.moderator_roles))
    if settings.language not in ("", *LANGUAGES):
        raise BadSetting("language")
    number = settings.person_per_minute
    if number is not None and (isinstance(number, bool) or not 1 <= number <= MOST_PER_MINUTE):
        raise BadSetting("number")
    if len(watched or ()) > MOST_CHANNELS or len(roles) > MOST_ROLES:
        raise BadSetting("too-many")
    if watched is not None and watched != ("all",) and not all(map(_ID.fullmatch, watched)):
        raise BadSetting("channel")
    if not all(map(_ID.fullmatch, roles)):
        raise BadSetting("role")
    return CommunitySettings(watched, roles, settings.language, bool(settings.chatty), number)


async def settings_of(session: AsyncSession, community: Community) -> CommunitySettings:
    """What a community chose; the defaults when it never did."""
    where = await find_community(session, community)
    row = await session.get(CommunitySettingsRow, where) if where is not None else None
    return CommunitySettings() if row is None else _settings(row)


async def every_choice(session: AsyncSession) -> dict[Community, CommunitySettings]:
    """What every community chose that ever did."""
    rows = await session.execute(
        select(CommunitySettingsRow, CommunityRow.platform, CommunityRow.native).join(
            CommunityRow, CommunitySettingsRow.community_id == CommunityRow.id
        )
    )
    return {(platform, native): _settings(row) for row, platform, native in rows}


async def change(
    session: AsyncSession, community: Community, person_key: str, wanted: CommunitySettings, at: datetime
) -> CommunitySettings:
    """Write valid settings, and who changed what to what; nothing when they are what holds already."""
    where = await community_id(session, community, at)
    row = await session.get(CommunitySettingsRow, where)
    before = CommunitySettings() if row is None else _settings(row)
    if before == wanted:
        return wanted
    if row is None:
        row = CommunitySettingsRow(community_id=where)
        session.add(row)
    row.watched = None if wanted.watched is None else list(wanted.watched)
    row.moderator_roles = list(wanted.moderator_roles)
    row.language, row.chatty = wanted.language, wanted.chatty
    row.person_per_minute, row.changed_at = wanted.person_per_minute, at
    session.add(
        DecisionRow(
            person_id=await person_id(session, person_key, at),
            community_id=where,
            action=SETTINGS,
            before=_plain(community, before),
            after=_plain(community, wanted),
            created_at=at,
        )
    )
    return wanted


async def reviewed(session: AsyncSession) -> list[Community]:
    """Those that have a case, in the order in which they were met."""
    has_case = select(CaseRow.id).where(CaseRow.community_id == CommunityRow.id).exists()
    rows = await session.execute(
        select(CommunityRow.platform, CommunityRow.native).where(has_case).order_by(CommunityRow.id)
    )
    return [(platform, native) for platform, native in rows]


async def current(session: AsyncSession, community: Community) -> Community:
    """The id that a community has now; the same when it never had another."""
    where = await find_community(session, community)
    row = await session.get(CommunityRow, where) if where is not None else None
    return community if row is None else (row.platform, row.native)


async def moved(session: AsyncSession, old: Community, new: Community, at: datetime) -> None:
    """Give all that ``old`` has to ``new``, whose own choices hold where it has made any.

    The old row goes on under the new id: its posts keep their community, so that no process has to read
    them again; what came under the new id meanwhile is younger, and is read on as usual.
    """
    one, other = await find_community(session, old), await find_community(session, new)
    if old == new or (one is not None and one == other):
        return
    if one is None:
        one = other if other is not None else await community_id(session, new, at)
    elif other is not None:
        await _join(session, other, one)
    former = FormerCommunityRow.platform == old[0], FormerCommunityRow.native == old[1]
    if await session.scalar(select(FormerCommunityRow.id).where(*former)) is None:
        session.add(FormerCommunityRow(platform=old[0], native=old[1], community_id=one, created_at=at))
    await session.execute(
        update(CommunityRow).where(CommunityRow.id == one).values(platform=new[0], native=new[1])
    )
    row = await session.get(CommunitySettingsRow, one, populate_existing=True)
    if row is not None and row.watched:  # a small group is a channel of its own
        row.watched = list(dict.fromkeys(new[1] if each == old[1] else each for each in row.watched))
    proposals = CharacterRow.community_id == one  # they are seen under another community from now on
    if await session.scalar(select(CharacterRow.id).where(proposals).limit(1)) is not None:
        revision = await next_revision(session)
        await session.execute(update(CharacterRow).where(proposals).values(revision=revision))
    await changes.noted_everywhere(session, at)


async def _join(session: AsyncSession, other: int, one: int) -> None:
    """Let the row ``one`` have all that ``other`` has, and remove that row."""
    for table in _OWNED:
        await session.execute(update(table).where(table.community_id == other).values(community_id=one))
    await session.execute(
        update(FormerCommunityRow).where(FormerCommunityRow.community_id == other).values(community_id=one)
    )
    for row in list(await session.scalars(select(TrustRow).where(TrustRow.community_id == other))):
        here = await session.get(TrustRow, (one, row.person_id))
        if here is None:
            here = TrustRow(community_id=one, person_id=row.person_id, judged=0, confirmed=0)
            session.add(here)
        here.judged, here.confirmed = here.judged + row.judged, here.confirmed + row.confirmed
        await session.delete(row)
    await session.flush()
    chosen = CommunitySettingsRow.community_id
    if await session.scalar(select(chosen).where(chosen == other)) is not None:
        await session.execute(delete(CommunitySettingsRow).where(chosen == one))
        await session.execute(update(CommunitySettingsRow).where(chosen == other).values(community_id=one))
    await session.execute(delete(CommunityRow).where(CommunityRow.id == other))


def _settings(row: CommunitySettingsRow) -> CommunitySettings:
    return CommunitySettings(
        watched=None if row.watched is None else tuple(row.watched),
        moderator_roles=tuple(row.moderator_roles),
        language=row.language,
        chatty=row.chatty,
        person_per_minute=row.person_per_minute,
    )


def _plain(community: Community, settings: CommunitySettings) -> dict[str, Any]:
    return {
        "community": list(community),
        "watched": None if settings.watched is None else list(settings.watched),
        "moderator_roles": list(settings.moderator_roles),
        "language": settings.language,
        "chatty": settings.chatty,
        "person_per_minute": settings.person_per_minute,
    }

"""Which channels' pictures somebody on Discord may be shown: with discord.py's own objects."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from bot.discord_adapter.why import may_see

GUILD, EVERYBODY, STAFF = 10, 10, 11
OPEN, HIDDEN, STAFF_ONLY, ADULT, NO_HISTORY, THREAD, PRIVATE_THREAD, CATEGORY = range(20, 28)
READS = discord.Permissions(view_channel=True, read_message_history=True)
VIEW, HISTORY = discord.Permissions(view_channel=True), discord.Permissions(read_message_history=True)


def channel(number: int, kind: int = 0, *, denied: discord.Permissions | None = None, **more: Any) -> Any:
    overwrites = []
    if denied is not None:
        overwrites.append({"id": EVERYBODY, "type": 0, "allow": "0", "deny": str(denied.value)})
    if number == STAFF_ONLY:
        overwrites.append({"id": STAFF, "type": 0, "allow": str(VIEW.value), "deny": "0"})
    return {
        "id": number,
        "type": kind,
        "name": f"c{number}",
        "position": number,
        "permission_overwrites": overwrites,
        **more,
    }


def thread(number: int, kind: int) -> Any:
    return {
        "id": number,
        "type": kind,
        "name": "t",
        "guild_id": GUILD,
        "parent_id": OPEN,
        "owner_id": 1,
        "message_count": 0,
        "member_count": 1,
        "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 60,
            "archive_timestamp": "2026-01-01T00:00:00+00:00",
            "locked": False,
        },
    }


def role(number: int, name: str, permissions: discord.Permissions) -> Any:
    return {
        "id": number,
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": number - GUILD,
        "permissions": str(permissions.value),
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


@pytest.fixture
def guild() -> discord.Guild:
    client = discord.Client(intents=discord.Intents(guilds=True))
    data: Any = {
        "id": GUILD,
        "name": "Fans",
        "owner_id": 1,
        "roles": [role(EVERYBODY, "@everyone", READS), role(STAFF, "staff", discord.Permissions())],
        "channels": [
            channel(OPEN),
            channel(HIDDEN, denied=VIEW),
            channel(STAFF_ONLY, denied=VIEW),
            channel(ADULT, nsfw=True),
            channel(NO_HISTORY, denied=HISTORY),
            channel(CATEGORY, 4),
        ],
        "threads": [thread(THREAD, 11), thread(PRIVATE_THREAD, 12)],
    }
    return discord.Guild(data=data, state=client._connection)


def member(guild: discord.Guild, *roles: int) -> discord.Member:
    user: Any = {"id": 7, "username": "ann", "discriminator": "0", "avatar": None}
    data: Any = {
        "user": user,
        "roles": list(roles),
        "joined_at": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
    }
    return discord.Member(data=data, guild=guild, state=guild._state)


@pytest.mark.parametrize(
    ("where", "seen"),
    [
        (OPEN, True),
        (THREAD, True),
        (HIDDEN, False),
        (STAFF_ONLY, False),
        (ADULT, False),
        (NO_HISTORY, False),
        (PRIVATE_THREAD, False),
        (CATEGORY, False),
        (999, False),
    ],
)
async def test_only_what_everybody_there_may_read(guild: discord.Guild, where: int, seen: bool) -> None:
    assert may_see(guild, member(guild), str(where)) is seen


async def test_a_role_opens_what_it_opens(guild: discord.Guild) -> None:
    assert may_see(guild, member(guild, STAFF), str(STAFF_ONLY))
    assert not may_see(guild, member(guild, STAFF), str(HIDDEN))


async def test_outside_a_server_and_in_channels_that_are_none_nothing_is_seen(guild: discord.Guild) -> None:
    ann = member(guild)
    assert not may_see(None, ann, str(OPEN))
    assert not may_see(guild, ann._user, str(OPEN))
    assert not may_see(guild, ann, "imported/folder")

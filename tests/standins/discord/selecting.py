"""The selects whose values Discord offers itself: this server's roles and channels."""

from __future__ import annotations

from typing import Any

from simcord.backend import serializers

from .world import World

STRING_SELECT, ROLE_SELECT, CHANNEL_SELECT = 3, 6, 8


def selected(
    world: World, user_id: int, channel_id: int, component: dict[str, Any], values: list[str]
) -> dict[str, Any]:
    """What comes along with the chosen ids (``resolved``); a wrong kind of them fails the test."""
    guild_id = world.get_channel(channel_id).guild_id
    assert guild_id is not None, "there is nothing to select in a direct message"
    if component["type"] == ROLE_SELECT:
        roles = world.get_guild(guild_id).roles
        return {"roles": {each: dict(serializers.role_payload(roles[int(each)])) for each in values}}
    assert component["type"] == CHANNEL_SELECT, "selects of users are not made here"
    channels = {}
    for each in values:
        channel = world.get_channel(int(each))
        assert channel.guild_id == guild_id, "only this server's channels are offered"
        kinds = component.get("channel_types") or [int(channel.type)]
        assert int(channel.type) in kinds, f"channels of type {channel.type} are not offered"
        allowed = str(world.compute_permissions(guild_id, user_id, channel.id))
        channels[each] = {**serializers.channel_payload(world, channel), "permissions": allowed}
    return {"channels": channels}

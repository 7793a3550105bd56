"""How a server's own settings are shown and offered: what holds, and where it comes from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import discord
from discord import ui

from bot.desk.communities import ALL
from bot.discord_adapter.rendering import button, empty_view
from bot.ids import ButtonId
from bot.words import Words
from corrections.types import LANGUAGES, CommunitySettings

LIMITS = (1, 2, 3, 5, 10, 20, 50, 100)
"""Pictures a minute that are offered, as far as they are below the operator's limit."""
CHANNELS = [
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.voice,
    discord.ChannelType.forum,
    discord.ChannelType.public_thread,
    discord.ChannelType.private_thread,
]
NAMES = {
    "": "discord-setup-language-own",
    "en": "discord-setup-language-en",
    "zh-CN": "discord-setup-language-zh",
}
"""What a language is called."""
MOST = 25
"""Values that one of Discord's selects takes."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What holds where a server has not chosen, and whether Discord shows us messages at all."""

    watched: Collection[str]
    person_per_minute: int
    message_content: bool


def text(settings: CommunitySettings, operator: Operator, guild: discord.Guild, w: Words) -> str:
    """The settings in words, a line each."""
    watched = _watched(settings, operator, guild)
    return "\n".join(
        [
            w("discord-setup-title"),
            w(
                "discord-setup-watched",
                channels=_channels(watched, w),
                origin=_origin(settings.watched is not None, "discord-setup-operator", w),
            ),
            w(
                "discord-setup-roles",
                roles=" ".join(f"<@&{each}>" for each in settings.moderator_roles[:MOST])
                or w("discord-setup-nobody"),
            ),
            w(
                "discord-setup-language",
                language=_language(settings.language, w),
                origin=_origin(bool(settings.language), "discord-setup-default", w),
            ),
            w(
                "discord-setup-strangers",
                what=w("discord-setup-chatty" if settings.chatty else "discord-setup-quiet"),
                origin=_origin(settings.chatty, "discord-setup-default", w),
            ),
            w(
                "discord-setup-limit",
                count=settings.person_per_minute or operator.person_per_minute,
                origin=_origin(bool(settings.person_per_minute), "discord-setup-operator", w),
            ),
            *_warnings(watched, operator, guild, w),
        ]
    )[:2000]


def controls(settings: CommunitySettings, operator: Operator, guild: discord.Guild, w: Words) -> ui.View:
    """Selects and buttons, told by their ids; what holds is preselected or in colour."""
    view = empty_view()
    watched = settings.watched
    chosen = [each for each in watched or () if _channel(guild, each)]
    view.add_item(
        ui.ChannelSelect(
            custom_id=_id("channels"),
            placeholder=w("discord-setup-channels"),
            channel_types=CHANNELS,
            min_values=0,
            max_values=MOST,
            default_values=[discord.Object(int(each)) for each in chosen[:MOST]],
            row=0,
        )
    )
    for slot, key, holds in (
        ("watch-all", "discord-setup-every-button", watched is not None and ALL in watched),
        ("watch-none", "discord-setup-none-button", watched == ()),
        ("watch-operator", "discord-setup-operator-button", watched is None),
        ("quiet", "discord-setup-quiet-button", not settings.chatty),
        ("chatty", "discord-setup-chatty-button", settings.chatty),
    ):
        style = discord.ButtonStyle.primary if holds else discord.ButtonStyle.secondary
        view.add_item(button("set", 0, w(key), slot, style=style, row=1))
    roles = [each for each in settings.moderator_roles if guild.get_role(int(each))]
    view.add_item(
        ui.RoleSelect(
            custom_id=_id("roles"),
            placeholder=w("discord-setup-choose-roles"),
            min_values=0,
            max_values=MOST,
            default_values=[discord.Object(int(each)) for each in roles[:MOST]],
            row=2,
        )
    )
    languages = [("own", w("discord-setup-own-language"), not settings.language)]
    languages += [(each, _language(each, w), each == settings.language) for each in LANGUAGES]
    view.add_item(_select("language", languages, row=3))
    view.add_item(_select("limit", _limits(settings.person_per_minute, operator.person_per_minute, w), row=4))
    return view


def _limits(chosen: int | None, most: int, w: Words) -> list[tuple[str, str, bool]]:
    numbers = sorted({*(each for each in LIMITS if each < most), *([chosen] if chosen else [])})
    return [
        ("operator", w("discord-setup-operator-limit", count=most), chosen is None),
        *((str(each), w("discord-setup-a-minute", count=each), each == chosen) for each in numbers),
    ]


def _select(slot: str, offered: list[tuple[str, str, bool]], row: int) -> ui.Select[ui.View]:
    options = [
        discord.SelectOption(label=label, value=value, default=holds) for value, label, holds in offered
    ]
    return ui.Select(custom_id=_id(slot), options=options, row=row)


def _id(slot: str) -> str:
    return str(ButtonId("set", 0, slot))


def _origin(here: bool, otherwise: str, w: Words) -> str:
    return w("discord-setup-here") if here else w(otherwise)


def _watched(settings: CommunitySettings, operator: Operator, guild: discord.Guild) -> list[str]:
    """Ids of this server's channels, or "all"."""
    if settings.watched is not None:
        return list(settings.watched)
    if ALL in operator.watched:
        return [ALL]
    return [each for each in operator.watched if _channel(guild, each)]


def _channel(guild: discord.Guild, channel_id: str) -> discord.abc.GuildChannel | discord.Thread | None:
    """That channel, if it is one that there is."""
    return guild.get_channel_or_thread(int(channel_id)) if channel_id.isdecimal() else None


def _channels(watched: list[str], w: Words) -> str:
    if ALL in watched:
        return w("discord-setup-every")
    return " ".join(f"<#{each}>" for each in watched[:MOST]) or w("discord-setup-none")


def _language(tag: str, w: Words) -> str:
    return w(NAMES[tag])


def _warnings(watched: list[str], operator: Operator, guild: discord.Guild, w: Words) -> list[str]:
    """What stands in the way of what was chosen."""
    if not watched:
        return []
    warnings = [] if operator.message_content else [w("discord-setup-no-content")]
    channels = [_channel(guild, each) for each in watched]
    closed = [each.mention for each in channels if each and not _may_answer(each, guild)]
    if closed:
        warnings.append(w("discord-setup-no-permission", channels=" ".join(closed[:MOST])))
    return warnings


def _may_answer(channel: discord.abc.GuildChannel | discord.Thread, guild: discord.Guild) -> bool:
    mine = channel.permissions_for(guild.me)
    in_threads = isinstance(channel, discord.Thread | discord.ForumChannel)
    send = mine.send_messages_in_threads if in_threads else mine.send_messages
    return mine.view_channel and mine.read_message_history and send

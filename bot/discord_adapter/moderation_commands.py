"""The commands of moderators, and those about one's own pictures.

Moderators' commands are shown to everybody in a server: Discord knows no way for a bot to show them to the
roles chosen in ``/setup`` alone, and whoever may not use them is told so politely. Who manages a server can
hide them in Server Settings → Integrations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import discord
from discord import app_commands

from bot.discord_adapter.cast import Cast
from bot.discord_adapter.privacy import Privacy
from bot.discord_adapter.registering import Commands, translated
from bot.discord_adapter.releasing import Releasing
from bot.discord_adapter.reviewing import Reviewing
from bot.discord_adapter.training import Retrain
from bot.discord_adapter.voices import patience, whisper
from bot.words import words

Interaction = discord.Interaction[discord.Client]
Opens = Callable[[Interaction], Awaitable[None]]
Plain = app_commands.Command[Any, ..., Any]

IN_SERVERS = app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False)


def add_privacy(tree: Commands, privacy: Privacy) -> None:
    """What people decide about their own pictures; in direct messages too."""
    _plain(tree, "discord-privacy-name", "discord-privacy-about", privacy.open)
    _plain(tree, "discord-forget-name", "discord-forget-about", privacy.ask_forget)


def add_moderation(tree: Commands, reviewing: Reviewing, releasing: Releasing, cast: Cast) -> None:
    """What moderators do with the corrections of their server."""
    w = words()

    plain = (
        _plain(tree, "discord-review-name", "discord-review-about", reviewing.open),
        _plain(tree, "discord-stats-name", "discord-stats-about", releasing.stats),
        _plain(tree, "discord-console-name", "discord-console-about", releasing.console),
    )

    @tree.command(name=w("discord-export-name"), description=translated("discord-export-about"))
    @app_commands.describe(
        character=translated("discord-export-character"), since=translated("discord-export-since")
    )
    async def export(interaction: Interaction, character: str = "", since: str = "") -> None:
        async with patience(interaction):
            day = _day(since)
            if since and day is None:
                await whisper(interaction, words(str(interaction.locale))("discord-export-no-day"))
            else:
                await releasing.export(interaction, character, day)

    @export.autocomplete("character")
    async def exported(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
        return await cast.suggest(interaction, current)

    for command in (*plain, export):
        command.allowed_contexts = IN_SERVERS
    tree.add_command(_characters(cast))


def add_retraining(tree: Commands, retrain: Retrain) -> None:
    """For the servers in ``training.communities``; without one, nobody in Discord could use it."""
    _plain(tree, "discord-retrain-name", "discord-retrain-about", retrain.open).allowed_contexts = IN_SERVERS


def _plain(tree: Commands, name: str, about: str, opens: Opens) -> Plain:
    """A command without options; ``name`` and ``about``: keys of the catalogue."""

    @tree.command(name=words()(name), description=translated(about))
    async def plain(interaction: Interaction) -> None:
        async with patience(interaction):
            await opens(interaction)

    return plain


def _characters(cast: Cast) -> app_commands.Group:
    w = words()
    group = app_commands.Group(
        name=w("discord-characters-name"),
        description=translated("discord-characters-about"),
        allowed_contexts=IN_SERVERS,
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )
    described = {
        "name": translated("discord-characters-which"),
        "english": translated("cast-english"),
        "chinese": translated("cast-chinese"),
        "into": translated("discord-characters-into"),
    }

    @group.command(
        name=w("discord-characters-list-name"), description=translated("discord-characters-list-about")
    )
    async def list_(interaction: Interaction) -> None:
        async with patience(interaction):
            await cast.show_all(interaction)

    @group.command(
        name=w("discord-characters-add-name"), description=translated("discord-characters-add-about")
    )
    @app_commands.describe(english=described["english"], chinese=described["chinese"])
    async def add(interaction: Interaction, english: str, chinese: str = "") -> None:
        async with patience(interaction):
            await cast.add(interaction, {"english": english, "chinese": chinese})

    @group.command(
        name=w("discord-characters-accept-name"), description=translated("discord-characters-accept-about")
    )
    @app_commands.describe(name=described["name"], english=described["english"], chinese=described["chinese"])
    async def accept(interaction: Interaction, name: str, english: str = "", chinese: str = "") -> None:
        async with patience(interaction):
            await cast.change(interaction, "accept", name, {"english": english, "chinese": chinese})

    @group.command(
        name=w("discord-characters-refuse-name"), description=translated("discord-characters-refuse-about")
    )
    @app_commands.describe(name=described["name"])
    async def refuse(interaction: Interaction, name: str) -> None:
        async with patience(interaction):
            await cast.change(interaction, "refuse", name, {})

    @group.command(
        name=w("discord-characters-rename-name"), description=translated("discord-characters-rename-about")
    )
    @app_commands.describe(name=described["name"], english=described["english"], chinese=described["chinese"])
    async def rename(interaction: Interaction, name: str, english: str = "", chinese: str = "") -> None:
        async with patience(interaction):
            await cast.change(interaction, "rename", name, {"english": english, "chinese": chinese})

    @group.command(
        name=w("discord-characters-merge-name"), description=translated("discord-characters-merge-about")
    )
    @app_commands.describe(name=described["name"], into=described["into"])
    async def merge(interaction: Interaction, name: str, into: str) -> None:
        async with patience(interaction):
            await cast.ask_merge(interaction, name, into)

    @group.command(
        name=w("discord-characters-remove-name"), description=translated("discord-characters-remove-about")
    )
    @app_commands.describe(name=described["name"])
    async def remove(interaction: Interaction, name: str) -> None:
        async with patience(interaction):
            await cast.ask_remove(interaction, name)

    async def proposals(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
        return await cast.suggest(interaction, current, proposed=True)

    async def everybody(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
        return await cast.suggest(interaction, current)

    for command, option, offer in (
        (accept, "name", proposals),
        (refuse, "name", proposals),
        (rename, "name", everybody),
        (merge, "name", everybody),
        (remove, "name", everybody),
        (merge, "into", everybody),
    ):
        command.autocomplete(option)(offer)
    return group


def _day(text: str) -> datetime | None:
    """A day such as 2025-01-31, from its first moment (UTC)."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None

"""``/stats``, ``/export`` and ``/console``: how far the review is, and what comes out of it."""

from __future__ import annotations

import logging
from datetime import datetime

import discord

from bot.desk.desk import Desk
from bot.desk.releases import Nothing
from bot.desk.types import Refused
from bot.discord_adapter.asking import asker, place_of
from bot.discord_adapter.moderators import Moderators
from bot.discord_adapter.rendering import bold
from bot.discord_adapter.voices import turn, whisper
from bot.wording import refusal
from bot.wording_review import exported_text, stats_text
from bot.words import words

log = logging.getLogger(__name__)

Interaction = discord.Interaction[discord.Client]


class Releasing:
    """Answers the commands that need no buttons."""

    def __init__(self, desk: Desk, moderators: Moderators, link_minutes: int, kept_hours: int) -> None:
        self._desk = desk
        self._moderators = moderators
        self._link_minutes = link_minutes
        self._kept_hours = kept_hours

    async def stats(self, interaction: Interaction) -> None:
        """Progress, how often the bot is right, counts by character."""
        moderator = await self._moderators.admitted(interaction, "stats")
        if moderator is None:
            return
        w = words(asker(interaction).language)
        found = await self._desk.moderation.stats(moderator)
        if isinstance(found, Refused):
            await whisper(interaction, refusal(found, w))
            return
        named = await self._desk.moderation.named(place_of(interaction).home, w.language)
        await whisper(interaction, stats_text(found, named, w, bold)[:2000])

    async def console(self, interaction: Interaction) -> None:
        """A link to the moderators' page that works once."""
        moderator = await self._moderators.admitted(interaction, "console")
        if moderator is None:
            return
        w = words(asker(interaction).language)
        link = await self._desk.moderation.console_link(moderator)
        if isinstance(link, Refused):
            await whisper(interaction, refusal(link, w))
        else:
            await whisper(interaction, w("discord-console", link=link, minutes=self._link_minutes))

    async def export(self, interaction: Interaction, character: str, since: datetime | None) -> None:
        """The approved pictures: attached where they fit, else behind a link that works once."""
        moderator = await self._moderators.admitted(interaction, "export")
        if moderator is None:
            return
        w = words(asker(interaction).language)
        async with turn(interaction):
            if not interaction.response.is_done():
                await interaction.response.defer(ephemeral=True, thinking=True)
        outcome = await self._desk.moderation.export(moderator, character=character, since=since)
        if isinstance(outcome, Refused):
            await whisper(interaction, refusal(outcome, w))
            return
        if isinstance(outcome, Nothing):
            await whisper(interaction, exported_text(None, outcome.counts, w))
            return
        text = exported_text(outcome.name, outcome.counts, w)
        if outcome.size <= interaction.filesize_limit:
            file = discord.File(outcome.file, f"whosthat-{outcome.name}.zip")
            await whisper(interaction, text, files=[file])
            await self._desk.moderation.exported(outcome)
            return
        link = await self._desk.moderation.export_link(moderator, outcome)
        if isinstance(link, Refused):
            log.info("an export of %d bytes has nowhere to go: %s", outcome.size, link.key)
            await whisper(interaction, f"{text}\n{w('release-no-link')}")
        else:
            await whisper(interaction, f"{text}\n{w('release-link', hours=self._kept_hours)} {link}")

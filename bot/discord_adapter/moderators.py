"""Who may look through corrections: asked anew at every command and every click, because roles change."""

from __future__ import annotations

import logging

import discord

from bot.desk.desk import Desk
from bot.discord_adapter.asking import asker, place_of
from bot.discord_adapter.voices import whisper
from bot.wording import refusal
from bot.words import words
from corrections.review.types import Moderator

log = logging.getLogger(__name__)

Interaction = discord.Interaction[discord.Client]


class Moderators:
    """Lets through who has the permission *Manage Server* or one of the roles chosen in ``/setup``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def admitted(self, interaction: Interaction, what: str) -> Moderator | None:
        """The moderator who is asking; None for anybody else, who has been told so, politely.

        Args:
            interaction: a command or a click.
            what: what was tried, for the log.
        """
        if interaction.guild_id is None:
            await whisper(interaction, words(str(interaction.locale))("discord-review-server"))
            return None
        who, place = asker(interaction), place_of(interaction)
        if await self._may(interaction):
            return await self._desk.moderation.moderator(who, place)
        refused = await self._desk.moderation.denied(who, place, what)
        # What was shown while they still were one goes with it, the picture too.
        await whisper(interaction, refusal(refused, words(who.language)), edit=True, files=[])
        return None

    async def may(self, interaction: Interaction) -> bool:
        """The same without a word, for suggestions while somebody types."""
        return interaction.guild_id is not None and await self._may(interaction)

    async def _may(self, interaction: Interaction) -> bool:
        if interaction.permissions.manage_guild or interaction.permissions.administrator:
            return True
        chosen = (await self._desk.settings(place_of(interaction))).moderator_roles
        member = interaction.user
        return isinstance(member, discord.Member) and any(
            each.isdecimal() and member.get_role(int(each)) is not None for each in chosen
        )

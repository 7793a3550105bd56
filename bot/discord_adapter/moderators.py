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
from corrections.types import Address, Community
from corrections.types import Person as Key

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

    async def still(self, client: discord.Client, person: Key, community: Community) -> bool | None:
        """Whether somebody may even now, without a click of theirs; None when Discord does not tell."""
        guild = client.get_guild(int(community[1]))
        if guild is None and not client.is_ready():
            return None
        if guild is None and (client.shard_count or 1) == 1:
            return False  # the bot is not in that server any more
        try:
            if guild is None:  # or it is on a shard of another process
                guild = await client.fetch_guild(int(community[1]), with_counts=False)
            if guild.unavailable:
                return None
            member = await guild.fetch_member(int(person[1]))
        except (discord.NotFound, discord.Forbidden):
            return False
        except discord.HTTPException:
            return None
        rights, home = member.guild_permissions, Address(*community, channel="", message="")
        return rights.manage_guild or rights.administrator or await self._has_role(member, home)

    async def _may(self, interaction: Interaction) -> bool:
        if interaction.permissions.manage_guild or interaction.permissions.administrator:
            return True
        member = interaction.user
        return isinstance(member, discord.Member) and await self._has_role(member, place_of(interaction))

    async def _has_role(self, member: discord.Member, place: Address) -> bool:
        chosen = (await self._desk.settings(place)).moderator_roles
        return any(each.isdecimal() and member.get_role(int(each)) is not None for each in chosen)

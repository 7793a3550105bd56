"""*Why?*: what an answer hangs on, shown to nobody but whoever asks."""

from __future__ import annotations

import io
from functools import partial

import discord

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.discord_adapter.asking import asker, place_of
from bot.discord_adapter.rendering import bold
from bot.discord_adapter.voices import turn, whisper
from bot.wording import refusal
from bot.wording_why import why_text
from bot.words import words

Interaction = discord.Interaction[discord.Client]

PICTURE, SHEET = "why.jpg", "nearest.jpg"


class Why:
    """Answers the button."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def press(self, interaction: Interaction, prediction_id: int) -> None:
        """It takes seconds, so that Discord is told at once that something is coming."""
        who, place = asker(interaction), place_of(interaction)
        w = words(who.language)
        if self._desk.why is None:
            await whisper(interaction, w("error-old-button"))
            return
        async with turn(interaction):
            if not interaction.response.is_done():
                await interaction.response.defer(ephemeral=True, thinking=True)
        said = await self._desk.why.explain(
            who, place, prediction_id, partial(may_see, interaction.guild, interaction.user)
        )
        if isinstance(said, Refused):
            await whisper(interaction, refusal(said, w))
            return
        files = [discord.File(io.BytesIO(said.picture), PICTURE)]
        if said.sheet is not None:
            files.append(discord.File(io.BytesIO(said.sheet), SHEET))
        await whisper(interaction, why_text(said, w, bold)[:2000], files=files)


def may_see(guild: discord.Guild | None, person: discord.abc.User, channel: str) -> bool:
    """Whether somebody may read that channel of the server, and has not to be warned of it first.

    Private threads count as unseen: who is in them, we do not know without asking.
    """
    if guild is None or not isinstance(person, discord.Member) or not channel.isdecimal():
        return False
    found = guild.get_channel_or_thread(int(channel))
    if isinstance(found, discord.Thread):
        if found.is_private() or found.parent is None:
            return False
        found = found.parent
    if found is None or isinstance(found, discord.CategoryChannel) or found.is_nsfw():
        return False
    allowed = found.permissions_for(person)
    return allowed.view_channel and allowed.read_message_history

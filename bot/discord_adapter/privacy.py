"""Consent, ``/privacy`` and ``/forgetme``: what people decide about their own pictures."""

from __future__ import annotations

import discord
from discord import ui

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.discord_adapter.asking import PLATFORM, asker, place_of
from bot.discord_adapter.busy import Busy
from bot.discord_adapter.rendering import button, empty_view
from bot.discord_adapter.voices import delete, whisper
from bot.wording import refusal
from bot.wording_privacy import forgotten_text, privacy_buttons, privacy_text
from bot.words import Words, words

Interaction = discord.Interaction[discord.Client]


class Privacy:
    """Everything here is between one person and the bot: only they see it, and only they can do it."""

    def __init__(self, desk: Desk, busy: Busy) -> None:
        self._desk = desk
        self._busy = busy

    async def learn(self, interaction: Interaction, prediction_id: int) -> bool:
        """The small button below a reply; whether the reply is to be shown anew, without it."""
        who, place = asker(interaction), place_of(interaction)
        w = words(who.language)
        found = await self._desk.reply_of(prediction_id)
        everything = found[1] if found else (prediction_id,)
        new = False
        for each in everything:
            outcome = await self._desk.privacy.allow(who, place, each)
            if isinstance(outcome, Refused):
                await whisper(interaction, refusal(outcome, w))
                return False
            new |= outcome.new
        await whisper(interaction, w("learn-thanks" if new else "learn-again"))
        return True

    async def open(self, interaction: Interaction) -> None:
        """``/privacy``: what holds, and what else could."""
        who = asker(interaction)
        standing, w = await self._desk.privacy.standing(who), words(who.language)
        await whisper(interaction, privacy_text(standing, w), _choices(standing, w))

    async def choose(self, interaction: Interaction, standing: str) -> None:
        """One of the choices."""
        who = asker(interaction)
        w, chosen = words(who.language), await self._desk.privacy.choose(who, standing)
        if isinstance(chosen, Refused):
            await whisper(interaction, refusal(chosen, w))
            return
        await whisper(interaction, privacy_text(chosen, w, chosen=True), _choices(chosen, w), edit=True)

    async def ask_forget(self, interaction: Interaction) -> None:
        """``/forgetme``: what it would do; nothing is done yet."""
        w = words(str(interaction.locale))
        view = empty_view()
        view.add_item(button("forget", 0, w("forget-button"), "yes", style=discord.ButtonStyle.danger))
        await whisper(interaction, w("forget-ask"), view)

    async def forget(self, interaction: Interaction) -> None:
        """Confirmed. Our messages that answered the person's pictures go as well as Discord lets them."""
        who, place = asker(interaction), place_of(interaction)
        w = words(who.language)
        outcome = await self._desk.privacy.forget(who, place)
        if isinstance(outcome, Refused):
            await whisper(interaction, refusal(outcome, w), edit=True)
            return
        ours = [each for each in outcome.replies if each.platform == PLATFORM]
        self._busy.start(delete(interaction.client, ours), "delete-replies")
        await whisper(interaction, forgotten_text(outcome.pictures, outcome.votes, w), edit=True)


def _choices(standing: str, w: Words) -> ui.View:
    view = empty_view()
    for slot, label, holds in privacy_buttons(standing, w):
        style = discord.ButtonStyle.primary if holds else discord.ButtonStyle.secondary
        view.add_item(button("privacy", 0, label, slot, style=style))
    return view

"""The commands: ``/whois``, ``/correct``, ``/help`` and the message command *Who is this?*."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.discord_adapter import rendering
from bot.discord_adapter.asking import Pictures, address_of, asker, person, place_of
from bot.discord_adapter.clicks import Clicks
from bot.discord_adapter.voices import InteractionVoice, whisper
from bot.wording import refusal, said
from bot.words import words

Interaction = discord.Interaction[discord.Client]


def add_commands(
    tree: app_commands.CommandTree[discord.Client], desk: Desk, pictures: Pictures, clicks: Clicks
) -> None:
    """Put the commands into the tree."""
    w = words()

    @tree.command(name=w("discord-whois-name"), description=w("discord-whois-about"))
    @app_commands.describe(picture=w("discord-whois-picture"))
    async def whois(interaction: Interaction, picture: discord.Attachment) -> None:
        await interaction.response.defer(thinking=True)
        who = asker(interaction)
        ask = pictures.ask(place_of(interaction), [picture], poster=who, asker=who, direct=True)
        await desk.answer(ask, InteractionVoice(interaction))

    @tree.context_menu(name=w("discord-whois-menu"))
    async def who_is_this(interaction: Interaction, message: discord.Message) -> None:
        who = asker(interaction)
        if not message.attachments:
            await whisper(interaction, words(who.language)("answer-no-picture"))
            return
        await interaction.response.defer(thinking=True)
        ask = pictures.ask(
            address_of(message, interaction.user.id),
            message.attachments,
            poster=person(message.author),
            asker=who,
            direct=True,
        )
        await desk.answer(ask, InteractionVoice(interaction))

    @tree.command(name=w("discord-correct-name"), description=w("discord-correct-about"))
    @app_commands.describe(name=w("discord-correct-who"))
    async def correct(interaction: Interaction, name: str) -> None:
        who, place = asker(interaction), place_of(interaction)
        w = words(who.language)
        prediction_id = await desk.latest(place)
        if prediction_id is None:
            await whisper(interaction, w("error-nothing-here"))
            return
        result = await desk.look_up(who, place, name)
        if isinstance(result, Refused):
            await whisper(interaction, refusal(result, w))
        elif not result.exact:
            await whisper(interaction, *rendering.which(prediction_id, result, w))
        else:
            outcome = await desk.correct(who, place, prediction_id, result.choices[0].slug)
            view = None if isinstance(outcome, Refused) else rendering.undo(prediction_id, w)
            await whisper(interaction, said(outcome, w, rendering.bold), view)
            clicks.refresh(interaction.client, prediction_id)

    @correct.autocomplete("name")
    async def names(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
        who = asker(interaction)
        return rendering.autocompletion(await desk.suggest(who, place_of(interaction), current))

    @tree.command(name=w("discord-help-name"), description=w("discord-help-about"))
    async def help_(interaction: Interaction) -> None:
        await whisper(interaction, words(str(interaction.locale))("discord-help"))

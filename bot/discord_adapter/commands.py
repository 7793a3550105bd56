"""The commands: everything that begins with a slash, and the message command *Who is this?*.

Names are English everywhere, so that a help page fits everybody; descriptions follow the reader's language.
"""

from __future__ import annotations

import discord
from discord import app_commands

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.discord_adapter import mine, rendering
from bot.discord_adapter.asking import Pictures, address_of, asker, attachments_of, person, place_of
from bot.discord_adapter.clicks import Clicks
from bot.discord_adapter.registering import Commands, translated
from bot.discord_adapter.setup import Setup
from bot.discord_adapter.voices import InteractionVoice, patience, whisper
from bot.wording import discord_training, refusal, said
from bot.words import words

Interaction = discord.Interaction[discord.Client]


def add_commands(tree: Commands, desk: Desk, pictures: Pictures, clicks: Clicks) -> None:
    """Put the commands about pictures into the tree."""
    w = words()

    @tree.command(name=w("discord-whois-name"), description=translated("discord-whois-about"))
    @app_commands.describe(picture=translated("discord-whois-picture"))
    async def whois(interaction: Interaction, picture: discord.Attachment) -> None:
        await interaction.response.defer(thinking=True)
        who = asker(interaction)
        ask = pictures.ask(place_of(interaction), [picture], poster=who, asker=who, direct=True, waiting=True)
        await desk.answer(ask, InteractionVoice(interaction))

    @tree.context_menu(name=translated("discord-whois-menu"))
    async def who_is_this(interaction: Interaction, message: discord.Message) -> None:
        who = asker(interaction)
        found = attachments_of(message)
        if not found:
            await whisper(interaction, words(who.language)("answer-no-picture"))
            return
        await interaction.response.defer(thinking=True)
        ask = pictures.ask(
            address_of(message, interaction.user.id),
            found,
            poster=person(message.author),
            asker=who,
            direct=True,
            waiting=True,
        )
        await desk.answer(ask, InteractionVoice(interaction))

    @tree.command(name=w("discord-correct-name"), description=translated("discord-correct-about"))
    @app_commands.describe(name=translated("discord-correct-who"))
    async def correct(interaction: Interaction, name: str) -> None:
        async with patience(interaction):
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

    @tree.command(name=w("discord-undo-name"), description=translated("discord-undo-about"))
    async def undo(interaction: Interaction) -> None:
        async with patience(interaction):
            who, place = asker(interaction), place_of(interaction)
            outcome = await desk.undo(who, place)
            await whisper(interaction, said(outcome, words(who.language), rendering.bold))
            if not isinstance(outcome, Refused):
                clicks.refresh(interaction.client, outcome.prediction_id)

    @tree.command(name=w("discord-mine-name"), description=translated("discord-mine-about"))
    async def my_corrections(interaction: Interaction) -> None:
        async with patience(interaction):
            who = asker(interaction)
            await whisper(
                interaction, *await mine.page(desk, who, place_of(interaction), 0, words(who.language))
            )


def add_explanations(tree: Commands, desk: Desk, setup: Setup, kept_hours: int) -> None:
    """Put the commands about the bot itself into the tree."""
    w = words()

    @tree.command(name=w("discord-help-name"), description=translated("discord-help-about"))
    async def help_(interaction: Interaction) -> None:
        await whisper(interaction, words(str(interaction.locale))("discord-help"))

    @tree.command(name=w("discord-about-name"), description=translated("discord-about-about"))
    async def about(interaction: Interaction) -> None:
        async with patience(interaction):
            who, place = asker(interaction), place_of(interaction)
            w, facts = words(who.language), await desk.about()
            lines = [w("discord-about", version=facts.version, count=facts.characters)]
            prediction_id = await desk.latest(place)
            latest = await desk.recall(prediction_id, w.language) if prediction_id else None
            if latest:
                lines.append(w("discord-about-model", bundle=rendering.plain(latest.bundle)))
                if latest.memory is not None:
                    lines.append(w("memory-about", memory=str(latest.memory)))
            lines.append(w("discord-about-pictures", hours=kept_hours))
            lines.append(discord_training(facts.discord_training, w))
            await whisper(interaction, "\n".join(lines))

    @tree.command(name=w("discord-setup-name"), description=translated("discord-setup-about"))
    @app_commands.default_permissions(manage_guild=True)
    async def set_up(interaction: Interaction) -> None:
        async with patience(interaction):
            await setup.open(interaction)

"""``/teach``: a name and up to ten pictures, answered so that only whoever teaches sees it."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import app_commands

from bot.desk.desk import Desk
from bot.desk.lessons import Doubted, Taught, Teach
from bot.desk.types import Refused
from bot.discord_adapter.asking import Pictures, asker, place_of
from bot.discord_adapter.moderators import Moderators
from bot.discord_adapter.registering import Commands, translated
from bot.discord_adapter.rendering import autocompletion, bold, button, empty_view
from bot.discord_adapter.voices import in_place, whisper
from bot.wording_teaching import lesson_text
from bot.words import words

Interaction = discord.Interaction[discord.Client]

LONGEST = 2000
Picture = discord.Attachment


class Teaching:
    """Teaches, and lets a moderator insist; the button works as long as the pictures are remembered."""

    def __init__(self, desk: Desk, pictures: Pictures, moderators: Moderators) -> None:
        self._desk = desk
        self._pictures = pictures
        self._moderators = moderators

    async def teach(self, interaction: Interaction, name: str, found: Sequence[Picture]) -> None:
        """The command: whether it counts at once depends on who calls it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        who, place = asker(interaction), place_of(interaction)
        moderator = None
        if await self._moderators.may(interaction):
            moderator = await self._desk.moderation.moderator(who, place)
        ask = self._pictures.ask(place, found, poster=who, asker=who, direct=True)
        if ask.left_out:
            values = {"count": len(found), "limit": len(ask.pictures)}
            await self._say(interaction, Refused("error-teach-many", values))
            return
        lesson = Teach(place, who, who, name, ask.pictures, moderator)
        await self._say(interaction, await self._desk.teaching.teach(lesson))

    async def insist(self, interaction: Interaction, number: int) -> None:
        """*They are right*, says the moderator."""
        in_place(interaction)
        moderator = await self._moderators.admitted(interaction, "teach")
        if moderator is not None:
            outcome = await self._desk.teaching.insist(number, moderator, asker(interaction))
            await self._say(interaction, outcome)

    async def _say(self, interaction: Interaction, outcome: Taught | Doubted | Refused) -> None:
        w = words(asker(interaction).language)
        view = None
        if isinstance(outcome, Doubted) and outcome.number:
            view = empty_view()
            style = discord.ButtonStyle.danger
            view.add_item(button("teach", outcome.number, w("teach-insist"), style=style))
        await whisper(interaction, lesson_text(outcome, w, bold)[:LONGEST], view, edit=True)


def add_teaching(tree: Commands, desk: Desk, teaching: Teaching) -> None:
    """Put the command into the tree: Discord has no option for several files, so there are ten."""
    w = words()
    first, more = translated("discord-teach-picture"), translated("discord-teach-more")

    @tree.command(name=w("discord-teach-name"), description=translated("discord-teach-about"))
    @app_commands.describe(
        name=translated("discord-teach-who"),
        picture=first,
        **{f"picture{number}": more for number in range(2, 11)},
    )
    async def teach(
        interaction: Interaction,
        name: str,
        picture: Picture,
        picture2: Picture | None = None,
        picture3: Picture | None = None,
        picture4: Picture | None = None,
        picture5: Picture | None = None,
        picture6: Picture | None = None,
        picture7: Picture | None = None,
        picture8: Picture | None = None,
        picture9: Picture | None = None,
        picture10: Picture | None = None,
    ) -> None:
        given = (picture2, picture3, picture4, picture5, picture6, picture7, picture8, picture9, picture10)
        await teaching.teach(interaction, name, [picture, *(each for each in given if each is not None)])

    @teach.autocomplete("name")
    async def names(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
        return autocompletion(await desk.suggest(asker(interaction), place_of(interaction), current))

"""``/retrain``: a retraining in one message that only the moderator sees, up to date while it goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import discord
from discord import ui

from bot.desk.desk import Desk
from bot.desk.training import OFFERS, Following, Training, offered
from bot.desk.types import Refused
from bot.discord_adapter.asking import asker
from bot.discord_adapter.moderators import Moderators
from bot.discord_adapter.rendering import button, empty_view, plain
from bot.discord_adapter.voices import in_place, whisper
from bot.ids import TrainSlot
from bot.retraining.types import NotNow, Status
from bot.wording import refusal
from bot.wording_training import retraining_text
from bot.words import Words, words
from corrections.review.types import Moderator

log = logging.getLogger(__name__)

Interaction = discord.Interaction[discord.Client]

EVERY_SECONDS = 3.0
FOLLOW_SECONDS = 14 * 60.0
"""A little less than what a command or a click can be answered for; from then on a button asks anew."""
LONGEST = 2000
STYLES = {
    "y": discord.ButtonStyle.success,
    "n": discord.ButtonStyle.danger,
    "c": discord.ButtonStyle.danger,
}


@dataclass(frozen=True, slots=True)
class Here:
    """Somebody who may retrain, and what they see it through."""

    interaction: Interaction
    moderator: Moderator
    training: Training
    w: Words


class Retrain:
    """Shows a retraining and does what is pressed below it; the buttons work after a restart."""

    def __init__(self, desk: Desk, moderators: Moderators) -> None:
        self._desk = desk
        self._moderators = moderators
        self._following = Following(EVERY_SECONDS, FOLLOW_SECONDS)

    async def open(self, interaction: Interaction) -> None:
        """``/retrain``: what is under way or waits for an answer; if nothing, one begins."""
        if here := await self._here(interaction):
            await self._show(here, await here.training.open(here.moderator))

    async def press(self, interaction: Interaction, slot: str) -> None:
        """A button below it."""
        parsed = TrainSlot.parse(slot)
        if parsed is None:
            await whisper(interaction, words(str(interaction.locale))("error-old-button"))
            return
        in_place(interaction)
        self._following.end(interaction.user.id)
        if here := await self._here(interaction):
            await self._show(here, await here.training.press(here.moderator, parsed))

    async def close(self) -> None:
        """Leave the messages as they are."""
        await self._following.close()

    async def _here(self, interaction: Interaction) -> Here | None:
        moderator = await self._moderators.admitted(interaction, "retrain")
        if moderator is None:
            return None
        w, training = words(asker(interaction).language), self._desk.moderation.trainer(moderator, "retrain")
        if isinstance(training, Refused):
            await whisper(interaction, refusal(training, w), edit=True)
            return None
        return Here(interaction, moderator, training, w)

    async def _show(self, here: Here, outcome: Status | NotNow) -> None:
        refused = outcome if isinstance(outcome, NotNow) else None
        status = await here.training.status() if isinstance(outcome, NotNow) else outcome
        text = _text(status, here.w, refused)
        await whisper(here.interaction, text, controls(status, here.w), edit=True)

        async def anew(status: Status) -> bool:
            edit = here.interaction.edit_original_response
            try:
                await edit(content=_text(status, here.w), view=controls(status, here.w))
            except discord.HTTPException as error:
                log.info("a retraining is not shown any longer: %s", error)
                return False
            return True

        self._following.begin(here.interaction.user.id, here.training, status, anew)


def controls(status: Status, w: Words) -> ui.View:
    """*How far is it?*, and *Cancel* or *Do not use it* and *Use it*."""
    view = empty_view()
    for slot in offered(status):
        style = STYLES.get(slot.verb, discord.ButtonStyle.secondary)
        view.add_item(button("train", 0, w(OFFERS[slot.verb]), str(slot), style=style))
    return view


def _text(status: Status, w: Words, refused: NotNow | None = None) -> str:
    return retraining_text(status, w, plain, lambda bar: f"`{bar}`", refused)[:LONGEST]

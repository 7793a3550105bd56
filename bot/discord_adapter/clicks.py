"""What happens when somebody presses a button or sends a form.

Everything is told by the id that the button carries, so it works the same after a restart; discord.py's
own dispatcher would want each view in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import discord

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused, TakenBack, Thanks
from bot.discord_adapter import mine, rendering
from bot.discord_adapter.asking import asker, place_of
from bot.discord_adapter.busy import Busy
from bot.discord_adapter.cast import Cast
from bot.discord_adapter.lately import Lately
from bot.discord_adapter.limited import patiently
from bot.discord_adapter.privacy import Privacy
from bot.discord_adapter.registering import DELIVERED_TWICE_SECONDS
from bot.discord_adapter.reviewing import Reviewing
from bot.discord_adapter.setup import Setup
from bot.discord_adapter.teaching import Teaching
from bot.discord_adapter.training import Retrain
from bot.discord_adapter.voices import whisper
from bot.discord_adapter.why import Why
from bot.ids import ButtonId
from bot.wording import refusal, said
from bot.words import FALLBACK, Words, languages, words
from corrections.types import Address

log = logging.getLogger(__name__)

Interaction = discord.Interaction[discord.Client]

FORMS = ("name", "case", "cast")
"""Actions that forms come back with."""


class Clicks:
    """Turns clicks into desk calls, and their outcomes into messages that only the person sees."""

    def __init__(
        self,
        desk: Desk,
        setup: Setup,
        reviewing: Reviewing,
        cast: Cast,
        retrain: Retrain,
        teaching: Teaching,
        privacy: Privacy,
        busy: Busy,
    ) -> None:
        self._desk = desk
        self._busy = busy
        self._why = Why(desk)
        self._setup = setup
        self._reviewing = reviewing
        self._cast = cast
        self._retrain = retrain
        self._teaching = teaching
        self._privacy = privacy
        self._refreshing: dict[Address, bool] = {}  # True: it changed again meanwhile
        self._handled = Lately(DELIVERED_TWICE_SECONDS)

    async def handle(self, interaction: Interaction) -> None:
        """One component or form. Ids that we never made are answered, not obeyed."""
        self._busy.join()
        if not self._handled.first(interaction.id):  # a second undo would take back something else
            return
        data: dict[str, Any] = dict(interaction.data or {})
        button = ButtonId.parse(str(data.get("custom_id", "")))
        who, place = asker(interaction), place_of(interaction)
        w = words(who.language)
        if button is None or not _was_offered(interaction, button):
            await whisper(interaction, w("error-old-button"))
            return
        match button.action:
            case "wrong":
                await self._open_choices(interaction, button, w)
            case "search":
                await interaction.response.send_modal(rendering.search_form(button.prediction_id, w))
            case "name":
                await self._search(interaction, button, who, place, w)
            case "set":
                await self._setup.change(interaction, button.slot)
            case "case":
                await self._reviewing.press(interaction, button, _chosen(data), _typed(interaction))
            case "cast":
                await self._cast.press(interaction, button, _chosen(data), _fields(interaction))
            case "train":
                await self._retrain.press(interaction, button.slot)
            case "teach":
                await self._teaching.insist(interaction, button.prediction_id)
            case "why":
                await self._why.press(interaction, button.prediction_id)
            case "learn":
                if await self._privacy.learn(interaction, button.prediction_id):
                    self.refresh(interaction.client, button.prediction_id)
            case "privacy":
                await self._privacy.choose(interaction, button.slot)
            case "forget" if button.slot == "yes":
                await self._privacy.forget(interaction)
            case "mine":
                shown = await mine.page(self._desk, who, place, button.prediction_id, w)
                await whisper(interaction, *shown, edit=True)
            case "unsay":
                await self._unsay(interaction, button, who, place, w)
            case "right" | "is" | "new" | "undo":
                outcome = await self._desk.press(who, place, button)
                await _tell(interaction, outcome, button.prediction_id, w)
                if not isinstance(outcome, Refused):
                    self.refresh(interaction.client, outcome.prediction_id)
            case _:  # another platform's
                await whisper(interaction, w("error-old-button"))

    async def _unsay(
        self, interaction: Interaction, button: ButtonId, who: Person, place: Address, w: Words
    ) -> None:
        outcome = await self._desk.undo(who, place, button.prediction_id)
        before = int(button.slot) if button.slot.isdecimal() else 0
        text, view = await mine.page(self._desk, who, place, before, w)
        await whisper(interaction, f"{said(outcome, w, rendering.bold)}\n{text}", view, edit=True)
        if not isinstance(outcome, Refused):
            self.refresh(interaction.client, outcome.prediction_id)

    async def _open_choices(self, interaction: Interaction, button: ButtonId, w: Words) -> None:
        answer = await self._desk.recall(button.prediction_id, w.language)
        if answer is None:
            await whisper(interaction, w("error-prediction-gone"))
        else:
            beside = (
                {each.custom_id for each in _controls(interaction.message)} if interaction.message else set()
            )
            why = str(ButtonId("why", button.prediction_id)) not in beside
            await whisper(interaction, w("wrong-who"), rendering.choices(answer, w, why=why))

    async def _search(
        self, interaction: Interaction, button: ButtonId, who: Person, place: Address, w: Words
    ) -> None:
        text = _typed(interaction)
        result = await self._desk.look_up(who, place, text)
        if isinstance(result, Refused):
            await whisper(interaction, refusal(result, w), edit=True)
            return
        await whisper(interaction, *rendering.which(button.prediction_id, result, w), edit=True)

    def refresh(self, client: discord.Client, prediction_id: int) -> None:
        """Bring the counts on the public reply's buttons up to date, in the background, each reply once."""
        self._busy.start(self._refresh(client, prediction_id), f"refresh-{prediction_id}")

    async def _refresh(self, client: discord.Client, prediction_id: int) -> None:
        found = await self._desk.reply_of(prediction_id)
        if found is None:
            return
        reply, predictions = found
        if reply in self._refreshing:
            self._refreshing[reply] = True
            return
        self._refreshing[reply] = True
        channel = client.get_partial_messageable(int(reply.channel))
        try:
            message = await patiently(lambda: channel.fetch_message(int(reply.message)))
            w = words(_language_of(message))
            while self._refreshing[reply]:
                self._refreshing[reply] = False
                answers = [await self._desk.recall(each, w.language) for each in predictions]
                view = rendering.buttons([each for each in answers if each], w)
                await patiently(partial(message.edit, view=view))
        except discord.NotFound:
            log.info("a reply is gone, and its counts with it")
        except discord.HTTPException as error:
            log.warning("the counts of a reply could not be brought up to date: %s", error)
        finally:
            del self._refreshing[reply]


def _was_offered(interaction: Interaction, button: ButtonId) -> bool:
    """Whether the message that was clicked on has that control: another client may make ids up."""
    if interaction.type is discord.InteractionType.modal_submit:
        return button.action in FORMS
    message = interaction.message
    return message is not None and str(button) in {each.custom_id for each in _controls(message)}


def _controls(message: discord.Message) -> Iterator[discord.Button | discord.SelectMenu]:
    for row in message.components:
        for control in row.children if isinstance(row, discord.ActionRow) else ():
            if isinstance(control, discord.Button | discord.SelectMenu):
                yield control


def _language_of(message: discord.Message) -> str:
    """The language that a reply of ours was written in; its buttons must not change it."""
    labels = "".join(each.label or "" for each in _controls(message) if isinstance(each, discord.Button))
    return next((each for each in languages() if words(each)("button-right") in labels), FALLBACK)


def _typed(interaction: Interaction) -> str:
    """The text of a form's only field."""
    return _fields(interaction).get("text", "")


def _fields(interaction: Interaction) -> dict[str, str]:
    """What was typed into a form, by field."""
    data: dict[str, Any] = dict(interaction.data or {})
    return {
        str(field.get("custom_id")): str(field.get("value", ""))
        for row in data.get("components", [])
        for field in (row.get("component"), *row.get("components", []))
        if field
    }


def _chosen(data: Mapping[str, Any]) -> list[str]:
    """What was chosen of a select."""
    return [str(each) for each in data.get("values") or ()]


async def _tell(
    interaction: Interaction, outcome: Thanks | TakenBack | Refused, prediction_id: int, w: Words
) -> None:
    view = rendering.undo(prediction_id, w) if isinstance(outcome, Thanks) else None
    edit = bool(interaction.message and interaction.message.flags.ephemeral)
    await whisper(interaction, said(outcome, w, rendering.bold), view, edit=edit)

"""What happens when somebody presses a button: told by what the button carries, after a restart too."""

from __future__ import annotations

import asyncio
import logging

from telegram import CallbackQuery, MaybeInaccessibleMessage, Message
from telegram.error import TelegramError

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused, TakenBack, Thanks
from bot.ids import ButtonId, CaseSlot, CastSlot, TrainSlot
from bot.telegram_adapter import rendering
from bot.telegram_adapter.asking import PLATFORM, is_private, person, place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.boards import Boards
from bot.telegram_adapter.casting import Casting
from bot.telegram_adapter.choosing import Choosing
from bot.telegram_adapter.commands import Commands
from bot.telegram_adapter.connection import no_trouble
from bot.telegram_adapter.marks import mark_in
from bot.telegram_adapter.privacy import Privacy
from bot.telegram_adapter.prompts import Marked, Prompts, marked
from bot.telegram_adapter.rendering import Opened
from bot.telegram_adapter.reviewing import Reviewing
from bot.telegram_adapter.teaching import Teaching
from bot.telegram_adapter.toasts import Alert
from bot.telegram_adapter.training import Retrain
from bot.telegram_adapter.voices import Speaker
from bot.telegram_adapter.why import Why
from bot.wording import said
from bot.words import Words, words
from corrections.types import Address

log = logging.getLogger(__name__)

TOAST = 200
"""Characters of an answer to a click."""
ANSWER_SECONDS = 8.0
"""A click is answered after so long, whatever keeps us; Telegram gives up after about fifteen."""


class Clicks:
    """Turns clicks into desk calls. Keyboards are public: anybody's click is a vote of their own."""

    def __init__(
        self,
        desk: Desk,
        speaker: Speaker,
        boards: Boards,
        prompts: Prompts,
        choosing: Choosing,
        commands: Commands,
        privacy: Privacy,
        reviewing: Reviewing,
        casting: Casting,
        retrain: Retrain,
        teaching: Teaching,
        background: Background,
    ) -> None:
        self._desk = desk
        self._speaker = speaker
        self._boards = boards
        self._prompts = prompts
        self._choosing = choosing
        self._commands = commands
        self._privacy = privacy
        self._reviewing = reviewing
        self._casting = casting
        self._retrain = retrain
        self._teaching = teaching
        self._background = background
        self._why = Why(desk, speaker, background)

    async def handle(self, query: CallbackQuery) -> None:
        """One click. Whatever happens, the spinner on the button stops."""
        who = person(query.from_user)
        place = place_of(query.message) if query.message else None
        if place is None:  # a message that was sent inline, where we have no buttons
            place = Address(PLATFORM, f"dm:{who.id}", who.id, "0")
        language = who.language
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                language = await self._desk.language(who, place)
                toast = await self._act(query, who, place, language)
        except Exception as error:
            log.error("a click was not handled", exc_info=error)
            toast = words(language)("error-trouble")
        try:
            await query.answer(toast[:TOAST], show_alert=isinstance(toast, Alert))
        except TelegramError as error:
            level = logging.INFO if no_trouble(error) else logging.WARNING
            log.log(level, "a click was not answered: %s", error)

    async def _act(self, query: CallbackQuery, who: Person, place: Address, language: str) -> str:
        """Do what the button says; what the person reads at once. Ids that we never made are not obeyed."""
        w = words(language)
        button = ButtonId.parse(query.data or "")
        number = button.prediction_id if button else 0
        match button:
            case ButtonId("right" | "is" | "new" | "undo"):
                outcome = await self._desk.press(who, place, button)
                if not isinstance(outcome, Refused):
                    self._shown(query.message, outcome, button, who, place)
                return said(outcome, w)
            case ButtonId("wrong" | "page" | "less"):
                if query.message and await self._boards.open(query.message, place, number, _opened(button)):
                    return ""
            case ButtonId("search"):
                if await self._desk.reply_of(number) is None:
                    return w("error-prediction-gone")
                board = rendering.language_of(query.message) or self._marked_language(query.message)
                self._background.start(self._prompts.ask(place, number, who, board), f"question-{number}")
                return ""
            case ButtonId("mine") if is_private(place) and rendering.offers(query.message, "mine"):
                return await self._commands.more_of_mine(who, place, number)
            case ButtonId("why"):
                return await self._why.press(query.message, number, who, place, w)
            case ButtonId("learn") if query.message:
                return await self._privacy.learn(query.message, number, who, place, w)
            case ButtonId("privacy") if query.message and is_private(place):
                return await self._privacy.choose(query.message, button.slot, who, w)
            case ButtonId("forget", slot="yes") if query.message and is_private(place):
                return await self._privacy.forget(query.message, who, place, w)
            case ButtonId("case" | "cast" | "train") if is_private(place):
                return await self._moderate(query.message, button, who, w)
            case ButtonId("teach") if query.message and rendering.offers(query.message, "teach"):
                return await self._teaching.insist(query.message, number, who, place, w)
            case ButtonId("set") if query.message and rendering.offers(query.message, "set"):
                return await self._choosing.choose(query.message, button.slot, who, place)
        return w("error-old-button")

    async def _moderate(
        self, message: MaybeInaccessibleMessage | None, button: ButtonId, who: Person, w: Words
    ) -> str:
        """About the group that our own message says; what was not said by us says nothing."""
        about = mark_in(message, self._speaker.bot.id)
        if about is not None and isinstance(message, Message):
            number = button.prediction_id
            if button.action == "case" and (case := CaseSlot.parse(button.slot)):
                return await self._reviewing.press(message, about, number, case, who, w)
            if button.action == "cast" and (cast := CastSlot.parse(button.slot)):
                return await self._casting.press(message, about, number, cast, who, w)
            if button.action == "train" and (train := TrainSlot.parse(button.slot)):
                return await self._retrain.press(message, about, train, who, w)
        return w("error-old-button")

    def _shown(
        self,
        message: MaybeInaccessibleMessage | None,
        outcome: Thanks | TakenBack,
        button: ButtonId,
        who: Person,
        place: Address,
    ) -> None:
        """Show what came of it: counts on the answer, and thanks in the place of a question of one's own."""
        board = rendering.language_of(message) or self._marked_language(message)
        # Whoever picks a name is done with the choices; of others' they are left open.
        picked = button.action in ("is", "new") or is_private(place)
        opened = None if picked else rendering.opened_in(message)
        self._boards.refresh(outcome.prediction_id, who, board, opened)
        question = rendering.offers(message, "is", "new", "undo") and not rendering.offers(message, "right")
        if question and isinstance(message, Message) and _is_theirs(message, who):
            work = self._thank(place, outcome, who, marked(message, self._speaker.bot.id))
            self._background.start(work, f"thanks-{place.message}")

    async def _thank(
        self, place: Address, outcome: Thanks | TakenBack, who: Person, about: Marked | None
    ) -> None:
        w = words(await self._desk.language(who, place))
        keyboard = rendering.undo(outcome.prediction_id, w) if isinstance(outcome, Thanks) else None
        mark = self._prompts.mark(about) if about else ""
        await self._speaker.change(place, mark + said(outcome, w, rendering.bold), keyboard)

    def _marked_language(self, message: MaybeInaccessibleMessage | None) -> str:
        about = marked(message, self._speaker.bot.id)
        return about.language if about else ""


def _opened(button: ButtonId) -> Opened | None:
    if button.action == "less":
        return None
    page = int(button.slot) if button.action == "page" and button.slot.isdecimal() else None
    return Opened(button.prediction_id, page)


def _is_theirs(message: Message, who: Person) -> bool:
    """Whether a question was put to this person: in private, or as a reply to what they wrote."""
    if is_private(place_of(message)):
        return True
    theirs = message.reply_to_message.from_user if message.reply_to_message else None
    return theirs is not None and str(theirs.id) == who.id

"""Consent, ``/privacy`` and ``/forgetme``: what people decide about their own pictures."""

from __future__ import annotations

import html

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MaybeInaccessibleMessage

from bot.desk.desk import Desk
from bot.desk.types import Allowed, Person, Refused
from bot.ids import ButtonId
from bot.telegram_adapter import rendering
from bot.telegram_adapter.asking import PLATFORM, place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.boards import Boards
from bot.telegram_adapter.moderators import Moderators
from bot.telegram_adapter.toasts import Alert
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_privacy import STANDINGS, forgotten_text, privacy_buttons, privacy_text
from bot.words import Words
from corrections.types import Address


class Privacy:
    """Everything but the small button below a reply is said and done in private chats only."""

    def __init__(
        self, desk: Desk, speaker: Speaker, boards: Boards, moderators: Moderators, background: Background
    ) -> None:
        self._desk = desk
        self._speaker = speaker
        self._boards = boards
        self._moderators = moderators
        self._background = background

    async def learn(
        self, message: MaybeInaccessibleMessage, prediction_id: int, who: Person, place: Address, w: Words
    ) -> str:
        """*May I learn from this?*, about all pictures of the reply; what is read at once."""
        found = await self._desk.reply_of(prediction_id)
        everything = found[1] if found else (prediction_id,)
        outcomes = [await self._desk.privacy.allow(who, place, each) for each in everything]
        refused = next((each for each in outcomes if isinstance(each, Refused)), None)
        if refused is not None:
            return Alert(refusal(refused, w))
        opened, language = rendering.opened_in(message), rendering.language_of(message)
        self._boards.refresh(prediction_id, who, language, opened)
        new = any(isinstance(each, Allowed) and each.new for each in outcomes)
        return Alert(w("learn-thanks" if new else "learn-again"))

    async def open(self, who: Person, place: Address, w: Words) -> None:
        """``/privacy``: what holds, and what else could."""
        standing = await self._desk.privacy.standing(who)
        await self._speaker.say(place, html.escape(privacy_text(standing, w)), _choices(standing, w))

    async def choose(self, message: MaybeInaccessibleMessage, standing: str, who: Person, w: Words) -> str:
        """One of the choices; what is read at once."""
        if standing not in STANDINGS:
            return w("error-old-button")
        refused = await self._desk.privacy.choose(who, standing)
        if isinstance(refused, Refused):
            return refusal(refused, w)
        text = html.escape(privacy_text(standing, w, chosen=True))
        work = self._speaker.change(place_of(message), text, _choices(standing, w))
        self._background.start(work, "standing")
        return w("telegram-setup-noted")

    async def ask_forget(self, place: Address, w: Words) -> None:
        """``/forgetme``: what it would do; nothing is done yet."""
        button = InlineKeyboardButton(w("forget-button"), callback_data=str(ButtonId("forget", 0, "yes")))
        await self._speaker.say(place, html.escape(w("forget-ask")), InlineKeyboardMarkup([[button]]))

    async def forget(self, message: MaybeInaccessibleMessage, who: Person, place: Address, w: Words) -> str:
        """Confirmed. Our messages that answered the person's pictures go as well as Telegram lets them."""
        outcome = await self._desk.privacy.forget(who, place)
        if isinstance(outcome, Refused):
            return Alert(refusal(outcome, w))
        self._moderators.forget(who)
        ours = [each for each in outcome.replies if each.platform == PLATFORM]
        self._background.start(self._speaker.delete_all(ours), "delete-replies")
        text = html.escape(forgotten_text(outcome.pictures, outcome.votes, w))
        self._background.start(self._speaker.change(place_of(message), text), "forgotten")
        return ""


def _choices(standing: str, w: Words) -> InlineKeyboardMarkup:
    def button(slot: str, label: str, holds: bool) -> InlineKeyboardButton:
        data = str(ButtonId("privacy", 0, slot))
        return InlineKeyboardButton(f"✓ {label}" if holds else label, callback_data=data)

    buttons = [button(*each) for each in privacy_buttons(standing, w)]
    return InlineKeyboardMarkup([buttons[at : at + 2] for at in range(0, len(buttons), 2)])

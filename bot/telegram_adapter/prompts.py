"""Asking for a name and reading it: *someone else…* sends a message, and the name is a reply to it.

What it is about travels in a link that nobody sees, so that a name can be told after a restart.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from telegram import ForceReply, MaybeInaccessibleMessage, Message
from telegram.constants import MessageEntityType

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.telegram_adapter import rendering
from bot.telegram_adapter.asking import author, is_private, place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.words import languages, words
from corrections.types import Address

_LINK = re.compile(r"https://t\.me/\w+\?start=name_([0-9]{1,18})_([A-Za-z-]{2,10})")


@dataclass(frozen=True, slots=True)
class Marked:
    """Which picture a message of ours is about, and the language of the keyboard under our answer."""

    prediction_id: int
    language: str


def marked(message: MaybeInaccessibleMessage | None, bot_id: int) -> Marked | None:
    """Read the link that nobody sees; only in messages of our own, since anybody could write one."""
    if not isinstance(message, Message) or message.from_user is None or message.from_user.id != bot_id:
        return None
    for entity in message.entities:
        found = _LINK.fullmatch(entity.url or "") if entity.type == MessageEntityType.TEXT_LINK else None
        if found and found[2] in languages():
            return Marked(int(found[1]), found[2])
    return None


class Prompts:
    """The questions for a name, and what is said to the names."""

    def __init__(self, desk: Desk, speaker: Speaker, background: Background) -> None:
        self._desk = desk
        self._speaker = speaker
        self._background = background

    async def ask(self, place: Address, prediction_id: int, who: Person, board_language: str) -> None:
        """Ask for a name, below the answer at ``place``.

        In groups nobody's keyboard is forced open: nobody is named there, so that nobody is pinged.
        """
        w = words(await self._desk.language(who, place))
        field = ForceReply(
            selective=not is_private(place), input_field_placeholder=w("search-placeholder")[:64]
        )
        mark = self.mark(Marked(prediction_id, board_language or w.language))
        await self._speaker.say(place, mark + html.escape(w("telegram-who")), field)

    async def answer(self, message: Message, about: Marked) -> None:
        """Somebody replied with a name: offer whom it may mean."""
        who, place = author(message), place_of(message)
        w = words(await self._desk.language(who, place))
        result = await self._desk.look_up(who, place, message.text or "")
        if isinstance(result, Refused):
            await self._speaker.say(place, html.escape(refusal(result, w)))
            return
        text, keyboard = rendering.which(about.prediction_id, result, w)
        await self._speaker.say(place, self.mark(about) + text, keyboard)
        if message.reply_to_message is not None:
            question = place_of(message.reply_to_message)
            self._background.start(self._speaker.delete(question), f"unasked-{question.message}")

    def mark(self, about: Marked) -> str:
        """The link that nobody sees, as HTML."""
        name = f"name_{about.prediction_id}_{about.language}"
        return f'<a href="https://t.me/{self._speaker.bot.username}?start={name}">\u200b</a>'

"""The keyboards under our answers: brought up to date in the background, each answer once at a time."""

from __future__ import annotations

from dataclasses import dataclass

from telegram import MaybeInaccessibleMessage

from bot.desk.desk import Desk
from bot.desk.types import Choice, Person
from bot.telegram_adapter import rendering
from bot.telegram_adapter.asking import PLATFORM, chat_of, is_private
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.rendering import Opened
from bot.telegram_adapter.voices import Speaker
from bot.words import words
from corrections.types import Address

NAMES = 500
"""Characters that the pages of all names show at most."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    predictions: tuple[int, ...]
    language: str
    opened: Opened | None


class Boards:
    """Shows counts and choices in the keyboards."""

    def __init__(self, desk: Desk, speaker: Speaker, background: Background) -> None:
        self._speaker = speaker
        self._desk = desk
        self._background = background
        self._drawing: dict[Address, _Wanted | None] = {}  # what it shall look like next, if it changed

    async def open(
        self, message: MaybeInaccessibleMessage, place: Address, prediction_id: int, opened: Opened | None
    ) -> bool:
        """Show other choices below an answer; False if that message does not answer that picture."""
        found = await self._desk.reply_of(prediction_id)
        if found is None or (chat_of(found[0]), found[0].message) != (chat_of(place), place.message):
            return False
        self._draw(found[0], _Wanted(found[1], rendering.language_of(message) or "", opened))
        return True

    def refresh(
        self, prediction_id: int, who: Person, language: str | None, opened: Opened | None = None
    ) -> None:
        """Bring the counts up to date; ``language`` is what the keyboard is in, as far as one can see."""
        work = self._refresh(prediction_id, who, language, opened)
        self._background.start(work, f"counts-{prediction_id}")

    async def _refresh(
        self, prediction_id: int, who: Person, language: str | None, opened: Opened | None
    ) -> None:
        found = await self._desk.reply_of(prediction_id)
        if found is None or found[0].platform != PLATFORM:
            return
        reply, predictions = found
        if not language:
            reader = who if is_private(reply) else Person(PLATFORM, who.id)
            language = await self._desk.language(reader, reply)
        self._draw(reply, _Wanted(predictions, language, opened))

    def _draw(self, reply: Address, wanted: _Wanted) -> None:
        drawing = reply in self._drawing
        self._drawing[reply] = wanted
        if not drawing:
            self._background.start(self._drawn(reply), f"keyboard-{reply.message}")

    async def _drawn(self, reply: Address) -> None:
        try:
            while (wanted := self._drawing[reply]) is not None:
                self._drawing[reply] = None
                w = words(wanted.language)
                answers = [await self._desk.recall(each, w.language) for each in wanted.predictions]
                names: tuple[Choice, ...] = ()
                if wanted.opened and wanted.opened.page is not None:
                    names = await self._desk.suggest(Person(PLATFORM, "", w.language), reply, "", NAMES)
                keyboard = rendering.board([each for each in answers if each], w, wanted.opened, names)
                await self._speaker.redraw(reply, keyboard)
        finally:
            del self._drawing[reply]

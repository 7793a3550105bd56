"""Adding to replies of ours that a new model agrees with people."""

from __future__ import annotations

import logging

from telegram.error import TelegramError

from bot.desk.desk import Desk
from bot.desk.types import Person, Reply
from bot.retraining.telling import Agreed
from bot.retraining.wording import agreements
from bot.telegram_adapter import rendering
from bot.telegram_adapter.voices import Speaker
from bot.words import words
from corrections.types import Address

log = logging.getLogger(__name__)


class TelegramAnnouncer:
    """See `bot.retraining.telling.Announcer`."""

    def __init__(self, desk: Desk, speaker: Speaker) -> None:
        self._desk = desk
        self._speaker = speaker

    async def agrees(self, reply: Address, agreed: tuple[Agreed, ...]) -> bool:
        """Write the reply anew, since bots cannot read what they wrote, with a line for each picture."""
        language = await self._desk.language(Person(reply.platform, ""), reply)
        w = words(language)
        found = await self._desk.reply_of(agreed[0].prediction_id)
        if found is None:
            return False
        recalled = [await self._desk.recall(each, language) for each in found[1]]
        answers = tuple(each for each in recalled if each)
        text = rendering.content(Reply(answers, language), w)
        lines = await agreements(self._desk, reply, agreed, w, rendering.bold)
        try:
            await self._speaker.change(found[0], "\n".join([text, *lines]), rendering.board(answers, w))
        except TelegramError as error:
            log.info("a reply is not there to be edited: %s", error)
            return False
        return True

"""``/retrain``: a retraining in one message that is kept up to date; only in private chats."""

from __future__ import annotations

import html
import logging

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.error import TelegramError

from bot.desk.desk import Desk
from bot.desk.training import OFFERS, Following, Training, offered
from bot.desk.types import Person, Refused
from bot.ids import ButtonId, TrainSlot
from bot.retraining.types import NotNow, Status
from bot.telegram_adapter.asking import place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.marks import Mark
from bot.telegram_adapter.moderators import Moderators, group_of
from bot.telegram_adapter.toasts import Alert
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_training import retraining_text
from bot.words import Words
from corrections.review.types import Moderator
from corrections.types import Address

log = logging.getLogger(__name__)

EVERY_SECONDS = 4.0
FOLLOW_SECONDS = 6 * 3600.0
"""From then on a button asks anew; a percent or a phase at a time, that is a few hundred edits at most."""
LONGEST = 4096


class Retrain:
    """Shows a retraining and does what is pressed below it; the buttons work after a restart."""

    def __init__(self, desk: Desk, speaker: Speaker, moderators: Moderators, background: Background) -> None:
        self._desk = desk
        self._speaker = speaker
        self._moderators = moderators
        self._background = background
        self._following = Following(EVERY_SECONDS, FOLLOW_SECONDS)

    async def open(self, moderator: Moderator, place: Address, w: Words) -> None:
        """What is under way or waits for an answer; if nothing, one begins."""
        training = self._desk.moderation.trainer(moderator, "retrain")
        if isinstance(training, Refused):
            await self._speaker.say(place, html.escape(refusal(training, w)))
            return
        status, refused = await _outcome(training, await training.open(moderator))
        sent = await self._speaker.say(place, self._text(moderator, status, w, refused), board(status, w))
        if sent is not None:
            self._follow(moderator, training, status, sent, w)

    async def press(self, message: Message, about: Mark, slot: TrainSlot, who: Person, w: Words) -> str:
        """A button below it; what the person reads at once. What comes of it may take seconds.

        Raises:
            TelegramError: Telegram does not say whether they may.
        """
        moderator = await self._moderators.let_in(who, about.group, "retrain")
        training = (
            moderator
            if isinstance(moderator, Refused)
            else self._desk.moderation.trainer(moderator, "retrain")
        )
        if isinstance(moderator, Refused) or isinstance(training, Refused):
            assert isinstance(training, Refused)
            return Alert(refusal(training, w))
        place = place_of(message)
        self._following.end(place.channel)
        work = self._press(moderator, training, slot, place, w)
        self._background.start(work, f"retrain-{place.message}")
        return ""

    async def close(self) -> None:
        """Leave the messages as they are."""
        await self._following.close()

    async def _press(
        self, moderator: Moderator, training: Training, slot: TrainSlot, place: Address, w: Words
    ) -> None:
        status, refused = await _outcome(training, await training.press(moderator, slot))
        await self._speaker.change(place, self._text(moderator, status, w, refused), board(status, w))
        self._follow(moderator, training, status, place, w)

    def _follow(
        self, moderator: Moderator, training: Training, status: Status, place: Address, w: Words
    ) -> None:
        async def anew(status: Status) -> bool:
            try:
                await self._speaker.change(place, self._text(moderator, status, w), board(status, w))
            except TelegramError as error:
                log.info("a retraining is not shown any longer: %s", error)
                return False
            return True

        self._following.begin(place.channel, training, status, anew)

    def _text(self, moderator: Moderator, status: Status, w: Words, refused: NotNow | None = None) -> str:
        mark = Mark("of", group_of(moderator)).html(self._speaker.bot.username)
        plain = retraining_text(status, w, str, str, refused)
        if len(plain) > LONGEST:
            return mark + html.escape(plain[: LONGEST - 1] + "…")
        return mark + retraining_text(status, w, html.escape, lambda bar: f"<code>{bar}</code>", refused)


def board(status: Status, w: Words) -> InlineKeyboardMarkup | None:
    """*How far is it?*, and *Cancel* or *Do not use it* and *Use it*."""
    buttons = [
        InlineKeyboardButton(w(OFFERS[slot.verb]), callback_data=str(ButtonId("train", 0, str(slot))))
        for slot in offered(status)
    ]
    return InlineKeyboardMarkup([buttons[:2], *([each] for each in buttons[2:])]) if buttons else None


async def _outcome(training: Training, outcome: Status | NotNow) -> tuple[Status, NotNow | None]:
    return (await training.status(), outcome) if isinstance(outcome, NotNow) else (outcome, None)

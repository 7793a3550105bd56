"""``/teach NAME``: below an album, in reply to a picture, or alone; then it asks for the pictures.

What it asks for travels in a link that nobody sees, so that the pictures are told after a restart.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Sequence

from telegram import (
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    MaybeInaccessibleMessage,
    Message,
)
from telegram.constants import MessageEntityType
from telegram.error import TelegramError

from bot.desk.desk import Desk
from bot.desk.lessons import MOST_PICTURES, Doubted, Taught, Teach
from bot.desk.types import Person, Refused
from bot.ids import ButtonId
from bot.telegram_adapter import rendering
from bot.telegram_adapter.admins import Admins
from bot.telegram_adapter.asking import Picture, Pictures, author, is_private, pictures_in, place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.toasts import Alert
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_teaching import lesson_text
from bot.words import Words, words
from corrections.review.types import Moderator
from corrections.types import Address

COMMAND = "teach"
_TYPED = re.compile(rf"/{COMMAND}(?:@([A-Za-z0-9_]{{4,32}}))?(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(rf"https://t\.me/\w+\?start={COMMAND}_([A-Za-z0-9_-]{{1,1024}})")


class Teaching:
    """Takes lessons; who is an admin of the group teaches, everybody else proposes."""

    def __init__(
        self, desk: Desk, speaker: Speaker, pictures: Pictures, admins: Admins, background: Background
    ) -> None:
        self._desk = desk
        self._speaker = speaker
        self._pictures = pictures
        self._admins = admins
        self._background = background

    def name_in(self, messages: Sequence[Message]) -> str | None:
        """The name that these messages teach, by a caption or as a reply to our question; None: nothing."""
        for message in messages:
            if (name := self._typed(message)) is not None:
                return name
            if message.text is None and (name := self._asked(message.reply_to_message)) is not None:
                return name
        return None

    async def take(self, name: str, messages: Sequence[Message]) -> None:
        """The pictures of a message or an album, or of the message that it replies to; else ask for some."""
        first, about = messages[0], messages[0]
        found = [each for message in messages for each in pictures_in(message, asked=True)]
        earlier = first.reply_to_message
        if not found and earlier is not None:
            found, about = pictures_in(earlier, asked=True), earlier
        who, place = author(first), place_of(first)
        w = words(await self._desk.language(who, place))
        if not name:
            text = w("telegram-teach-how", limit=MOST_PICTURES)
            await self._speaker.say(place, html.escape(text) + "\n" + html.escape(w("teach-notice")))
        elif not found:
            await self._ask(name, place, w)
        elif len(messages) == 1 and first.media_group_id and self._typed(first) is not None:
            # Where we read only what is meant for us, the rest of an album does not reach us.
            await self._ask(name, place, w, before=w("telegram-teach-album") + "\n")
        else:
            await self._teach(name, found, first, about, who, w)

    async def insist(
        self, message: MaybeInaccessibleMessage, number: int, who: Person, place: Address, w: Words
    ) -> str:
        """*They are right*; what the person reads at once.

        Raises:
            TelegramError: Telegram does not say whether they may.
        """
        lesson = self._desk.teaching.teacher(number)
        if lesson is None:
            return Alert(w("error-teach-gone"))
        if is_private(place) or not await self._admins.has(message.chat.id, int(who.id)):
            return Alert(refusal(await self._desk.moderation.denied(who, place, COMMAND), w))
        # Whoever taught as the group itself is one of its admins, without saying which.
        teacher = lesson.teacher if lesson.teacher.id == str(message.chat.id) else who
        moderator = await self._desk.moderation.moderator(teacher, place)
        outcome = await self._desk.teaching.insist(number, moderator, teacher)
        if isinstance(outcome, Refused):
            return Alert(refusal(outcome, w))
        text = lesson_text(outcome, w, rendering.bold)
        self._background.start(self._speaker.change(place_of(message), text), f"taught-{number}")
        return ""

    async def _teach(
        self, name: str, found: Sequence[Picture], first: Message, about: Message, who: Person, w: Words
    ) -> None:
        place = place_of(about)
        ask = self._pictures.ask(place, found, poster=author(about), asker=who, direct=True)
        outcome: Taught | Doubted | Refused
        if ask.left_out:
            outcome = Refused("error-teach-many", {"count": len(found), "limit": len(ask.pictures)})
        else:
            lesson = Teach(place, ask.poster, who, name, ask.pictures, await self._moderator(first, who, w))
            outcome = await self._desk.teaching.teach(lesson)
        text = (
            html.escape(refusal(outcome, w))
            if isinstance(outcome, Refused)
            else lesson_text(outcome, w, rendering.bold)
        )
        markup = None
        if isinstance(outcome, Doubted) and outcome.number:
            data = str(ButtonId(COMMAND, outcome.number))
            markup = InlineKeyboardMarkup([[InlineKeyboardButton(w("teach-insist"), callback_data=data)]])
        await self._speaker.say(place_of(first), text, markup)

    async def _moderator(self, message: Message, who: Person, w: Words) -> Moderator | None:
        """The one who wrote it, if they are one there."""
        place = place_of(message)
        if is_private(place):
            return None
        try:
            wrote = await self._admins.wrote(message)
        except TelegramError:  # it does not say whether they are an admin
            await self._speaker.say(place, html.escape(w("error-trouble")))
            raise
        return await self._desk.moderation.moderator(who, place) if wrote else None

    async def _ask(self, name: str, place: Address, w: Words, before: str = "") -> None:
        """Ask for pictures of somebody, by a message to reply to: so they reach us in groups, too."""
        checked = await self._desk.teaching.name(name, place)
        if isinstance(checked, Refused):
            await self._speaker.say(place, html.escape(refusal(checked, w)))
            return
        written = base64.urlsafe_b64encode(checked.encode()).decode().rstrip("=")
        link = f"https://t.me/{self._speaker.bot.username}?start={COMMAND}_{written}"
        text = w("telegram-teach-send", name=rendering.bold(checked), limit=MOST_PICTURES)
        notice = html.escape(w("teach-notice"))
        field = ForceReply(selective=not is_private(place))
        await self._speaker.say(
            place, f'<a href="{link}">\u200b</a>{html.escape(before)}{text}\n{notice}', field
        )

    def _typed(self, message: Message) -> str | None:
        found = _TYPED.fullmatch(message.text or message.caption or "")
        ours = self._speaker.bot.username.casefold()
        if found is None or (found[1] and found[1].casefold() != ours):
            return None
        return (found[2] or "").strip()

    def _asked(self, message: Message | None) -> str | None:
        """The name in a question of our own; anybody else's message says nothing."""
        if message is None or message.from_user is None or message.from_user.id != self._speaker.bot.id:
            return None
        for entity in message.entities:
            found = _LINK.fullmatch(entity.url or "") if entity.type == MessageEntityType.TEXT_LINK else None
            if found is not None:
                try:
                    return base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()
                except (binascii.Error, UnicodeDecodeError):
                    return None
        return None

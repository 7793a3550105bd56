"""How things are said on Telegram: silently in groups, without previews, below what they are about."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from telegram import InputFile, InputMediaPhoto, LinkPreviewOptions, Message, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import ChatMigrated, Forbidden, TelegramError

from bot.desk.desk import Desk
from bot.desk.types import Already, Reply
from bot.telegram_adapter import rendering
from bot.telegram_adapter.asking import PLATFORM, chat_of, is_private, place_of
from bot.telegram_adapter.connection import Bot, no_trouble
from bot.telegram_adapter.turns import Turns
from bot.wording import already
from bot.words import words
from corrections.types import Address

log = logging.getLogger(__name__)

DELETED_AT_ONCE = 100
UPLOAD_SECONDS = 300.0
"""For how long a part of a large file may be on its way."""
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class Speaker:
    """Sends, changes and deletes messages of ours; somebody who is gone is no error."""

    def __init__(self, bot: Bot, desk: Desk) -> None:
        self.bot = bot
        self._desk = desk
        self._turns = Turns()

    async def say(
        self, place: Address, text: str, markup: Any = None, *, minor: bool = False
    ) -> Address | None:
        """Send HTML below the message at ``place`` (or without it, if it is gone); where it stands then.

        None when it could not be sent: blocked by the person, thrown out, muted, the topic closed, or too
        much waits in that chat, of which what is ``minor`` is left out first.
        """
        send = partial(self.bot.send_message, text=text, link_preview_options=NO_PREVIEW)
        return await self._in_turn(place, send, markup, minor)

    async def show(self, place: Address, photo: bytes, caption: str, markup: Any = None) -> Address | None:
        """The same with a JPEG, and the HTML as its caption."""
        return await self._in_turn(place, partial(self.bot.send_photo, photo=photo, caption=caption), markup)

    async def hand_over(self, place: Address, file: Path, caption: str) -> Address | None:
        """The same with a file of any kind, 50 MB at most."""
        with file.open("rb") as content:
            document = InputFile(content, filename=file.name, read_file_handle=False)
            send = partial(
                self.bot.send_document, document=document, caption=caption, write_timeout=UPLOAD_SECONDS
            )
            return await self._in_turn(place, send, None)

    async def _in_turn(
        self, place: Address, send: Callable[..., Awaitable[Message]], markup: Any, minor: bool = False
    ) -> Address | None:
        async with self._turns.turn(chat_of(place)[0], minor=minor) as ours:
            return await self._send(place, send, markup) if ours else None

    async def _send(
        self, place: Address, send: Callable[..., Awaitable[Message]], markup: Any
    ) -> Address | None:
        for _ in range(2):
            chat, topic = chat_of(place)
            try:
                sent = await send(
                    chat,
                    parse_mode=ParseMode.HTML,
                    # A reply would ring for whoever is replied to; in private they wait for it.
                    disable_notification=not is_private(place),
                    message_thread_id=topic,
                    reply_parameters=ReplyParameters(int(place.message), allow_sending_without_reply=True),
                    reply_markup=markup,
                )
            except ChatMigrated as moved:
                place = await self.moved(place, moved.new_chat_id)
            except Forbidden as error:
                log.info("a chat does not want us: %s", error)
                return None
            except TelegramError as error:
                log.warning("nothing could be said in a chat: %s", error)
                return None
            else:
                return place_of(sent)
        return None

    async def moved(self, place: Address, new_chat_id: int) -> Address:
        """The group has another id from now on; the same place under that."""
        new = str(new_chat_id)
        await self._desk.community_moved(place.home, (PLATFORM, new))
        return replace(place, community=new, channel=new)

    async def change(self, place: Address, text: str, markup: Any = None) -> None:
        """Put other HTML and another keyboard into a message of ours."""
        chat, _ = chat_of(place)
        try:
            await self.bot.edit_message_text(
                text,
                chat,
                int(place.message),
                parse_mode=ParseMode.HTML,
                link_preview_options=NO_PREVIEW,
                reply_markup=markup,
            )
        except TelegramError as error:
            if not no_trouble(error):
                raise

    async def redraw(self, place: Address, markup: Any) -> None:
        """Put another keyboard below a message of ours."""
        chat, _ = chat_of(place)
        try:
            await self.bot.edit_message_reply_markup(chat, int(place.message), reply_markup=markup)
        except TelegramError as error:
            if not no_trouble(error):
                raise

    async def exchange(self, place: Address, photo: bytes, caption: str, markup: Any = None) -> None:
        """Put another JPEG, caption and keyboard into a message of ours, whatever it holds."""
        chat, _ = chat_of(place)
        media = InputMediaPhoto(photo, caption, parse_mode=ParseMode.HTML)
        await self.bot.edit_message_media(media, chat, int(place.message), reply_markup=markup)

    async def delete(self, place: Address) -> None:
        """Delete a message of ours."""
        chat, _ = chat_of(place)
        try:
            await self.bot.delete_message(chat, int(place.message))
        except TelegramError as error:
            if not no_trouble(error):
                log.warning("a message of ours could not be deleted: %s", error)

    async def delete_all(self, places: Sequence[Address]) -> None:
        """Delete many messages of ours; those of more than two days stay, as Telegram wants it."""
        chats: dict[int, list[int]] = {}
        for each in places:
            chats.setdefault(chat_of(each)[0], []).append(int(each.message))
        for chat, messages in chats.items():
            for start in range(0, len(messages), DELETED_AT_ONCE):
                try:
                    await self.bot.delete_messages(chat, messages[start : start + DELETED_AT_ONCE])
                except TelegramError as error:
                    log.info("messages of ours could not be deleted: %s", error)


class MessageVoice:
    """Replies to a posted picture. ``looked`` is called when nothing is left to do but to say it.

    Telegram does not tell bots of deleted messages, so the desk never hears of one from here: pictures go
    when their time is over (``[retention]``).
    """

    def __init__(
        self, speaker: Speaker, picture: Message, asked: Message, looked: Callable[[], Awaitable[None]]
    ) -> None:
        self._speaker = speaker
        self._looked = looked
        self._place = place_of(picture)
        self._elsewhere = picture.message_id != asked.message_id

    async def say(self, reply: Reply | Already) -> Address | None:
        """Reply below the picture."""
        await self._looked()
        w = words(reply.language)
        if isinstance(reply, Reply):
            keyboard = rendering.board(reply.identified, w)
            return await self._speaker.say(
                self._place, rendering.content(reply, w), keyboard, minor=not reply.identified
            )
        if self._elsewhere:  # asked about an older picture; otherwise the answer stands right there
            text = already(reply, rendering.link(reply.reply), w)
            await self._speaker.say(reply.reply, rendering.plain(text), minor=True)
        return None

    async def drop(self) -> None:
        """Nothing shows that an answer was under way."""
        await self._looked()

    async def unsay(self, replies: list[Address]) -> None:
        """Delete our own messages."""
        for each in replies:
            await self._speaker.delete(each)

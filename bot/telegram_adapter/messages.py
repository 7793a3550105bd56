"""What a message means: a picture to look at, a command, a name, or nothing that concerns us."""

from __future__ import annotations

import asyncio
import html
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

from telegram import ExternalReplyInfo, Message
from telegram.constants import ChatType, MessageEntityType
from telegram.error import TelegramError

from bot.desk.desk import Desk
from bot.desk.types import Ask
from bot.telegram_adapter.albums import Albums
from bot.telegram_adapter.asking import PLATFORM, Pictures, author, is_private, pictures_in, place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.casting import Casting
from bot.telegram_adapter.commands import Commands, command_in
from bot.telegram_adapter.marks import Mark, mark_in
from bot.telegram_adapter.prompts import Prompts, marked
from bot.telegram_adapter.reviewing import Reviewing
from bot.telegram_adapter.teaching import Teaching
from bot.telegram_adapter.voices import MessageVoice, Speaker
from bot.words import words
from corrections.types import Address

AT_ONCE = 64
"""Messages whose pictures are fetched and looked at at the same time."""
AT_ONCE_IN_CHAT = 8
"""The same of one chat, so that many pictures in one keep no other waiting."""
ASKERS = 3
"""How many may wait for the answer about one picture, which they all will see."""
MOST_WAITING = 5000
"""Messages that wait to be looked at, above which no more are taken from Telegram."""


class Messages:
    """Turns messages into asks. Nothing is answered twice: the desk knows what it has answered.

    What is looked at waits for one another; what is only waiting to be said waits for its own chat alone.
    """

    def __init__(
        self,
        desk: Desk,
        speaker: Speaker,
        pictures: Pictures,
        commands: Commands,
        prompts: Prompts,
        reviewing: Reviewing,
        casting: Casting,
        teaching: Teaching,
        background: Background,
        max_age: timedelta,
    ) -> None:
        self._desk = desk
        self._speaker = speaker
        self._pictures = pictures
        self._commands = commands
        self._prompts = prompts
        self._reviewing = reviewing
        self._casting = casting
        self._teaching = teaching
        self._max_age = max_age
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._chats: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        self._pictures_asked: WeakValueDictionary[Address, asyncio.Lock] = WeakValueDictionary()
        self._askers: Counter[Address] = Counter()
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()
        self.albums = Albums(self._look_at, background)

    async def handle(self, message: Message) -> None:
        """One new message or channel post."""
        if await self._has_moved(message) or self._is_old(message) or _by_a_bot(message):
            return
        if message.text is not None:
            if command := command_in(message, self._speaker.bot.username):
                if await self._commands.run(*command, message):
                    return
            elif about := marked(message.reply_to_message, self._speaker.bot.id):
                await self._prompts.answer(message, about)
                return
            elif (asked := mark_in(message.reply_to_message, self._speaker.bot.id)) and self._alone(message):
                await self._answer_moderators(message, asked)
                return
        if message.media_group_id:
            self.albums.add(message)
        else:
            await self._look_at([message])

    async def _answer_moderators(self, message: Message, about: Mark) -> None:
        """An admin of a group replied with a name."""
        who, place = author(message), place_of(message)
        w = words(await self._desk.language(who, place))
        try:
            if about.kind == "case":
                await self._reviewing.answer(message, about, who, w)
            elif about.kind == "cast":
                await self._casting.answer(message, about, who, w)
        except TelegramError:  # it does not say whether they are an admin
            await self._speaker.say(place, html.escape(w("error-trouble")))
            raise

    def _alone(self, message: Message) -> bool:
        return message.chat.type == ChatType.PRIVATE

    async def _look_at(self, messages: Sequence[Message]) -> None:
        """The pictures of a message or an album, or those of the message that it replies to."""
        if (name := self._teaching.name_in(messages)) is not None:
            await self._teaching.take(name, messages)
            return
        first, asked = messages[0], any(map(self._is_asked, messages))
        who, place = author(first), place_of(first)
        if not asked and not await self._desk.watches(place, ()):
            return
        found = [each for message in messages for each in pictures_in(message, asked=asked)]
        about = first
        if not found and asked:
            earlier: Message | ExternalReplyInfo | None = first.reply_to_message or first.external_reply
            found = pictures_in(earlier, asked=True) if earlier else []
            about = earlier if found and isinstance(earlier, Message) else first
        if not found:
            if asked and self._expects_words(first):
                w = words(await self._desk.language(who, place))
                await self._commands.help(place, w, before=w("answer-no-picture"))
            return
        ask = self._pictures.ask(place_of(about), found, poster=author(about), asker=who, direct=asked)
        await self._answer(ask, about, first)

    async def _answer(self, ask: Ask, about: Message, first: Message) -> None:
        """Let the desk answer, with a slot for as long as the pictures are fetched and looked at."""
        if self._askers[ask.address] >= ASKERS:
            return
        self._askers[ask.address] += 1
        try:
            async with (
                self._pictures_asked.setdefault(ask.address, asyncio.Lock()),  # before it waits with a slot
                AsyncExitStack() as slot,
            ):
                await self._take_slot(slot, about.chat.id)
                await self._desk.answer(ask, MessageVoice(self._speaker, about, first, slot.aclose))
        finally:
            self._askers[ask.address] -= 1
            if not self._askers[ask.address]:
                del self._askers[ask.address]

    async def _take_slot(self, slot: AsyncExitStack, chat: int) -> None:
        self._waiting += 1
        if self._waiting >= MOST_WAITING:
            self._room.clear()
        try:
            await slot.enter_async_context(self._chats.setdefault(chat, asyncio.Semaphore(AT_ONCE_IN_CHAT)))
            await slot.enter_async_context(self._slots)
        finally:
            self._waiting -= 1
            if self._waiting < MOST_WAITING:
                self._room.set()

    async def room(self) -> None:
        """Wait until not too many messages wait to be looked at; those that wait to be said do not count."""
        await self._room.wait()

    def _is_asked(self, message: Message) -> bool:
        """Whether an answer is wanted, instead of a picture being posted where we happen to be."""
        return (
            message.chat.type == ChatType.PRIVATE or self._is_called(message) or self._replies_to_us(message)
        )

    def _is_called(self, message: Message) -> bool:
        """``/whois``, or mentioned by name."""
        command = command_in(message, self._speaker.bot.username)
        if command is not None and command[0] == "whois":
            return True
        name = f"@{self._speaker.bot.username}".casefold()
        mentions: Iterable[str] = ()
        if message.text:
            mentions = message.parse_entities([MessageEntityType.MENTION]).values()
        elif message.caption:
            mentions = message.parse_caption_entities([MessageEntityType.MENTION]).values()
        return any(each.casefold() == name for each in mentions)

    def _replies_to_us(self, message: Message) -> bool:
        """With a picture: words below an answer are people talking with one another."""
        author_of = message.reply_to_message.from_user if message.reply_to_message else None
        return message.text is None and author_of is not None and author_of.id == self._speaker.bot.id

    def _expects_words(self, message: Message) -> bool:
        """Whether silence would be odd: not about pins and titles, nor a sticker put below an answer."""
        if is_private(place_of(message)):
            return message.text is not None or message.effective_attachment is not None
        return self._is_called(message)

    def _is_old(self, message: Message) -> bool:
        return datetime.now(UTC) - message.date > self._max_age

    async def _has_moved(self, message: Message) -> bool:
        """A small group became a large one, which Telegram says in both."""
        old = message.chat.id if message.migrate_to_chat_id else message.migrate_from_chat_id
        new = message.migrate_to_chat_id or message.chat.id
        if not old:
            return False
        await self._desk.community_moved((PLATFORM, str(old)), (PLATFORM, str(new)))
        return True


def _by_a_bot(message: Message) -> bool:
    """Another bot; what stands for anonymous admins and channels is one only by name."""
    return message.from_user is not None and message.from_user.is_bot and message.sender_chat is None

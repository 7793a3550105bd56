"""Telegram's messages as asks, people and places."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from telegram import Document, ExternalReplyInfo, MaybeInaccessibleMessage, Message, User
from telegram.constants import ChatType
from telegram.error import BadRequest, InvalidToken, TelegramError, TimedOut

from bot.desk.types import Ask, Person
from bot.errors import FetchError
from bot.telegram_adapter.connection import Bot, patiently
from corrections.types import Address

log = logging.getLogger(__name__)

PLATFORM = "telegram"
DOWNLOAD_BYTES = 20 << 20
"""Telegram gives bots no larger files; a Bot API server of one's own might."""
DOWNLOAD_SECONDS = 30
_TOO_BIG = re.compile("too big", re.IGNORECASE)


def person(user: User) -> Person:
    """Somebody on Telegram; the language is empty when their client does not say."""
    return Person(PLATFORM, str(user.id), user.language_code or "")


def author(message: Message) -> Person:
    """Who wrote it. Anonymous admins and channels write as a chat: that chat is who they are."""
    if message.sender_chat is None and message.from_user is not None:
        return person(message.from_user)
    return Person(PLATFORM, str((message.sender_chat or message.chat).id))


def place_of(message: MaybeInaccessibleMessage) -> Address:
    """Where a message is. A group, a channel and a private chat are a community each, a topic a channel."""
    chat = message.chat
    private = chat.type == ChatType.PRIVATE
    topic = message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None
    return Address(
        PLATFORM,
        f"dm:{chat.id}" if private else str(chat.id),
        f"{chat.id}:{topic}" if topic else str(chat.id),
        str(message.message_id),
    )


def chat_of(place: Address) -> tuple[int, int | None]:
    """The chat's id and the topic's."""
    chat, _, topic = place.channel.partition(":")
    return int(chat), int(topic) if topic else None


def is_private(place: Address) -> bool:
    """Whether nobody else reads there."""
    return place.community.startswith("dm:")


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to be fetched; ``size`` in bytes as Telegram says, 0 if it does not."""

    file_id: str
    size: int


def pictures_in(message: Message | ExternalReplyInfo, *, asked: bool) -> list[Picture]:
    """The pictures of one message. Unasked, stickers and files of other kinds are left alone.

    What moves is asked about by its cover or thumbnail, and not at all where Telegram made none.
    """
    if message.photo:
        return [_picture(max(message.photo, key=lambda size: size.width * size.height))]
    if message.animation:  # before documents: an animation is one too
        return _still(message.animation)
    if message.video:
        return [_picture(message.video.cover[-1])] if message.video.cover else _still(message.video)
    if message.document:
        return _from_file(message.document, asked)
    if not asked:
        return []
    if message.sticker:
        moves = message.sticker.is_animated or message.sticker.is_video
        return _still(message.sticker) if moves else [_picture(message.sticker)]
    return _still(message.video_note) if message.video_note else []


def _from_file(document: Document, asked: bool) -> list[Picture]:
    kind = document.mime_type or ""  # what the sender's client says; the decoder decides
    if kind.startswith("video/"):
        return _still(document)
    return [_picture(document)] if asked or kind.startswith("image/") else []


def _still(moving: object) -> list[Picture]:
    thumbnail = getattr(moving, "thumbnail", None)
    return [_picture(thumbnail)] if thumbnail else []


def _picture(file: object) -> Picture:
    return Picture(str(getattr(file, "file_id", "")), int(getattr(file, "file_size", None) or 0))


class Pictures:
    """Makes asks out of messages; their pictures come through getFile, up to a size."""

    def __init__(self, bot: Bot, max_bytes: int, per_message: int) -> None:
        self._bot = bot
        self._max_bytes = min(max_bytes, DOWNLOAD_BYTES)
        self._per_message = per_message

    def ask(
        self, place: Address, pictures: Sequence[Picture], *, poster: Person, asker: Person, direct: bool
    ) -> Ask:
        """One ask about these pictures."""
        taken = pictures[: self._per_message]
        log.info("a message on Telegram, pictures: %d", len(taken))
        return Ask(
            address=place,
            poster=poster,
            asker=asker,
            pictures=tuple(partial(self._fetch, each) for each in taken),
            direct=direct,
            left_out=len(pictures) - len(taken),
        )

    async def _fetch(self, picture: Picture) -> bytes:
        if picture.size > self._max_bytes:
            raise FetchError("too-many-bytes", "by its announced size")
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                file = await self._bot.get_file(picture.file_id)
                if (file.file_size or 0) > self._max_bytes:
                    raise FetchError("too-many-bytes")
                # The library asks again for messages but not for files, and a file can be fetched twice.
                return bytes(await patiently(file.download_as_bytearray, DOWNLOAD_SECONDS))
        except (TimeoutError, TimedOut):
            raise FetchError("link-slow") from None
        except BadRequest as error:
            reason = "too-many-bytes" if _TOO_BIG.search(error.message) else "link-gone"
            raise FetchError(reason, error.message) from None
        except (InvalidToken, TelegramError) as error:  # "not found" is a wrong token to the library
            raise FetchError("link-gone", type(error).__name__) from None

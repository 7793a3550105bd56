"""Who is an admin where: asked at every command and click."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict

from telegram import Message
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import BadRequest, ChatMigrated, Forbidden, TelegramError

from bot.telegram_adapter.connection import Bot

log = logging.getLogger(__name__)

ADMINS = (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)
PATIENCE_SECONDS = 3.0
"""For how long Telegram may think about it; a click waits."""
HOLDS_SECONDS = 60.0
"""For how long an answer holds when Telegram gives no newer one."""
REMEMBERED = 10_000


class Admins:
    """Asks Telegram each time, so that whoever is no admin any more has no right any more.

    What it said within the last minute holds only while it says nothing, as when we are told to wait.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._said: OrderedDict[tuple[int, int], tuple[float, bool]] = OrderedDict()

    async def has(self, chat: int, user: int) -> bool:
        """Whether somebody is an admin or the owner there; no for chats that we are not in.

        Raises:
            ChatMigrated: the group has another id from now on.
            TelegramError: Telegram does not say, and has not lately.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                member = await self._bot.get_chat_member(chat, user)
        except ChatMigrated:
            raise
        except (BadRequest, Forbidden):  # not there, or nothing that we may know
            holds = False
        except (TelegramError, TimeoutError) as error:
            at, holds = self._said.get((chat, user), (0.0, False))
            if time.monotonic() - at > HOLDS_SECONDS:
                raise error if isinstance(error, TelegramError) else TelegramError("too slow") from error
            return holds
        else:
            holds = member.status in ADMINS
        self._said[chat, user] = time.monotonic(), holds
        self._said.move_to_end((chat, user))
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        return holds

    async def wrote(self, message: Message) -> bool:
        """Whether an admin wrote it. Anonymous ones write as the group, and only admins post in a channel.

        Raises:
            TelegramError: see `has`.
        """
        if message.sender_chat is not None:
            return message.sender_chat.id == message.chat.id
        if message.chat.type == ChatType.CHANNEL:
            return True
        return message.from_user is not None and await self.has(message.chat.id, message.from_user.id)

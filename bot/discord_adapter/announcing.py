"""Adding to replies of ours that a new model agrees with people."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import discord

from bot.desk.desk import Desk
from bot.desk.types import Person
from bot.discord_adapter.limited import patiently
from bot.discord_adapter.rendering import bold
from bot.retraining.telling import Agreed
from bot.retraining.wording import agreements
from bot.words import words
from corrections.types import Address

log = logging.getLogger(__name__)

LONGEST = 2000


class DiscordAnnouncer:
    """See `bot.retraining.telling.Announcer`; ``client`` gives the connected client, if there is one."""

    def __init__(self, desk: Desk, client: Callable[[], discord.Client | None]) -> None:
        self._desk = desk
        self._client = client

    async def agrees(self, reply: Address, agreed: tuple[Agreed, ...]) -> bool:
        """Add a line for each picture below what stands there, unless it stands there already."""
        client = self._client()
        if client is None:
            return False
        w = words(await self._desk.language(Person(reply.platform, ""), reply))
        lines = await agreements(self._desk, reply, agreed, w, bold)
        try:
            channel = client.get_partial_messageable(int(reply.channel))
            message = await patiently(lambda: channel.fetch_message(int(reply.message)))
            new = [line for line in lines if line not in message.content]
            text = "\n".join([message.content, *new])
            if not new or len(text) > LONGEST:
                return False
            await patiently(partial(message.edit, content=text))
        except discord.HTTPException as error:
            log.info("a reply is not there to be edited: %s", error)
            return False
        return True

"""Asking about pictures that were posted earlier: by a reaction, or by a reply that mentions the bot.

Without the message-content intent Discord empties other people's messages wherever a bot gets them, fetched
ones too (Message resource, the warning above its structure; only direct messages, mentions of the bot and
the target of a message command are whole). Then there is one sentence that helps, and it is said.
"""

from __future__ import annotations

import logging

import discord

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Person
from bot.discord_adapter.asking import (
    PLATFORM,
    Pictures,
    address_of,
    attachments_of,
    community,
    looks_like_a_picture,
    person,
)
from bot.discord_adapter.lately import Lately
from bot.discord_adapter.limited import patiently
from bot.discord_adapter.voices import PointingVoice, send_below
from bot.words import words
from corrections.types import Address

log = logging.getLogger(__name__)

ASKING = ("🔎", "🔍")
LOOKS_A_MINUTE, LOOKS_A_MINUTE_HERE = 60, 600
"""Messages that are fetched for the reactions of a person and of a server: each costs a request."""
SILENCE_SECONDS = 600.0


class Older:
    """Asks the desk about somebody else's message, in the name of whoever reacted or replied."""

    def __init__(self, desk: Desk, pictures: Pictures) -> None:
        self._desk = desk
        self._pictures = pictures
        self._looks = RateLimits(LOOKS_A_MINUTE, LOOKS_A_MINUTE_HERE)
        self._told = Lately(SILENCE_SECONDS)
        self._reacted = Lately(2.0)

    async def by_reaction(self, client: discord.Client, event: discord.RawReactionActionEvent) -> None:
        """A magnifying glass asks; every other reaction, and those of bots, are none of our business.

        A reaction to a message without pictures is left alone: people use the sign for other things too.
        """
        if event.emoji.name not in ASKING or event.emoji.id is not None or _by_a_bot(client, event):
            return
        if not self._reacted.first((event.user_id, event.message_id)):  # delivered twice
            return
        here = str(event.guild_id or event.channel_id)
        if self._looks.take("person", str(event.user_id)) or self._looks.take("community", here):
            log.info("reactions are left alone for a moment: there are too many")
            return
        channel = client.get_partial_messageable(event.channel_id, guild_id=event.guild_id)
        who = Person(PLATFORM, str(event.user_id))
        try:
            message = await patiently(lambda: channel.fetch_message(event.message_id))
        except discord.HTTPException as error:
            log.info("a message that somebody reacted to cannot be read: %s", error)
            if isinstance(error, discord.Forbidden) and self._told.first(("history", event.channel_id)):
                await self._say_unread(event, channel, who)
            return
        found = [each for each in attachments_of(message) if looks_like_a_picture(each)]
        if found:
            await self._ask(client, message, found, who, PointingVoice(client, message, who, self._told))
        elif _hidden(client, message) and self._told.first(("hidden", event.user_id)):
            await self._say(message, who, "discord-hidden")

    async def by_reply(self, client: discord.Client, message: discord.Message) -> bool:
        """Ask about the pictures of the message that this one replies to; False if it has none."""
        reference, target = message.reference, None
        if reference is None or reference.type is not discord.MessageReferenceType.reply:
            return False
        who = person(message.author)
        try:
            target = await self._replied_to(client, message.channel, reference)
        except discord.NotFound:
            await self._say(message, who, "discord-reply-gone")
            return True
        except discord.HTTPException as error:
            log.info("a message that somebody replied to cannot be read: %s", error)
        if target is None:
            return False
        found = attachments_of(target)
        if found:
            await self._ask(client, target, found, who, PointingVoice(client, message, who))
        elif _hidden(client, target):
            await self._say(message, who, "discord-hidden")
        return bool(found) or _hidden(client, target)

    async def _replied_to(
        self,
        client: discord.Client,
        channel: discord.abc.Messageable,
        reference: discord.MessageReference,
    ) -> discord.Message | None:
        """Discord sends it along; where it did not, or emptied it, a look may show more."""
        target = reference.resolved
        known = target if isinstance(target, discord.Message) else None
        if reference.message_id is None or (known and not _hidden(client, known)):
            return known
        wanted = reference.message_id
        return await patiently(lambda: channel.fetch_message(wanted))

    async def _ask(
        self,
        client: discord.Client,
        message: discord.Message,
        found: list[discord.Attachment],
        who: Person,
        voice: PointingVoice,
    ) -> None:
        ask = self._pictures.ask(
            address_of(message, int(who.id)), found, poster=person(message.author), asker=who, direct=True
        )
        await self._desk.answer(ask, voice)

    async def _say(self, message: discord.Message, who: Person, key: str) -> None:
        language = await self._desk.language(who, address_of(message, int(who.id)))
        await send_below(message, words(language)(key))

    async def _say_unread(
        self, event: discord.RawReactionActionEvent, channel: discord.abc.Messageable, who: Person
    ) -> None:
        here = community(event.guild_id, event.user_id)
        place = Address(PLATFORM, here, str(event.channel_id), str(event.message_id))
        try:
            await channel.send(words(await self._desk.language(who, place))("discord-no-history"))
        except discord.HTTPException as error:
            log.info("nor may it be said there: %s", error)


def _by_a_bot(client: discord.Client, event: discord.RawReactionActionEvent) -> bool:
    if event.member is not None:
        return event.member.bot
    return client.user is not None and event.user_id == client.user.id


def _hidden(client: discord.Client, message: discord.Message) -> bool:
    """Whether Discord may have emptied it, so that nobody can tell what was in it."""
    if client.intents.message_content or message.guild is None or message.author == client.user:
        return False
    return not (message.content or message.embeds or message.stickers or message.poll or message.attachments)

"""Discord's messages and interactions as asks, people and places."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import partial

import aiohttp
import discord

from bot.desk.types import Ask, Person
from bot.errors import FetchError
from bot.fetching import fetch_from_hosts
from corrections.types import Address

log = logging.getLogger(__name__)

PLATFORM = "discord"


def person(user: discord.abc.User, language: str = "") -> Person:
    """Somebody on Discord."""
    return Person(PLATFORM, str(user.id), language)


def community(guild_id: int | None, user_id: int) -> str:
    """A server, or somebody's direct messages."""
    return str(guild_id) if guild_id else f"dm:{user_id}"


def address_of(message: discord.Message | discord.PartialMessage, partner: int) -> Address:
    """Where a message is; ``partner`` is the person on the other side of a direct message."""
    guild = message.guild.id if message.guild else None
    return Address(PLATFORM, community(guild, partner), str(message.channel.id), str(message.id))


def place_of(interaction: discord.Interaction) -> Address:
    """Where an interaction happened; its own id stands for the message."""
    where = community(interaction.guild_id, interaction.user.id)
    return Address(PLATFORM, where, str(interaction.channel_id), str(interaction.id))


def asker(interaction: discord.Interaction) -> Person:
    """Whoever clicks or calls a command; their client says its language."""
    return person(interaction.user, str(interaction.locale))


def attachments_of(message: discord.Message) -> list[discord.Attachment]:
    """What was posted with a message, or with the one that it forwards.

    Embeds (previews of links) and stickers are nobody's pictures and left alone.
    """
    forwarded = (each for snapshot in message.message_snapshots for each in snapshot.attachments)
    return [*message.attachments, *forwarded]


def looks_like_a_picture(attachment: discord.Attachment) -> bool:
    """By what the sender's client says; the decoder decides."""
    return (attachment.content_type or "").startswith("image/")


class Pictures:
    """Makes asks out of attachments, which are fetched from the allowed hosts only."""

    def __init__(
        self, session: aiohttp.ClientSession, hosts: Collection[str], max_bytes: int, per_message: int
    ) -> None:
        self._session = session
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._per_message = per_message

    def ask(
        self,
        address: Address,
        attachments: Sequence[discord.Attachment],
        *,
        poster: Person,
        asker: Person,
        direct: bool,
        waiting: bool = False,
    ) -> Ask:
        """One ask about these attachments."""
        taken = attachments[: self._per_message]
        log.info("a message on Discord, pictures: %d", len(taken))
        return Ask(
            address=address,
            poster=poster,
            asker=asker,
            pictures=tuple(partial(self._fetch, each) for each in taken),
            direct=direct,
            left_out=len(attachments) - len(taken),
            waiting=waiting,
        )

    async def _fetch(self, attachment: discord.Attachment) -> bytes:
        if attachment.size > self._max_bytes:
            raise FetchError("too-many-bytes", "by its announced size")
        return await fetch_from_hosts(self._session, attachment.url, self._hosts, self._max_bytes)

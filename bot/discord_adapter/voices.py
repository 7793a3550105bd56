"""How answers are said on Discord: as a reply to a message, or as the response to an interaction."""

from __future__ import annotations

import logging

import discord

from bot.desk.types import Already, Reply
from bot.discord_adapter import rendering
from bot.discord_adapter.asking import address_of
from bot.wording import already
from bot.words import words
from corrections.types import Address

log = logging.getLogger(__name__)


def link(address: Address) -> str:
    """A link to a message that Discord's clients jump to."""
    where = "@me" if address.community.startswith("dm:") else address.community
    return f"https://discord.com/channels/{where}/{address.channel}/{address.message}"


async def delete(client: discord.Client, replies: list[Address]) -> None:
    """Delete messages of our own; ones that are gone are no error."""
    for reply in replies:
        channel = client.get_partial_messageable(int(reply.channel))
        try:
            await channel.get_partial_message(int(reply.message)).delete()
        except discord.NotFound:
            pass
        except discord.HTTPException as error:
            log.warning("a reply could not be deleted: %s", error)


class MessageVoice:
    """Replies to a posted message. Sent twice, Discord posts it once, because of the nonce."""

    def __init__(self, client: discord.Client, message: discord.Message) -> None:
        self._client = client
        self._message = message

    async def say(self, reply: Reply | Already) -> Address | None:
        """Reply below the message."""
        message, w = self._message, words(reply.language)
        if isinstance(reply, Already):
            return None  # it stands right there
        try:
            sent = await message.channel.send(
                rendering.content(reply, w),
                view=rendering.buttons(reply.identified, w),
                reference=message.to_reference(fail_if_not_exists=False),
                nonce=message.id,
            )
        except discord.Forbidden:
            log.warning("no permission to answer in channel %s", message.channel.id)
            return None
        return address_of(sent, message.author.id)

    async def drop(self) -> None:
        """Nothing shows that an answer was under way."""

    async def unsay(self, replies: list[Address]) -> None:
        """Delete our own messages."""
        await delete(self._client, replies)


class InteractionVoice:
    """Answers a command that was deferred."""

    def __init__(self, interaction: discord.Interaction[discord.Client]) -> None:
        self._interaction = interaction

    async def say(self, reply: Reply | Already) -> Address | None:
        """Fill in the deferred response."""
        w = words(reply.language)
        if isinstance(reply, Already):
            await self._interaction.edit_original_response(content=already(reply, link(reply.reply), w))
            return None
        sent = await self._interaction.edit_original_response(
            content=rendering.content(reply, w),
            view=rendering.buttons(reply.identified, w),
        )
        return address_of(sent, self._interaction.user.id)

    async def drop(self) -> None:
        """Take "is thinking…" away."""
        await self._interaction.delete_original_response()

    async def unsay(self, replies: list[Address]) -> None:
        """Delete our own messages."""
        await delete(self._interaction.client, replies)


async def whisper(
    interaction: discord.Interaction[discord.Client],
    text: str,
    view: discord.ui.View | None = None,
    *,
    edit: bool = False,
) -> None:
    """Say something that only this person sees; with ``edit`` in place of the whisper they clicked on."""
    if edit and interaction.message is not None:
        await interaction.response.edit_message(content=text, view=view)
    else:
        await interaction.response.send_message(text, view=view or discord.utils.MISSING, ephemeral=True)

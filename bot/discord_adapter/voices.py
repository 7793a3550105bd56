"""How answers are said on Discord: as a reply to a message, or as the response to an interaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from secrets import token_hex

import discord

from bot.desk.types import Already, Person, Refused, Reply
from bot.discord_adapter import rendering
from bot.discord_adapter.asking import address_of
from bot.discord_adapter.lately import Lately
from bot.discord_adapter.limited import patiently
from bot.wording import already
from bot.words import words
from corrections.types import Address

log = logging.getLogger(__name__)

CROWDED = frozenset({"error-person-limit", "error-community-limit", "error-busy"})
"""Refusals that are about no picture in particular."""
REFUSED_SECONDS = 60.0
PATIENCE_SECONDS = 1.8
FIRST_SECONDS = 1.5
"""An interaction's first answer is tried again for so long: Discord takes none after 3 seconds."""
NO_HISTORY = 160002
"""Without permission to read older messages Discord refuses a reply, but not the message itself."""


def link(address: Address) -> str:
    """A link to a message that Discord's clients jump to."""
    where = "@me" if address.community.startswith("dm:") else address.community
    return f"https://discord.com/channels/{where}/{address.channel}/{address.message}"


async def delete(client: discord.Client, replies: list[Address]) -> None:
    """Delete messages of our own; ones that are gone are no error."""
    for reply in replies:
        channel = client.get_partial_messageable(int(reply.channel))
        try:
            await patiently(channel.get_partial_message(int(reply.message)).delete)
        except discord.NotFound:
            pass
        except discord.HTTPException as error:
            log.warning("a reply could not be deleted: %s", error)


class MessageVoice:
    """Replies to a posted message. Sent twice, Discord posts it once, because of the nonce."""

    def __init__(self, client: discord.Client, message: discord.Message) -> None:
        self._client = client
        self._message = message
        self._partner = message.author.id

    async def say(self, reply: Reply | Already) -> Address | None:
        """Reply below the message."""
        if isinstance(reply, Already):
            return None  # it stands right there
        w = words(reply.language)
        view = rendering.buttons(reply.identified, w)
        return await self._send(rendering.content(reply, w), view, nonce=str(self._message.id))

    async def drop(self) -> None:
        """Nothing shows that an answer was under way."""

    async def unsay(self, replies: list[Address]) -> None:
        """Delete our own messages."""
        await delete(self._client, replies)

    async def _send(self, text: str, view: discord.ui.View | None, nonce: str = "") -> Address | None:
        sent = await send_below(self._message, text, view, nonce=nonce)
        return address_of(sent, self._partner) if sent else None


class PointingVoice(MessageVoice):
    """Answers somebody who asks about an older picture, below ``message``: theirs, or the picture itself.

    Whoever asks gets at least a link to the answer that stands elsewhere. Reacting is so easy that what is
    no answer is said seldom: with ``lately``, only what it has not seen.
    """

    def __init__(
        self, client: discord.Client, message: discord.Message, asker: Person, lately: Lately | None = None
    ) -> None:
        super().__init__(client, message)
        self._partner = int(asker.id)
        self._asker = asker
        self._lately = lately

    async def say(self, reply: Reply | Already) -> Address | None:
        """Reply below the message, or point to the reply that is there."""
        w = words(reply.language)
        if isinstance(reply, Already):
            if self._lately is None or self._lately.first(("already", self._message.id)):
                await self._send(already(reply, link(reply.reply), w), None)
            return None
        if not reply.identified and not self._is_new_refusal(reply):
            return None
        # The same message may be asked about again, so its id would hide the second answer behind the first.
        view = rendering.buttons(reply.identified, w)
        return await self._send(rendering.content(reply, w), view)

    def _is_new_refusal(self, reply: Reply) -> bool:
        keys = tuple(each.key for each in reply.outcomes if isinstance(each, Refused))
        about = self._asker.id if CROWDED.intersection(keys) else self._message.id
        return self._lately is None or self._lately.first(("refused", about, keys), REFUSED_SECONDS)


async def send_below(
    message: discord.Message, text: str, view: discord.ui.View | None = None, *, nonce: str = ""
) -> discord.Message | None:
    """Reply to a message, or say it in its channel if the message is gone meanwhile.

    None where that cannot be: the channel is gone, the thread is locked, a permission is missing.
    """
    say = partial(message.channel.send, text, view=view or discord.utils.MISSING, nonce=nonce or token_hex(8))
    try:
        try:
            reference = message.to_reference(fail_if_not_exists=False)
            return await patiently(lambda: say(reference=reference))
        except discord.Forbidden as error:
            if error.code != NO_HISTORY:
                raise
            return await patiently(say)
    except discord.HTTPException as error:
        if error.status >= 500:
            raise
        log.warning("nothing can be said in a channel: %s", error)
        return None


class InteractionVoice:
    """Answers a command that was deferred."""

    def __init__(self, interaction: discord.Interaction[discord.Client]) -> None:
        self._interaction = interaction

    async def say(self, reply: Reply | Already) -> Address | None:
        """Fill in the deferred response."""
        w = words(reply.language)
        try:
            if isinstance(reply, Already):
                pointing = already(reply, link(reply.reply), w)
                await patiently(partial(self._interaction.edit_original_response, content=pointing))
                return None
            fill_in = partial(self._interaction.edit_original_response, content=rendering.content(reply, w))
            view = rendering.buttons(reply.identified, w)
            sent = await patiently(lambda: fill_in(view=view))
        except discord.NotFound:
            log.info("somebody deleted the answer before it was there")
            return None
        return address_of(sent, self._interaction.user.id)

    async def drop(self) -> None:
        """Take "is thinking…" away."""
        with suppress(discord.NotFound):
            await self._interaction.delete_original_response()

    async def unsay(self, replies: list[Address]) -> None:
        """Delete our own messages."""
        await delete(self._interaction.client, replies)


@asynccontextmanager
async def patience(interaction: discord.Interaction[discord.Client]) -> AsyncIterator[None]:
    """Tell Discord in time that an answer is coming, should it take long: it waits for 3 seconds only."""
    deferring = asyncio.create_task(_defer(interaction), name="defer")
    try:
        yield
    finally:
        async with turn(interaction):
            deferring.cancel()
        await asyncio.gather(deferring, return_exceptions=True)


async def _defer(interaction: discord.Interaction[discord.Client]) -> None:
    await asyncio.sleep(PATIENCE_SECONDS)
    async with turn(interaction):
        if not interaction.response.is_done():
            if interaction.extras.get("in_place"):
                await interaction.response.defer()
            else:
                await interaction.response.defer(ephemeral=True, thinking=True)


def in_place(interaction: discord.Interaction[discord.Client]) -> None:
    """However long it takes, the answer takes the place of the whisper that was clicked on."""
    interaction.extras["in_place"] = bool(interaction.message and interaction.message.flags.ephemeral)


def turn(interaction: discord.Interaction[discord.Client]) -> asyncio.Lock:
    """Held while the interaction gets its first answer, of which there is one."""
    lock: asyncio.Lock = interaction.extras.setdefault("turn", asyncio.Lock())
    return lock


async def whisper(
    interaction: discord.Interaction[discord.Client],
    text: str,
    view: discord.ui.View | None = None,
    *,
    edit: bool = False,
    files: Sequence[discord.File] | None = None,
) -> None:
    """Say something that only this person sees; with ``edit`` in place of the whisper they clicked on.

    ``files`` take the place of those that were there; none given, and they stay. They can be sent but once:
    discord.py closes them, so what has files is not tried again.
    """
    attached = discord.utils.MISSING if files is None else list(files)
    async with turn(interaction):
        if interaction.response.is_done():  # it took so long that it was deferred
            instead = partial(interaction.edit_original_response, content=text, view=view)
            await (patiently(instead) if files is None else instead(attachments=attached))
        elif edit and interaction.message is not None and interaction.message.flags.ephemeral:
            change = partial(interaction.response.edit_message, content=text, view=view)
            await (patiently(change, FIRST_SECONDS) if files is None else change(attachments=attached))
        else:
            say = partial(
                interaction.response.send_message, text, view=view or discord.utils.MISSING, ephemeral=True
            )
            await (say(files=attached) if attached else patiently(say, FIRST_SECONDS))

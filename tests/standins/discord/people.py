"""Guilds, channels and the people in them, who do what people do in Discord."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import discord
from simcord.backend.models import Message, Overwrite
from simcord.enums import OverwriteType

from .cdn import Upload
from .interactions import Interaction
from .snapshots import MessageSnapshot, Modal, Response
from .world import DISCORD_EPOCH_MS

if TYPE_CHECKING:
    from .server import DiscordStandin

MessageLike = int | MessageSnapshot | Response | Interaction
File = Upload | tuple[str, bytes]


@dataclass(frozen=True)
class Channel:
    """A text channel or a direct message (then ``guild_id`` is None)."""

    id: int
    name: str
    guild_id: int | None
    _standin: DiscordStandin

    def deny_bot(self, *permissions: str) -> None:
        """Take permissions (discord.py's names) from the bot in this channel."""
        denied = discord.Permissions(**dict.fromkeys(permissions, True)).value
        world = self._standin.world
        overwrite = Overwrite(target_id=world.bot_user.id, type=OverwriteType.MEMBER, allow=0, deny=denied)
        world.get_channel(self.id).overwrites.append(overwrite)
        world.announce_channel_update(self.id)


@dataclass(frozen=True)
class Guild:
    """A Discord server that the bot is a member of."""

    id: int
    name: str
    _standin: DiscordStandin

    def text_channel(self, name: str) -> Channel:
        made = self._standin.world.create_channel(self.id, name)
        return Channel(made.id, name, self.id, self._standin)

    def thread(self, parent: Channel, name: str) -> Channel:
        """A public thread below a text channel."""
        owner = self._standin.world.get_guild(self.id).owner_id
        made = self._standin.world.create_thread(parent.id, name, owner)
        return Channel(made.id, name, self.id, self._standin)

    def role(self, name: str, *permissions: str) -> int:
        """A role with these permissions (discord.py's names); its id."""
        granted = discord.Permissions(**dict.fromkeys(permissions, True)).value
        return self._standin.world.create_role(self.id, name, permissions=granted).id

    def member(self, name: str, bot: bool = False, locale: str = "en-US", roles: Sequence[int] = ()) -> User:
        user = self._standin.user(name, bot=bot, locale=locale)
        self.join(user)
        for role in roles:
            self.give(user, role)
        return user

    def give(self, user: User, role: int) -> None:
        """Let a member have a role from now on."""
        self._standin.world.add_member_role(self.id, user.id, role)

    def take(self, user: User, role: int) -> None:
        """Take a role from a member again."""
        self._standin.world.remove_member_role(self.id, user.id, role)

    def join(self, user: User) -> None:
        """Let somebody from elsewhere be a member here too."""
        self._standin.world.add_member(self.id, user.id, announce=True)


@dataclass(frozen=True)
class User:
    """A person (or another bot)."""

    id: int
    name: str
    bot: bool
    _standin: DiscordStandin

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    async def post(
        self,
        channel: Channel,
        content: str = "",
        files: Sequence[File] = (),
        *,
        reply_to: MessageLike | None = None,
        mention_bot: bool = False,
        timestamp: datetime | None = None,
        message_id: int | None = None,
        announce: bool = True,
        webhook: bool = False,
    ) -> int:
        """Post a message and return its id.

        ``timestamp`` or ``message_id`` makes it an older one; ``announce=False`` puts it into the
        channel's history without an event, as if the bot had been away. ``webhook`` posts it through one.
        """
        world = self._standin.world
        if mention_bot:
            content = f"<@{world.bot_user.id}> {content}".strip()
        uploads = [f if isinstance(f, Upload) else Upload(*f) for f in files]
        attachments = [world.cdn.store_upload(world.snowflake(), channel.id, u) for u in uploads]
        reference = None
        if reply_to is not None:
            target = self._standin.resolve(reply_to)
            reference = {"message_id": str(target.id), "channel_id": str(target.channel_id)}
        message = world.prepare_message(
            channel.id,
            self.id,
            content,
            attachments=attachments,
            reference=reference,
            webhook_id=world.snowflake() if webhook else None,
        )
        if message_id is not None:
            message.id = world.reserve_id(message_id)
            moment = datetime.fromtimestamp(((message_id >> 22) + DISCORD_EPOCH_MS) / 1000, UTC)
            message.timestamp = (timestamp or moment).isoformat()
        elif timestamp is not None:
            message.id = world.id_at(timestamp)
            message.timestamp = timestamp.isoformat()
        return world.commit_message(message, broadcast=announce).id

    async def edit(self, message: MessageLike, content: str) -> None:
        stored = self._own(message)
        self._standin.world.edit_message(stored.channel_id, stored.id, {"content": content})

    async def delete(self, message: MessageLike) -> None:
        """Delete any message one can see (own, or as a moderator)."""
        stored = self._standin.resolve(message)
        self._standin.world.delete_message(stored.channel_id, stored.id)

    async def delete_many(self, channel: Channel, messages: Sequence[MessageLike]) -> None:
        """Delete several at once, as a moderator's tool does: one event for all."""
        ids = [self._standin.resolve(message).id for message in messages]
        self._standin.world.bulk_delete_messages(channel.id, ids)

    async def forward(self, message: MessageLike, channel: Channel) -> int:
        """Forward a message into another channel; the id of the forward."""
        stored = self._standin.resolve(message)
        reference = {"type": 1, "message_id": str(stored.id), "channel_id": str(stored.channel_id)}
        return self._standin.world.create_message(channel.id, self.id, "", reference=reference).id

    async def react(self, message: MessageLike, emoji: str, *, again: bool = False) -> None:
        """Add a reaction; ``again`` sends the event of one that is there already once more."""
        stored, world = self._standin.resolve(message), self._standin.world
        if again:
            world._emit_reaction("MESSAGE_REACTION_ADD", stored, emoji, self.id)
        else:
            world.add_reaction(stored.channel_id, stored.id, emoji, self.id)

    async def click(self, message: MessageLike, custom_id_or_label: str) -> Interaction:
        return self._standin.desk.click(self, self._standin.resolve(message), custom_id_or_label)

    async def forge(self, message: MessageLike, custom_id: str) -> Interaction:
        """Click, by another client, on a button that the message does not have."""
        return self._standin.desk.forge(self, self._standin.resolve(message), custom_id)

    async def select(self, message: MessageLike, custom_id: str, values: Sequence[str] | str) -> Interaction:
        chosen = [values] if isinstance(values, str) else list(values)
        return self._standin.desk.select(self, self._standin.resolve(message), custom_id, chosen)

    async def submit_modal(self, modal: Modal | Response, values: dict[str, str]) -> Interaction:
        shown = modal.modal if isinstance(modal, Response) else modal
        assert shown is not None, "that answer was not a modal"
        return self._standin.desk.submit(self, shown, values)

    async def slash(
        self, channel: Channel, command: str, options: dict[str, Any] | None = None, *, timeout: float = 5.0
    ) -> Interaction:
        """Call ``/command`` ("name" or "name sub"); waits for it to be registered."""
        await self._standin.wait_command(command.split()[0], channel, timeout=timeout)
        return self._standin.desk.slash(self, channel, command, options or {})

    async def autocomplete(
        self,
        channel: Channel,
        command: str,
        option: str,
        text: str,
        others: dict[str, Any] | None = None,
        *,
        timeout: float = 5.0,
    ) -> Interaction:
        """Type ``text`` into an option; the choices are in the interaction's response."""
        await self._standin.wait_command(command.split()[0], channel, timeout=timeout)
        return self._standin.desk.autocomplete(self, channel, command, option, text, others or {})

    async def message_command(
        self, channel: Channel, command: str, message: MessageLike, *, timeout: float = 5.0
    ) -> Interaction:
        """Choose a message command from the menu of a message."""
        await self._standin.wait_command(command, channel, type_=3, timeout=timeout)
        return self._standin.desk.message_command(self, channel, command, self._standin.resolve(message))

    def _own(self, message: MessageLike) -> Message:
        stored = self._standin.resolve(message)
        assert stored.author_id == self.id, f"{self.name} did not write that message"
        return stored


def id_of(message: MessageLike) -> int:
    """The id of a message that is given in any of the ways a test may have it."""
    if isinstance(message, int):
        return message
    if isinstance(message, Response):
        assert message.message is not None, f"that answer ({message.kind}) has no message"
        return message.message.id
    if isinstance(message, Interaction):
        answered = message._world.tallies.answers.get(message.id)
        assert answered is not None, "that interaction is not answered"
        return id_of(answered)
    return message.id

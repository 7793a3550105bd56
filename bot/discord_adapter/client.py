"""The Discord client: which events lead to the desk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.gateway import DiscordWebSocket

from bot.desk.desk import Desk
from bot.discord_adapter.asking import (
    Pictures,
    address_of,
    attachments_of,
    looks_like_a_picture,
    person,
)
from bot.discord_adapter.busy import Busy
from bot.discord_adapter.cast import Cast
from bot.discord_adapter.clicks import Clicks
from bot.discord_adapter.commands import add_commands, add_explanations
from bot.discord_adapter.counting import counting
from bot.discord_adapter.moderation_commands import add_moderation, add_privacy, add_retraining
from bot.discord_adapter.moderators import Moderators
from bot.discord_adapter.older import Older
from bot.discord_adapter.panel import Operator
from bot.discord_adapter.privacy import Privacy
from bot.discord_adapter.registering import Commands
from bot.discord_adapter.releasing import Releasing
from bot.discord_adapter.reviewing import Reviewing
from bot.discord_adapter.setup import Setup
from bot.discord_adapter.teaching import Teaching, add_teaching
from bot.discord_adapter.training import Retrain
from bot.discord_adapter.voices import MessageVoice, delete, patience, send_below
from bot.settings import Settings
from bot.words import words
from corrections.types import Address
from model import tracing

log = logging.getLogger(__name__)

UNKNOWN_INTERACTION, ANSWERED_BEFORE = 10062, 40060


class WhosthatClient(discord.Client):
    """Answers pictures in watched channels, in direct messages and when mentioned."""

    def __init__(
        self,
        desk: Desk,
        pictures: Pictures,
        settings: Settings,
        *,
        message_content: bool,
        on_up: Callable[[WhosthatClient], None],
        **shards: Any,
    ) -> None:
        intents = discord.Intents(
            guilds=True,
            guild_messages=True,
            dm_messages=True,
            guild_reactions=True,
            dm_reactions=True,
            message_content=message_content,
        )
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,  # deletions are told by id; keeping messages would only take memory
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            http_trace=counting(desk.metrics),
            **shards,
        )
        self.connected = False
        """Whether the gateway has us right now."""
        self._by_proxy = bool(settings.discord.gateway_url)
        self._auto_channels = settings.discord.auto_channels
        self.closing = False
        self._desk = desk
        self._pictures = pictures
        self._max_age = timedelta(minutes=settings.discord.max_age_minutes)
        self._on_up = on_up
        self._older = Older(desk, pictures)
        operator = Operator(
            self._auto_channels, settings.limits.person_per_minute, message_content=message_content
        )
        setup = Setup(desk, operator)
        self.busy = Busy()
        moderators, privacy = Moderators(desk), Privacy(desk, self.busy)
        desk.moderation.rights.register("discord", partial(moderators.still, self))
        reviewing, cast = Reviewing(desk, moderators), Cast(desk, moderators)
        self._retrain = Retrain(desk, moderators)
        teaching = Teaching(desk, pictures, moderators)
        self.clicks = Clicks(desk, setup, reviewing, cast, self._retrain, teaching, privacy, self.busy)
        self._tree = Commands(self, self.busy)
        add_commands(self._tree, desk, pictures, self.clicks)
        add_explanations(self._tree, desk, setup, settings.retention.unvoted_hours)
        add_teaching(self._tree, desk, teaching)
        add_privacy(self._tree, privacy)
        minutes, hours = settings.review.link_minutes, settings.export.kept_hours
        add_moderation(self._tree, reviewing, Releasing(desk, moderators, minutes, hours), cast)
        if any(each.startswith("discord:") for each in settings.training.communities):
            add_retraining(self._tree, self._retrain)
        self._tree.error(self._command_failed)
        self._registering: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Register the commands, beside everything else: Discord may let us wait for that."""
        self._registering = asyncio.create_task(self._tree.register(), name="register-commands")

    async def close(self) -> None:
        """Disconnect."""
        # discord.py waits two seconds before it says that it is ready, and does not stop when it is closed.
        if (ready := getattr(self._connection, "_ready_task", None)) is not None:
            ready.cancel()
        if self._registering is not None:
            self._registering.cancel()
            await asyncio.gather(self._registering, return_exceptions=True)
        await self._retrain.close()
        await super().close()

    async def on_connect(self) -> None:
        """A session has begun."""
        self._come_back(self.ws)

    def _come_back(self, connection: DiscordWebSocket) -> None:
        """Resume where the settings say, not where Discord does: a proxy of the gateway is left out else."""
        if self._by_proxy:
            connection.gateway = connection.DEFAULT_GATEWAY

    async def on_ready(self) -> None:
        """Connected, for the first time or anew."""
        self.connected = True
        self._on_up(self)

    async def on_resumed(self) -> None:
        """Connected again."""
        self.connected = True

    async def on_disconnect(self) -> None:
        """Not connected; discord.py tries again by itself."""
        self.connected = False

    async def on_message(self, message: discord.Message) -> None:
        """A picture may have been posted."""
        tracing.trace()
        if self.closing or message.author.bot or message.webhook_id or self._is_old(message):
            return
        if message.type not in (discord.MessageType.default, discord.MessageType.reply):
            return
        asked = message.guild is None or self._is_called(message)
        attachments = [each for each in attachments_of(message) if asked or looks_like_a_picture(each)]
        poster, place = person(message.author), address_of(message, message.author.id)
        if not attachments:
            if asked and not await self._older.by_reply(self, message):
                await self._explain(message, await self._desk.language(poster, place))
            return
        if not asked and not await self._is_watched(message.channel, place):
            return
        ask = self._pictures.ask(place, attachments, poster=poster, asker=poster, direct=asked)
        await self._desk.answer(ask, MessageVoice(self, message))

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """Somebody may ask about an older picture."""
        tracing.trace()
        if not self.closing:
            await self._older.by_reaction(self, event)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """A posted picture is gone: so are our reply and its bytes."""
        await self._deleted(event.channel_id, event.guild_id, {event.message_id})

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Many at once."""
        await self._deleted(event.channel_id, event.guild_id, event.message_ids)

    async def on_interaction(self, interaction: discord.Interaction[discord.Client]) -> None:
        """Buttons and forms; commands go through the tree."""
        if interaction.type not in (
            discord.InteractionType.component,
            discord.InteractionType.modal_submit,
        ):
            return
        tracing.trace()
        try:
            async with patience(interaction):
                await self.clicks.handle(interaction)
        except discord.HTTPException as error:
            await self._unanswered(interaction, error)
        except Exception:
            log.exception("a click was not handled")
            await self._apologise(interaction)

    async def _command_failed(
        self, interaction: discord.Interaction[discord.Client], error: app_commands.AppCommandError
    ) -> None:
        if isinstance(error, app_commands.CheckFailure):  # delivered twice
            return
        original = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        if isinstance(original, discord.HTTPException):
            await self._unanswered(interaction, original)
            return
        log.error("a command failed", exc_info=error)
        await self._apologise(interaction)

    async def _unanswered(
        self, interaction: discord.Interaction[discord.Client], error: discord.HTTPException
    ) -> None:
        """Discord did not take an answer. Too late, or answered before, it will take no apology either."""
        if error.code in (UNKNOWN_INTERACTION, ANSWERED_BEFORE):
            log.info("an interaction could not be answered any more: %s", error)
            return
        log.error("an interaction was not answered", exc_info=error)
        await self._apologise(interaction)

    async def _apologise(self, interaction: discord.Interaction[discord.Client]) -> None:
        text = words(str(interaction.locale))("error-trouble")
        try:
            if interaction.response.is_done():
                await interaction.followup.send(text, ephemeral=True)
            else:
                await interaction.response.send_message(text, ephemeral=True)
        except discord.HTTPException as error:
            log.info("nor could the apology be said: %s", error)

    async def _deleted(self, channel_id: int, guild_id: int | None, message_ids: set[int]) -> None:
        community = str(guild_id) if guild_id else f"dm:{self._partner(channel_id)}"
        for message_id in message_ids:
            gone = Address("discord", community, str(channel_id), str(message_id))
            await delete(self, await self._desk.message_deleted(gone))

    def _partner(self, channel_id: int) -> int:
        channel = self.get_channel(channel_id)
        recipient = channel.recipient if isinstance(channel, discord.DMChannel) else None
        return recipient.id if recipient else 0

    def _is_old(self, message: discord.Message) -> bool:
        return datetime.now(UTC) - message.created_at > self._max_age

    async def _is_watched(self, channel: discord.abc.MessageableChannel, place: Address) -> bool:
        if await self._desk.watches(place, self._auto_channels):
            return True
        parent = str(channel.parent_id) if isinstance(channel, discord.Thread) else ""
        return bool(parent) and await self._desk.watches(replace(place, channel=parent), self._auto_channels)

    def _is_called(self, message: discord.Message) -> bool:
        """Mentioned by name; a reply to one of ours that only notifies does not count."""
        assert self.user is not None, "logged in"
        called = f"<@{self.user.id}>", f"<@!{self.user.id}>"
        return any(each in message.content for each in called)

    async def _explain(self, message: discord.Message, language: str) -> None:
        w = words(language)
        await send_below(message, w("answer-no-picture") + "\n" + w("discord-help"))

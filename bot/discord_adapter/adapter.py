"""Starting, watching and stopping the Discord client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from tenacity import AsyncRetrying, before_sleep_log, retry_if_exception, wait_exponential, wait_random

from bot.desk.communities import ALL
from bot.desk.desk import Desk
from bot.discord_adapter.announcing import DiscordAnnouncer
from bot.discord_adapter.asking import Pictures
from bot.discord_adapter.client import WhosthatClient
from bot.discord_adapter.limited import told_to_wait
from bot.discord_adapter.sharding import ShardedClient, find_shards
from bot.settings import Settings
from bot.watching import ENDED, NOT_CONNECTED
from bot.words import words

log = logging.getLogger(__name__)

FINISH_SECONDS = 5.0
"""How long clicks and commands under way may take once we are told to stop."""


def _passes(error: BaseException) -> bool:
    """Whether trying again later may help: the network, or Discord's own trouble."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or told_to_wait(error)
    return isinstance(
        error, OSError | aiohttp.ClientError | discord.GatewayNotFound | discord.ConnectionClosed
    )


class DiscordAdapter:
    """Runs the client in the background; ``async with`` it.

    A refused token or intent is said through ``report`` in one sentence and ends or changes Discord only;
    everything else goes on.
    """

    def __init__(self, desk: Desk, settings: Settings, report: Callable[[str], None]) -> None:
        self._desk = desk
        self._settings = settings
        self._report = report
        self._client: WhosthatClient | None = None
        self._task: asyncio.Task[None] | None = None
        self._message_content = settings.discord.message_content
        self._was_up = False
        self.announcer = DiscordAnnouncer(desk, lambda: self._client)
        """Edits replies when a new model agrees with people."""

    async def __aenter__(self) -> Self:
        discord_settings = self._settings.discord
        if discord_settings.api_base:
            Route.BASE = discord_settings.api_base.rstrip("/")
        if discord_settings.gateway_url:
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(discord_settings.gateway_url)
        self._task = asyncio.create_task(self._run(), name="discord")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.busy.finish(FINISH_SECONDS)
            await self._client.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def busy(self) -> bool:
        """Whether clicks, commands or what follows from them are under way."""
        return self._client is not None and self._client.busy.any

    async def trouble(self) -> str:
        """Why no pictures come from Discord; empty while they do."""
        if self._task is None or self._task.done():
            return ENDED
        if self._client is None or not self._client.connected:
            return NOT_CONNECTED
        self._desk.metrics.servers(len(self._client.guilds))
        return ""

    def stop_asking(self) -> None:
        """Take no new pictures; what is being answered goes on."""
        if self._client is not None:
            self._client.closing = True

    async def _run(self) -> None:
        w = words()
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(_passes),
                wait=wait_exponential(max=60) + wait_random(0, 1),
                before_sleep=before_sleep_log(log, logging.WARNING),
            ):
                with attempt:
                    await self._connect()
        except discord.LoginFailure:
            self._report(w("run-discord-refused"))
        except Exception as error:
            log.exception("Discord ended")
            self._report(w("run-discord-failed", why=str(error) or type(error).__name__))

    async def _connect(self) -> None:
        """Be connected until closed; without the privileged intent if Discord refuses it."""
        try:
            await self._connect_once()
        except discord.PrivilegedIntentsRequired:
            self._message_content = False
            await self._connect_once()

    async def _connect_once(self) -> None:
        settings = self._settings
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30, sock_connect=10)) as session:
            pictures = Pictures(
                session,
                settings.discord.cdn_hosts,
                settings.worker.max_mebibytes << 20,
                settings.limits.pictures_per_message,
            )
            shards = await find_shards(session, settings)
            more: dict[str, Any] = {} if shards.alone else {"shards": shards}
            self._client = (WhosthatClient if shards.alone else ShardedClient)(
                self._desk,
                pictures,
                settings,
                message_content=self._message_content,
                on_up=self._up,
                **more,
            )
            if not shards.alone:
                log.info("Discord: %d of %d shards are ours", len(shards.ids), shards.count)
            async with self._client as client:
                await client.start(settings.discord.token.get_secret_value())

    def _up(self, client: WhosthatClient) -> None:
        if self._was_up:
            log.info("Discord: connected again")
            return
        self._was_up = True
        w = words()
        self._report(w("run-discord-on", bot=str(client.user), servers=len(client.guilds)))
        if not self._message_content:
            self._report(w("run-discord-no-content"))
        elif ALL in (channels := self._settings.discord.auto_channels):
            self._report(w("run-discord-all"))
        elif channels:
            self._report(w("run-discord-watching", channels=", ".join(channels)))
        else:
            self._report(w("run-discord-asked"))

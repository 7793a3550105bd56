"""Several connections to the gateway: which of them this process has, and how soon one may follow another.

Discord sends a server's events on the shard ``(id >> 22) % shards``, direct messages on shard 0, and an
interaction where its server is (documentation of the gateway, section *Sharding*).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
from discord.http import Route

from bot.discord_adapter.client import WhosthatClient
from bot.discord_adapter.limited import seconds_of
from bot.settings import Settings

IDENTIFY_SECONDS = 5.0
"""How long Discord wants between two that identify in the same bucket."""


@dataclass(frozen=True, slots=True)
class Shards:
    """``count`` in all; ``ids`` are ours, and ``at_once`` may identify in 5 seconds (*max_concurrency*)."""

    count: int = 1
    ids: tuple[int, ...] = (0,)
    at_once: int = 1

    @property
    def alone(self) -> bool:
        """Whether everything comes over one connection."""
        return self.count == 1


async def find_shards(session: aiohttp.ClientSession, settings: Settings) -> Shards:
    """What the settings say, or what Discord recommends.

    Raises:
        discord.GatewayNotFound, aiohttp.ClientError: Discord does not say.
    """
    chosen = settings.discord
    if chosen.shards == 1:
        return Shards()
    headers = {
        "Authorization": f"Bot {chosen.token.get_secret_value()}",
        "User-Agent": "DiscordBot (https://github.com/Rapptz/discord.py, 2)",
    }
    while True:
        async with session.get(f"{Route.BASE}/gateway/bot", headers=headers) as reply:
            if reply.status == 401:
                return Shards()  # signing in says so as well
            if reply.status == 429:  # of Discord, or of a proxy before it
                await asyncio.sleep(seconds_of(reply.headers.get("Retry-After", "")))
                continue
            if reply.status != 200:
                raise discord.GatewayNotFound
            said: dict[str, Any] = await reply.json()
            break
    count = chosen.shards or max(1, int(said["shards"]))
    ids = tuple(int(each) for each in chosen.shard_ids) or tuple(range(count))
    return Shards(count, ids, max(1, int(said["session_start_limit"]["max_concurrency"])))


class ShardedClient(WhosthatClient, discord.AutoShardedClient):
    """The same client over several connections; connected while all of them are."""

    def __init__(self, *arguments: Any, shards: Shards, **named: Any) -> None:
        super().__init__(*arguments, shard_count=shards.count, shard_ids=list(shards.ids), **named)
        self._at_once = shards.at_once
        self._identified: dict[int, float] = {}
        self._away = set(shards.ids)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait until Discord lets this one identify: those of one bucket one after the other."""
        bucket = (shard_id or 0) % self._at_once
        now = asyncio.get_running_loop().time()
        at = max(now, self._identified.get(bucket, now - IDENTIFY_SECONDS) + IDENTIFY_SECONDS)
        self._identified[bucket] = at
        await asyncio.sleep(at - now)

    async def on_connect(self) -> None:
        """A session of one of them has begun; which one is said by itself."""

    async def on_shard_connect(self, shard_id: int) -> None:
        """A session has begun."""
        self._come_back(self._get_websocket(shard_id=shard_id))

    async def on_shard_ready(self, shard_id: int) -> None:
        """Connected, for the first time or anew."""
        self._back(shard_id)

    async def on_shard_resumed(self, shard_id: int) -> None:
        """Connected again."""
        self._back(shard_id)

    async def on_shard_disconnect(self, shard_id: int) -> None:
        """Not connected; discord.py tries again by itself."""
        self._away.add(shard_id)
        self.connected = False

    async def on_resumed(self) -> None:
        """One of them; which one is said by itself."""

    async def on_disconnect(self) -> None:
        """One of them; which one is said by itself."""

    def _back(self, shard_id: int) -> None:
        self._away.discard(shard_id)
        self.connected = not self._away

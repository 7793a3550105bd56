"""The checks of Discord, by discord.py's login without a gateway: token, intent, watched channels."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import aiohttp
import discord
from discord.http import Route

from bot.desk.communities import ALL
from bot.operators.findings import Finding, bad, ok, skipped, why_not
from bot.settings import Settings
from bot.words import Words, words
from corrections.types import Community, CommunitySettings

SECONDS = 20
NEEDED = {
    "view_channel": "doctor-permission-view",
    "send_messages": "doctor-permission-send",
    "send_messages_in_threads": "doctor-permission-threads",
    "read_message_history": "doctor-permission-history",
}
MOST_NAMED = 5
"""Channels that are named in one line."""


async def discord_checks(settings: Settings, chosen: Mapping[Community, CommunitySettings]) -> list[Finding]:
    """All that can be asked by the token; ``chosen`` is what communities have set up."""
    w, token = words(), settings.discord.token.get_secret_value()
    if not token:
        return [skipped("discord", w("doctor-discord-none"))]
    if settings.discord.api_base:
        Route.BASE = settings.discord.api_base.rstrip("/")
    client = discord.Client(intents=discord.Intents(guilds=True), max_messages=None)
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(SECONDS), client:
            await client.login(token)
            findings.append(ok("discord", w("doctor-discord-ok", bot=str(client.user))))
            findings.append(_content(client, settings, w))
            findings += await _channels(client, settings, chosen, w)
    except discord.LoginFailure:
        findings.append(bad("discord", w("doctor-discord-refused")))
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        findings.append(bad("discord", w("doctor-discord-away", why=why_not(error))))
    return findings


def _content(client: discord.Client, settings: Settings, w: Words) -> Finding:
    if not settings.discord.message_content:
        return skipped("discord-content", w("doctor-discord-content-off"))
    assert client.application is not None, "logged in"
    flags = client.application.flags
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        return ok("discord-content", w("doctor-discord-content-ok"))
    return bad("discord-content", w("doctor-discord-content-bad"))


async def _channels(
    client: discord.Client,
    settings: Settings,
    chosen: Mapping[Community, CommunitySettings],
    w: Words,
) -> list[Finding]:
    mine = {native: each.watched for (platform, native), each in chosen.items() if platform == "discord"}
    wanted = {each for each in settings.discord.auto_channels if each != ALL}
    wanted |= {each for watched in mine.values() for each in watched or () if each != ALL}
    whole = {native for native, watched in mine.items() if watched and ALL in watched}
    if ALL in settings.discord.auto_channels:
        every = [str(guild.id) async for guild in client.fetch_guilds(limit=None, with_counts=False)]
        whole |= {guild for guild in every if mine.get(guild) is None}
    if not wanted and not whole:
        return [skipped("discord-channels", w("doctor-discord-channels-none"))]
    guilds = _Guilds(client)
    troubles = [trouble for each in sorted(wanted) if (trouble := await guilds.one(each, w))]
    looked = len(wanted)
    for guild in sorted(whole):
        found, wrong = await guilds.every(guild, w)
        looked += found
        troubles += wrong
    later: list[Finding] = []
    if guilds.threadless:
        later = [skipped("discord-threads", w("doctor-discord-threads", count=guilds.threadless))]
    if not troubles:
        return [ok("discord-channels", w("doctor-discord-channels-ok", count=looked)), *later]
    left = len(troubles) - MOST_NAMED
    findings = [bad("discord-channels", each) for each in troubles[:MOST_NAMED]]
    return [
        *findings,
        *([bad("discord-channels", w("doctor-discord-channels-more", count=left))] if left > 0 else []),
        *later,
    ]


class _Guilds:
    """Servers with the bot's roles in them, asked for once each.

    ``threadless`` counts the channels without a thread in which the bot could not answer in one.
    """

    def __init__(self, client: discord.Client) -> None:
        self.threadless = 0
        self._client = client
        self._threads: dict[int, set[int]] = {}
        self._known: dict[int, tuple[discord.Guild, discord.Member]] = {}

    async def one(self, channel: str, w: Words) -> str:
        """What is wrong with a channel, or nothing."""
        try:
            found = await self._client.fetch_channel(int(channel))
            if isinstance(found, discord.abc.PrivateChannel):
                return ""
            guild, me = await self._guild(found.guild.id)
            parent = found.parent_id if isinstance(found, discord.Thread) else found.id
            placed = await guild.fetch_channel(parent)
        except discord.NotFound:
            return w("doctor-discord-channel-gone", channel=channel)
        except discord.Forbidden:
            return _lacking(channel, ["view_channel"], w)
        except ValueError:
            return w("doctor-discord-channel-gone", channel=channel)
        return await self._wrong(placed, isinstance(found, discord.Thread), guild, me, w)

    async def every(self, guild_id: str, w: Words) -> tuple[int, list[str]]:
        """How many channels of a server the bot reads, and what is wrong with them."""
        try:
            guild, me = await self._guild(int(guild_id))
            channels = await guild.fetch_channels()
        except (discord.NotFound, discord.Forbidden):
            return 0, []  # it was thrown out of there
        text = [each for each in channels if isinstance(each, discord.TextChannel | discord.ForumChannel)]
        seen = [each for each in text if each.permissions_for(me).view_channel]
        wrong = [await self._wrong(each, False, guild, me, w) for each in seen]
        return len(seen), [trouble for trouble in wrong if trouble]

    async def _wrong(
        self, channel: object, thread: bool, guild: discord.Guild, me: discord.Member, w: Words
    ) -> str:
        """What is wrong with a channel; ``thread``: what is watched is a thread in it.

        An announcement channel is a text channel to discord.py.
        """
        if not isinstance(channel, discord.abc.GuildChannel):
            return ""
        has = channel.permissions_for(me)
        missing = {name for name in NEEDED if not getattr(has, name)}
        if thread or isinstance(channel, discord.ForumChannel):
            missing.discard("send_messages")  # everything there is said in a thread
        elif "send_messages_in_threads" in missing and channel.id not in await self._with_threads(guild):
            missing.discard("send_messages_in_threads")
            self.threadless += not missing
        named = [name for name in NEEDED if name in missing]
        return _lacking(f"#{channel.name}", named, w) if named else ""

    async def _with_threads(self, guild: discord.Guild) -> set[int]:
        """The channels of a server in which there are threads now."""
        if guild.id not in self._threads:
            self._threads[guild.id] = {each.parent_id for each in await guild.active_threads()}
        return self._threads[guild.id]

    async def _guild(self, guild_id: int) -> tuple[discord.Guild, discord.Member]:
        if guild_id not in self._known:
            assert self._client.user is not None, "logged in"
            guild = await self._client.fetch_guild(guild_id, with_counts=False)
            self._known[guild_id] = guild, await guild.fetch_member(self._client.user.id)
        return self._known[guild_id]


def _lacking(channel: str, missing: Iterable[str], w: Words) -> str:
    named = w("doctor-and").join(w(NEEDED[name]) for name in missing)
    return w("doctor-discord-channel-bad", channel=channel, permissions=named)

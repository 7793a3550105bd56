"""The stand-in itself: starts the servers, owns the world, and is what a test holds in its hand."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Self, TypeVar

import discord
from aiohttp import web
from simcord.backend.models import Message

from .cdn import Cdn
from .checks import Checker
from .connection import Connections
from .gateway import Gateway
from .interactions import Desk, Interaction
from .people import Channel, Guild, MessageLike, User, id_of
from .rest import PREFIX, Rest
from .snapshots import MessageSnapshot, snapshot
from .traffic import Failure, Hold, RestRequest, Traffic
from .waiting import Changes
from .world import World

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
QUIET_ROUNDS = 3


class DiscordStandin:
    """Discord on loopback for one bot.

    Args:
        message_content, members, presences: the privileged intents switched on in the application.
        enforce_deadlines: interactions die 3 s after they were sent (10062), as on Discord.
        heartbeat_interval: seconds between heartbeats asked of the bot.
        rate_limits: (method, route) -> (calls, seconds); elsewhere 1000 calls a second.
    """

    def __init__(
        self,
        *,
        message_content: bool = True,
        members: bool = False,
        presences: bool = False,
        enforce_deadlines: bool = False,
        heartbeat_interval: float = 41.25,
        rate_limits: dict[tuple[str, str], tuple[int, float]] | None = None,
    ) -> None:
        self._changes = Changes()
        self.cdn = Cdn(self._changes)
        self.world = World(self._changes, self.cdn, enforce_deadlines=enforce_deadlines)
        self.application_id = self.world.application_id
        self.bot_user_id = self.world.bot_user.id
        name = base64.urlsafe_b64encode(str(self.bot_user_id).encode()).decode().rstrip("=")
        self.token = f"{name}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"
        self.traffic = Traffic(rate_limits)
        self.desk = Desk(self.world, self._changes)
        checker = Checker()
        self.violations = checker.violations
        allowed = discord.Intents.all()
        allowed.message_content, allowed.members, allowed.presences = message_content, members, presences
        self.gateway = Gateway(
            self.world,
            self._changes,
            token=self.token,
            allowed=allowed,
            interval_ms=int(heartbeat_interval * 1000),
        )
        self._rest = Rest(
            self.world,
            self._changes,
            self.traffic,
            token=self.token,
            gateway_url=lambda: self.gateway.url,
            application_flags=self.gateway.application_flags,
            content_access=message_content,
            checker=checker,
        )
        self.world.subscribers.append(checker.event)
        self._runners: list[web.AppRunner] = []
        self.api_base = self.gateway_url = self.cdn_host = ""

    async def __aenter__(self) -> Self:
        front = web.Application(client_max_size=64 * 1024 * 1024)
        front.router.add_get("/gateway", self.gateway.handle)
        front.router.add_route("*", PREFIX + "/{path:.*}", self._rest.handle)
        files = web.Application()
        files.add_routes(self.cdn.routes())
        port = await self._serve(front)
        self.api_base = f"http://{LOOPBACK}:{port}{PREFIX}"
        self.gateway_url = self.gateway.url = f"ws://{LOOPBACK}:{port}/gateway"
        self.cdn_host = f"{LOOPBACK}:{await self._serve(files)}"
        self.cdn.base = f"http://{self.cdn_host}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        for hold in self.traffic.holds:
            hold.release()
        self.cdn.close()
        await self.gateway.close()
        for runner in self._runners:
            await runner.cleanup()

    async def _serve(self, app: web.Application) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, LOOPBACK, 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    # -- the people

    def guild(self, name: str, *, locale: str = "en-US") -> Guild:
        """A server with the bot in it; ``locale`` is its preferred one."""
        return Guild(self.world.create_guild(name, preferred_locale=locale).id, name, self)

    def user(self, name: str, *, bot: bool = False, locale: str = "en-US") -> User:
        """Somebody who is in no guild yet."""
        made = self.world.make_user(name, bot=bot)
        self.world.tallies.locales[made.id] = locale
        return User(made.id, name, bot, self)

    def dm(self, user: User) -> Channel:
        return Channel(self.world.get_dm_channel(user.id).id, f"DM with {user.name}", None, self)

    # -- what happened

    @property
    def requests(self) -> list[RestRequest]:
        return self.traffic.log

    def calls(self, method: str, route: str) -> list[RestRequest]:
        """The logged calls of one route, such as ("POST", "/channels/{channel_id}/messages")."""
        return [r for r in self.traffic.log if r.method == method and r.route == route]

    @property
    def connections(self) -> Connections:
        return self.gateway.connections

    @property
    def registered_commands(self) -> list[dict[str, Any]]:
        return [c for scope in self.world.commands.values() for c in scope.values()]

    def messages(self, channel: Channel, *, ephemeral: bool = False) -> list[MessageSnapshot]:
        """Everything in a channel, oldest first; ephemeral messages only when asked for."""
        stored = sorted(self.world.messages[channel.id].values(), key=lambda m: m.id)
        return [snapshot(self.world, m) for m in stored if ephemeral or not m.is_ephemeral]

    def replies(self, channel: Channel, *, ephemeral: bool = False) -> list[MessageSnapshot]:
        """The bot's own messages in a channel."""
        return [m for m in self.messages(channel, ephemeral=ephemeral) if m.author_id == self.bot_user_id]

    def message(self, message: MessageLike) -> MessageSnapshot | None:
        """The message as it is now; None when it was deleted."""
        stored = self.world.find_message(id_of(message))
        return None if stored is None else snapshot(self.world, stored)

    def resolve(self, message: MessageLike) -> Message:
        stored = self.world.find_message(id_of(message))
        assert stored is not None, f"there is no message {id_of(message)} any more"
        return stored

    # -- waiting

    async def wait_until(
        self, probe: Callable[[], T | None], *, timeout: float = 10.0, what: str = "what was waited for"
    ) -> T:
        """The first value of ``probe`` that is neither None nor False, looked at after every change."""
        return await self._changes.until(probe, timeout=timeout, what=what, context=self._context)

    async def wait_ready(self, *, timeout: float = 30.0, identifies: int = 1) -> None:
        """Until a bot is connected, has identified (so often) and has read everything sent to it."""
        enough = partial(self._connected, identifies)
        await self.wait_until(enough, timeout=timeout, what=f"{identifies} identified bots")
        await self.settle(timeout=timeout)

    def _connected(self, identifies: int = 0) -> bool:
        sessions = [c for c in self.gateway.live if c.session is not None]
        return bool(sessions) and self.connections.identifies >= identifies

    async def wait_reply(self, to: MessageLike, *, timeout: float = 10.0) -> MessageSnapshot:
        """The bot's first message that is a reply to this one."""
        wanted = id_of(to)
        home = self.world.tallies.homes[wanted]

        def there() -> MessageSnapshot | None:
            for message in self.world.messages[home].values():
                reference = message.reference or {}
                if message.author_id == self.bot_user_id and reference.get("message_id") == str(wanted):
                    return snapshot(self.world, message)
            return None

        return await self.wait_until(there, timeout=timeout, what=f"a reply to {wanted}")

    async def wait_messages(
        self, channel: Channel, count: int = 1, *, timeout: float = 10.0
    ) -> list[MessageSnapshot]:
        """The bot's own messages in a channel, once there are ``count`` of them or more."""

        def enough() -> list[MessageSnapshot] | None:
            found = self.replies(channel)
            return found if len(found) >= count else None

        return await self.wait_until(enough, timeout=timeout, what=f"{count} messages in {channel.name}")

    async def wait_edit(
        self, message: MessageLike, *, edits: int = 1, timeout: float = 10.0
    ) -> MessageSnapshot:
        """The message once it was edited so many times in all."""

        def edited() -> MessageSnapshot | None:
            now = self.message(message)
            return now if now is not None and now.edits >= edits else None

        return await self.wait_until(edited, timeout=timeout, what=f"{edits} edits")

    async def wait_deleted(self, message: MessageLike, *, timeout: float = 10.0) -> None:
        await self.wait_until(lambda: self.message(message) is None, timeout=timeout, what="the deletion")

    async def wait_command(
        self, name: str, channel: Channel, *, type_: int = 1, timeout: float = 10.0
    ) -> dict[str, Any]:
        """The registered command (type 1 slash, 2 user, 3 message), as this channel sees it."""
        return await self.wait_until(
            lambda: self.world.find_command(name, channel.guild_id, type_),
            timeout=timeout,
            what=f"the command {name!r}",
        )

    async def settle(self, *, timeout: float = 10.0, busy: Callable[[], bool] = lambda: False) -> None:
        """Until every bot has read all events and three round trips in a row brought no request.

        What a bot does meanwhile without talking to this server (a worker, a database) is not seen:
        give ``busy``, which says whether such work is under way, or post something that must be answered.
        """

        async def quiet() -> None:
            rounds = 0
            while rounds < QUIET_ROUNDS:
                await self.wait_until(self._connected, timeout=timeout, what="a connected bot")
                before = (len(self.traffic.log), len(self.cdn.requests))
                await self.gateway.round_trip()
                idle = self.traffic.in_flight == 0 and self.cdn.in_flight == 0 and not busy()
                same = before == (len(self.traffic.log), len(self.cdn.requests))
                rounds = rounds + 1 if idle and same else 0

        try:
            async with asyncio.timeout(timeout):
                await quiet()
        except TimeoutError:
            raise AssertionError(
                f"the bot did not come to rest within {timeout:g} s\n{self._context()}"
            ) from None

    # -- trouble

    async def redeliver(self, event: MessageLike) -> None:
        """Send the same event once more: an interaction's own, or the MESSAGE_CREATE of a message."""
        if isinstance(event, Interaction):
            self.world.emit("INTERACTION_CREATE", event.payload)
        else:
            self.world.announce_message_create(self.resolve(event))

    async def drop_gateway(self, code: int | None = None) -> None:
        """End every gateway connection: abruptly, or with a close code."""
        await self.gateway.drop(code)

    def fail_next(
        self,
        method: str,
        route: str,
        *,
        status: int = 429,
        times: int = 1,
        retry_after: float = 0.2,
        is_global: bool = False,
        lost: bool = False,
    ) -> None:
        """Answer the next matching calls with an error; ``lost``: after they took effect.

        ``method`` may be "*"; ``route`` is a route or a pattern of the path ("/channels/*").
        """
        self.traffic.failures.append(Failure(method, route, status, times, retry_after, is_global, lost))

    def hold(self, method: str, route: str) -> AbstractContextManager[Hold]:
        """Matching calls wait until the end of the block (or ``release()``); ``held`` counts them."""
        return self.traffic.hold(method, route)

    def _context(self) -> str:
        calls = [f"  {r.method} {r.path[:100]} -> {r.status}" for r in self.traffic.log[-12:]]
        return "\n".join([f"{len(self.gateway.live)} connections; the last calls were", *calls])

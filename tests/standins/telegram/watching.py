"""What a test sees and waits for. Every wait has a deadline on the clock."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import aiohttp

from ..discord.waiting import Changes, StandinTimeout
from .account import Account, Command
from .asking import Pressed, Questions
from .chats import Chat
from .media import Files
from .snapshots import MessageSnapshot, snapshot
from .traffic import ApiRequest, Traffic
from .updates import Post, Updates
from .world import Stored, World

T = TypeVar("T")
QUIET_ROUNDS = 3
TICK = 0.05


class Watcher:
    """The half of the stand-in that only looks."""

    world: World
    files: Files
    traffic: Traffic
    updates: Updates
    questions: Questions
    violations: list[str]
    _changes: Changes
    _account: Account

    # -- what happened

    @property
    def requests(self) -> list[ApiRequest]:
        return self.traffic.log

    def calls(self, method: str) -> list[ApiRequest]:
        """The logged calls of one method."""
        return [r for r in self.traffic.log if r.method == method]

    @property
    def commands(self) -> dict[tuple[str, str], list[Command]]:
        """What setMyCommands left, by scope ("default", "chat:-1001") and language code ("" for all)."""
        return self._account.commands

    @property
    def texts(self) -> dict[tuple[str, str], str]:
        """The bot's name, description and short_description, by that name and language code."""
        return self._account.texts

    @property
    def posts(self) -> list[Post]:
        """What was posted to the webhook."""
        return self.updates.posts

    def messages(self, chat: Chat) -> list[MessageSnapshot]:
        """Everything in a chat that is not deleted, oldest first."""
        stored = sorted(chat.state.messages.values(), key=lambda m: m.id)
        return [snapshot(m) for m in stored if not m.deleted]

    def replies(self, chat: Chat) -> list[MessageSnapshot]:
        """The bot's own messages in a chat."""
        return [m for m in self.messages(chat) if m.by_bot]

    def answers_to(self, message: MessageSnapshot) -> list[MessageSnapshot]:
        """Every message of the bot that is a reply to this one."""
        stored = self.world.chats[message.chat_id].answers.get(message.id, ())
        return [snapshot(m) for m in stored if m.by_bot and not m.deleted]

    @property
    def spinners(self) -> list[Pressed]:
        """The presses that are not answered and still can be."""
        return [p for p in self.questions.presses.values() if not p.answers and not p.expired]

    def message(self, message: MessageSnapshot) -> MessageSnapshot | None:
        """The message as it is now; None when it was deleted."""
        stored = self.world.find(message.chat_id, message.id)
        return None if stored is None else snapshot(stored)

    def resolve(self, message: MessageSnapshot) -> Stored:
        stored = self.world.find(message.chat_id, message.id)
        assert stored is not None, f"there is no message {message.id} any more"
        return stored

    # -- waiting

    async def wait_until(
        self, probe: Callable[[], T | None], *, timeout: float = 10.0, what: str = "what was waited for"
    ) -> T:
        """The first value of ``probe`` that is neither None nor False.

        It is looked at after every change here, and every 50 ms, so that it may be about the bot's insides.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > TICK:
            try:
                return await self._changes.until(probe, timeout=TICK, what="")
            except StandinTimeout:
                continue
        try:
            return await self._changes.until(probe, timeout=max(0.0, left), what="")
        except StandinTimeout:
            raise StandinTimeout(f"{what}: not within {timeout:g} s\n{self._context()}") from None

    async def wait_ready(self, *, timeout: float = 30.0) -> None:
        """Until a bot polls or has set its webhook, and has taken everything that waited for it."""
        await self.wait_until(self._connected, timeout=timeout, what="a bot that polls or has a webhook")
        await self.settle(timeout=timeout)

    async def wait_reply(self, to: MessageSnapshot, *, timeout: float = 10.0) -> MessageSnapshot:
        """The bot's first message that is a reply to this one."""

        def there() -> MessageSnapshot | None:
            found = self.answers_to(to)
            return found[0] if found else None

        return await self.wait_until(there, timeout=timeout, what=f"a reply to {to.id} ({to.text!r})")

    async def wait_messages(
        self, chat: Chat, count: int = 1, *, timeout: float = 10.0
    ) -> list[MessageSnapshot]:
        """The bot's own messages in a chat, once there are ``count`` of them or more."""

        def enough() -> list[MessageSnapshot] | None:
            found = self.replies(chat)
            return found if len(found) >= count else None

        return await self.wait_until(enough, timeout=timeout, what=f"{count} messages in {chat.name}")

    async def wait_edit(
        self, message: MessageSnapshot, *, edits: int = 1, timeout: float = 10.0
    ) -> MessageSnapshot:
        """The message once it was edited so many times in all."""

        def edited() -> MessageSnapshot | None:
            now = self.message(message)
            return now if now is not None and now.edits >= edits else None

        return await self.wait_until(edited, timeout=timeout, what=f"{edits} edits")

    async def wait_deleted(self, message: MessageSnapshot, *, timeout: float = 10.0) -> None:
        await self.wait_until(lambda: self.message(message) is None, timeout=timeout, what="the deletion")

    async def wait_call(self, method: str, count: int = 1, *, timeout: float = 10.0) -> ApiRequest:
        """The ``count``-th call of a method, once it is answered."""

        def there() -> ApiRequest | None:
            found = [r for r in self.calls(method) if r.status]
            return found[count - 1] if len(found) >= count else None

        return await self.wait_until(there, timeout=timeout, what=f"call {count} of {method}")

    async def settle(self, *, timeout: float = 10.0, busy: Callable[[], bool] = lambda: False) -> None:
        """Until the bot has taken all updates and three round trips in a row brought no other request.

        What a bot does meanwhile without talking to this server (a worker, a database) is not seen:
        give ``busy``, which says whether such work is under way, or send something that must be answered.
        """
        try:
            async with asyncio.timeout(timeout):
                rounds = 0
                while rounds < QUIET_ROUNDS:
                    before = self._work()
                    await self._round_trip(timeout)
                    idle = self.traffic.in_flight == self.files.in_flight == 0 and self.updates.idle
                    rounds = rounds + 1 if idle and not busy() and before == self._work() else 0
        except TimeoutError:
            raise AssertionError(
                f"the bot did not come to rest within {timeout:g} s\n{self._context()}"
            ) from None

    async def _round_trip(self, timeout: float) -> None:
        await self.wait_until(
            lambda: self._connected() and self.updates.idle, timeout=timeout, what="an idle bot"
        )
        hook = self.updates.webhook
        if hook is not None:
            # any answer shows that the bot's loop went round; webhooks refuse GET
            async with aiohttp.ClientSession() as http, http.get(hook.url) as answer:
                await answer.read()
            return
        polls = self.updates.polls
        self.updates.nudge()
        await self.wait_until(
            lambda: self.updates.polls > polls and self.updates.polling,
            timeout=timeout,
            what="a new getUpdates",
        )

    def _connected(self) -> bool:
        return self.updates.webhook is not None or self.updates.polling

    def _work(self) -> tuple[int, int]:
        return sum(r.method != "getUpdates" for r in self.traffic.log), len(self.files.downloads)

    def _context(self) -> str:
        shown = [r for r in self.traffic.log if r.method != "getUpdates"][-12:]
        calls = [f"  {r.method} {str(r.params)[:100]} -> {r.status} {r.description}" for r in shown]
        waiting = len(self.updates.pending)
        return "\n".join([f"{waiting} updates not taken; the last calls were", *calls, *self.violations[:5]])

"""The updates that wait for the bot, and the two ways by which it gets them: long polling and webhook."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ..discord.waiting import Changes
from .errors import OTHER_POLLER, WEBHOOK_ACTIVE, ApiError, bad_request
from .params import Params

ON_DEMAND = ("chat_member", "message_reaction", "message_reaction_count")
"""Kinds of updates that come only when ``allowed_updates`` names them."""
SECRET = "X-Telegram-Bot-Api-Secret-Token"
PATIENCE = 10.0
"""Seconds that a webhook may take for its answer."""

Update = dict[str, Any]


@dataclass
class Poll:
    """A getUpdates call that waits."""

    alive: Callable[[], bool]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    conflict: str = ""


@dataclass
class Webhook:
    """Where updates are posted to."""

    url: str
    secret: str
    error: str = ""
    error_date: int = 0


@dataclass(frozen=True)
class Post:
    """One update that was posted to the webhook, and what came back (0: nothing)."""

    update_id: int
    status: int


class Updates:
    """Holds every update until the bot has confirmed it."""

    def __init__(self, changes: Changes, check: Callable[[Update], None]) -> None:
        self.all: list[Update] = []
        self.pending: list[Update] = []
        self.posts: list[Post] = []
        self.polls = 0
        self.webhook: Webhook | None = None
        self.retry_seconds = 0.2
        self._changes = changes
        self._check = check
        self._next = 800_000_001
        self._again: list[Update] = []
        self._allowed: list[str] = []
        self._poll: Poll | None = None
        self._arrived = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._posting = False
        self._http: aiohttp.ClientSession | None = None

    def add(self, kind: str, payload: dict[str, Any]) -> Update | None:
        """Queue an update; None when the bot has not asked for this kind."""
        wanted = kind in self._allowed if self._allowed else kind not in ON_DEMAND
        if not wanted:
            return None
        update = {"update_id": self._next, kind: payload}
        self._next += 1
        self._check(update)
        self.all.append(update)
        self.pending.append(update)
        self._wake()
        return update

    def again(self, update: Update) -> None:
        """Deliver an update once more, confirmed or not."""
        self._again.append(update)
        self._wake()

    @property
    def idle(self) -> bool:
        """Whether the bot has taken and confirmed everything."""
        return not self.pending and not self._again and not self._posting

    @property
    def polling(self) -> bool:
        """Whether a bot is waiting in getUpdates right now."""
        return self._poll is not None and self._poll.alive()

    def nudge(self) -> None:
        """Let the waiting getUpdates return with nothing, so that a new one must come."""
        if self._poll is not None:
            self._poll.over.set()

    def _wake(self) -> None:
        self._arrived.set()
        if self._poll is not None and not self._poll.conflict:
            self._poll.over.set()
        self._changes.notify()

    # -- long polling

    async def get_updates(self, params: Params, alive: Callable[[], bool]) -> list[Update]:
        """getUpdates. A second caller ends the wait of the first: 409."""
        if self.webhook is not None:
            raise ApiError(409, WEBHOOK_ACTIVE)
        self.polls += 1
        self._end_poll(OTHER_POLLER)
        self._remember(params)
        limit = params.number("limit") or 100
        offset = params.number("offset") or 0
        if offset < 0:
            self.pending = self.pending[offset:]
        else:
            self.pending = [u for u in self.pending if u["update_id"] >= offset]
        poll = self._poll = Poll(alive)
        self._changes.notify()
        try:
            if not self.pending and not self._again:
                async with asyncio.timeout(min(params.number("timeout") or 0, 50)):
                    await poll.over.wait()
        except TimeoutError:
            pass
        finally:
            if self._poll is poll:
                self._poll = None
        if poll.conflict:
            raise ApiError(409, poll.conflict)
        if not alive():
            return []
        again, self._again = self._again, []
        return [*again, *self.pending][: max(1, min(limit, 100))]

    def _end_poll(self, why: str) -> None:
        if self._poll is not None:
            self._poll.conflict = why
            self._poll.over.set()

    def _remember(self, params: Params) -> None:
        allowed = params.json("allowed_updates")
        if allowed is not None:
            self._allowed = [str(kind) for kind in allowed]

    # -- webhook

    def set_webhook(self, params: Params) -> bool:
        url, secret = params.text("url"), params.text("secret_token")
        if not url:
            return self.delete_webhook(params)
        # a self-hosted Bot API server with --local takes plain HTTP and any port, and so do we
        if not re.match(r"https?://", url):
            raise bad_request("bad webhook: HTTPS URL must be provided for webhook")
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise bad_request("secret token contains unallowed characters")
        self._remember(params)
        self._end_poll(
            "Conflict: terminated by setWebhook request; make sure that only one bot instance is running"
        )
        if params.flag("drop_pending_updates"):
            self.pending.clear()
        self.webhook = Webhook(url, secret)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        self._wake()
        return True

    def delete_webhook(self, params: Params) -> bool:
        self.webhook = None
        if params.flag("drop_pending_updates"):
            self.pending.clear()
        self._wake()
        return True

    def webhook_info(self) -> dict[str, Any]:
        hook = self.webhook
        out: dict[str, Any] = {"url": hook.url if hook else "", "has_custom_certificate": False}
        out["pending_update_count"] = len(self.pending)
        if hook is not None:
            out |= {"max_connections": 40, "ip_address": "127.0.0.1"}
            if hook.error:
                out |= {"last_error_date": hook.error_date, "last_error_message": hook.error}
        if self._allowed:
            out["allowed_updates"] = self._allowed
        return out

    async def post(self, update: Update, *, secret: str | None = None) -> int:
        """Post one update to the webhook as it is; the HTTP status, 0 when nobody answered."""
        hook = self.webhook
        assert hook is not None, "no webhook is set"
        given = hook.secret if secret is None else secret
        headers = {SECRET: given} if given else {}
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        try:
            async with self._http.post(hook.url, json=update, headers=headers) as answer:
                await answer.read()
                status, error = (
                    answer.status,
                    f"Wrong response from the webhook: {answer.status} {answer.reason}",
                )
        except (aiohttp.ClientError, TimeoutError) as trouble:
            status, error = 0, "Connection refused" if "refused" in str(trouble) else "Read timeout expired"
        if not 200 <= status < 300:
            hook.error, hook.error_date = error, int(time.time())
        self.posts.append(Post(update["update_id"], status))
        self._changes.notify()
        return status

    async def _send_all(self) -> None:
        """Post what is queued, one after the other; what is refused is tried again, as Telegram does."""
        failures = 0
        while True:
            self._arrived.clear()
            queue = self._again or self.pending
            if self.webhook is None or not queue:
                await self._arrived.wait()
                continue
            update, self._posting = queue[0], True
            try:
                taken = 200 <= await self.post(update) < 300
            finally:
                self._posting = False
            if taken:
                failures = 0
                for waiting in (self._again, self.pending):
                    if update in waiting:
                        waiting.remove(update)
                        break
            else:
                failures += 1
                await asyncio.sleep(min(2.0, self.retry_seconds * 2 ** (failures - 1)))
            self._changes.notify()

    async def close(self) -> None:
        self._end_poll("Conflict: the server is going away")
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

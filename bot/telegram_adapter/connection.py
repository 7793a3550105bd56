"""The connection to the Bot API: python-telegram-bot's bot, and how patient it is."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import httpx
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_before_delay,
    wait_exponential,
    wait_random,
)

from bot.settings_tree import Telegram

MESSAGE_SECONDS = 300.0
"""For how long it is tried to send or change a message."""
QUESTION_SECONDS = 15.0
"""For how long anything else is tried; answers to clicks and inline queries are of no use later."""

Bot = ExtBot[Any]
Call = Callable[[], Coroutine[Any, Any, Any]]

_LONGER_EACH_TIME = wait_exponential(multiplier=0.5, max=30) + wait_random(0, 0.5)
_NO_TROUBLE = re.compile(
    r"message is not modified|message to (?:edit|delete|be replied) not found"
    r"|message can't be (?:edited|deleted)|message_id_invalid|query is too old|query_id_invalid",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"entity too large|\(413\)", re.IGNORECASE)


def no_trouble(error: TelegramError) -> bool:
    """Whether it only says that a message is gone, unchanged, or that a question came too late to answer."""
    return bool(_NO_TROUBLE.search(str(error)))


def passes(error: BaseException) -> bool:
    """Whether the same call may succeed later. For calls that may take effect twice without harm.

    A timeout is not among them: whoever waits has waited long enough.
    """
    if isinstance(error, BadRequest | TimedOut) or _TOO_LARGE.search(str(error)):
        return False  # all of them network errors to the library
    return isinstance(error, NetworkError | RetryAfter)


def passes_unsent(error: BaseException) -> bool:
    """Whether the same message may be sent later, and has certainly not been sent already.

    That is so when Telegram says so (429, or a 5xx with its own ``"ok": false``, which means by its
    documentation that the request was unsuccessful) and when there was no connection to send it on. It is
    not when the connection broke or timed out after that, nor when a proxy in between answered in its own
    words: the message may be there, no method tells, and an answer too few is better than one twice.
    Whoever misses it asks again.
    """
    if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return True
    # The library hangs what broke, the connection or the JSON, below its own error.
    return passes(error) and error.__cause__ is None


def pause(state: RetryCallState) -> float:
    """Seconds until the next try: as long as Telegram wants, else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RetryAfter):
        wanted = error.retry_after
        return 0.1 + (wanted.total_seconds() if isinstance(wanted, timedelta) else wanted)
    return _LONGER_EACH_TIME(state)


class Patience(AIORateLimiter):
    """Keeps to the flood limits, and sends again what Telegram refused for now.

    The library's own stops every chat when one is told to wait; here only that one waits, its messages in
    order. Answers to clicks wait behind nothing.
    """

    def __init__(self) -> None:
        super().__init__(max_retries=0)
        self._locks: WeakValueDictionary[object, asyncio.Lock] = WeakValueDictionary()

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: int | None,
    ) -> Any:
        """Make one call, until it is answered for good."""
        if not endpoint.startswith(("send", "edit")):
            return await patiently(partial(callback, *args, **kwargs), QUESTION_SECONDS)
        limited = partial(super().process_request, callback, args, kwargs, endpoint, data, rate_limit_args)
        again = passes_unsent if endpoint.startswith("send") else passes
        async with self._locks.setdefault(data.get("chat_id"), asyncio.Lock()):
            return await patiently(limited, MESSAGE_SECONDS, again)


async def patiently(call: Call, seconds: float, again: Callable[[BaseException], bool] = passes) -> Any:
    """Make a call until it is answered for good, for that many seconds."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(again), wait=pause, stop=stop_before_delay(seconds), reraise=True
    )
    return await retrying(call)


class CountedRequest(HTTPXRequest):
    """Tells ``called`` the status of every answer; 0: there was none."""

    def __init__(self, called: Callable[[int], None], **options: Any) -> None:
        super().__init__(**options)
        self._called = called

    async def do_request(self, *arguments: Any, **named: Any) -> tuple[int, bytes]:
        """Make one request."""
        try:
            status, body = await super().do_request(*arguments, **named)
        except NetworkError:
            self._called(0)
            raise
        self._called(status)
        return status, body


def make_bot(settings: Telegram, called: Callable[[int], None] = lambda _: None) -> Bot:
    """A bot that is not initialised yet.

    Args:
        called: is told the status of every answer, 0 if there was none.

    Raises:
        telegram.error.InvalidToken: the token is empty.
    """
    # The library warns at every 429 until one chooses how it tells times.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    # Patience says what is worth saying; this one would log a traceback of every 429.
    logging.getLogger("telegram.ext.AIORateLimiter").setLevel(logging.CRITICAL)
    # The same of a proxy's error page, with all of the page.
    logging.getLogger("telegram.request.BaseRequest").setLevel(logging.CRITICAL)
    for name in ("httpx", "httpcore"):  # they log addresses, and the token is part of them
        logging.getLogger(name).setLevel(logging.WARNING)
    base = settings.api_base.rstrip("/") or "https://api.telegram.org"
    return ExtBot(
        settings.token.get_secret_value(),
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        request=CountedRequest(
            called,
            connection_pool_size=64,
            connect_timeout=10,
            read_timeout=20,
            write_timeout=20,
            pool_timeout=30,
        ),
        get_updates_request=CountedRequest(
            called, connection_pool_size=2, connect_timeout=10, read_timeout=10
        ),
        rate_limiter=Patience(),
    )

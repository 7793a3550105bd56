"""Waiting where discord.py gives up: it tries five times, and takes a 429 without ``Via`` for a ban.

A rate-limit proxy (``discord.api_base``) that several processes share may say 429 more often than that, and
its own refusals need not carry that header. Whoever posted a picture is still answered, only later.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import discord
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay, wait_random

T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0
"""How long a call is tried again, waits included; an answer that comes later is of use to nobody."""
LONGEST_SECONDS = 30.0
"""Of one wait, whatever the answer says."""


def told_to_wait(error: BaseException) -> bool:
    """Whether Discord, or a proxy before it, has said that this was one call too many."""
    return isinstance(error, discord.HTTPException) and error.status == 429


def seconds_of(text: str) -> float:
    """What a ``Retry-After`` says; a second where it says nothing that can be used."""
    try:
        return min(LONGEST_SECONDS, max(0.0, float(text)))
    except ValueError:  # a date, or nothing
        return 1.0


async def patiently(call: Callable[[], Awaitable[T]], patience: float = PATIENCE_SECONDS) -> T:
    """Do it, and again after the time named in ``Retry-After`` as long as too many calls are made.

    What is done must be the same when it is done again. Nothing of a call that is answered with 429 has
    taken effect.

    Raises:
        discord.HTTPException: whatever else is wrong; or 429, as soon as the wait it asks for would end after
            ``patience`` seconds.
    """
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(told_to_wait),
        wait=_as_told,
        stop=stop_before_delay(patience),  # whoever calls may hold what others wait for
        before_sleep=_noted,
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError("it is returned or raised")


def _as_told(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    said = error.response.headers.get("Retry-After", "") if isinstance(error, discord.HTTPException) else ""
    return seconds_of(said) + wait_random(0, 0.25)(state)


def _noted(state: RetryCallState) -> None:
    log.warning("told to wait longer than usual: tried again in %.1f s", state.upcoming_sleep)

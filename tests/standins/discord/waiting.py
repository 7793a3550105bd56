"""Waiting for something to become true, always against a wall-clock deadline."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class StandinTimeout(AssertionError):
    """What a test waited for did not happen in time; the message says what did."""


class Changes:
    """Wakes whoever waits each time anything in the stand-in changes."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(
        self,
        probe: Callable[[], T | None],
        *,
        timeout: float,
        what: str,
        context: Callable[[], str] = lambda: "",
    ) -> T:
        """The first value of ``probe`` that is neither None nor False.

        Raises:
            StandinTimeout: after ``timeout`` seconds; ``context()`` is added to its message.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            changed = self._changed
            value = probe()
            if value is not None and value is not False:
                return value
            left = deadline - loop.time()
            if left <= 0:
                seen = context()
                raise StandinTimeout(f"{what}: not within {timeout:g} s" + (f"\n{seen}" if seen else ""))
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                continue

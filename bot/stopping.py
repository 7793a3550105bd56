"""Being told to stop: once, and before everything had started."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 2
"""How much longer than a picture may take answers in flight are waited for once we are told to stop."""


class Stopped(Exception):  # not an error
    """Told to stop before everything had started."""


def told_to_stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Once: finish what has begun. Whoever says it again is not made to wait: the worker sees us end."""
    stop.set()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)


async def unless(stop: asyncio.Event, starting: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """Await ``starting``, but give it up when told to stop.

    Raises:
        Stopped: it was given up.
    """
    task = starting if isinstance(starting, asyncio.Task) else asyncio.create_task(starting)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await cancelled(stopping)
    if not task.done():
        await cancelled(task)
        raise Stopped
    return task.result()


async def cancelled(task: asyncio.Task[T]) -> None:
    """Cancel a task and wait until it has ended, however it ends."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

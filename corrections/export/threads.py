"""Blocking work for an event loop: done in a thread, and ended before whoever is cancelled goes on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from corrections.export.sinks import Sink
from corrections.export.types import Progress

T = TypeVar("T")


class Entered:
    """A sink as ``async with``: entering and leaving touch the disk."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def __aenter__(self) -> Sink:
        return await asyncio.to_thread(self._sink.__enter__)

    async def __aexit__(self, *said: Any) -> None:
        await asyncio.shield(asyncio.to_thread(self._sink.__exit__, *said))


async def in_thread(work: Callable[[threading.Event, Progress], T], progress: Progress) -> T:
    """Run blocking work that can be stopped; whoever is cancelled waits for it to have stopped."""
    stop, loop = threading.Event(), asyncio.get_running_loop()

    def tell(part: float) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(progress, part)

    task = asyncio.ensure_future(asyncio.to_thread(work, stop, tell))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        with contextlib.suppress(Exception):
            task.result()
        raise

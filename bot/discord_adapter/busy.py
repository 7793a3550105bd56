"""What is under way beside the answers to pictures, so that a stop can wait for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

log = logging.getLogger(__name__)


class Busy:
    """Tasks that somebody waits for: clicks, commands, and the counts that are brought up to date."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def any(self) -> bool:
        """Whether anything is under way."""
        return bool(self._tasks)

    def join(self) -> None:
        """The task that is running now counts until it ends."""
        task = asyncio.current_task()
        if task is not None:
            self._keep(task)

    def start(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run something in the background."""
        self._keep(asyncio.create_task(work, name=name))

    async def finish(self, seconds: float) -> None:
        """Wait until everything has ended, also what comes meanwhile, at most that long."""
        try:
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            log.warning("%d clicks were not finished in time", len(self._tasks))

    def _keep(self, task: asyncio.Task[object]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

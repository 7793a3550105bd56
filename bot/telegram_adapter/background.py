"""Work that nobody waits for, whose trouble is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from telegram.error import Forbidden, TelegramError

log = logging.getLogger(__name__)


class Background:
    """Tasks that are kept until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """How many tasks have not ended."""
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do it meanwhile; the task never raises."""
        task = asyncio.create_task(_logged(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, seconds: float) -> None:
        """Let everything end, at most that long, and end what has not."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in (left := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _logged(work: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await work
    except Forbidden as error:  # blocked by a person, or thrown out of a group: nobody is there to be told
        log.info("%s: %s", name, error)
    except TelegramError as error:
        log.warning("%s: %s", name, error)
    except Exception:
        log.exception("%s went wrong", name)

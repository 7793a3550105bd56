"""One picture that somebody waits for, on its way through the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field

from model import tracing
from model.errors import ModelError
from model.types import Sight
from model.worker.cache import Known


@dataclass(eq=False, slots=True)
class Job:
    """One picture that somebody waits for. ``reply`` is done early when nobody waits any more."""

    picture: bytes
    sha256: str
    key: str
    keep: bool
    reply: asyncio.Future[Sight]
    began: float = field(default_factory=time.perf_counter)
    trace: str = field(default_factory=tracing.current)

    def fail(self, error: ModelError) -> None:
        """Whoever waits is told so."""
        if not self.reply.done():
            self.reply.set_exception(error)


async def both(looking: Awaitable[Known], storing: Awaitable[bytes]) -> tuple[Known, bytes]:
    """What comes of both; when one of them fails the other is dropped."""
    tasks = asyncio.ensure_future(looking), asyncio.ensure_future(storing)
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()

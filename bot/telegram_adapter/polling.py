"""Long polling: asking Telegram for updates, again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from telegram.error import Conflict, InvalidToken, TelegramError, TimedOut
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from bot.telegram_adapter.connection import Bot, pause
from bot.telegram_adapter.updates import WANTED, Updates
from bot.watching import NO_UPDATES

log = logging.getLogger(__name__)

WAIT_SECONDS = 30
"""How long Telegram keeps a request open until there is something."""
CONFIRM_SECONDS = 3


class Polling:
    """Asks until stopped. ``conflict`` is called once when another program asks with the same token."""

    def __init__(self, bot: Bot, updates: Updates, conflict: Callable[[], None]) -> None:
        self._bot = bot
        self._updates = updates
        self._conflict = conflict
        self._told = False
        self._offset: int | None = None
        self._stop = asyncio.Event()
        self.trouble = ""
        """Why there are no updates right now; empty while there are."""

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    async def run(self) -> None:
        """Take updates until stopped.

        Raises:
            telegram.error.InvalidToken: the token does not hold any more.
        """
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not self._stop.is_set():
                asking = asyncio.create_task(self._retrying(self._ask))
                await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not asking.done():
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)
                else:
                    asking.result()
        finally:
            stopping.cancel()
            await self._confirm()

    async def _retrying(self, work: Callable[[], Awaitable[object]]) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass), wait=pause, before_sleep=self._troubled, reraise=True
        )
        await retrying(work)

    async def _ask(self) -> None:
        try:
            updates = await self._bot.get_updates(
                offset=self._offset, timeout=WAIT_SECONDS, allowed_updates=WANTED
            )
        except TimedOut:
            return
        self.trouble = ""
        if updates:
            self._offset = updates[-1].update_id + 1  # said with the next request
            await self._updates.take(updates)

    def _troubled(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Conflict) and not self._told:
            self._told = True
            self._conflict()
        self.trouble = f"{NO_UPDATES}: {type(error).__name__}"
        log.warning("Telegram gave no updates: %s", error)

    async def _confirm(self) -> None:
        """Say what was taken, so that it does not come again after a restart."""
        if self._offset is None:
            return
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._bot.get_updates(offset=self._offset, limit=1, timeout=0, allowed_updates=WANTED)
        except (TelegramError, TimeoutError) as error:
            log.info("the last updates were not confirmed: %s", error)


def _may_pass(error: BaseException) -> bool:
    """Everything that Telegram may get over, other programs with our token among it."""
    return isinstance(error, TelegramError) and not isinstance(error, InvalidToken)

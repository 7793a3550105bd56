"""Updates, however they come: each is handled once, in the background."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

from telegram import Update
from telegram.constants import UpdateType

from bot.desk.desk import Desk
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.clicks import Clicks
from bot.telegram_adapter.inline import search
from bot.telegram_adapter.messages import Messages
from model import tracing

log = logging.getLogger(__name__)

# Edits are not among them: another caption asks nothing new, and another picture in an answered message
# would be answered a second time.
WANTED = [
    UpdateType.MESSAGE,
    UpdateType.CHANNEL_POST,
    UpdateType.CALLBACK_QUERY,
    UpdateType.INLINE_QUERY,
]
REMEMBERED = 10_000
"""Updates that a second delivery is told by."""
SETTLE_SECONDS = 0.5
"""How long updates may take before they count as taken; clicks take a few milliseconds."""
MANY = 100
"""Things under way, above which only clicks are waited for."""


class Updates:
    """Tells what kind each update is."""

    def __init__(self, desk: Desk, messages: Messages, clicks: Clicks, background: Background) -> None:
        self._desk = desk
        self._messages = messages
        self._clicks = clicks
        self._background = background
        self._handled: OrderedDict[int, None] = OrderedDict()

    async def take(self, updates: Sequence[Update]) -> None:
        """Begin with these updates, and wait a moment for the quick ones.

        Telegram forgets an update when it was taken; after a kill it sends again what was not.
        """
        calm = self._background.busy < MANY
        tasks = [
            task
            for each in updates
            if (task := self._background.start(self._handle(each), f"update-{each.update_id}"))
            and (calm or each.callback_query)
        ]
        if tasks:
            await asyncio.wait(tasks, timeout=SETTLE_SECONDS)
        await self._messages.room()

    async def _handle(self, update: Update) -> None:
        tracing.trace()
        if update.update_id in self._handled:  # delivered twice; a second undo would take back something else
            return
        self._handled[update.update_id] = None
        if len(self._handled) > REMEMBERED:
            self._handled.popitem(last=False)
        if (message := update.message or update.channel_post) is not None:
            await self._messages.handle(message)
        elif update.callback_query is not None:
            await self._clicks.handle(update.callback_query)
        elif update.inline_query is not None:
            await search(update.inline_query, self._desk)

"""Whether somebody who was let into the console still moderates their community: its chat knows.

In chat the rights are looked at with every command and click. A browser's session outlives that look, so the
console asks again here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from corrections.review.types import Moderator
from corrections.types import Community, Person

log = logging.getLogger(__name__)

Ask = Callable[[Person, Community], Awaitable[bool | None]]
"""Whether somebody may moderate a community now; None: that cannot be told at the moment."""

HOLDS_SECONDS = 60.0
"""For how long an answer holds."""
PATIENCE_SECONDS = 5.0
"""For how long a platform may think about it; a page waits."""
REMEMBERED = 10_000


class Rights:
    """Asks the chat adapters, once a minute at most for each moderator.

    Args:
        holds: seconds for which an answer holds. A no does not: whoever has their role again may come back.
    """

    def __init__(self, holds: float = HOLDS_SECONDS) -> None:
        self.holds = holds
        self._asks: dict[str, Ask] = {}
        self._asked: OrderedDict[Moderator, float] = OrderedDict()

    def register(self, platform: str, ask: Ask) -> None:
        """Let ``ask`` speak for a platform from now on."""
        self._asks[platform] = ask

    async def lost(self, moderator: Moderator) -> bool:
        """Whether they are known to be no moderator any more; while that cannot be told they still are."""
        if moderator.community is None:  # the operator, whom no chat has let in
            return False
        ask = self._asks.get(moderator.community[0])
        asked = self._asked.get(moderator)
        if ask is None or (asked is not None and time.monotonic() - asked < self.holds):
            return False
        self._asked[moderator] = time.monotonic()  # before the answer: a page's many pictures ask once
        self._asked.move_to_end(moderator)
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                may = await ask(moderator.person, moderator.community)
        except Exception as error:
            log.warning("%s does not tell who is a moderator: %s", moderator.community[0], error)
            return False
        if may is False:
            self._asked.pop(moderator, None)
        return may is False

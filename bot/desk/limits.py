"""How many pictures a person and a place may ask about."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class RateLimits:
    """Moving windows of a minute, in memory: a restart forgives."""

    def __init__(self, person_per_minute: int, community_per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._items = {
            "person": RateLimitItemPerMinute(person_per_minute),
            "community": RateLimitItemPerMinute(community_per_minute),
        }
        self._told = RateLimitItemPerMinute(1)

    def take(self, kind: str, *key: str) -> int:
        """Count one picture. 0: go on; otherwise the seconds until the next one may come."""
        return self._take(self._items[kind], kind, *key)

    def take_of(self, per_minute: int, *key: str) -> int:
        """The same against a limit that a place has chosen for itself."""
        return self._take(RateLimitItemPerMinute(per_minute), "chosen", *key)

    def _take(self, item: RateLimitItem, *key: str) -> int:
        if self._limiter.hit(item, *key):
            return 0
        reset = self._limiter.get_window_stats(item, *key).reset_time
        return max(1, math.ceil(reset - time.time()))

    def first_refusal(self, *key: str) -> bool:
        """Whether they have not been told in the last minute: telling each time would be noise too."""
        return self._limiter.hit(self._told, "told", *key)

"""What has just happened, so that it does not happen again at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable

REMEMBERED = 10_000


class Lately:
    """Remembers keys for some seconds, the newest ten thousand at most; a restart forgets."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: OrderedDict[Hashable, float] = OrderedDict()

    def first(self, key: Hashable, seconds: float | None = None) -> bool:
        """Whether ``key`` has not come within the last seconds (or those given); from now on it has."""
        now = time.monotonic()
        before = self._seen.get(key)
        if before is not None and now - before < (self._seconds if seconds is None else seconds):
            return False
        self._seen[key] = now
        self._seen.move_to_end(key)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

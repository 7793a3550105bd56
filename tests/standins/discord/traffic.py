"""What the REST side counts and how it misbehaves: the log, rate limits, failures, requests held back."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_NAMES = {
    "channels": "channel_id",
    "messages": "message_id",
    "guilds": "guild_id",
    "applications": "application_id",
    "commands": "command_id",
    "webhooks": "webhook_id",
    "interactions": "interaction_id",
    "users": "user_id",
    "members": "user_id",
}


def route_of(path: str) -> str:
    """The route of a path, named as Discord's own OpenAPI document names it."""
    parts = path.strip("/").split("/")
    out: list[str] = []
    for index, part in enumerate(parts):
        before = parts[index - 1] if index else ""
        second = parts[index - 2] if index > 1 else ""
        if part.isdigit() and before in _NAMES:
            out.append("{" + _NAMES[before] + "}")
        elif second == "interactions" and index == 2:
            out.append("{interaction_token}")
        elif second == "webhooks" and index == 2:
            out.append("{webhook_token}")
        elif before == "reactions":
            out.append("{emoji_name}")
        else:
            out.append(part)
    return "/" + "/".join(out)


def _matches(pattern: str, path: str, route: str) -> bool:
    return pattern == route or fnmatch.fnmatchcase(path, pattern)


@dataclass
class RestRequest:
    """One REST call of the bot. ``status`` is 0 while it is under way; ``at`` is `time.monotonic`."""

    method: str
    path: str
    route: str
    query: dict[str, str]
    json: Any = None
    files: tuple[tuple[str, int], ...] = ()
    reason: str | None = None
    status: int = 0
    at: float = field(default_factory=time.monotonic)
    seconds: float = 0.0


@dataclass
class Failure:
    """The next ``times`` matching calls are answered with ``status``.

    ``lost``: they take effect first, so that only the answer is lost.
    """

    method: str
    pattern: str
    status: int
    times: int
    retry_after: float
    is_global: bool
    lost: bool


@dataclass
class Hold:
    """Matching calls wait here until released."""

    method: str
    pattern: str
    held: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.free.set()


@dataclass
class Bucket:
    limit: int
    window: float
    used: int = 0
    until: float = 0.0


class Traffic:
    """Decides over every call what happens before Discord proper sees it."""

    def __init__(self, rate_limits: dict[tuple[str, str], tuple[int, float]] | None) -> None:
        self.log: list[RestRequest] = []
        self.in_flight = 0
        self.failures: list[Failure] = []
        self.holds: list[Hold] = []
        self._limits = rate_limits or {}
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    @contextmanager
    def hold(self, method: str, pattern: str) -> Iterator[Hold]:
        hold = Hold(method, pattern)
        self.holds.append(hold)
        try:
            yield hold
        finally:
            hold.release()
            self.holds.remove(hold)

    def failure_for(self, method: str, path: str, route: str) -> Failure | None:
        for failure in self.failures:
            if failure.method in (method, "*") and _matches(failure.pattern, path, route):
                failure.times -= 1
                if failure.times <= 0:
                    self.failures.remove(failure)
                return failure
        return None

    def hold_for(self, method: str, path: str, route: str) -> Hold | None:
        for hold in self.holds:
            if (
                hold.method in (method, "*")
                and not hold.free.is_set()
                and _matches(hold.pattern, path, route)
            ):
                return hold
        return None

    def limit(self, method: str, path: str, route: str) -> tuple[bool, dict[str, str], float]:
        """Count one call: (over the limit, its headers, seconds until the bucket is fresh)."""
        major = "/".join(path.strip("/").split("/")[:2])
        key = (method, route, major)
        now = time.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            count, window = self._limits.get((method, route), (1000, 1.0))
            bucket = self._buckets[key] = Bucket(count, window)
        if now >= bucket.until:
            bucket.used, bucket.until = 0, now + bucket.window
        over = bucket.used >= bucket.limit
        bucket.used += not over
        left = bucket.until - now
        headers = {
            "X-RateLimit-Limit": str(bucket.limit),
            "X-RateLimit-Remaining": str(bucket.limit - bucket.used),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(f"{method} {route}".encode()).hexdigest()[:32],
        }
        return over, headers, left

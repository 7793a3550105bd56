"""What the HTTP side counts and how it misbehaves: the log, flood limits, failures, requests held back."""

from __future__ import annotations

import asyncio
import fnmatch
import math
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ApiRequest:
    """One call of the bot. ``status`` is 0 while it is under way; ``at`` is `time.monotonic`.

    ``params`` are as they were sent (strings where they came in a form), objects and arrays parsed.
    """

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    files: tuple[tuple[str, int], ...] = ()
    status: int = 0
    description: str = ""
    result: Any = None
    at: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def chat_id(self) -> int | None:
        given = str(self.params.get("chat_id", ""))
        return int(given) if given.lstrip("-").isdigit() else None


@dataclass
class Failure:
    """The next ``times`` matching calls are answered with ``status``; 0 hangs up instead.

    ``lost``: they take effect first, so that only the answer is lost.
    """

    pattern: str
    status: int
    times: int
    retry_after: int
    lost: bool


@dataclass
class Hold:
    """Matching calls wait here until released."""

    pattern: str
    held: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.free.set()


@dataclass(frozen=True)
class Limits:
    """Telegram's own, as https://core.telegram.org/bots/faq#my-bot-is-hitting-limits gives them.

    Each is (calls, seconds): messages in one chat, in one group, everywhere.
    """

    chat: tuple[int, float] = (1, 1.0)
    group: tuple[int, float] = (20, 60.0)
    overall: tuple[int, float] = (30, 1.0)


class Flood:
    """Counts what is sent and says for how long the bot must be silent."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent: dict[int | None, deque[float]] = defaultdict(deque)

    def wait(self, method: str, chat_id: int | None) -> int:
        """Whole seconds to wait; 0: go on (and it is counted)."""
        if chat_id is None or not counts(method):
            return 0
        now = time.monotonic()
        rules = [(None, self._limits.overall)]
        rules += [(chat_id, self._limits.chat)] if method.startswith("send") else []  # type: ignore[list-item]
        rules += [(chat_id, self._limits.group)] if chat_id < 0 else []  # type: ignore[list-item]
        left = 0.0
        for key, (calls, seconds) in rules:
            recent = [at for at in self._sent[key] if now - at < seconds]
            if len(recent) >= calls:
                left = max(left, recent[-calls] + seconds - now)
        if left > 0:
            return math.ceil(left)
        for key in {None, chat_id}:
            self._sent[key].append(now)
            while self._sent[key] and now - self._sent[key][0] > 60:
                self._sent[key].popleft()
        return 0


def counts(method: str) -> bool:
    """Whether a call is a message (or a change of one) to Telegram's flood control."""
    return method.startswith(("send", "edit", "copy", "forward")) and method != "sendChatAction"


class Traffic:
    """Decides over every call what happens before Telegram proper sees it."""

    def __init__(self, limits: Limits | None) -> None:
        self.log: list[ApiRequest] = []
        self.in_flight = 0
        self.failures: list[Failure] = []
        self.holds: list[Hold] = []
        self.flood = Flood(limits) if limits is not None else None

    @contextmanager
    def hold(self, pattern: str) -> Iterator[Hold]:
        hold = Hold(pattern)
        self.holds.append(hold)
        try:
            yield hold
        finally:
            hold.release()
            self.holds.remove(hold)

    def failure_for(self, method: str) -> Failure | None:
        for failure in self.failures:
            if fnmatch.fnmatchcase(method, failure.pattern):
                failure.times -= 1
                if failure.times <= 0:
                    self.failures.remove(failure)
                return failure
        return None

    def hold_for(self, method: str) -> Hold | None:
        for hold in self.holds:
            if not hold.free.is_set() and fnmatch.fnmatchcase(method, hold.pattern):
                return hold
        return None

"""What a test may do on any platform: talk with the bot, and review; and what it gets to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

NOBODY = "Nobody on the list"


@dataclass(frozen=True)
class Answered:
    """What was said about a picture; ``prediction`` is 0 when it was refused."""

    text: str
    prediction: int = 0
    handle: Any = None


@dataclass(frozen=True)
class Found:
    """What a typed name led to."""

    text: str
    names: tuple[str, ...] = ()
    may_add: bool = False
    handle: Any = None


class Conversation(Protocol):
    """One person talking with the bot on one platform."""

    async def ask(self, picture: bytes) -> Answered: ...
    async def ask_twice(self, picture: bytes) -> list[Answered]: ...
    async def right(self, answer: Answered) -> str: ...
    async def choices(self, answer: Answered) -> list[str]: ...
    async def pick(self, answer: Answered, name: str) -> str: ...
    async def type(self, answer: Answered, text: str) -> Found: ...
    async def pick_found(self, answer: Answered, found: Found, name: str) -> str: ...
    async def add(self, answer: Answered, found: Found) -> str: ...
    async def undo(self, answer: Answered) -> str: ...

    async def is_asked(self, answer: Answered) -> bool:
        """Whether the answer, as it can be seen now, asks its poster if it may be learned from."""
        ...

    async def allow(self, answer: Answered) -> str:
        """Press *May I learn from this?*, as it stood there when it was answered; what is said to that."""
        ...

    async def privacy(self) -> str:
        """What ``/privacy`` says."""
        ...

    async def choose(self, standing: str) -> str:
        """Choose one of the four on ``/privacy``; what it says then."""
        ...

    async def forget(self) -> str:
        """``/forgetme`` and yes; what is said when it is done."""
        ...


@dataclass(frozen=True)
class Shown:
    """A case as somebody sees it who may review, or the sentence that they read instead (``case`` is 0).

    ``names`` are those that can be chosen of who it is; ``picture``: one is shown.
    """

    text: str
    case: int = 0
    picture: bool = False
    names: tuple[str, ...] = ()
    handle: Any = None


class Reviewing(Protocol):
    """Somebody who calls ``/review`` on one platform; a moderator or not."""

    async def review(self) -> Shown: ...

    async def decide(self, shown: Shown, what: str) -> Shown:
        """Press "approve", "nobody", "reject", "skip" or "undo" below it; what is shown then."""
        ...

    async def it_is(self, shown: Shown, name: str) -> Shown:
        """Choose one of ``shown.names``."""
        ...

    async def find(self, shown: Shown, text: str) -> Shown:
        """Search by a typed name: the next case when it is clear who is meant, else the same with names."""
        ...

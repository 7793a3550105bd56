"""A lesson as adapters ask for it, what came of it, and the lessons that wait to be called right."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from bot.desk.types import Person, Refused
from corrections.review.types import Moderator
from corrections.types import Address
from model.types import Sight

MOST_PICTURES = 10
"""Pictures of one lesson."""
WAITING = 20
"""Lessons that wait to be called right, with their pictures, in memory."""
WAITS_SECONDS = 15 * 60.0
"""As long as Discord lets a message be answered."""


@dataclass(frozen=True, slots=True)
class Teach:
    """Somebody teaches: who is in all of these pictures.

    ``pictures`` fetch the bytes of one each when called (raising `bot.errors.FetchError`). ``moderator``: the
    teacher, where the adapter has found that they are one there.
    """

    address: Address
    poster: Person
    teacher: Person
    name: str
    pictures: tuple[Callable[[], Awaitable[bytes]], ...]
    moderator: Moderator | None = None
    insist: bool = False


@dataclass(frozen=True, slots=True)
class Taught:
    """A lesson that is in the ledger. ``count`` of its pictures were no examples of ``name`` before.

    ``new``: nobody was called so. ``waits``: for a *moderator*, or for the *operator* where there are none;
    empty: it counts. ``left_out`` are files that were no pictures. ``only_same``: why pictures like these
    will not be recognised by them (*discord*, *never*, *others*); empty: they will.
    """

    slug: str
    name: str
    count: int
    new: bool
    waits: str = ""
    left_out: tuple[Refused, ...] = ()
    only_same: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A picture that the model takes for somebody else; no ``name``: for nobody on the list."""

    slot: int
    name: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """Nothing is taught yet. ``number`` is what a moderator insists with; 0 for everybody else."""

    number: int
    name: str
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class WaitingLesson:
    """A lesson whose pictures were looked at ``since``; ``looked`` by their places in it."""

    ask: Teach
    looked: tuple[tuple[int, Sight], ...]
    left_out: tuple[Refused, ...]
    since: datetime


class WaitingLessons:
    """Those of the last `WAITS_SECONDS` under a number each, `WAITING` of them at most."""

    def __init__(self) -> None:
        self._lessons: OrderedDict[int, tuple[WaitingLesson, float]] = OrderedDict()

    def put(self, lesson: WaitingLesson) -> int:
        """Keep it; its number, which nobody can guess."""
        self._forget_old()
        number = secrets.randbelow(10**12 - 1) + 1
        self._lessons[number] = lesson, time.monotonic() + WAITS_SECONDS
        if len(self._lessons) > WAITING:
            self._lessons.popitem(last=False)
        return number

    def get(self, number: int) -> WaitingLesson | None:
        """The lesson of that number, while it waits."""
        self._forget_old()
        found = self._lessons.get(number)
        return None if found is None else found[0]

    def done(self, number: int) -> None:
        """It waits no longer."""
        self._lessons.pop(number, None)

    def _forget_old(self) -> None:
        now = time.monotonic()
        for number in [number for number, (_, until) in self._lessons.items() if until < now]:
            del self._lessons[number]

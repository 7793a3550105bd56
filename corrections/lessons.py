"""A lesson: pictures of one message and who is in all of them; and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from corrections.review.types import Moderator
from corrections.types import Address, Character, Community, Person, Seen
from model.types import Answer


@dataclass(frozen=True, slots=True)
class TaughtAt(Address):
    """Where a picture is that was taught in no chat: in a community of any platform."""

    into: Community

    @property
    def home(self) -> Community:
        """The community that it was taught in."""
        return self.into


def address_of(platform: str, community: Community, message: str) -> TaughtAt:
    """The address of pictures that came by another way than the community's own chat.

    Args:
        platform: which way.
        message: one text for all pictures of a lesson; the same again is the same lesson.
    """
    return TaughtAt(platform, community[1], ":".join(community)[:128], message, community)


@dataclass(frozen=True, slots=True)
class Example:
    """One picture as it was looked at; ``slot`` is its place among the pictures of the lesson, from 0."""

    slot: int
    seen: Seen
    bundle: str
    level: str
    answer: Answer
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """Pictures of one message, and who is in all of them.

    ``moderator``: who teaches with the rights of one, so that it counts at once; else ``teacher`` proposes.
    ``poster`` is whose pictures these are; only one's own may be learned from for being taught.
    """

    address: Address
    poster: Person
    teacher: Person
    name: str
    examples: tuple[Example, ...]
    moderator: Moderator | None
    at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a lesson, which is in the ledger.

    ``new``: nobody was called so before. ``fresh`` counts the pictures that were no examples before.
    ``agreed``: the teacher has agreed, by teaching with pictures of their own, to them being learned from.
    """

    character: Character
    new: bool
    fresh: int
    predictions: tuple[int, ...]
    agreed: bool

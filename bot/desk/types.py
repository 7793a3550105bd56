"""What adapters and the desk say to one another: frozen, and free of any platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from corrections.types import Address
from model.types import Verdict


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on a platform. ``language`` is a tag such as ``zh-CN``, as their client says, or empty."""

    platform: str
    id: str
    language: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Who it is, for the ledger."""
        return self.platform, self.id


@dataclass(frozen=True, slots=True)
class Ask:
    """One message with pictures in it.

    ``pictures`` fetch the bytes of one picture each when called (raising `bot.errors.FetchError`).
    ``direct``: somebody asked for an answer, instead of posting in a watched channel. ``asker`` pays for
    it with their limit; ``poster`` is whose pictures these are. ``left_out`` counts pictures over the limit
    of one message. ``waiting``: the platform shows that an answer is under way, so there must be one, even
    if it only repeats that this is too much.
    """

    address: Address
    poster: Person
    asker: Person
    pictures: tuple[Callable[[], Awaitable[bytes]], ...]
    direct: bool
    left_out: int = 0
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """One character under the name that the reader knows it by."""

    slug: str
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Told:
    """What people said: of this very picture ("same"), or of pictures like it ("like").

    ``names``: whom they named, as the reader knows them; none for nobody on the list. ``here``: people of
    this community did.
    """

    how: Literal["same", "like"]
    names: tuple[str, ...]
    here: bool = True


@dataclass(frozen=True, slots=True)
class Identified:
    """The answer about one picture; ``ranked`` begins with the likeliest character.

    ``may_why``: whether *Why?* can be asked, with a button beside *Right* and *Wrong*.
    ``may_ask``: whether its poster is to be asked if it may be learned from, with a small button. ``memory``
    is the version of the memory that had a say, None without one; ``told`` is what it said.
    """

    slot: int
    prediction_id: int
    verdict: Verdict
    ranked: tuple[Guess, ...]
    bundle: str
    milliseconds: float
    tally: Tallied | None = None
    may_ask: bool = False
    may_why: bool = False
    memory: int | None = None
    told: Told | None = None

    @property
    def best(self) -> Guess:
        """The likeliest character."""
        return self.ranked[0]


@dataclass(frozen=True, slots=True)
class Tallied:
    """What people said of a picture: counts by name, most first, without who said so."""

    agree: int = 0
    others: tuple[tuple[str, int], ...] = ()
    nobody: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """No answer or no vote, and why: a key of the catalogue of words and its values."""

    key: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """Everything that is said to one `Ask`, in the order of its pictures, and in which language."""

    outcomes: tuple[Identified | Refused, ...]
    language: str
    left_out: int = 0
    looked_at: int = 1

    @property
    def identified(self) -> tuple[Identified, ...]:
        """The pictures that were answered."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, Identified))


@dataclass(frozen=True, slots=True)
class Already:
    """This message has been answered before, there."""

    reply: Address
    language: str


@dataclass(frozen=True, slots=True)
class Thanks:
    """A vote that is in the ledger. No ``slug`` means *nobody on the list*.

    ``how`` is "right", "corrected", "proposed", "changed" or "again" (nothing was new).
    """

    prediction_id: int
    how: str
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """The poster's consent, which is in the ledger; not ``new`` when it was there already."""

    prediction_id: int
    new: bool = True


@dataclass(frozen=True, slots=True)
class TakenBack:
    """An undo; ``restored`` says that ``slug`` and ``name`` (empty: nobody) hold again."""

    prediction_id: int
    restored: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A character to choose from."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Whom a text may mean, best first; ``proposal`` is the text cleaned, when it could become a new name."""

    text: str
    choices: tuple[Choice, ...]
    exact: bool = False
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class Mine:
    """Something that a person said: ``name`` (empty: nobody) of a picture that we had called ``said``.

    ``where`` is the message with the picture, while it exists; pass ``position`` on to read further.
    """

    prediction_id: int
    position: int
    name: str
    said: str
    where: Address | None
    at: datetime


@dataclass(frozen=True, slots=True)
class About:
    """What one may want to know of the bot itself.

    ``discord_training``: whether pictures from Discord may be learned from at all.
    """

    version: str
    characters: int
    discord_training: bool = False


class Voice(Protocol):
    """How an adapter says the desk's answer, and unsays it."""

    async def say(self, reply: Reply | Already) -> Address | None:
        """Send it; return the address of our own message, or None if it could not be sent."""
        ...

    async def drop(self) -> None:
        """There is nothing to say after all: take back whatever shows that an answer is under way."""
        ...

    async def unsay(self, replies: list[Address]) -> None:
        """Delete messages of our own; ones that are gone are no error."""
        ...

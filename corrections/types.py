"""What goes into the ledger and what comes out of it: frozen, and no object of the database among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from model.types import Answer, Ranked, Verdict

Person = tuple[str, str]
"""Somebody on a platform: (platform, user id)."""

How = Literal["", "same", "like"]
"""What memory did to an answer, see `Recalled`."""

Community = tuple[str, str]
"""A Discord server, a Telegram group, a private chat or a web session: (platform, its id there)."""


def is_private(community: Community) -> bool:
    """Whether it is one person's alone, so that its id tells who they are."""
    return community[0] == "web" or community[1].startswith("dm:")


LANGUAGES = ("en", "zh-CN")
"""The languages that characters have names in, and that a community may choose."""


def same_language(wanted: str, tag: str) -> bool:
    """Whether a reader of ``wanted`` ("zh-Hans", "en_GB") reads ``tag`` ("zh-CN", "en")."""
    return _primary(wanted) == _primary(tag)


def _primary(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].casefold()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message is. All four are the platform's own ids, as text.

    ``community`` is the id of a server or group, ``dm:<user>`` for a private chat, or a web session.
    """

    platform: str
    community: str
    channel: str
    message: str

    @property
    def home(self) -> Community:
        """The community that the message is in."""
        return (self.platform, self.community)


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as it is to be kept.

    ``near_key`` see `model.near`; ``stored`` is the picture re-encoded without metadata, ``stored_format``
    its file suffix ("webp"); ``width`` and ``height`` in pixels; ``sha256`` is that of the bytes as they were
    posted (the ledger computes the one of ``stored`` itself).
    """

    near_key: str
    stored: bytes
    stored_format: str
    width: int
    height: int
    sha256: str
    embedding: tuple[float, ...] = ()
    marks: bytes = b""


@dataclass(frozen=True, slots=True)
class Recorded:
    """``new`` is false when this post had already been answered by this bundle."""

    prediction_id: int
    post_id: int
    new: bool


@dataclass(frozen=True, slots=True)
class Recalled:
    """What memory had to do with an answer; ``version`` is the memory's.

    ``how``: "same" when people said who is in this very picture or a copy of it, "like" when pictures like it
    made a difference, "" when it made none. ``answer`` is what is said then, ``slugs`` whom people named
    ("same": none for nobody on the list), ``here`` whether anybody of this community did.
    """

    version: int
    how: How
    answer: Answer
    slugs: tuple[str, ...] = ()
    here: bool = True


@dataclass(frozen=True, slots=True)
class PredictionView:
    """One answer, with the picture it was about.

    ``address`` is None once the message was deleted, ``reply`` until the answer was posted. ``poster_key``
    is the poster's person key in hex (compare with `Ledger.person_key`). ``ranked`` has the ten likeliest.
    All of it is as it was said; ``recalled``: what memory had to do with that, None where there was none.
    """

    prediction_id: int
    address: Address | None
    community: Community
    slot: int
    poster_key: str
    character: str
    confidence: float
    verdict: Verdict
    known: float
    ranked: tuple[Ranked, ...]
    blob_sha256: str
    bundle: str
    level: str
    milliseconds: float
    at: datetime
    reply: Address | None
    recalled: Recalled | None = None


@dataclass(frozen=True, slots=True)
class VoteReceipt:
    """A vote as it now stands. Labels are slugs; the empty set means nobody on the list, None no vote."""

    prediction_id: int
    labels: frozenset[str] | None
    previous: frozenset[str] | None
    changed: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """What people said of a picture and its near copies in one community, one voice a person."""

    characters: Mapping[str, int]
    nobody: int
    voters: int


@dataclass(frozen=True, slots=True)
class MyVote:
    """One of a person's standing votes. Pass ``position`` as ``before`` to read on from it."""

    position: int
    prediction_id: int
    labels: frozenset[str]
    said: str
    verdict: Verdict
    blob_sha256: str
    address: Address | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Character:
    """One of the vocabulary. ``names`` by language ("en", "zh-CN"); a proposal has a ``community``."""

    slug: str
    names: Mapping[str, str]
    aliases: tuple[str, ...]
    status: str
    merged_into: str | None = None
    community: Community | None = None

    def name(self, language: str = "en") -> str:
        """The name in that language ("zh-TW" reads "zh-CN"), else in English, else in any."""
        near = (name for tag, name in self.names.items() if same_language(language, tag))
        return (
            self.names.get(language)
            or next(near, "")
            or self.names.get("en")
            or next(iter(self.names.values()), self.slug)
        )


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a text means, exactly; ``character`` is None when nobody is called so."""

    character: Character | None

    @property
    def slug(self) -> str | None:
        """The slug that the text means, if any."""
        return self.character.slug if self.character else None

    def __bool__(self) -> bool:
        return self.character is not None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A character that a text may mean; ``score`` from 0 to 100."""

    slug: str
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class CommunitySettings:
    """What a community chose for itself; as it stands here when it never chose.

    ``watched`` holds channel ids, or is ("all",); None leaves it to the operator's setting, and so does
    None for ``person_per_minute`` (pictures a minute, 1 to 1000). ``language`` is one of `LANGUAGES`, or ""
    when it was never chosen. ``chatty``: in watched channels pictures of nobody are answered too.
    """

    watched: tuple[str, ...] | None = None
    moderator_roles: tuple[str, ...] = ()
    language: str = ""
    chatty: bool = False
    person_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """How many files were removed, and how many bytes they had."""

    count: int
    bytes: int

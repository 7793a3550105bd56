"""What our buttons carry: ``v1:<action>:<prediction id>:<slot>``, at most 64 bytes on every platform.

| action | slot | what a click does |
|---|---|---|
| right | – | confirms the answer |
| wrong | – | opens the choices |
| is | slug, or ``nobody`` | corrects |
| search | – | asks for a name |
| name | – | the form of that name |
| new | the name | proposes it as a new character |
| undo | – | takes back |
| mine | – | shows one's own corrections before a position (in the prediction's place; 0: the newest) |
| unsay | the position | takes back in that list, which is shown again from the position on |
| set | which setting | chooses something for the whole place, and what it chooses where that is no list |
| page | number | shows that page of all characters |
| less | – | closes the choices again |
| why | – | shows what the answer hangs on |
| learn | – | the poster agrees that the picture is learned from |
| teach | – | says that pictures that were taught are right (the lesson in the prediction's place) |
| case | ``<revision>.<verb>[.<what>]``, see `CaseSlot` (the case in the prediction's place) | reviews |
| cast | ``<verb>[.<slug>[.<mark>]]``, see `CastSlot` | keeps the list of characters |
| privacy | a standing | says what may be learned from one's pictures |
| forget | ``yes``; else asks first | forgets a person |
| train | ``<verb>.<run>``, see `TrainSlot` | shows, cancels or answers a retraining |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

MAX_BYTES = 64
MAX_NAME_BYTES = 44
"""What is left for a new name beside ``v1:new:`` and an id of twelve digits."""
ACTIONS = (
    *("right", "wrong", "is", "search", "name", "new", "undo"),
    *("mine", "unsay", "set", "page", "less", "why"),
    *("learn", "case", "cast", "privacy", "forget", "train", "teach"),
)
_PATTERN = re.compile(r"v1:([a-z]+):([0-9]{1,18}):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ButtonId:
    """One button. ``str()`` is what travels.

    Raises:
        ValueError: it would not fit into 64 bytes.
    """

    action: str
    prediction_id: int
    slot: str = ""

    def __post_init__(self) -> None:
        if len(str(self).encode()) > MAX_BYTES:
            raise ValueError(f"{self} is longer than {MAX_BYTES} bytes")

    def __str__(self) -> str:
        return f"v1:{self.action}:{self.prediction_id}:{self.slot}"

    @classmethod
    def parse(cls, text: str) -> ButtonId | None:
        """Read one back; None for anything that we never made, whoever sent it."""
        found = _PATTERN.fullmatch(text)
        if found is None or found[1] not in ACTIONS or len(text.encode()) > MAX_BYTES:
            return None
        return cls(found[1], int(found[2]), found[3])


CASE_VERBS = {
    "a": "approve",
    "i": "is",
    "n": "nobody",
    "r": "reject",
    "s": "skip",
    "u": "undo",
    "o": "search",
}
"""What a moderator's button does: approves what leads, "it is" somebody, …, opens the search."""


@dataclass(frozen=True, slots=True)
class CaseSlot:
    """The slot of a ``case`` button: which revision was seen, what to do, and with whom (``what``).

    The revision is what makes an old button harmless. ``what`` is a slug, a `mark`, or the number of a page.
    """

    revision: int
    verb: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.revision}.{self.verb}" + (f".{self.what}" if self.what else "")

    @classmethod
    def parse(cls, text: str) -> CaseSlot | None:
        """Read one back; None for what we never made."""
        found = re.fullmatch(r"([0-9]{1,9})\.([a-z])(?:\.([a-z0-9-]{1,40}))?", text)
        if found is None or found[2] not in CASE_VERBS:
            return None
        return cls(int(found[1]), found[2], found[3] or "")


CAST_VERBS = {
    "l": "list",
    "a": "accept",
    "r": "refuse",
    "n": "rename",
    "m": "merge",
    "y": "merge-yes",
    "d": "remove",
    "x": "remove-yes",
}
"""What a button about characters does; a list goes on after the slug."""


@dataclass(frozen=True, slots=True)
class CastSlot:
    """The slot of a ``cast`` button. Two slugs do not fit: ``into`` is the `mark` of the second."""

    verb: str
    slug: str = ""
    into: str = ""

    def __str__(self) -> str:
        return ".".join(each for each in (self.verb, self.slug, self.into) if each)

    @classmethod
    def parse(cls, text: str) -> CastSlot | None:
        """Read one back; None for what we never made."""
        found = re.fullmatch(r"([a-z])(?:\.([a-z0-9-]{1,40})(?:\.([0-9a-f]{8}))?)?", text)
        if found is None or found[1] not in CAST_VERBS:
            return None
        return cls(found[1], found[2] or "", found[3] or "")


TRAIN_VERBS = {"l": "look", "c": "cancel", "y": "use", "n": "drop"}
"""What a button below a retraining does."""


@dataclass(frozen=True, slots=True)
class TrainSlot:
    """The slot of a ``train`` button. ``run`` is the `mark` of the retraining that it was shown for."""

    verb: str
    run: str

    def __str__(self) -> str:
        return f"{self.verb}.{self.run}"

    @classmethod
    def parse(cls, text: str) -> TrainSlot | None:
        """Read one back; None for what we never made."""
        found = re.fullmatch(r"([a-z])\.([0-9a-f]{8})", text)
        if found is None or found[1] not in TRAIN_VERBS:
            return None
        return cls(found[1], found[2])


def mark(slug: str) -> str:
    """Eight digits that stand for a slug, or another text, where there is no room for it."""
    return sha256(slug.encode()).hexdigest()[:8]

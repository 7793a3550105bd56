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
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BYTES = 64
MAX_NAME_BYTES = 44
"""What is left for a new name beside ``v1:new:`` and an id of twelve digits."""
ACTIONS = (
    *("right", "wrong", "is", "search", "name", "new", "undo"),
    *("mine", "unsay", "set", "page", "less"),
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

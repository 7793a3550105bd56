"""What goes into the memory and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.types import Answer, Ranked

How = Literal["", "same", "like"]


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """One picture that people said something of, in one community.

    ``slugs`` are in it; none means nobody on the list. ``marks`` and ``embedding`` (float32 [D], of length
    1) are of the bundle that serves; without an embedding only copies of the picture are recalled.
    ``leans``: pictures *like* it may lean toward it, which consent and policy must allow. ``ranked`` is what
    the bundle alone said of it, where that is known: it tells how surprising ``slugs`` are.
    """

    blob: int
    case: int
    community: int
    slugs: tuple[str, ...]
    near_key: str
    marks: bytes = b""
    embedding: NDArray[np.float32] | None = None
    leans: bool = False
    ranked: tuple[Ranked, ...] = ()


@dataclass(frozen=True, slots=True)
class Recollection:
    """An answer with what is remembered in it.

    ``how``: "same" when this very picture or a copy of it is remembered, "like" when pictures like it have
    changed who is named or how surely, "" when what is said is the bundle's own (its probabilities may still
    have moved). ``slugs`` is what people said ("same": all of it, none
    for nobody on the list; "like": the one character that it leans to). ``blobs`` are the pictures that it
    comes from, the weightiest first.
    """

    answer: Answer
    how: How
    slugs: tuple[str, ...]
    blobs: tuple[int, ...]

"""What the parts say to one another about *Why?*: frozen, and free of every library but the standard one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SHEET = 6
"""Pictures that a sheet takes at most."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What a character's probability hangs on in one picture.

    ``character`` is the bundle's slug of who was explained: whom one asked for, if the bundle knows them,
    else whom it finds likeliest. ``heat`` is [cells][cells] between 0 and 1, the first row the uppermost;
    all zeros when no single place matters. ``probability`` is that of the whole picture, ``without`` that
    with its hottest seventh or so covered. ``picture`` is a JPEG of it with the heat drawn over it.
    """

    character: str
    probability: float
    without: float
    heat: tuple[tuple[float, ...], ...]
    picture: bytes
    bundle: str
    level: str
    method: str
    milliseconds: float


class Explainer(Protocol):
    """Whatever can say why: the worker's client."""

    async def why(self, picture: bytes, *, character: str = "", deadline: float | None = None) -> Reason:
        """Explain one encoded picture.

        Args:
            character: whose probability is explained; whoever the bundle finds likeliest if it is empty,
                or unknown to the bundle.
            deadline: seconds from now after which nobody waits any more.

        Raises:
            model.errors.ModelError: WorkerBusy too while another picture is being explained.
        """
        ...

    async def sheet(self, pictures: Sequence[bytes], *, deadline: float | None = None) -> bytes:
        """Small versions of a few encoded pictures side by side, as one JPEG."""
        ...

"""What is asked of an export and what comes of it: frozen, and no object of the database among it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from corrections.types import Community

Format = Literal["imagefolder", "csv", "parquet"]
FORMATS: tuple[Format, ...] = ("imagefolder", "csv", "parquet")

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

SEVERAL = "several"
"""The folder of pictures with more than one character."""

Progress = Callable[[float], None]
"""Told how much is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Which pictures; None does not matter.

    ``since``: decided then or later. ``character``: a slug, name or alias, or "nobody".
    ``name_communities``: write the communities' own ids instead of keyed hashes.
    """

    community: Community | None = None
    since: datetime | None = None
    character: str | None = None
    name_communities: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's settings: ``discord.allow_training``, ``export.validation`` and ``export.test``.

    ``validation`` and ``test`` are shares of the groups of near copies (0 to 0.5).
    """

    allow_discord: bool = False
    validation: float = 0.1
    test: float = 0.1


@dataclass(frozen=True, slots=True)
class Counts:
    """How many approved pictures leave, and how many are held back and why; each is counted once.

    ``held_discord``: known from Discord only, whose training is off. ``held_no_consent``: no poster agreed.
    ``held_gone``: the bytes are not here any more. ``held_disputed``: communities decided differently.
    ``held_refused``: a character of it was refused since. ``near_test``: was in training or validation until
    a picture turned up that is near to both it and a test picture. ``by_character``: pictures by slug, or
    "nobody". ``by_split`` is empty in a preview, which does not know ``near_test`` either.
    """

    items: int = 0
    held_no_consent: int = 0
    held_discord: int = 0
    held_gone: int = 0
    by_character: Mapping[str, int] = field(default_factory=dict)
    by_split: Mapping[str, int] = field(default_factory=dict)
    held_disputed: int = 0
    held_refused: int = 0
    near_test: int = 0

    @property
    def held(self) -> int:
        """All that are held back."""
        return (
            self.held_no_consent
            + self.held_discord
            + self.held_gone
            + self.held_disputed
            + self.held_refused
            + self.near_test
        )


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """A frozen export. ``at``: when it was first made. ``withdrawn``: pictures to leave out by now."""

    name: str
    items: int
    counts: Counts
    community: Community | None
    format: Format
    at: datetime
    manifest_sha256: str
    withdrawn: int

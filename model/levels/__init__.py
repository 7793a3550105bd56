"""Levels of speed: exact, fast and turbo forms of one bundle, and which of them it admits."""

from __future__ import annotations

from model.bundle import Bundle
from model.types import LEVELS


def levels_of(bundle: Bundle) -> tuple[str, ...]:
    """The levels that a bundle admits, the most exact first; the first is always ``exact``."""
    return LEVELS[:1]

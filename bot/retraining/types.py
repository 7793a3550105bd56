"""What one hears of a retraining: frozen, with a key of the catalogue of words for whatever is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from corrections.types import Community


class Phase(StrEnum):
    """Where a retraining is; `SAID` has its sentence in the catalogue."""

    IDLE = "idle"
    EXPORTING = "exporting"
    TRAINING = "training"
    GATING = "gating"
    ASKING = "asking"  # it passed, and waits for somebody to say yes or no
    SWAPPING = "swapping"
    DONE = "done"
    REFUSED = "refused"  # by the gate
    DECLINED = "declined"  # by somebody
    FAILED = "failed"
    CANCELLED = "cancelled"


AT_WORK = (Phase.EXPORTING, Phase.TRAINING, Phase.GATING, Phase.SWAPPING)
"""A process works, or is started again after it was killed."""

SAID: dict[Phase, str] = {
    Phase.IDLE: "retrain-phase-idle",
    Phase.EXPORTING: "retrain-phase-exporting",
    Phase.TRAINING: "retrain-phase-training",
    Phase.GATING: "retrain-phase-gating",
    Phase.ASKING: "retrain-phase-asking",
    Phase.SWAPPING: "retrain-phase-swapping",
    Phase.DONE: "retrain-phase-done",
    Phase.REFUSED: "retrain-phase-refused",
    Phase.DECLINED: "retrain-phase-declined",
    Phase.FAILED: "retrain-phase-failed",
    Phase.CANCELLED: "retrain-phase-cancelled",
}
STEPS_SAID: dict[str, str] = {
    "exporting": "retrain-step-exporting",
    "training": "retrain-step-training",
    "gating": "retrain-step-gating",
    "swapping": "retrain-step-swapping",
}
"""What was being done when it failed."""
CHECKS_SAID: dict[str, str] = {
    "characters": "retrain-check-characters",
    "overall": "retrain-check-overall",
    "per character": "retrain-check-per-character",
    "calibration": "retrain-check-calibration",
    "certainty": "retrain-check-certainty",
    "strangers": "retrain-check-strangers",
    "nobody": "retrain-check-nobody",
    "speed": "retrain-check-speed",
    "corrections": "retrain-check-corrections",
    "corrections per character": "retrain-check-corrections-per-character",
}
"""What the gate asks, by the name that it has there."""
OTHER_CHECK = "retrain-check-other"

SHARES = {Phase.EXPORTING: (0.0, 0.1), Phase.TRAINING: (0.1, 0.8), Phase.GATING: (0.8, 0.95)}
"""Where each phase begins and ends on one bar for all of it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that the gate asked: whether it holds, and why.

    ``key`` names the check in the catalogue, ``sentence`` is the gate's own (in English), ``figures`` are
    what it stands on (`training.reasons`); ``worse`` are slugs.
    """

    key: str
    passed: bool
    sentence: str
    worse: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Status:
    """How far a retraining is, or how the last one ended.

    ``key`` and ``values`` are the sentence for people, in the catalogue. ``fraction`` is of all of it, from
    0 to 1. ``items`` counts the corrections that it learned from, ``candidate`` and ``current`` are bundles'
    ids; ``worse`` has pictures (SHA-256 or file names) that only the bundle in service had right. ``why``
    is a sentence about what went wrong. ``community`` is whose moderator started it; None: the operator.
    """

    phase: Phase = Phase.IDLE
    key: str = SAID[Phase.IDLE]
    values: dict[str, str | int] = field(default_factory=dict)
    fraction: float = 0.0
    items: int = 0
    candidate: str = ""
    current: str = ""
    reasons: tuple[Reason, ...] = ()
    worse: tuple[str, ...] = ()
    why: str = ""
    community: Community | None = None
    started_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def at_work(self) -> bool:
        """Whether it goes on by itself."""
        return self.phase in AT_WORK


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nothing was done, and why: a key of the catalogue.

    "retrain-not-allowed", "retrain-running", "retrain-waiting", "retrain-nothing-asked",
    "retrain-nothing-runs" or "retrain-trouble".
    """

    key: str
    values: dict[str, str | int] = field(default_factory=dict)

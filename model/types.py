"""What the parts say to one another about a picture: frozen, and free of every library but the standard one.

Shapes: ``C`` is the number of classes of the bundle, ``D`` the width of its embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

NOBODY = "nobody"
"""The class (and verdict) of a picture of nobody on the list. No character can have this slug."""

LEVELS = ("exact", "fast", "turbo")
"""How a bundle may be run, the most exact first; which of them a bundle admits says `model.levels`."""


class Verdict(StrEnum):
    """How an answer may be put into words."""

    SURE = "sure"
    UNSURE = "unsure"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Ranked:
    """One character and how likely it is that it is in the picture (0 to 1)."""

    character: str
    probability: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns a bundle's logits into probabilities that mean what they say.

    ``temperature`` divides the logits before the softmax (Guo et al., ICML 2017, section 4.2).
    ``sure`` is the lowest probability said with certainty; below ``known`` nobody on the list is in it.
    ``known_scale`` and ``known_offset`` are used only by bundles without a class for nobody: there
    known = sigmoid(known_scale * logsumexp(logits) + known_offset), the energy score of Liu et al.
    (NeurIPS 2020, section 3); a scale of 0 means that the bundle cannot tell and known is 1.
    """

    temperature: float = 1.0
    sure: float = 0.8
    known: float = 0.5
    known_scale: float = 0.0
    known_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Targets:
    """Thresholds by what is wanted of them, measured on held-out pictures with lower confidence bounds.

    Each is pairs in ascending order. ``sure``: (share, `Calibration.sure`) with which answers said with
    certainty are right in at least that share. ``kept``: (share, `Calibration.known`) with which at least
    that share of the characters is not taken for nobody. Empty: it was not measured.
    """

    sure: tuple[tuple[float, float], ...] = ()
    kept: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """What everybody but the backend needs to know of a bundle.

    ``characters`` has C slugs, by logit index; one of them may be `NOBODY`.
    ``names`` maps a slug to the name that the bundle's own config gives it. ``targets`` stay in the process
    that has loaded it: who asks gets the calibration that was chosen by them (`model.targets`).
    """

    id: str
    characters: tuple[str, ...]
    calibration: Calibration = Calibration()
    names: Mapping[str, str] = field(default_factory=dict)
    targets: Targets = Targets()


@dataclass(frozen=True, slots=True)
class Answer:
    """One calibrated answer about one picture.

    ``confidence`` is the probability of ``character``; ``known`` (0 to 1) is how likely it is that
    anybody on the list is in the picture; ``ranked`` has every character, the likeliest first, and
    its probabilities add up to ``known``. ``character`` is the likeliest one even when the verdict
    is *nobody*, so that a reply to a direct question can still say what came closest.
    """

    verdict: Verdict
    character: str
    confidence: float
    known: float
    ranked: tuple[Ranked, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """What the worker saw in one picture: its whole reply to ``POST /v1/identify``.

    ``sha256`` is that of the bytes sent; ``near_key`` see `model.near`; ``width`` and ``height`` are
    those of the picture as it is looked at (upright), in pixels. ``stored`` holds the picture
    re-encoded without metadata, only when asked for, and ``stored_format`` says how ("webp"). ``marks`` is
    what copies beyond the near key's reach are told by, see `model.marks`. ``calibration`` is the bundle's:
    whoever adds to the answer needs to know from when on it is *sure*.
    """

    answer: Answer
    logits: tuple[float, ...]
    embedding: tuple[float, ...]
    near_key: str
    sha256: str
    width: int
    height: int
    bundle: str
    level: str
    milliseconds: float
    cached: bool = False
    stored: bytes | None = None
    stored_format: str = ""
    marks: bytes = b""
    calibration: Calibration = Calibration()


class Eyes(Protocol):
    """Whatever can look at a picture: the worker's client in earnest, a table of answers in tests."""

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        """Look at one encoded picture.

        Args:
            picture: the bytes as they were posted.
            fairness_key: whose picture it is; one key cannot starve the others.
            keep: also return the picture re-encoded for storage.
            deadline: seconds from now after which nobody waits for the answer any more.

        Raises:
            model.errors.ModelError: see the tree there; its ``reason`` is a key of the catalogue of words.
        """
        ...

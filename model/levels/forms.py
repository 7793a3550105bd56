"""How the forms of a bundle are written: the values behind *fast* and *turbo*, and as what they are kept."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from model.levels.merging import Merge
from model.preprocess import Floats

PLAIN, EVENED = 1, 2
"""Editions of a form: who knows only the first one would leave `Form.smooth` out, and must not write it."""


@dataclass(frozen=True)
class Form:
    """How the layers of a vision transformer are written.

    Attributes:
        int8: weights in 7 bits for each output, activations in 8 for each tensor, found anew for each
            picture. 7 bits, because the sums of two products of 8 bits overflow on processors without
            VNNI: the same file then says the same everywhere.
        floats: linear layers that stay as they are, such as ``11.down``; see `model.levels.writing`.
        merge: how many pairs of tokens each layer merges, see `model.levels.merging`; empty: none.
        proportional: a merged token is attended to as many times as it has been tokens (Bolya et al., 3.2).
        smooth: by normalisation (``3.before`` that of attention, ``3.after`` that of the MLP) what its
            channels are divided by and the weights after it multiplied with, as `factors_of` reads it: the
            few channels that are far larger than others then no longer decide how coarse 8 bits are
            (SmoothQuant: Xiao et al., ICML 2023, section 4). Nothing is computed for it afterwards.
    """

    int8: bool = False
    floats: tuple[str, ...] = ()
    merge: tuple[Merge, ...] = ()
    proportional: bool = False
    smooth: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a manifest."""
        return {
            "edition": EVENED if self.smooth else PLAIN,
            "int8": self.int8,
            "floats": list(self.floats),
            "merge": [asdict(merge) for merge in self.merge],
            "proportional": self.proportional,
            **({"smooth": dict(self.smooth)} if self.smooth else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Form:
        """Read it again.

        Raises:
            ValueError: it is of an edition that is not known; KeyError, TypeError: it does not read.
        """
        if content["edition"] not in (PLAIN, EVENED):
            raise ValueError(f"edition {content['edition']}, this version knows {PLAIN} and {EVENED}")
        return cls(
            bool(content["int8"]),
            tuple(str(name) for name in content["floats"]),
            tuple(
                Merge(int(each["least"]), int(each["most"]), float(each["alike"]))
                for each in content["merge"]
            ),
            bool(content["proportional"]),
            {str(name): str(text) for name, text in content.get("smooth", {}).items()},
        )


STEPS = 4
"""So many steps of a factor make a factor of 2."""


def text_of(factors: Floats) -> str:
    """Factors [D], rounded to steps, as a manifest holds them: base64, a byte each."""
    steps = np.clip(np.rint(STEPS * np.log2(factors)), -127, 127).astype(np.int8)
    return base64.b64encode(steps.tobytes()).decode()


def factors_of(text: str) -> Floats:
    """The factors again, [D].

    Raises:
        ValueError: it does not read.
    """
    try:
        steps = np.frombuffer(base64.b64decode(text, validate=True), np.int8)
    except binascii.Error as error:
        raise ValueError(f"factors that do not read: {error}") from error
    return np.asarray(np.exp2(steps.astype(np.float32) / np.float32(STEPS)), np.float32)


def evenly(pairs: int, layers: int) -> tuple[Merge, ...]:
    """The same number of pairs in every layer."""
    return (Merge(pairs),) * layers


def adaptive(least: int, most: int, alike: float, layers: int) -> tuple[Merge, ...]:
    """In every layer as many pairs as are so much alike, within bounds."""
    return (Merge(least, most, alike),) * layers


def within(merges: tuple[Merge, ...], tokens: int) -> tuple[Merge, ...]:
    """The same, with no layer merging more than half of the tokens that it may find."""
    found, left = [], tokens
    for each in merges:
        half = max(0, (left - 1) // 2 - 1)
        merge = replace(each, least=min(each.least, half), most=min(each.most, half))
        found.append(merge)
        left -= max(merge.least, merge.most)
    return tuple(found)

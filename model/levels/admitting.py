"""What a level must keep to be admitted, measured on real pictures against the exact form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AGREEMENT = {"exact": 0.99, "fast": 0.97, "turbo": 0.95}
"""The share of pictures with the same first answer."""
LOSS = 0.005
"""How much less often it may be right than the exact form on the same pictures."""
MISCALIBRATION = 0.01
"""How much larger its expected calibration error may be."""
COSINE = 0.95
"""How alike the embeddings are to the exact form's, on average: the memory compares them with each other."""
NEIGHBOUR = 0.01
"""How much less often the nearest other picture by its embedding may show the same character."""


def shortfall(level: str, figures: Mapping[str, Any]) -> str:
    """What a level's figures lack, as the end of a sentence; empty when they are enough.

    Raises:
        KeyError, TypeError, ValueError: figures are missing, or are none.
    """
    agreement, loss = float(figures["top1_agreement"]), float(figures["accuracy_loss"])
    if not int(figures["pictures"]):
        return "it was measured on no pictures"
    if not agreement >= AGREEMENT[level]:
        return f"it gives the same answer for {agreement:.1%} of the pictures, not {AGREEMENT[level]:.0%}"
    if not loss <= LOSS:
        return f"it is right {100 * loss:.1f} points less often"
    grown = float(figures["calibration_error"]) - float(figures["calibration_error_exact"])
    if not grown <= MISCALIBRATION:
        return f"its calibration error is {grown:.3f} larger"
    cosine = float(figures["embedding_cosine"])
    if not cosine >= COSINE:
        return f"its embeddings have a cosine of {cosine:.3f} with the exact ones, not {COSINE}"
    lost = float(figures["neighbour_right_exact"]) - float(figures["neighbour_right"])
    if not lost <= NEIGHBOUR:
        return f"its nearest pictures are of the same character {100 * lost:.1f} points less often"
    return ""

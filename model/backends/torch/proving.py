"""What is found out at every load, before anybody gets an answer: whether a device says what it should.

*Half precision* is admitted as the level *fast* when on drawn pictures it says what the same card says in
single precision: the bound on first answers is that of *exact*, see `alike`. *Recordings* must give what the
network gives as it is written, for every size and with batches that do not fill it, see `faithful`. What
drawn pictures cannot show is how often the answer on a real one changes; on real ones that is measured by
``python -m tests.bench.gpu_agreement``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.backends.torch.runners import Recorded
from model.levels.admitting import AGREEMENT, MISCALIBRATION
from model.preprocess import Floats, Pixels

PROBES = 256
"""Drawn pictures that two precisions are compared on."""
LEAD = 0.02
"""Two first answers that are this close in probability are a draw: which one comes first says nothing."""
COSINE = 0.995
"""How alike embeddings must be on average; a whole level of 8 bits on a CPU keeps 0.993."""
ROWS_COSINE = 0.9999
"""How alike one embedding must be in a recording and without: the same arithmetic in the same precision."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How one form compares with a more exact one on the same pictures.

    ``same`` is the share of first answers that stay, of those that were no draw; ``moved`` how much the
    probability of the first answer changes, ``cosine`` how alike embeddings are, both on average.
    """

    pictures: int
    same: float
    moved: float
    cosine: float

    @property
    def shortfall(self) -> str:
        """What is missing for it to be admitted, as the end of a sentence; empty when nothing is."""
        if not self.same >= AGREEMENT["exact"]:
            return f"it gives the same answer for {self.same:.1%} of drawn pictures, not 99%"
        if not self.moved <= MISCALIBRATION:
            return f"its probabilities differ by {self.moved:.3f} on average"
        if not self.cosine >= COSINE:
            return f"its embeddings have a cosine of {self.cosine:.4f} with those of single precision"
        return ""


def alike(found: Floats, exact: Floats, classes: int, temperature: float = 1.0) -> Likeness:
    """Compare rows ``[B, C + D]`` with those of single precision."""
    ours, theirs = _shares(found[:, :classes] / temperature), _shares(exact[:, :classes] / temperature)
    first = theirs.argmax(axis=1)
    best = np.sort(theirs, axis=1)
    decided = best[:, -1] - best[:, -2] > LEAD if classes > 1 else np.ones(len(best), bool)
    same = ours.argmax(axis=1) == first
    rows = np.arange(len(first))
    return Likeness(
        len(found),
        float(same[decided].mean()) if decided.any() else 1.0,
        float(np.abs(ours[rows, first] - theirs[rows, first]).mean()),
        float((found[:, classes:] * exact[:, classes:]).sum(axis=1).mean()),
    )


def faithful(
    runner: Recorded,
    eager: Callable[[Tensor], Tensor],
    pixels: Pixels,
    classes: int,
    dtype: torch.dtype,
    device: torch.device,
) -> str:
    """What is wrong with a recording, as the end of a sentence; empty when nothing is.

    Args:
        pixels: pictures that differ, at least as many as the largest size.
    """
    everything = torch.from_numpy(pixels).to(device)
    with torch.inference_mode():
        for size in runner.buckets:
            # other pictures first: what is played again must read what lies there now
            runner(everything[-size:])
            rows = everything[:size]
            expected = eager(rows).cpu().numpy()
            for count in sorted({size, size // 2 + 1}):
                found = runner(rows[:count]).cpu().numpy()
                if reason := _differs(found, expected[:count], classes, dtype):
                    return f"with {count} pictures in a recording for {size} {reason}"
    return ""


def _differs(found: Floats, expected: Floats, classes: int, dtype: torch.dtype) -> str:
    if found.shape != expected.shape or not np.isfinite(found).all():
        return "it gives no numbers"
    logits = expected[:, :classes]
    # for a shape that is no power of two a library may sum in another order
    slack = max(8 * float(torch.finfo(dtype).eps), 1e-4) * max(1.0, float(np.abs(logits).max()))
    apart = float(np.abs(found[:, :classes] - logits).max())
    if not apart <= slack:
        return f"its logits are off by {apart:.3g}"
    # where pictures differ less than that, an answer to another one would pass for this one's
    spread = float(np.ptp(logits, axis=0).max()) if len(logits) > 1 else slack
    if apart > max(spread / 4, 1e-6):
        return f"its logits are off by {apart:.3g}, and those of different pictures by {spread:.3g}"
    cosine = float((found[:, classes:] * expected[:, classes:]).sum(axis=1).min())
    return "" if cosine >= ROWS_COSINE else f"its embeddings have a cosine of {cosine:.5f}"


def probes(height: int, width: int, count: int = PROBES) -> Pixels:
    """Pictures drawn by chance, the same ones every time: colours, shapes and grain, ``[count, H, W, 3]``."""
    dice = np.random.default_rng(7)
    down, across = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    found = np.empty((count, height, width, 3), np.uint8)
    for index in range(count):
        tiles = int(2 ** dice.integers(1, 5))
        coarse = dice.uniform(0, 255, (tiles, tiles, 3))
        rows = np.minimum((down * tiles).astype(int), tiles - 1)
        columns = np.minimum((across * tiles).astype(int), tiles - 1)
        picture = coarse[rows, columns]
        middle, radius = dice.uniform(0.2, 0.8, 2), dice.uniform(0.1, 0.4)
        disc = (down - middle[0]) ** 2 + (across - middle[1]) ** 2 < radius**2
        picture[disc] = dice.uniform(0, 255, 3)
        picture += dice.normal(0, dice.uniform(0, 40), picture.shape)
        found[index] = picture.clip(0, 255)
    return found


def _shares(logits: Floats) -> Floats:
    """The softmax of rows."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)

"""``python -m tests.bench.gate_tries``: tests for a character that were tried, and the pictures they need.

On seeds that ``make bench-gate`` does not report: how many candidates pass the test overall and the one for
characters, of those that lose 20 points on one and gain 3 on all others, and of those that are better.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import binom, norm  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tests.bench.gate import Case, kinds
from tests.bench.gate_heads import Model, Workshop
from tests.bench.gate_pictures import material
from training.fitting import log_softmax
from training.head import default_cache
from training.paired import lower_bound
from training.reasons import Margins

FIRST_SEED, CANDIDATES, DRAWS, SIZES = 200_000, 25, 150, (100, 150)
KINDS = (
    "20 worse on one (bias), 3 better on all others",
    "20 worse on one (by chance), 3 better on all others",
    "5 better exactly",
    "5 better, the other trained on less",
    "equally good",
)
Numbers = NDArray[np.float64]
LEVEL = 0.05


def refusals(gained: Numbers, lost: Numbers, t: Numbers, each: int) -> dict[str, NDArray[np.bool_]]:
    """Of draws [D, K] over K characters: which draws each test refuses, [D].

    Args:
        t: the t statistic of the paired difference in the probability of the label.
    """
    exact = binom.sf(lost - 1, gained + lost, 0.5)
    middle = exact - 0.5 * binom.pmf(lost, gained + lost, 0.5)
    drop = (lost - gained) / each + 1e-9
    found = {
        "exact McNemar, Holm": _holm(exact),
        "McNemar's mid-p, Holm": _holm(middle),
        "paired t on the probability of the label, Holm": _holm(norm.cdf(t)),
        "either of the first and the third, with a loss of 8 points": _holm(exact)
        | (_holm(norm.cdf(t)) & (drop >= 0.08)),
        "exact McNemar, Holm, or a loss of 10 points at 5 %": _holm(exact)
        | ((exact <= LEVEL) & (drop >= 0.1)),
        "the same with 5 points": _holm(exact) | ((exact <= LEVEL) & (drop >= 0.05)),
    }
    return {name: refused.any(axis=1) for name, refused in found.items()}


def passing(shop: Workshop, make: Callable[[int], Case], each: int) -> dict[str, float]:
    """The share of draws that pass the test overall and each test for characters."""
    passed: dict[str, list[float]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + CANDIDATES):
        case, dice = make(seed), np.random.default_rng([seed, each])
        after, before = shop.right(case.candidate), shop.right(case.current)
        sure = _of_label(shop, case.candidate) - _of_label(shop, case.current)
        drawn = [dice.choice(shop.rows[slug], (DRAWS, each)) for slug in shop.characters[:-1]]
        gained = np.stack([(after[rows] & ~before[rows]).sum(axis=1) for rows in drawn], axis=1)
        lost = np.stack([(before[rows] & ~after[rows]).sum(axis=1) for rows in drawn], axis=1)
        t = [sure[rows].mean(axis=1) / (sure[rows].std(axis=1, ddof=1) / each**0.5) for rows in drawn]
        totals = zip(gained.sum(axis=1).tolist(), lost.sum(axis=1).tolist(), strict=True)
        margin, count = -Margins().overall, each * len(drawn)
        overall = np.array([lower_bound(won, gone, count) > margin for won, gone in totals])
        for name, refused in refusals(gained, lost, np.stack(t, axis=1), each).items():
            passed.setdefault(name, []).append(float((overall & ~refused).mean()))
    return {name: float(np.mean(shares)) for name, shares in passed.items()}


def escaping(differing: float, count: int, points: float = 0.2, characters: int = 11) -> float:
    """How often a true loss on one of the characters escapes what the gate asks of them."""
    won = (differing - points) / 2
    draws = np.random.default_rng(0).multinomial(count, [won, won + points, 1 - 2 * won - points], 200_000)
    p = binom.sf(draws[:, 1] - 1, draws[:, 0] + draws[:, 1], 0.5)
    fell = (p <= LEVEL) & ((draws[:, 1] - draws[:, 0]) / count >= 0.1 - 1e-9)
    return float(1 - ((p <= LEVEL / characters) | fell).mean())


def main() -> None:
    """Print both tables of docs/training.md."""
    folder = os.environ.get("WHOSTHAT_PICTURES", "")
    if not folder:
        sys.exit("WHOSTHAT_PICTURES does not name the project's picture folder")
    console = Console(width=None if sys.stdout.isatty() else 200)
    with threadpool_limits(1):
        shop = Workshop(material(Path(folder), default_cache(), console.print, ()))
        makers = kinds(shop)
        found = {(kind, each): passing(shop, makers[kind][1], each) for kind in KINDS for each in SIZES}
    table = Table("test for each character", *(f"{kind}: {each}" for kind, each in found))
    for name in next(iter(found.values())):
        table.add_row(name, *(f"{shares[name]:.1%}" for shares in found.values()))
    console.print(table)
    sizes = (40, 60, 80, 100, 125, 150, 200)
    table = Table("differing", *map(str, sizes))
    for differing in (0.2, 0.3, 0.4):
        table.add_row(f"{differing:.0%}", *(f"{escaping(differing, count):.1%}" for count in sizes))
    console.print(table)


def _holm(p: Numbers) -> NDArray[np.bool_]:
    """Whether any is refused is all that is asked for, and that its first step decides."""
    return np.asarray(p <= LEVEL / p.shape[1])


def _of_label(shop: Workshop, model: Model) -> Numbers:
    log_p = log_softmax(model.logits[:, :-1])
    own = np.minimum(shop.labels, log_p.shape[1] - 1)  # of strangers it is not asked
    return np.asarray(np.exp(log_p[np.arange(len(log_p)), own]), np.float64)


if __name__ == "__main__":
    main()

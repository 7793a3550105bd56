"""Reach 2: a character that the model has never seen, from a few pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.memory.kernel import Constants
from tests.bench.learning_fit import SIZES, blended, right
from tests.bench.learning_material import Material, nobody, train_without
from tests.bench.learning_sights import Say


def new_character(
    seen: Material,
    seeds: int,
    constants: Constants,
    retrain: bool,
    say: Say,
    who: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Reach 2: each character left out of the head and of its training, then taught with 1 to 50 pictures.

    Compared: memory; a head trained anew with the same pictures (recipe *head*); the nearest remembered
    picture alone, from a similarity on that loses one point of the rest on the validation part.

    Args:
        who: these alone, by index.
    """
    train, validation, test = (seen.parts[name] for name in ("train", "validation", "test"))
    last = nobody(seen.slugs)
    rows: list[dict[str, Any]] = []
    for missing in range(last) if who is None else who:
        model = train_without(seen, missing, np.arange(len(train.z)))
        kept_of, asked, tuning = (
            model.see(train.z[train.labels == missing]),
            model.see(test.z),
            model.see(validation.z),
        )
        mine, rest = test.labels == missing, (test.labels != missing) & (test.labels != last)
        before = right(asked.p, test.labels)
        for size in SIZES:
            for seed in range(seeds):
                drawn = np.random.default_rng([missing, size, seed, 1]).permutation(len(kept_of.p))[:size]
                kept = kept_of.embedding[drawn]
                cosines = asked.embedding @ kept.T
                p = blended(asked.p, cosines, np.full(len(drawn), missing), constants)
                now = right(p, test.labels)
                told = 1 - p[:, last] >= model.calibration.known
                row: dict[str, Any] = {
                    "character": seen.slugs[missing],
                    "pictures": size,
                    "seed": seed,
                    "memory": float(now[mine].mean()),
                    "memory, told": float((now & told)[mine].mean()),
                    "memory lost": float(before[rest].mean() - now[rest].mean()),
                }
                others = (validation.labels != missing) & (validation.labels != last)
                near = (tuning.embedding @ kept.T).max(axis=1)
                was = right(tuning.p, validation.labels)
                level = _level(near[others], was[others], 0.01)
                taken = cosines.max(axis=1) >= level
                row["nearest"] = float(taken[mine].mean())
                row["nearest lost"] = float((before & taken)[rest].mean())
                if retrain and seed < 2:
                    extra = train.z[np.flatnonzero(train.labels == missing)[drawn]]
                    anew = train_without(seen, missing, np.arange(len(train.z)), extra).see(test.z)
                    hit = right(anew.p, test.labels)
                    row["retrained"] = float(hit[mine].mean())
                    row["retrained lost"] = float(before[rest].mean() - hit[rest].mean())
                rows.append(row)
        five = [
            row["memory"] for row in rows if row["character"] == seen.slugs[missing] and row["pictures"] == 5
        ]
        say(f"{seen.slugs[missing]}: with 5 pictures {np.mean(five):.3f}")
    return {"backbone": seen.bundle, "curve": curve_of(rows, SIZES), "rows": rows}


def curve_of(rows: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> dict[int, dict[str, float]]:
    """By number of pictures the means over characters and draws."""
    names = [key for key in rows[0] if key not in ("character", "pictures", "seed")]
    return {
        size: {
            name: float(np.mean([row[name] for row in rows if row["pictures"] == size and name in row]))
            for name in names
        }
        for size in sizes
    }


def _level(near: NDArray[np.floating], was: NDArray[np.bool_], lost: float) -> float:
    """The similarity from which on taking a picture over loses at most that share of right answers."""
    order = np.argsort(-near, kind="stable")
    gone = np.cumsum(was[order]) / len(near)
    within = np.flatnonzero(gone <= lost)
    return float(near[order][within[-1]]) if len(within) else float("inf")

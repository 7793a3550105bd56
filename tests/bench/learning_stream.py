"""Reach 3: corrections one after the other, some of them wrong, and floods of wrong ones."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.memory.engine import Engine
from bot.memory.kernel import Constants
from bot.memory.types import Entry
from tests.bench.learning_fit import blended, floods, right
from tests.bench.learning_material import Material, nobody, softmax
from tests.bench.learning_sights import Say, sights, slugs_of
from training.measuring import calibration_floor, expected_calibration_error

CHECKPOINTS = (0, 25, 50, 100, 200, 300, 400, 500)
CALIBRATED = (0, 50, 200, 500)
"""After so many corrections it is looked at how honest the probabilities are; 0 is the model alone."""


def run_of_corrections(seen: Material, seeds: int, constants: Constants, say: Say) -> dict[str, Any]:
    """Reach 3: 500 pictures of the test part named one by one, 5 % wrongly; the untouched rest is asked.

    Two runs: people name whatever is posted; or only what was answered wrongly, which is all that a
    correction is (its wrong ones then are right answers that somebody spoils). Calibration is measured in the
    first, where what is left untouched is drawn by lot: the error of the probability of what is likeliest,
    nobody among it, and what it would be, were the probabilities perfectly honest (mean, 95 of 100 below).
    """
    every = sights(seen, "test")
    test, last = seen.parts["test"], nobody(seen.slugs)
    p0 = softmax(test.logits / seen.calibration.temperature)
    before = right(p0, test.labels)
    result: dict[str, Any] = {}
    for kind in ("whatever is posted", "wrong answers"):
        change: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        ends: list[float] = []
        errors: dict[int, list[list[float]]] = defaultdict(list)
        for seed in range(seeds):
            dice = np.random.default_rng([seed, 3])
            order = dice.permutation(len(every))
            touched = (
                order[:500]
                if kind == "whatever is posted"
                else _mostly_wrong(order, before, test.labels, last)
            )
            free = np.setdiff1d(order, touched)
            free = free[~np.isin(test.groups[free], test.groups[touched])]
            people = free[test.labels[free] != last]
            said = test.labels[touched].copy()
            wrong = dice.random(len(touched)) < 0.05
            said[wrong] = dice.integers(0, last, wrong.sum())
            cosines = test.embedding[free] @ test.embedding[touched].T
            for mark in sorted({min(mark, len(touched)) for mark in CHECKPOINTS}):
                p = blended(p0[free], cosines[:, :mark], said[:mark], constants) if mark else p0[free]
                now = right(p, test.labels[free])
                for index, row in enumerate(free.tolist()):
                    if test.labels[row] != last:
                        change[mark][row].append(float(now[index]) - float(before[row]))
                if mark in CALIBRATED:
                    top, hit = p.max(axis=1), p.argmax(axis=1) == test.labels[free]
                    errors[mark].append([expected_calibration_error(top, hit), *calibration_floor(top)])
            ends.append(float(now[np.isin(free, people)].mean() - before[people].mean()))
            if seed == 0:  # the engine itself says the same as the arrays
                engine = Engine(100_000, constants)
                for number, row in enumerate(touched.tolist()):
                    slug = slugs_of(seen.slugs[said[number]])
                    engine.put(Entry(row, 0, 1, slug, every[row].near_key, b"", test.embedding[row], True))
                for index in range(0, len(free), 10):
                    got = engine.recall(1, every[free[index]]).answer
                    one = seen.slugs[int(p[index, :last].argmax())]
                    assert got.character == one, (got.character, one)
        points = {}
        for mark, by_row in change.items():
            means = np.array([np.mean(each) for each in by_row.values()])
            bound = means.mean() - 1.645 * means.std(ddof=1) / np.sqrt(len(means)) if len(means) else 0.0
            points[mark] = [float(means.mean()), float(bound)]
        result[kind] = {
            "start": float(before[test.labels != last].mean()),
            "points": points,
            "end by seed": ends,
        }
        if kind == "whatever is posted":
            result[kind]["calibration"] = {
                mark: np.mean(each, axis=0).tolist() for mark, each in errors.items()
            }
        low = min(each[1] for each in points.values())
        say(f"{kind}: {points[max(points)][0]:+.4f}, one-sided 95 % bound {low:+.4f}")
    return result


def flooded(seen: Material, constants: Constants) -> dict[str, Any]:
    """10,000 wrong corrections of one person that all got through: what the answers lose."""
    train, test, last = seen.parts["train"], seen.parts["test"], nobody(seen.slugs)
    p0 = softmax(test.logits / seen.calibration.temperature)
    dice = np.random.default_rng(0)
    rows = np.resize(np.arange(len(train.labels)), 10_000)
    noise = 0.02 * dice.standard_normal((len(rows), train.embedding.shape[1]))
    kept = np.asarray(train.embedding[rows] + noise, np.float32)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    cosines = test.embedding @ kept.T
    people = test.labels != last
    before = right(p0, test.labels)
    told = before & (1 - p0[:, last] >= seen.calibration.known)
    names = ("at random", "each for the next", "all one character", "all another character", "all nobody")
    result = {}
    for name, said in zip(names, floods(train.labels[rows], last), strict=True):
        p = blended(p0, cosines, said, constants)
        now = right(p, test.labels)
        still = now & (1 - p[:, last] >= seen.calibration.known)
        result[name] = [
            float(now[people].mean() - before[people].mean()),
            float(still[people].mean() - told[people].mean()),
        ]
    wide = np.concatenate([p0[:, :last], np.zeros((len(p0), 1), np.float32), p0[:, last:]], axis=1)
    p = blended(wide, cosines, np.full(len(rows), last), constants)
    result["all a character that is new"] = [
        float((p[:, : last + 1].argmax(axis=1) == test.labels)[people].mean() - before[people].mean()),
        float(
            ((p[:, : last + 1].argmax(axis=1) == test.labels) & (1 - p[:, -1] >= seen.calibration.known))[
                people
            ].mean()
            - told[people].mean()
        ),
    ]
    return result


def _mostly_wrong(
    order: NDArray[np.int64], before: NDArray[np.bool_], labels: NDArray[np.int64], last: int
) -> NDArray[np.int64]:
    wrong = order[~before[order] & (labels[order] != last)]
    return np.asarray(
        wrong[: len(wrong) * 2 // 3]
    )  # so that some wrongly answered are left among the untouched

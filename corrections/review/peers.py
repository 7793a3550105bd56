"""What people's votes say of one another, where no moderator has looked: a bounded, one-coin EM.

As in Dawid and Skene (1979), what a picture shows and who is right how often are estimated in turns, at most
`ROUNDS` times, beginning with what moderators confirmed. Unlike there, a vote is compared with what the
*others* say of the picture, only where they are clear without it, and what a person gains by it is limited
(`MOST_COMPARED`, `MOST_SAME`): a few friends cannot make one another trusted by naming one character.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from corrections.review.agreement import Record, accuracy, key_of
from corrections.review.types import Labels

ROUNDS = 5
CLEAR = 0.9
"""How probable others' answer must be without a person before that person is compared with it."""

MOST_COMPARED = 50.0
"""Comparisons that count for a person; more are scaled down to as many."""

MOST_SAME = 8.0
"""Of these, comparisons for one and the same label set."""

RECENT = 20
"""Votes of a person, the newest, in which a burst is looked for."""

BURST, BURST_TOGETHER = 5, 8
"""Votes against clear others for one label set that make a burst of one person, and of several together."""

TOGETHER = 3
"""How many several are."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Heard:
    """One vote on a case that no moderator has looked at; ``order`` grows with time."""

    case: int
    person: int
    labels: Labels
    order: int


@dataclass(frozen=True, slots=True)
class Peers:
    """What others' votes say of a person: see `Record`."""

    compared: float = 0.0
    matched: float = 0.0
    bursts: Mapping[str, float] = field(default_factory=dict)


def compare(votes: Sequence[Heard], records: Mapping[int, Record]) -> dict[int, Peers]:
    """Compare people's votes with one another.

    Args:
        votes: one a person a case.
        records: what moderators know of everybody who voted; what is in them of others' votes is left out.

    Returns:
        By person what others' votes say, for everybody in ``records``.
    """
    if not votes:
        return {person: Peers() for person in records}
    table = _Table(votes, records)
    known = [replace(records[person], compared=0.0, matched=0.0, bursts={}) for person in table.people]
    weights = np.array([_log_odds(each) for each in known])
    for _ in range(ROUNDS):
        clear, same = table.others(weights)
        compared, matched = table.limited(clear, same)
        weights = np.array(
            [
                _log_odds(replace(each, compared=float(n), matched=float(m)))
                for each, n, m in zip(known, compared, matched, strict=True)
            ]
        )
    bursts = table.bursts(clear & ~same)
    found = {
        person: Peers(round(float(n), 2), round(float(m), 2), bursts.get(person, {}))
        for person, n, m in zip(table.people, compared, matched, strict=True)
    }
    return {person: found.get(person, Peers()) for person in records}


class _Table:
    """The votes as arrays: who, in which case, for which of the case's label sets."""

    def __init__(self, votes: Sequence[Heard], records: Mapping[int, Record]) -> None:
        self.people = sorted({vote.person for vote in votes} & set(records))
        person = {each: n for n, each in enumerate(self.people)}
        votes = [vote for vote in votes if vote.person in person]
        self.keys = sorted({key_of(vote.labels) for vote in votes})
        key = {each: n for n, each in enumerate(self.keys)}
        self.person: Numbers = np.array([person[vote.person] for vote in votes], dtype=np.int64)
        self.label: Numbers = np.array([key[key_of(vote.labels)] for vote in votes], dtype=np.int64)
        _, case = np.unique(np.array([vote.case for vote in votes]), return_inverse=True)
        sides, self.side = np.unique(case * len(self.keys) + self.label, return_inverse=True)
        self.case_of_side: Numbers = sides // len(self.keys)
        self.count = np.bincount(self.side)
        self.first = np.searchsorted(self.case_of_side, np.arange(case.max() + 1))
        self.case: Numbers = case
        self.recent = _newest(self.person, np.array([vote.order for vote in votes]))

    def others(self, weights: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of each vote whether the others are clear without it, and whether it says what they say."""
        own = weights[self.person]
        sums = np.bincount(self.side, own)
        order = np.lexsort((-sums, self.case_of_side))  # of each case the best side first
        best_side = order[self.first]
        is_top = np.zeros(len(sums), dtype=bool)
        is_top[best_side] = True
        below = np.where(is_top, -np.inf, sums)
        best, second = sums[best_side], np.maximum.reduceat(below, self.first)
        # Without a vote for the best side, another may be best: each has its own scale, for exactness.
        scale = np.where(is_top, np.maximum(0.0, second)[self.case_of_side], 0.0)
        scale = np.where(is_top, scale, np.maximum(0.0, best)[self.case_of_side])
        with_best = np.exp(sums - np.maximum(0.0, best)[self.case_of_side])
        without = np.exp(below - np.maximum(0.0, second)[self.case_of_side])
        others = np.where(
            is_top,
            np.add.reduceat(without, self.first)[self.case_of_side],
            np.add.reduceat(with_best, self.first)[self.case_of_side] - with_best,
        )
        elsewhere = np.where(is_top, second[self.case_of_side], best[self.case_of_side])[self.side]
        left = np.where(self.count[self.side] == 1, -np.inf, sums[self.side] - own)
        shift = np.maximum(scale[self.side], left)
        total = others[self.side] * np.exp(scale[self.side] - shift) + np.exp(left - shift) + np.exp(-shift)
        clear = np.exp(np.maximum(left, elsewhere) - shift) >= (CLEAR - 1e-9) * total  # rounding aside
        return clear, left > elsewhere

    def limited(self, clear: NDArray[np.bool_], same: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """By person how many comparisons count, and how many of them match."""
        pairs, pair = np.unique(self.person * len(self.keys) + self.label, return_inverse=True)
        compared = np.bincount(pair, clear.astype(np.float64))
        matched = np.bincount(pair, (clear & same).astype(np.float64))
        share = np.minimum(1.0, MOST_SAME / np.maximum(compared, 1e-9))
        who = pairs // len(self.keys)
        of_person: Floats = np.bincount(who, compared * share, len(self.people)).astype(np.float64)
        right: Floats = np.bincount(who, matched * share, len(self.people)).astype(np.float64)
        kept = np.minimum(1.0, MOST_COMPARED / np.maximum(of_person, 1e-9))
        return of_person * kept, right * kept

    def bursts(self, against: NDArray[np.bool_]) -> dict[int, dict[str, float]]:
        """By person and label set what their votes for it are still worth."""
        mine = self.person[self.recent] * len(self.keys) + self.label[self.recent]
        pairs, pair = np.unique(mine, return_inverse=True)
        named = np.bincount(pair)
        contradicted = np.bincount(pair, against[self.recent].astype(np.float64))
        found: defaultdict[int, dict[str, float]] = defaultdict(dict)
        pushing: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for code, n, c in zip(pairs.tolist(), named.tolist(), contradicted.tolist(), strict=True):
            person, label = divmod(code, len(self.keys))
            if c >= 2 and 2 * c >= n:
                pushing[label].append((person, n, int(c)))
                if c >= BURST:
                    found[self.people[person]][self.keys[label]] = round(1 - c / n, 3)
        for label, group in pushing.items():
            total, contra = sum(n for _, n, _ in group), sum(c for _, _, c in group)
            if len(group) >= TOGETHER and contra >= BURST_TOGETHER:
                for person, _, _ in group:
                    worth = round(1 - contra / total, 3)
                    mine_now = found[self.people[person]]
                    mine_now[self.keys[label]] = min(worth, mine_now.get(self.keys[label], 1.0))
        return dict(found)


def _log_odds(record: Record) -> float:
    right = accuracy(record)
    return math.log(right / (1 - right))


def _newest(person: Numbers, order: Numbers) -> NDArray[np.bool_]:
    """Of each vote whether it is among its person's newest."""
    by = np.lexsort((-order, person))
    sorted_people = person[by]
    first = np.searchsorted(sorted_people, sorted_people)
    recent = np.zeros(len(person), dtype=bool)
    recent[by] = np.arange(len(person)) - first < RECENT
    return recent

"""When enough people say the same: the rule of docs/reviewing.md as pure functions.

Each person's voice weighs the log-odds of how often they are right, and a case's label sets are weighed
against one another as in the one-coin model of Dawid and Skene (Maximum Likelihood Estimation of Observer
Error-Rates, 1979; in this form Raykar et al., Learning From Crowds, JMLR 2010, section 2): the probability of
a label set is the softmax of the sums of the weights behind each, beside *something else*, which has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from corrections.review.types import Labels, Opinion

PRIOR_JUDGED, PRIOR_CONFIRMED = 6.0, 5.1
"""What is assumed of somebody nobody has judged: as if 5.1 of 6 votes had been confirmed (85 %)."""

NEW_JUDGED, NEW_CONFIRMED = 6.0, 4.2
"""The same for newcomers (70 %)."""


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """What the operator chose, see ``[review]`` of the settings."""

    quorum: int = 3
    certainty: float = 0.99
    newcomer_days: int = 3
    auto_approve: Literal["never", "agreed"] = "never"

    @property
    def voices(self) -> int:
        """People who have to say the same: never one alone."""
        return max(2, self.quorum)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a person in a community: votes that moderators judged, and how many they confirmed."""

    judged: int = 0
    confirmed: int = 0
    new: bool = False


@dataclass(frozen=True, slots=True)
class Weighed:
    """What people's votes on one case come to; ``opinions`` begin with the one that most weight is behind."""

    opinions: tuple[Opinion, ...]
    leading: Labels | None
    probability: float
    voters: int
    agreed: bool


def accuracy(record: Record) -> float:
    """How often a person is right, estimated: smoothed toward what is assumed of somebody unknown."""
    judged, confirmed = (NEW_JUDGED, NEW_CONFIRMED) if record.new else (PRIOR_JUDGED, PRIOR_CONFIRMED)
    return (record.confirmed + confirmed) / (record.judged + judged)


def weight(record: Record) -> float:
    """The log-odds of `accuracy`: negative for somebody who is mostly wrong."""
    right = accuracy(record)
    return math.log(right / (1 - right))


def weigh(voices: Iterable[tuple[Labels, float]], rules: ReviewRules) -> Weighed:
    """Weigh the label sets of one case against one another.

    Args:
        voices: of each person what they say and their weight.
        rules: quorum and certainty.
    """
    people: dict[Labels, int] = {}
    behind: dict[Labels, int] = {}
    sums: dict[Labels, float] = {}
    for labels, each in voices:
        people[labels] = people.get(labels, 0) + 1
        behind[labels] = behind.get(labels, 0) + (each > 0)
        sums[labels] = sums.get(labels, 0.0) + each
    order = sorted(sums, key=lambda labels: (-sums[labels], -people[labels], labels))
    opinions = tuple(Opinion(labels, people[labels], sums[labels]) for labels in order)
    if not order:
        return Weighed((), None, 0.0, 0, agreed=False)
    most = max(0.0, sums[order[0]])
    total = math.exp(-most) + sum(math.exp(value - most) for value in sums.values())
    probability = math.exp(sums[order[0]] - most) / total
    agreed = behind[order[0]] >= rules.voices and probability >= rules.certainty
    return Weighed(opinions, order[0], probability, sum(people.values()), agreed)

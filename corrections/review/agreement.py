"""When enough people say the same: the rule of docs/reviewing.md as pure functions.

Each person's voice weighs the log-odds of how often they are right, and a case's label sets are weighed
against one another as in the one-coin model of Dawid and Skene (Maximum Likelihood Estimation of Observer
Error-Rates, 1979; in this form Raykar et al., Learning From Crowds, JMLR 2010, section 2): the probability of
a label set is the softmax of the sums of the weights behind each, beside *something else*, which has none.
How often somebody is right is estimated from moderators' decisions and, up to a limit, from what others say
of the same pictures, see `corrections.review.peers`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from corrections.review.types import Labels, Opinion

PRIOR_VOTES, PRIOR_RIGHT = 6.0, 4.8
"""What is assumed of somebody unknown: as if 4.8 of 6 votes had been right (80 %)."""

NEW_VOTES, NEW_RIGHT = 6.0, 3.6
"""The same for newcomers (60 %)."""

LEAST, MOST = 0.02, 0.98
"""Nobody counts as right less or more often than this."""


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
    """What is known of a person in a community.

    ``judged`` of their votes a moderator has looked at and ``confirmed`` so many; ``compared`` others were
    clear about, and ``matched`` so many. ``bursts``: by label set (`key_of`) what their votes for it are
    still worth, from 0 to 1, because they name it again and again against what others say.
    """

    judged: int = 0
    confirmed: int = 0
    new: bool = False
    compared: float = 0.0
    matched: float = 0.0
    bursts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What people's votes on one case come to; ``opinions`` begin with the one that most weight is behind."""

    opinions: tuple[Opinion, ...]
    leading: Labels | None
    probability: float
    voters: int
    agreed: bool


def key_of(labels: Labels) -> str:
    """A label set as text."""
    return "+".join(labels)


def accuracy(record: Record) -> float:
    """How often a person is right, estimated: smoothed toward what is assumed of somebody unknown.

    What others say of a newcomer's pictures does not count yet: several accounts that somebody makes at once
    could confirm one another.
    """
    votes, right = (NEW_VOTES, NEW_RIGHT) if record.new else (PRIOR_VOTES, PRIOR_RIGHT)
    if not record.new:
        votes, right = votes + record.compared, right + record.matched
    return min(MOST, max(LEAST, (record.confirmed + right) / (record.judged + votes)))


def weight(record: Record, labels: Labels = ()) -> float:
    """The log-odds of `accuracy`, less in a burst: negative for somebody who is mostly wrong."""
    right = accuracy(record)
    odds = math.log(right / (1 - right))
    return odds * record.bursts.get(key_of(labels), 1.0) if odds > 0 else odds


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

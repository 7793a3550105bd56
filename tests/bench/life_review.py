"""The people in `tests.bench.life`: who votes what, and the review of it as days go by.

`Desk` is the ledger's rule in memory, as `tests.bench.crowd.review` is, but fed picture by picture: with
everything at once it decides and exports the very same (a test compares them, and `make bench-review`
compares that with a real ledger).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from corrections.review.agreement import Record, ReviewRules, Weighed, weigh, weight
from corrections.review.peers import Heard, compare
from corrections.review.priority import priority
from corrections.review.rescoring import Stored, differs, with_peers
from corrections.review.scores import rarest
from corrections.review.types import Guess, Labels
from model.types import Answer
from tests.bench.crowd import EVERY, MODERATOR

PEOPLE, EACH = 60, 5
"""How many people there are, and how many of them speak of a picture."""
RIGHT = 0.85
"""How often each of them is right."""
MISLED = 0.5
"""How often somebody who errs says the likeliest wrong name that the bot put before them; else any other."""

Vote = tuple[int, str]
"""Who, and which character."""


def votes_on(
    true: str, answer: Answer, characters: Sequence[str], luck: random.Random, each: int = EACH
) -> tuple[Vote, ...]:
    """What so many different people say of one picture, in the order in which they say it."""
    tempting = next(ranked.character for ranked in answer.ranked if ranked.character != true)
    others = [slug for slug in characters if slug != true]

    def said() -> str:
        if luck.random() < RIGHT:
            return true
        return tempting if luck.random() < MISLED else luck.choice(others)

    return tuple((person, said()) for person in luck.sample(range(PEOPLE), each))


def decision(true: str, characters: Sequence[str], luck: random.Random) -> str:
    """What the moderator says of a picture."""
    return true if luck.random() < MODERATOR else luck.choice([slug for slug in characters if slug != true])


def guess_of(answer: Answer) -> Guess:
    """The bot's answer as the queue sees it."""
    return Guess(
        prediction_id=1,
        character=answer.character,
        verdict=answer.verdict,
        confidence=answer.confidence,
        known=answer.known,
        ranked=answer.ranked[:10],
        bundle="bench",
    )


@dataclass
class Desk:
    """Open cases, what was ``decided`` by the moderator (in that order) and what was ``agreed`` in bulk."""

    rules: ReviewRules
    decided: dict[int, str] = field(default_factory=dict)
    agreed: dict[int, str] = field(default_factory=dict)
    _votes: dict[int, tuple[Vote, ...]] = field(default_factory=dict)
    _guesses: dict[int, Guess] = field(default_factory=dict)
    _stored: dict[int, tuple[Stored, float]] = field(default_factory=dict)
    _records: dict[int, Record] = field(default_factory=dict)
    _approved: Counter[str] = field(default_factory=Counter)

    @property
    def approved(self) -> Mapping[int, str]:
        """By case what may be learned from."""
        return {**self.decided, **self.agreed}

    @property
    def open(self) -> list[int]:
        """Cases that wait."""
        return [case for case in self._votes if case not in self.decided and case not in self.agreed]

    def post(self, case: int, guess: Guess, votes: Sequence[Vote]) -> None:
        """A picture that the bot answered, and what people said of it; ``case`` grows with time."""
        self._votes[case], self._guesses[case] = tuple(votes), guess
        for person, _ in votes:
            self._records.setdefault(person, Record())
        self._stored[case] = self._score(case)

    def moderate(self, count: int, decide: Callable[[int], str]) -> None:
        """The moderator decides so many cases, those that the queue puts first."""
        for done in range(count):
            if done % EVERY == 0:
                self.rescore()
            waiting = self.open
            if not waiting:
                break
            case = min(waiting, key=lambda each: (-self._stored[each][1], each))
            label = self.decided[case] = decide(case)
            self._approved[label] += 1
            for person, said in self._votes[case]:
                old = self._records[person]
                right = old.confirmed + (said == label)
                self._records[person] = replace(old, judged=old.judged + 1, confirmed=right)

    def approve_agreed(self) -> int:
        """Bulk approval of what enough people agree on; how many cases."""
        self.rescore()
        before = len(self.agreed)
        for case in self.open:
            weighed = self._weigh(case)
            if weighed.agreed and weighed.leading:
                self.agreed[case] = weighed.leading[0]
                self._approved[weighed.leading[0]] += 1
        return len(self.agreed) - before

    def rescore(self) -> None:
        """What the bot does beside, seconds after votes and decisions; what was agreed is still compared."""
        votes = [
            Heard(case, person, (label,), EACH * case + place)
            for case, said in self._votes.items()
            if case not in self.decided
            for place, (person, label) in enumerate(said)
        ]
        bare = {person: Record(each.judged, each.confirmed) for person, each in self._records.items()}
        self._records = with_peers(bare, compare(votes, bare))
        for case in self.open:
            if differs(self._stored[case][0], self._weigh(case)):
                self._stored[case] = self._score(case)

    def _weigh(self, case: int) -> Weighed:
        voices: list[tuple[Labels, float]] = [
            ((label,), weight(self._records[person], (label,))) for person, label in self._votes[case]
        ]
        return weigh(voices, self.rules)

    def _score(self, case: int) -> tuple[Stored, float]:
        weighed = self._weigh(case)
        _, worth = priority(weighed, self._guesses[case], rarest(weighed.leading, self._approved))
        return Stored(case, "open", weighed.leading, weighed.probability, weighed.agreed), worth

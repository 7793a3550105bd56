"""The crowd of `make bench-review`, and the review of what it says: in memory, by the ledger's own rule.

The world is the one that the issue names: honest voters are right in 95 % of their votes, a quarter of the
people are careless and right in half of theirs (errors go anywhere), a tenth are hostile and all say the same
wrong name. A moderator who is right in 99 % decides the cases that the queue puts first.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from corrections.review.agreement import Record, ReviewRules, weigh, weight
from corrections.review.peers import Heard, compare
from corrections.review.priority import priority
from corrections.review.rescoring import Stored, differs, with_peers
from corrections.review.scores import rarest
from corrections.review.types import Guess, Labels
from model.types import Ranked, Verdict

CHARACTERS = (
    *("black-widow", "captain-america", "doctor-strange", "hawkeye", "hulk", "iron-man"),
    *("loki", "scarlet-witch", "spider-man", "thanos", "thor"),
)
HONEST, CARELESS, MODERATOR = 0.95, 0.5, 0.99
CARELESS_SHARE, HOSTILE_SHARE = 0.25, 0.1
FIRST = 0.2
"""Share of the cases that the moderator decides."""

EVERY = 20
"""Decisions between two times that the cases are brought up to date, as the bot does every few seconds."""

# A bot that knows nothing: it neither helps the queue nor misleads it.
GUESS = Guess(
    prediction_id=1,
    character=CHARACTERS[0],
    verdict=Verdict.UNSURE,
    confidence=0.3,
    known=0.9,
    ranked=(Ranked(CHARACTERS[0], 0.3), Ranked(CHARACTERS[1], 0.3)),
    bundle="bench",
)


@dataclass(frozen=True)
class World:
    """What is true, and by case who says what, in the order in which it is said."""

    truth: tuple[str, ...]
    votes: tuple[tuple[tuple[int, str], ...], ...]
    people: int
    seed: int

    def moderator(self) -> random.Random:
        """The moderator's luck, the same whoever asks."""
        return random.Random(f"moderator {self.seed}")

    def decision(self, luck: random.Random, case: int) -> str:
        """What the moderator says of a case."""
        true = self.truth[case]
        return true if luck.random() < MODERATOR else luck.choice([c for c in CHARACTERS if c != true])


def world(seed: int, people: int, cases: int = 1000, each: int = 5) -> World:
    """A crowd and what it says; every case has ``each`` different people."""
    luck = random.Random(seed)
    hostile, careless = round(people * HOSTILE_SHARE), round(people * CARELESS_SHARE)
    roles = ["hostile"] * hostile + ["careless"] * careless
    roles += ["honest"] * (people - len(roles))
    luck.shuffle(roles)
    pushed = luck.choice(CHARACTERS)
    truth = tuple(luck.choice(CHARACTERS) for _ in range(cases))
    # Where the name that they push is the right one, the hostile agree on the next: they are never right.
    beside = CHARACTERS[(CHARACTERS.index(pushed) + 1) % len(CHARACTERS)]

    def said(person: int, true: str) -> str:
        if roles[person] == "hostile":
            return pushed if pushed != true else beside
        right = HONEST if roles[person] == "honest" else CARELESS
        return true if luck.random() < right else luck.choice([c for c in CHARACTERS if c != true])

    votes = tuple(
        tuple((person, said(person, true)) for person in luck.sample(range(people), each)) for true in truth
    )
    return World(truth, votes, people, seed)


@dataclass(frozen=True)
class Outcome:
    """By case what is exported: ``decided`` by the moderator, in that order, and ``agreed`` by people."""

    decided: Mapping[int, str]
    agreed: Mapping[int, str]

    def exported(self, given: World) -> float:
        """Share of the cases."""
        return (len(self.decided) + len(self.agreed)) / len(given.truth)

    def wrong(self, given: World) -> float:
        """Share of what is exported."""
        both = {**self.decided, **self.agreed}
        return sum(label != given.truth[case] for case, label in both.items()) / max(1, len(both))


def review(given: World, rules: ReviewRules, first: float = FIRST) -> Outcome:
    """What the ledger does with all this, by its own functions, without a database."""
    records = {person: Record() for person in range(given.people)}
    judged: Counter[int] = Counter()
    confirmed: Counter[int] = Counter()
    approved: Counter[str] = Counter()
    decided: dict[int, str] = {}
    stored = {case: _score(case, given, records, rules, approved) for case in range(len(given.truth))}
    luck = given.moderator()
    while True:
        # what the bot's process does beside
        waiting = [case for case in stored if case not in decided]
        votes = [
            Heard(case, person, (label,), 5 * case + n)
            for case in waiting
            for n, (person, label) in enumerate(given.votes[case])
        ]
        bare = {person: Record(judged[person], confirmed[person]) for person in records}
        records = with_peers(bare, compare(votes, bare))
        for case in waiting:
            if differs(stored[case][0], _weigh(case, given, records, rules)):
                stored[case] = _score(case, given, records, rules, approved)
        for _ in range(EVERY):
            if len(decided) >= first * len(given.truth):
                break
            case = min((case for case in stored if case not in decided), key=lambda c: (-stored[c][1], c))
            label = decided[case] = given.decision(luck, case)
            approved[label] += 1
            for person, said in given.votes[case]:
                judged[person] += 1
                confirmed[person] += said == label
                records[person] = replace(records[person], judged=judged[person], confirmed=confirmed[person])
        else:
            continue
        break
    # bulk approval brings everything up to date once more
    waiting = [case for case in stored if case not in decided]
    votes = [
        Heard(case, person, (label,), 5 * case + n)
        for case in waiting
        for n, (person, label) in enumerate(given.votes[case])
    ]
    bare = {person: Record(judged[person], confirmed[person]) for person in records}
    records = with_peers(bare, compare(votes, bare))
    agreed = {}
    for case in waiting:
        weighed = _weigh(case, given, records, rules)
        if weighed.agreed and weighed.leading:
            agreed[case] = weighed.leading[0]
    return Outcome(decided, agreed)


def _weigh(case: int, given: World, records: Mapping[int, Record], rules: ReviewRules):  # type: ignore[no-untyped-def]
    voices: list[tuple[Labels, float]] = [
        ((label,), weight(records[person], (label,))) for person, label in given.votes[case]
    ]
    return weigh(voices, rules)


def _score(
    case: int,
    given: World,
    records: Mapping[int, Record],
    rules: ReviewRules,
    approved: Mapping[str, int],
) -> tuple[Stored, float]:
    weighed = _weigh(case, given, records, rules)
    _, worth = priority(weighed, GUESS, rarest(weighed.leading, approved))
    return Stored(case, "open", weighed.leading, weighed.probability, weighed.agreed), worth


def peers_of_the_rule(given: World, decided: Mapping[int, str]) -> dict[str, dict[int, str]]:
    """Plain majority vote and Dawid–Skene (crowd-kit's), alone and with the moderator's decisions put in."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene, MajorityVote

    rows = [(case, person, label) for case, votes in enumerate(given.votes) for person, label in votes]
    table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    found: dict[str, dict[int, str]] = {}
    for name, method in (("majority vote", MajorityVote()), ("Dawid-Skene", DawidSkene(n_iter=100))):
        labels: Sequence[str] = method.fit_predict(table).to_dict()
        found[name] = dict(labels)
        found[f"{name} + moderator"] = {**found[name], **decided}
    return found

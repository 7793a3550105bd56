"""One life of the bot in `tests.bench.life`: pictures are posted, people speak, at times it retrains."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from corrections.review.agreement import ReviewRules
from model.answering import answer
from model.types import NOBODY
from tests.bench.life_model import Model, learn
from tests.bench.life_pictures import NOISY, World
from tests.bench.life_review import Desk, decision, guess_of, votes_on
from training.answers import answers_of
from training.gating import Scores, gate
from training.measuring import expected_calibration_error
from training.parts import Parts, parts_of
from training.pictures import Picture
from training.recipes.head import Recipe

EVERY = 200
"""Corrections between two retrainings; a correction is a picture that people spoke of."""
DECIDED = 40
"""Of these so many are decided by the moderator, from the beginning of the queue."""

Step = Callable[[str], None]


@dataclass(frozen=True)
class Rules:
    """``people``: labels are what the review makes of votes, else the folder's own, all of them."""

    people: bool = True
    every: int = EVERY
    decided: int = DECIDED
    review: ReviewRules = field(default_factory=ReviewRules)
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Figures:
    """How often a model is right on untouched pictures: the noisy source's, of characters that the first
    model knows and of others, and the other sources'. ``calibration_error`` is on the noisy ones."""

    noisy: float
    known: float
    new: float
    others: float
    calibration_error: float
    wrong_and_sure: float


@dataclass(frozen=True)
class Point:
    """After so many corrections: ``exported`` of them, so many ``wrong`` by the folder's labels.

    ``served`` is what the bot says from now on, ``candidate`` what was trained, whether or not it was
    ``promoted``. All four are empty for the first model but ``served``.
    """

    corrections: int
    served: Figures
    candidate: Figures | None = None
    exported: int = 0
    wrong: int = 0
    promoted: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)


def begin(world: World, recipe: Recipe, seed: int) -> tuple[Model, Parts]:
    """The first model: the operator's pictures, without the noisy source."""
    parts = parts_of([world.own], (), key=_no_key, seed=seed)
    return learn(parts, world.seen, None, recipe, seed, "first"), parts


def live(world: World, first: Model, rules: Rules, seed: int, step: Step) -> Iterator[Point]:
    """From the first model on, a point for every retraining.

    Args:
        step: told what is being done, once for every retraining.
    """
    order = list(world.posted)
    random.Random(f"order {seed}").shuffle(order)
    characters = sorted({picture.slug for picture in (*world.own, *world.posted)} - {NOBODY})
    talk, luck = random.Random(f"votes {seed}"), random.Random(f"moderator {seed}")
    known, serving, desk = set(first.info.characters), first, Desk(rules.review)
    yield Point(0, measure(first, world, known))
    for end in range(rules.every, len(order) + 1, rules.every):
        step(f"seed {seed}: {end} corrections")
        for case in range(end - rules.every, end):
            picture = order[case]
            said = answer(serving.logits(world.seen.of([picture]))[0].tolist(), serving.info)
            if rules.people:
                desk.post(case, guess_of(said), votes_on(picture.slug, said, characters, talk))
        if rules.people:
            desk.moderate(rules.decided, lambda case: decision(order[case].slug, characters, luck))
            desk.approve_agreed()
            labels = desk.approved
        else:
            labels = {case: order[case].slug for case in range(end)}
        exported = [
            replace(order[case], slug=slug, name=slug, source="corrections") for case, slug in labels.items()
        ]
        candidate = retrain(world, first, exported, rules.recipe, seed, f"{seed}-{end}")
        refused = judge(world, candidate, serving, exported)
        if not refused:
            serving = candidate
        yield Point(
            end,
            measure(serving, world, known),
            measure(candidate, world, known),
            len(exported),
            sum(slug != order[case].slug for case, slug in labels.items()),
            not refused,
            refused,
        )


def retrain(
    world: World, first: Model, exported: Sequence[Picture], recipe: Recipe, seed: int, name: str
) -> Model:
    """As ``whosthat retrain`` does: from the base that the settings name, on both folders."""
    known = [(slug, slug) for slug in first.info.characters]
    parts = parts_of([[*world.own, *exported]], known, key=_no_key, seed=seed)
    return learn(parts, world.seen, first, recipe, seed, name)


def judge(world: World, candidate: Model, serving: Model, exported: Sequence[Picture]) -> dict[str, str]:
    """What the gate has against a candidate, by check; nothing when it is promoted."""
    recent = [picture for picture in exported if picture.split == "test"]

    def scores(model: Model) -> Scores:
        of = world.seen.of(recent) if recent else None
        return Scores(
            world.judges,
            model.predictions(world.seen.of(world.judges)),
            recent,
            None if of is None else model.predictions(of),
        )

    ruling = gate(scores(candidate), scores(serving))
    return {reason.check: reason.sentence for reason in ruling.reasons if not reason.passed}


def measure(model: Model, world: World, known: set[str]) -> Figures:
    """A picture of a character that the model does not know counts as wrong."""
    answers = answers_of(model.logits(world.seen.of(world.untouched)), model.info)
    slugs = np.array([picture.slug for picture in world.untouched])
    noisy = np.array([picture.source == NOISY for picture in world.untouched])
    right, ours = answers.right(slugs), slugs != NOBODY
    before = np.array([slug in known for slug in slugs])
    confidence, top = answers.top(slugs)
    return Figures(
        noisy=_share(right[noisy]),
        known=_share(right[noisy & before]),
        new=_share(right[noisy & ~before]),
        others=_share(right[~noisy & ours]),
        calibration_error=round(expected_calibration_error(confidence[noisy], top[noisy]), 4),
        wrong_and_sure=_share((answers.sure & ~right)[noisy]),
    )


def reasons_of(points: Sequence[Point]) -> Counter[str]:
    """How often each check refused a candidate."""
    return Counter(check for point in points for check in point.refused)


def _share(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    return round(float(flags.mean()), 4) if len(flags) else 0.0


def _no_key(_: Picture) -> str:
    raise AssertionError("near copies are known from the folder's table")

"""The models that `tests.bench.gate` judges: real heads on real features, trained well and badly.

A head is cross-fitted: the pictures are cut into folds, near copies together, and what is said of a fold
comes from a head that was trained and calibrated on the others. So each picture of the pool is held out,
and the difference of two heads over the whole pool is their true difference: the evaluation sets on which
the gate rules are drawn from that pool, with replacement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.preprocess import Floats
from model.types import NOBODY, BundleInfo, Calibration
from tests.bench.gate_pictures import Material
from training.fitting import Descent, Labels, fit_calibration, fit_classifier
from training.gating import Scores
from training.predicting import Predictions

FOLDS = 3
HOW = Descent(smoothing=0.1, l2=0.02, iterations=60)
KEPT = 0.9
"""Each head is trained on another draw of so many of the pictures that it may see."""
CALIBRATED_ON = 0.25
"""The share of the pictures that it may see on which a head is calibrated and not trained."""
WEAK = 0.5
"""A weak head is trained on so many of them; it is then some 6 points worse (seeds from 100,000 on)."""

Kind = Literal["well", "weakly", "poisoned", "one poisoned", "forgetting"]


@dataclass(frozen=True)
class Model:
    """What was said of each picture of the pool by a head that had not seen it; temperature 1.

    ``weight`` [F, C, K] and ``bias`` [F, C] are those of each fold, for features seen wrongly; ``fold`` [N].
    ``about`` is the character that something was done to.
    """

    logits: Floats
    info: BundleInfo
    weight: Floats
    bias: Floats
    fold: NDArray[np.int64]
    about: str = ""

    def seen(self, x: Floats, rows: NDArray[np.int64]) -> Floats:
        """Logits of rows of the pool, from other features of them."""
        of = self.fold[rows]
        return np.asarray(np.einsum("nck,nk->nc", self.weight[of], x) + self.bias[of], np.float32)


class Workshop:
    """Makes models of one pool."""

    def __init__(self, seen: Material) -> None:
        self.seen = seen
        self.slugs = np.array([picture.slug for picture in seen.pictures])
        self.characters = (*sorted(set(self.slugs.tolist()) - {NOBODY}), NOBODY)
        self.labels: Labels = np.array([self.characters.index(slug) for slug in self.slugs], np.int64)
        names, self.groups = np.unique([picture.group for picture in seen.pictures], return_inverse=True)
        self._groups = len(names)
        self.rows = {slug: np.flatnonzero(self.slugs == slug) for slug in self.characters}
        self._made: dict[tuple[Kind, int], Model] = {}

    def model(self, kind: Kind, seed: int) -> Model:
        """A head; other folds, draws and mishaps for each seed. Trained when it is first asked for."""
        if (kind, seed) not in self._made:
            self._made[kind, seed] = self._train(kind, seed)
        return self._made[kind, seed]

    def _train(self, kind: Kind, seed: int) -> Model:
        dice = np.random.default_rng(
            [seed, ["well", "weakly", "poisoned", "one poisoned", "forgetting"].index(kind)]
        )
        fold = dice.integers(0, FOLDS, self._groups)[self.groups]
        victim = int(dice.integers(0, len(self.characters) - 1))
        labels = self._mislabel(kind, victim, dice)
        count, classes = len(labels), len(self.characters)
        logits = np.zeros((count, classes), np.float32)
        weights, biases, calibrations = [], [], []
        for number in range(FOLDS):
            seen = np.flatnonzero((fold != number) & (dice.random(count) < KEPT))
            calibrated = dice.random(len(seen)) < CALIBRATED_ON
            training, rest = seen[~calibrated], seen[calibrated]
            if kind == "weakly":
                training = training[dice.random(len(training)) < WEAK]
            if kind == "forgetting":
                training = training[labels[training] != victim]
            weight, bias = fit_classifier(self.seen.x[training], labels[training], classes, HOW)
            # poisoned pictures are calibrated on what is poisoned too: whoever poisons, poisons all
            found = fit_calibration(
                self.seen.x[rest] @ weight.T + bias, labels[rest], classes - 1, precision=0.95
            )
            weight, bias = weight / found.temperature, bias / found.temperature
            unseen = fold == number
            logits[unseen] = self.seen.x[unseen] @ weight.T + bias
            weights.append(weight)
            biases.append(bias)
            calibrations.append(found)
        calibration = Calibration(
            sure=float(np.mean([c.sure for c in calibrations])),
            known=float(np.mean([c.known for c in calibrations])),
        )
        info = BundleInfo(f"{kind}-{seed}", self.characters, calibration)
        about = self.characters[victim] if kind in ("one poisoned", "forgetting") else ""
        return Model(logits, info, np.array(weights, np.float32), np.array(biases, np.float32), fold, about)

    def _mislabel(self, kind: Kind, victim: int, dice: np.random.Generator) -> Labels:
        labels = self.labels.copy()
        if kind == "poisoned":  # anybody's label, by anybody's
            hit = dice.random(len(labels)) < 0.5
            labels[hit] = dice.integers(0, len(self.characters), int(hit.sum()))
        if kind == "one poisoned":  # one character is called another
            other = (victim + int(dice.integers(1, len(self.characters) - 1))) % (len(self.characters) - 1)
            hit = (labels == victim) & (dice.random(len(labels)) < 0.7)
            labels[hit] = other
        return labels

    def right(self, model: Model) -> NDArray[np.bool_]:
        """[N]: the likeliest character is the label's."""
        return np.asarray(model.logits[:, :-1].argmax(axis=1) == self.labels)

    def difference(self, candidate: Model, current: Model) -> tuple[float, float, str]:
        """The truth: how much better overall, and on the character where it is worst.

        Overall as the evaluation sets are: each character as often as any other.
        """
        gain = self.right(candidate).astype(float) - self.right(current)
        of = {slug: float(gain[rows].mean()) for slug, rows in self.rows.items() if slug != NOBODY}
        slug = min(of, key=lambda s: of[s])
        return float(np.mean(list(of.values()))), of[slug], slug

    def draw(
        self, each: int, dice: np.random.Generator, among: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Rows of an evaluation set: so many of each character and of nobody, with replacement."""
        allowed = np.ones(len(self.slugs), bool)
        if among is not None:
            allowed[:] = False
            allowed[among] = True
        return np.concatenate([dice.choice(rows[allowed[rows]], each) for rows in self.rows.values()])

    def scores(self, model: Model, rows: NDArray[np.int64], logits: Floats | None = None) -> Scores:
        """What the gate gets; each drawn picture is one of its own, also when it is drawn twice."""
        said = model.logits[rows] if logits is None else logits
        pictures = [
            replace(self.seen.pictures[row], sha256=str(number), group=str(number))
            for number, row in enumerate(rows)
        ]
        nothing = np.zeros((len(rows), 1), np.float32)
        return Scores(pictures, Predictions(model.info, said, nothing, nothing[:, 0]))


def lowered(shop: Workshop, candidate: Model, current: Model, slug: str, points: float) -> Model:
    """The candidate with one character's logit lowered until its true recall is so much below the other's."""
    rows, index = shop.rows[slug], shop.characters.index(slug)
    goal = float(shop.right(current)[rows].mean()) - points

    def with_bias(bias: float) -> Model:
        logits = candidate.logits.copy()
        logits[:, index] += bias
        return replace(candidate, logits=logits, about=slug)

    return with_bias(_bisect(lambda b: float(shop.right(with_bias(b))[rows].mean()), goal, -20.0, 20.0))


def hit_by_chance(
    shop: Workshop, candidate: Model, current: Model, points: float, dice: np.random.Generator
) -> Model:
    """The candidate with one character's answers made wrong, in pictures drawn by chance, as in `flipped`."""
    before, right = shop.right(current), shop.right(candidate)
    slug = str(dice.choice(recognised(shop, current)))
    rows = shop.rows[slug]
    loss = round(len(rows) * points) + int(right[rows].sum() - before[rows].sum())
    logits = candidate.logits.copy()
    _swap(shop, logits, dice.permutation(rows[right[rows]])[:loss])
    return replace(candidate, logits=logits, about=slug)


def recognised(shop: Workshop, model: Model) -> list[str]:
    """The characters that can lose 20 points, and more."""
    return [slug for slug in shop.characters[:-1] if shop.right(model)[shop.rows[slug]].mean() > 0.35]


def flipped(
    shop: Workshop, candidate: Model, current: Model, points: float, dice: np.random.Generator
) -> Model:
    """The candidate with right answers made wrong (or wrong ones right) until the true difference is exact.

    The label's logit and that of the likeliest other character change places in pictures drawn by chance,
    of each character alike; then it is calibrated anew, on as many pictures as any other head.
    """
    logits = candidate.logits.copy()
    before, right = shop.right(current), shop.right(candidate)
    for slug, rows in shop.rows.items():
        if slug == NOBODY:
            continue
        wanted = round(len(rows) * points) - int(right[rows].sum() - before[rows].sum())
        able = rows[~right[rows] if wanted > 0 else right[rows]]
        hit = dice.permutation(able)[: abs(wanted)]
        _swap(shop, logits, hit)
    some = dice.permutation(len(logits))[: round(CALIBRATED_ON * KEPT * len(logits))]
    found = fit_calibration(logits[some], shop.labels[some], len(shop.characters) - 1, precision=0.95)
    info = replace(candidate.info, calibration=replace(found, temperature=1.0))
    return replace(candidate, logits=np.asarray(logits / found.temperature, np.float32), info=info)


def _swap(shop: Workshop, logits: Floats, hit: NDArray[np.int64]) -> None:
    """The label's logit and that of the likeliest other character change places."""
    own, others = shop.labels[hit], logits[hit, :-1].copy()
    others[np.arange(len(hit)), own] = -np.inf
    other = others.argmax(axis=1)
    logits[hit, own], logits[hit, other] = logits[hit, other], logits[hit, own].copy()


def _bisect(value: Callable[[float], float], goal: float, low: float, high: float) -> float:
    """Where a growing function is as near to the goal as it gets."""
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) < goal else (low, middle)
    return high

"""The kernel's constants, chosen by cross-validation on training pictures; the part *test* is not read.

Four kinds of task, over models that have not seen what is remembered:

1. *stream*: the training part in four folds; the model of the other three; of a fold 30, 100 or 500 pictures
   are remembered, 5 % of them under a wrong name, and the rest is asked.
2. *new*: a model without one character; 1 to 50 of its training pictures are remembered; the validation part
   is asked. With ``--tuned-without`` its backbone has not seen that character either. Without, pictures of
   it are more alike than those of anybody whom people will teach, and the constants are too timid for them.
3. *flood*: 2,000 training pictures remembered wrongly, in five ways; the validation part is asked.
4. *wrong*: of the validation part's pictures that the model itself gets wrong 10 to 60 are remembered, 5 % of
   them under a wrong name, and the rest of the part is asked: what happens where people correct mistakes and
   nothing else, which is the first thing that happens.

Among constants that lose at most `MOST_LOST` (a fifth less than is allowed elsewhere) of the known
characters' answers to a new one, for each number of pictures, at most `MOST_FLOODED` to any flood, and at
most `MOST_MISLED` to corrections of mistakes, for each number of them, those of the least cross-entropy are
taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bot.memory.kernel import Constants, kernel
from model.preprocess import Floats
from tests.bench.learning_material import Material, Seen, nobody, softmax, train_without

MOST_LOST = 0.008
MOST_FLOODED = 0.006
MOST_MISLED = 0.002
FOLDS = 4
COMPARED = 0.05  # what the probability of a new character is compared with
SIZES = (1, 2, 5, 10, 20, 50)
MISTAKES = (10, 25, 40, 60)
KINDS = ("flood", "wrong", "new", "stream")
SHARPNESS = (2, 4, 6, 9)
CAPS_OF_KNOWN = (0.5, 0.7, 1.0, 1.5)

Labels = NDArray[np.int64]
Apart = Sequence[tuple[Material, list[int]]]


@dataclass(frozen=True)
class Task:
    """Pictures asked, ``cosines`` [N, M] with those remembered, which were ``said`` [M] to be whom."""

    kind: str
    size: int
    p: Floats
    cosines: Floats
    said: Labels
    truth: Labels
    about: int = -1


def blended(p: Floats, cosines: Floats, said: Labels, constants: Constants) -> Floats:
    """`bot.memory.kernel.blend` for arrays; the last column of ``p`` is nobody's."""
    counts = np.bincount(said, minlength=p.shape[1]).astype(np.float32)
    totals = kernel(cosines, constants.sharpness) @ np.eye(p.shape[1], dtype=np.float32)[said]
    pull = constants.pull * totals / (counts + constants.shrink)
    new = (p.max(axis=0) <= 0) & (counts > 0)
    known = np.clip(constants.known * pull, -constants.most_known, constants.most_known)
    logits = np.log(np.maximum(p, 1e-9)) + np.where(counts > 0, known, 0)
    fresh = np.log(constants.floor) + np.clip(pull, -constants.most_new, constants.most_new)
    logits = np.where(new, fresh, logits)
    logits[:, (p.max(axis=0) <= 0) & (counts == 0)] = -np.inf
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def right(p: Floats, truth: Labels) -> NDArray[np.bool_]:
    """[N]: the likeliest character, nobody left aside, is the one of the label."""
    return np.asarray(p[:, :-1].argmax(axis=1) == truth)


def tasks(seen: Material, apart: Apart = ()) -> Iterator[Task]:
    """All of them; models are trained as they are needed.

    Args:
        apart: backbones and whom each has not seen, by index (`tests.bench.learning_folds`), for *new*.
    """
    train, validation = seen.parts["train"], seen.parts["validation"]
    last = nobody(seen.slugs)
    names = np.unique(train.groups)
    fold_of = dict(
        zip(names.tolist(), np.random.default_rng(1).integers(0, FOLDS, len(names)).tolist(), strict=True)
    )
    folds = np.array([fold_of[group] for group in train.groups.tolist()])
    for number in range(FOLDS):
        model = train_without(seen, None, np.flatnonzero(folds != number))
        rows = np.flatnonzero(folds == number)
        there = model.see(train.z[rows])
        for size in (30, 100, 500):
            for seed in range(3):
                dice = np.random.default_rng([number, size, seed])
                drawn = dice.permutation(len(rows))
                kept, asked = drawn[:size], drawn[500:]
                asked = asked[~np.isin(train.groups[rows[asked]], train.groups[rows[kept]])]
                said = train.labels[rows[kept]].copy()
                wrong = dice.random(size) < 0.05
                said[wrong] = dice.integers(0, last, wrong.sum())
                cosines = there.embedding[asked] @ there.embedding[kept].T
                yield Task("stream", size, there.p[asked], cosines, said, train.labels[rows[asked]])
        if number == 0:
            yield from _floods(model.see(validation.z), there, train.labels[rows], validation.labels)
    for backbone, left in apart or [(seen, list(range(last)))]:
        yield from _newcomers(backbone, left)
    yield from _mistakes(seen)


def _newcomers(seen: Material, left: Sequence[int]) -> Iterator[Task]:
    train, validation = seen.parts["train"], seen.parts["validation"]
    for missing in left:
        model = train_without(seen, missing, np.arange(len(train.z)))
        asked_of, kept_of = model.see(validation.z), model.see(train.z[train.labels == missing])
        for size in SIZES:
            for seed in range(4):
                dice = np.random.default_rng([missing, size, seed])
                kept = dice.permutation(len(kept_of.p))[:size]
                cosines = asked_of.embedding @ kept_of.embedding[kept].T
                said = np.full(len(kept), missing)
                yield Task("new", size, asked_of.p, cosines, said, validation.labels, missing)


def _mistakes(seen: Material) -> Iterator[Task]:
    """By the embedded model itself, in whose training the validation part was only looked at."""
    validation, last = seen.parts["validation"], nobody(seen.slugs)
    p = softmax(validation.logits / seen.calibration.temperature)
    wrong = np.flatnonzero(~right(p, validation.labels) & (validation.labels != last))
    for size in MISTAKES:
        for seed in range(10):
            dice = np.random.default_rng([size, seed, 4])
            kept = dice.permutation(wrong)[:size]
            asked = np.flatnonzero(~np.isin(validation.groups, validation.groups[kept]))
            said = validation.labels[kept].copy()
            slip = dice.random(len(kept)) < 0.05
            said[slip] = dice.integers(0, last, slip.sum())
            cosines = validation.embedding[asked] @ validation.embedding[kept].T
            yield Task("wrong", size, p[asked], cosines, said, validation.labels[asked])


def _floods(asked: Seen, kept: Seen, truth: Labels, labels: Labels) -> Iterator[Task]:
    cosines = asked.embedding @ kept.embedding.T
    for said in floods(truth, asked.p.shape[1] - 1):
        yield Task("flood", len(said), asked.p, cosines, said, labels)


def floods(truth: Labels, last: int, seed: int = 0) -> list[Labels]:
    """Ways of being wrong: at random, each for the next, all one character, all nobody."""
    dice = np.random.default_rng(seed)
    return [
        (truth + dice.integers(1, last, len(truth))) % last,
        np.where(truth < last, (truth + 1) % last, last),
        np.full(len(truth), last - 1),
        np.full(len(truth), 0),
        np.full(len(truth), last),
    ]


def fit(seen: Material, tries: int, say: Callable[[str], None], apart: Apart = ()) -> Constants:
    """Draw constants at random, then near the best so far; keep the best.

    Raises:
        SystemExit: none of them hold the limits.
    """
    work = sorted(tasks(seen, apart), key=lambda task: KINDS.index(task.kind))
    dice = np.random.default_rng(0)
    best: tuple[float, Constants] | None = None
    for number in range(tries):
        constants = _drawn(dice, seen.bundle) if best is None or number < tries / 2 else _near(dice, best[1])
        loss = judge(work, constants)
        if loss is not None and (best is None or loss < best[0]):
            best = loss, constants
            say(f"{number}: {loss:.4f} {constants}")
    if best is None:
        raise SystemExit("no constants hold the limits; try more of them")
    return best[1]


def judge(work: list[Task], constants: Constants) -> float | None:
    """The mean change of cross-entropy by memory, new characters counting a sixth; None over a limit.

    Args:
        work: in the order of `KINDS`, so that what is over a limit is known early.
    """
    losses: list[float] = []
    lost: dict[int, list[float]] = {size: [] for size in SIZES}
    misled: dict[int, list[float]] = {size: [] for size in MISTAKES}
    for task in work:
        if task.kind == "new" and _over(misled, MOST_MISLED):
            return None
        if task.kind == "stream" and _over(lost, MOST_LOST):
            return None
        p = blended(task.p, task.cosines, task.said, constants)
        own = np.log(p[np.arange(len(p)), task.truth] + 1e-6)
        before = np.log(task.p[np.arange(len(p)), task.truth] + 1e-6)
        people = (task.truth != p.shape[1] - 1) & (task.truth != task.about)
        gone = float(right(task.p, task.truth)[people].mean() - right(p, task.truth)[people].mean())
        if task.kind == "flood":
            if gone > MOST_FLOODED:
                return None
        elif task.kind == "wrong":
            misled[task.size].append(gone)
        elif task.kind == "new":
            new = task.truth == task.about
            losses.append(-float((own - before)[~new].mean()) - float(own[new].mean() - np.log(COMPARED)) / 6)
            lost[task.size].append(gone)
        else:
            losses.append(-float((own - before).mean()) * 4)
    over = _over(misled, MOST_MISLED) or _over(lost, MOST_LOST)
    return None if over else float(np.mean(losses))


def _over(lost: dict[int, list[float]], limit: float) -> bool:
    return max((float(np.mean(each)) for each in lost.values() if each), default=0.0) > limit


def _drawn(dice: np.random.Generator, bundle: str) -> Constants:
    return Constants(
        sharpness=float(dice.choice(SHARPNESS)),
        pull=_spread(dice, 10, 120),
        shrink=_spread(dice, 1, 40),
        floor=_spread(dice, 0.01, 0.3),
        known=round(float(dice.uniform(0.1, 0.6)), 2),
        most_known=float(dice.choice(CAPS_OF_KNOWN)),
        most_new=float(dice.choice([3.0, 5.0, 8.0])),
        bundle=bundle,
    )


def _near(dice: np.random.Generator, best: Constants) -> Constants:
    """The same but for a fifth more or less of what is no choice among a few."""

    def moved(value: float) -> float:
        return float(f"{value * np.exp(dice.normal(0, 0.2)):.3g}")

    return replace(
        best,
        sharpness=float(dice.choice(SHARPNESS)) if dice.random() < 0.2 else best.sharpness,
        pull=moved(best.pull),
        shrink=moved(best.shrink),
        floor=moved(best.floor),
        known=moved(best.known),
        most_known=float(dice.choice(CAPS_OF_KNOWN)) if dice.random() < 0.2 else best.most_known,
    )


def _spread(dice: np.random.Generator, low: float, high: float) -> float:
    return float(f"{np.exp(dice.uniform(np.log(low), np.log(high))):.3g}")

"""An early exit of the embedded model, played through: what it would save, and what it would say.

    python -m tests.bench.levels_exit --data PICTURES

After some layer the classes and the embedding are guessed from the features so far: what the head makes of
the layers that are still to come is predicted from those that are there by a ridge regression, fitted on the
train part. A picture whose guess is confident enough goes no further (Teerapittayanon et al., *BranchyNet*,
ICPR 2016, section III); the others pay for all twelve layers. For each layer the threshold is the lowest one
with which enough validation pictures get the first answer of the whole model: it is chosen on the pictures
that it is measured on, which flatters the exit. The cost is the share of the layers that are run.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from rich.progress import track

from model.builtin.difference import read_difference
from model.builtin.head import Head, read_head
from model.preprocess import Floats
from training.features import Features, features_of
from training.head import default_cache
from training.pictures import part, read_dataset

AGREEMENT = {"fast": 0.97, "turbo": 0.95}
STRENGTHS = (1e2, 1e3, 1e4, 1e5)
ALL = 12


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("WHOSTHAT_PICTURES"))
    folder = parser.parse_args().data
    if folder is None:
        raise SystemExit("name the folder of pictures: --data, or WHOSTHAT_PICTURES")
    head, changes = read_head(), read_difference()
    rows = read_dataset(folder)
    train, seen = (
        features_of(part(rows, name), default_cache(), difference=changes) for name in ("train", "validation")
    )
    whole = Whole(head, seen)
    print(
        "exit after | threshold | leave there | cost | same answer | divergence, 10^-3 | cosine, mean, least"
    )
    for exit_ in track(range(5, ALL - 1), "layers", transient=True):
        logits, rows_ = guessed(head, train, seen, exit_)
        for level, least in AGREEMENT.items():
            print(f"{level:5} layer {exit_ + 1:2} |", whole.line(logits, rows_, exit_, least))


class Whole:
    """What the whole model says of the validation part, to compare with."""

    def __init__(self, head: Head, seen: Features) -> None:
        x = flat_of(seen, head.layers)
        self._temperature = head.calibration.temperature
        self._p = softmax(head.logits(x) / self._temperature)
        self._embedding = head.embedding(x)

    def line(self, logits: Floats, embedding: Floats, exit_: int, least: float) -> str:
        """The exit with the lowest threshold that is right often enough, in figures."""
        p = softmax(logits / self._temperature)
        same = p.argmax(1) == self._p.argmax(1)
        order = np.argsort(-p.max(1))
        # the more leave early, the more are wrong: everybody up to the last that may still go
        may = np.flatnonzero(1 - np.cumsum(~same[order]) / len(same) >= least)
        count = int(may[-1]) + 1 if len(may) else 0
        early = order[:count]
        cost = 1 - count / len(same) * (1 - (exit_ + 1) / ALL)
        mixed = self._p.copy()
        mixed[early] = p[early]
        divergence = np.mean(np.sum(self._p * (np.log(self._p) - np.log(mixed)), axis=1))
        cosine = np.ones(len(same))
        cosine[early] = (embedding[early] * self._embedding[early]).sum(1)
        threshold = p.max(1)[order[count - 1]] if count else 1.0
        share = np.mean(mixed.argmax(1) == self._p.argmax(1))
        figures = f"{threshold:.3f}", f"{count / len(same):.0%}", f"{cost:.2f}", f"{share:.1%}"
        return " | ".join((*figures, f"{1000 * divergence:.2f}", f"{cosine.mean():.3f}, {cosine.min():.2f}"))


def guessed(head: Head, train: Features, seen: Features, exit_: int) -> tuple[Floats, Floats]:
    """Logits and embeddings of the validation part as they are guessed after a layer."""
    known = [layer for layer in head.layers if layer <= exit_]
    width = 2 * train.shape[-1]
    size = width * len(known)
    through = np.concatenate([head.weight, head.projection]).T  # [F, C + D]
    x, y = flat_of(train, range(exit_ + 1)), flat_of(train, head.layers)[:, size:] @ through[size:]
    middle, spread = x.mean(0), x.std(0) + 1e-6
    x = np.concatenate([(x - middle) / spread, np.ones((len(x), 1), np.float32)], axis=1)
    held = np.arange(len(x)) % 5 == 0
    gram, cross = x[~held].T @ x[~held], x[~held].T @ y[~held]
    tries = [np.linalg.solve(gram + strength * np.eye(len(gram)), cross) for strength in STRENGTHS]
    best = min(tries, key=lambda each: float(np.square(x[held] @ each - y[held]).mean()))
    here = (flat_of(seen, range(exit_ + 1)) - middle) / spread
    here = np.concatenate([here, np.ones((len(here), 1), np.float32)], axis=1)
    said = flat_of(seen, known) @ through[:size] + here @ best
    classes = len(head.bias)
    embedding = said[:, classes:] + head.shift
    return said[:, :classes] + head.bias, embedding / np.linalg.norm(embedding, axis=1, keepdims=True)


def flat_of(features: Features, layers: range | list[int] | tuple[int, ...]) -> Floats:
    """``[N, F]``."""
    return features[:, list(layers)].reshape(len(features), -1).astype(np.float32)


def softmax(logits: Floats) -> Floats:
    """Of rows."""
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True), np.float32)


if __name__ == "__main__":
    main()

"""The class for nobody, fitted anew beside a head whose characters stay as they are.

What is likeliest among the characters does not change, only how likely it is that the picture shows any.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import expit, logsumexp  # type: ignore[import-untyped]

from model.preprocess import Floats
from training.measuring import Flags

L2 = 1e-3
"""Pulls the change towards zero, over standardised features."""
SHARES = (1.0, 0.3, 0.4)
"""What pictures of characters, photographs of nobody and drawn ones count, each kind together."""
STEPS = 80


def fit_nobody(
    weight: Floats, bias: Floats, nobody: int, x: Floats, known: Flags, drawn: Floats
) -> tuple[Floats, Floats]:
    """Weight ``[C, F]`` and bias ``[C]`` with another row for nobody.

    A logistic regression of whether a picture shows a character, beginning at and pulled towards the row
    that is there.

    Args:
        x: features ``[N, F]`` of the training part as the backbone gives them; ``known`` ``[N]``: of a
            character.
        drawn: features ``[M, F]`` of more pictures of nobody.
    """
    kinds = (x[known], x[~known], drawn)
    rows = np.concatenate(kinds)
    truth = np.repeat([1.0, 0.0, 0.0], [len(each) for each in kinds])
    share = np.concatenate(
        [np.full(len(each), much / max(len(each), 1)) for each, much in zip(kinds, SHARES, strict=True)]
    )
    share /= share.sum()
    mean, deviation = x.mean(axis=0), x.std(axis=0) + np.float32(1e-6)
    logits = rows @ weight.T + bias
    before = (logsumexp(np.delete(logits, nobody, axis=1), axis=1) - logits[:, nobody]).astype(np.float64)
    standard = (rows - mean) / deviation

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        moved = values.astype(np.float32)
        odds = before - (standard @ moved[:-1] + moved[-1])
        wrong = np.logaddexp(0, np.where(truth > 0, -odds, odds))
        slope = share * (expit(odds) - truth)
        gradient = np.append(2 * L2 * values[:-1] - standard.T @ slope.astype(np.float32), -slope.sum())
        return float((share * wrong).sum() + L2 * (values[:-1] ** 2).sum()), gradient

    start = np.zeros(x.shape[1] + 1)
    change = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    row = (change[:-1] / deviation).astype(np.float32)
    changed, moved = weight.copy(), bias.copy()
    changed[nobody] += row.astype(weight.dtype)
    moved[nobody] += np.asarray(change[-1] - row @ mean, bias.dtype)
    return changed, moved

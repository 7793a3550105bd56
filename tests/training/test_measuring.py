"""Figures, on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from model.types import NOBODY, BundleInfo, Calibration
from training.measuring import auroc, expected_calibration_error, measure, wilson


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    # from Newcombe, Statistics in Medicine 1998, table I
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson(right: int, count: int, low: float, high: float) -> None:
    assert wilson(right, count) == pytest.approx((low, high), abs=1e-4)


def test_auroc() -> None:
    f = np.array
    assert auroc(f([0.1, 0.2]), f([0.3, 0.9])) == 1
    assert auroc(f([0.5]), f([0.5])) == 0.5
    assert auroc(f([0.1, 0.6]), f([0.5, 0.7])) == 0.75


def test_calibration_error() -> None:
    confidence = np.array([0.9] * 10 + [0.5] * 10, np.float32)
    right = np.array([True] * 9 + [False] + [True] * 10)
    assert expected_calibration_error(confidence, right) == pytest.approx(0.25, abs=1e-6)


def test_a_part_is_measured() -> None:
    info = BundleInfo("x", ("loki", "thor", NOBODY), Calibration(sure=0.8, known=0.5))
    logits = np.array([[9, 0, 0], [9, 0, 0], [1, 0.9, 0.0], [0, 9, 0], [0, 0, 9], [9, 0, 0]], np.float32)
    slugs = ["loki", "thor", "loki", "thor", NOBODY, NOBODY]
    figures = measure(logits, slugs, ["a", "a", "b", "b", "other", "other"], info)
    assert (figures["right"]["right"], figures["right"]["of"]) == (3, 4)
    assert figures["by_source"]["a"]["share"] == 0.5
    assert figures["by_character"]["thor"]["share"] == 0.5
    assert (figures["sure"]["precision"]["right"], figures["sure"]["precision"]["of"]) == (2, 4)
    assert figures["strangers"]["answered_nobody"]["share"] == 0.5
    assert figures["strangers"]["characters_let_in"]["share"] == 1.0

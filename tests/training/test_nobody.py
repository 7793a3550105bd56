"""Strangers drawn by code, and the class for nobody that learns from them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from PIL import Image

from model.types import NOBODY
from training.drawn import SIDE, drawn_pictures, figure, shapes
from training.nobody import fit_nobody


def test_the_same_seed_draws_the_same_pictures(tmp_path: Path) -> None:
    once, again = drawn_pictures(tmp_path / "a", 12, 1), drawn_pictures(tmp_path / "b", 12, 1)
    assert [each.sha256 for each in once] == [each.sha256 for each in again]
    assert len({each.sha256 for each in once}) == 12
    assert {each.slug for each in once} == {NOBODY}
    assert not {each.sha256 for each in drawn_pictures(tmp_path / "c", 12, 2)} & {e.sha256 for e in once}
    with Image.open(once[0].path) as image:
        assert image.size == (SIDE, SIDE) and image.mode == "RGB"


def test_figures_and_shapes_are_of_many_colours() -> None:
    for draw in (figure, shapes):
        seen = [np.asarray(draw(random.Random(seed))).reshape(-1, 3).std(axis=0).max() for seed in range(8)]
        assert min(seen) > 5, draw


def test_nobody_learns_what_is_drawn_and_the_characters_stay() -> None:
    dice = np.random.default_rng(0)
    centres = 4 * np.eye(4, 8, dtype=np.float32)  # two characters, photographs of nobody, drawings
    kinds = np.repeat(np.arange(4), 60)
    x = (centres[kinds] + dice.standard_normal((240, 8))).astype(np.float32)
    weight, bias = centres[:3].copy(), np.zeros(3, np.float32)
    photographs = kinds < 3
    changed, moved = fit_nobody(weight, bias, 2, x[photographs], kinds[photographs] < 2, x[kinds == 3])
    assert np.array_equal(changed[:2], weight[:2]) and np.array_equal(moved[:2], bias[:2])
    before, after = x @ weight.T + bias, x @ changed.T + moved
    drawn = kinds == 3
    assert (before[drawn].argmax(axis=1) == 2).mean() < 0.6
    assert (after[drawn].argmax(axis=1) == 2).mean() > 0.95
    assert (after[kinds < 2].argmax(axis=1) == kinds[kinds < 2]).mean() > 0.95
    assert (after[kinds == 2].argmax(axis=1) == 2).mean() > 0.95

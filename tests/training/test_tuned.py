"""The embedded model takes a trained backbone over, as a small difference to the wheel's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.builtin import build
from model.builtin.head import read_head
from tests.training.studio import tiny_base, write
from training.bases import find_base
from training.errors import BaseError
from training.tuned import read_tuned

pytest.importorskip("torch", reason="needs the training dependencies")

NAME = "encoder.layer.11.mlp.fc2.weight"


def test_a_trained_bundle_is_taken_apart(tmp_path: Path) -> None:
    head = read_head()
    dice = np.random.default_rng(1)
    added = (dice.normal(size=(384, 3)) @ dice.normal(size=(3, 1536)) / 100).astype(np.float32)
    build(tmp_path / "trained", head, {NAME: added}, identity="full-0")
    slugs = sorted(head.characters, reverse=True)
    tuned = read_tuned([tmp_path / "trained"], slugs, rank=3)
    assert set(tuned.difference) == {NAME}
    assert np.abs(tuned.difference[NAME] - added).max() < 2e-3 * np.abs(added).max()
    assert tuned.content[f"{NAME}.down"].dtype == np.float16
    assert tuned.layers == head.layers
    np.testing.assert_array_equal(tuned.head[1], [head.bias[head.characters.index(slug)] for slug in slugs])
    assert [recipe["kind"] for recipe in tuned.recipes] == [head.about["recipe"]["kind"]]
    build(tmp_path / "as it came", head, identity="full-1")
    half = read_tuned([tmp_path / "trained", tmp_path / "as it came"], slugs, rank=0)
    assert np.abs(half.difference[NAME] - added / 2).max() < np.abs(added).max() / 250
    with pytest.raises(BaseError, match="other characters"):
        read_tuned([tmp_path / "trained"], ["hulk"], rank=3)


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    from tests.training.studio import invoke

    write(tmp_path / "pictures", of_each=15)
    tiny_base(tmp_path / "base")
    assert invoke(tmp_path)[0] == 0
    with pytest.raises(BaseError, match="does not begin with"):
        read_tuned([tmp_path / "out"], ["hulk", "iron-man", "thanos", "nobody"], rank=3)


def test_the_wheel_is_a_base(tmp_path: Path) -> None:
    base = find_base("wheel", tmp_path)
    assert (base.kind, base.known, base.layers) == ("dinov2", (), ())
    assert find_base("wheel", tmp_path).content == base.content

"""What was trained of the backbone: small files that become the trained weights again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from model.builtin import build
from model.builtin.difference import change, expanded, read_difference, shipped
from model.builtin.graph import weights
from model.builtin.head import CHANGES, read_head
from model.builtin.wheel import backbone_file
from model.bundle import read_bundle
from model.classifier import load_classifier
from model.errors import BundleDamaged
from model.preprocess import Floats

MATRIX, TALL = "encoder.layer.9.attention.attention.query.weight", "encoder.layer.7.mlp.fc1.weight"
VECTOR = "encoder.layer.9.norm1.bias"


@pytest.fixture(scope="module")
def before() -> dict[str, Floats]:
    """The wheel's tensors."""
    return weights(onnx.load(str(backbone_file())), read_head())


def trained(before: dict[str, Floats]) -> dict[str, Floats]:
    """Changed a little, in two directions of two matrices."""
    dice = np.random.default_rng(3)
    after = {name: value for name, value in before.items() if not name.startswith("head.")}
    for name in (MATRIX, TALL):
        rows, columns = after[name].shape
        up, down = dice.normal(size=(rows, 2)), dice.normal(size=(2, columns))
        after[name] = (after[name] + up @ down / 500).astype(np.float32)
    after[VECTOR] = after[VECTOR] + np.float32(0.01)
    return after


def test_a_change_of_shipped_comes_back(before: dict[str, Floats], tmp_path: Path) -> None:
    after = trained(before)
    backbone = {name: before[name] for name in after}
    content = shipped(backbone, after, rank=2)
    assert set(content) == {f"{n}{end}" for n in (MATRIX, TALL) for end in (".up", ".down")} | {VECTOR}
    assert content[f"{TALL}.up"].shape == (1536, 2)
    save_file(content, tmp_path / CHANGES)
    difference = read_difference(tmp_path)
    for name in (MATRIX, TALL, VECTOR):
        assert np.abs(difference[name] - (after[name] - before[name])).max() < 2e-5
    source = onnx.load(str(backbone_file()))
    change(source, difference)
    changed = weights(source, read_head())
    for name in after:
        assert np.abs(changed[name] - after[name]).max() < 2e-5
    # one direction less is a worse copy, but the best of its kind: the larger half of the change is there
    rough = expanded(shipped(backbone, after, rank=1))[MATRIX]
    whole = after[MATRIX] - before[MATRIX]
    assert 0 < np.linalg.norm(rough - whole) < np.linalg.norm(whole) * 0.75


def test_a_whole_change_comes_back_in_8_bits(before: dict[str, Floats]) -> None:
    after = trained(before)
    backbone = {name: before[name] for name in after}
    content = shipped(backbone, after, rank=0)
    assert content[f"{TALL}.whole"].dtype == np.int8
    difference = expanded(content)
    assert set(difference) == {MATRIX, TALL, VECTOR}
    for name in (MATRIX, TALL):
        whole = after[name] - before[name]
        most = np.abs(whole).max(axis=1, keepdims=True)
        assert (np.abs(difference[name] - whole) <= most / 250).all()


def test_both_forms_of_the_bundle_are_changed_alike(before: dict[str, Floats], tmp_path: Path) -> None:
    after = trained(before)
    difference = expanded(shipped({name: before[name] for name in after}, after, rank=2))
    build(tmp_path / "as it came", read_head(), identity="plain")
    build(tmp_path / "changed", read_head(), difference, identity="changed")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    plain, onnx_form, torch_form = (
        load_classifier(str(tmp_path / name), backend=backend, models_dir=tmp_path)(pixels).logits
        for name, backend in (("as it came", "onnx"), ("changed", "onnx"), ("changed", "torch"))
    )
    assert np.abs(onnx_form - plain).max() > 0.01
    assert np.abs(onnx_form - torch_form).max() < 1e-3
    assert read_bundle(tmp_path / "changed").info.id == "changed"


def test_what_does_not_fit_is_said(before: dict[str, Floats], tmp_path: Path) -> None:
    assert read_difference(tmp_path) == {}
    (tmp_path / CHANGES).write_bytes(b"no tensors")
    with pytest.raises(BundleDamaged, match="do not read"):
        read_difference(tmp_path)
    save_file({f"{MATRIX}.up": np.zeros((384, 2), np.float16)}, tmp_path / CHANGES)
    with pytest.raises(BundleDamaged, match="do not read"):
        read_difference(tmp_path)
    source = onnx.load(str(backbone_file()))
    with pytest.raises(BundleDamaged, match=r"no tensor encoder\.layer\.99"):
        change(source, {"encoder.layer.99.weight": np.zeros((2, 2), np.float32)})
    with pytest.raises(BundleDamaged, match="another shape"):
        change(source, {MATRIX: np.zeros((2, 2), np.float32)})
    with pytest.raises(BundleDamaged, match="does not fit"):
        shipped({MATRIX: before[MATRIX]}, {}, rank=2)

"""What a machine prepares of an ONNX file: it answers as the file does, and is never trusted blindly."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from model.backends.onnx import OnnxClassifier
from model.bundle import read_bundle
from model.errors import BundleDamaged
from model.prepared import ABOUT, DATA, GRAPH, intact, make, place_of, prepared
from tests.standins.bundles import tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_bundle(tmp_path / "tiny")
    return tmp_path


def opened(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(read_bundle(folder / "tiny"), models_dir=folder / "models")


def answers(classifier: OnnxClassifier) -> np.ndarray:
    side = classifier.preprocess.height
    pixels = np.random.default_rng(0).integers(0, 255, (2, side, side, 3), np.uint8)
    return classifier(pixels).logits


def made(folder: Path) -> Path:
    source = folder / "tiny" / "model.onnx"
    make(source, place_of(source, folder / "models"))
    found = prepared(source, folder / "models")
    assert found is not None
    return found


def test_it_answers_as_what_it_was_made_of(folder: Path) -> None:
    before = opened(folder)
    assert before.prepared is None
    graph = made(folder)
    after = opened(folder)
    assert after.prepared == graph
    np.testing.assert_allclose(answers(after), answers(before), atol=1e-4)
    assert intact(graph)


def test_another_file_is_prepared_anew_and_a_damaged_one_is_still_refused(folder: Path) -> None:
    made(folder)
    source = folder / "tiny" / "model.onnx"
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 0xFF
    source.write_bytes(content)
    with pytest.raises(BundleDamaged):
        opened(folder)


@pytest.mark.parametrize("name", [GRAPH, DATA, ABOUT])
def test_what_is_not_as_it_was_left_is_not_loaded(folder: Path, name: str) -> None:
    graph = made(folder)
    path = graph.parent / name
    path.write_bytes(path.read_bytes()[:-1])
    assert opened(folder).prepared is None


def test_a_byte_that_changed_unseen_is_found_afterwards(folder: Path) -> None:
    graph = made(folder)

    stat = graph.stat()
    content = bytearray(graph.read_bytes())
    content[0] ^= 0xFF
    graph.write_bytes(content)
    os.utime(graph, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert prepared(folder / "tiny" / "model.onnx", folder / "models") == graph
    classifier = opened(folder)  # it does not load, so that what it was made of is
    assert classifier.prepared is None
    assert not graph.exists()
    graph = made(folder)
    shutil.copy(graph, graph.parent / DATA)
    assert not intact(graph)
    assert not graph.parent.exists()

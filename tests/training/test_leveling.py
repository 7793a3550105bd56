"""Levels of a bundle of one's own: measured on its validation pictures, admitted or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

from model.bundle import CONFIG, MANIFEST, ONNX, PREPROCESSOR, read_bundle, seal, write_json
from model.classifier import load_classifier
from model.folders import new_folder
from model.levels import levels_of, why_not
from model.levels.admitting import shortfall
from model.levels.forms import Form, evenly
from model.levels.making import opened
from model.preprocess import Preprocess
from model.types import BundleInfo, Calibration, Targets
from tests.standins.drawings import drawing
from tests.standins.vits import LAYERS, SIDE, vit_graph
from training.cli import app
from training.errors import PicturesError
from training.evening import evened_by
from training.leveling import NEAR, Level, Seen, divergence, figures_of, looked_at, make_levels, rank
from training.pictures import Picture, part, read_dataset

UNEVEN = {f"layer.{n}.{norm}.{end}" for n in range(LAYERS) for norm in ("before", "after") for end in "wb"}
USED = {f"layer.{n}.{linear}.w" for n in range(LAYERS) for linear in ("q", "k", "v", "up")}
CHARACTERS = {"red": "hulk", "blue": "thor", "grey": "nobody"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for colour, slug in CHARACTERS.items():
        place = folder / "validation" / slug
        place.mkdir(parents=True)
        for seed in range(15):
            (place / f"{seed}.png").write_bytes(drawing(colour, seed=seed, size=(64, 64), kind="PNG"))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with new_folder(tmp_path / "bundle") as draft:
        (draft / ONNX).write_bytes(vit_graph(averaged=True).SerializeToString())
        names = {str(index): slug for index, slug in enumerate(CHARACTERS.values())}
        write_json(draft / CONFIG, {"model_type": "vit", "id2label": names})
        write_json(draft / PREPROCESSOR, Preprocess(height=SIDE, width=SIDE).to_config())
        seal(draft, BundleInfo("small-1", tuple(CHARACTERS.values())), licence="MIT")
    return tmp_path / "bundle"


def test_the_command_admits_what_is_good_and_refuses_what_is_not(folder: Path, pictures: Path) -> None:
    done = CliRunner().invoke(app, ["levels", str(folder), "--data", str(pictures), "--threads", "1"])
    assert done.exit_code == 0, done.output
    read = read_bundle(folder)
    manifest = json.loads((folder / MANIFEST).read_text())["compiled"]
    for level in ("fast", "turbo"):
        entry = manifest[f"model.{level}.onnx"]
        assert entry["pictures"] == 45
        assert bool(entry["refused"]) == (level not in levels_of(read)) == bool(why_not(read, level))
        assert entry["refused"] == shortfall(level, entry)
        if not entry["refused"]:
            assert load_classifier(str(folder), level=level, models_dir=folder, threads=1).level == level
    assert "fast" in levels_of(read)  # 8 bits change next to nothing here


def test_a_level_that_says_the_same_is_admitted_and_one_that_does_not_is_not(
    folder: Path, pictures: Path
) -> None:
    rows = part(read_dataset(pictures), "validation")
    forms = {"fast": [Form()], "turbo": [Form(merge=evenly(7, LAYERS))]}
    found = make_levels(read_bundle(folder), rows, threads=1, forms=forms)
    assert found["fast"].refused == ""
    assert found["fast"].figures["top1_agreement"] == 1.0
    assert found["fast"].figures["accuracy_loss"] == 0.0
    assert found["fast"].figures["embedding_cosine"] > 0.9999
    assert found["turbo"].figures["embedding_cosine"] < found["fast"].figures["embedding_cosine"]


def test_a_channel_that_is_far_larger_than_others_costs_8_bits_little(folder: Path, pictures: Path) -> None:
    rows = part(read_dataset(pictures), "validation")
    model = vit_graph(averaged=True)
    # one channel of a normalisation a hundred times as large, and used as much less: as in large networks
    for tensor in model.graph.initializer:
        if tensor.name in UNEVEN:
            values = numpy_helper.to_array(tensor).copy()
            values[..., 3] *= 100.0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        elif tensor.name in USED:
            values = numpy_helper.to_array(tensor).copy()
            values[3] /= 100.0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    path = folder / ONNX
    path.write_bytes(model.SerializeToString())
    vit, how = opened(path), Preprocess(height=SIDE, width=SIDE)
    evened = evened_by(vit, rows, how, threads=1)
    assert evened == evened_by(vit, rows, how, threads=1)
    assert set(evened.smooth) == {f"{n}.{what}" for n in range(LAYERS) for what in ("before", "after")}
    forms = {"plain": Form(int8=True), "even": Form(int8=True, smooth=evened.smooth)}
    seen = looked_at(path, vit, forms, rows, how, threads=1)
    off = {name: float(np.abs(seen[name].logits - seen["exact"].logits).mean()) for name in forms}
    assert off["even"] < off["plain"] / 2


def test_near_the_exact_answers_comes_before_fast() -> None:
    def level(near: float, refused: str = "", agreement: float = 0.98) -> Level:
        figures = {"divergence": near, "top1_agreement": agreement}
        return Level(Form(), figures, Calibration(), Targets(), refused)

    near = NEAR["fast"]
    ranks = [
        rank("fast", level(near), 0.02),
        rank("fast", level(near / 2), 0.03),
        rank("fast", level(2 * near), 0.01),
        rank("fast", level(3 * near), 0.01),
        rank("fast", level(0.0, "it is right less often"), 0.01),
        rank("fast", level(0.0, "it is right less often", 0.97), 0.01),
    ]
    assert ranks == sorted(ranks)
    assert rank("turbo", level(3 * near), 0.01) < rank("turbo", level(near), 0.02)
    assert rank("turbo", level(near), 0.02) < rank("turbo", level(0.0, "it is right less often"), 0.01)
    half = np.array([[0.5, 0.5], [0.9, 0.1]], np.float32)
    assert np.allclose(divergence(half, half), 0)
    assert np.allclose(divergence(half, half[::-1])[0], 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(5))


def test_figures_are_those_of_pictures_in_pairs() -> None:
    slugs = ["hulk", "thor"] * 50
    rows = [Picture(Path(f"{n}.png"), f"{n}", f"g{n}", "validation", "", s, s) for n, s in enumerate(slugs)]
    labels = np.array([0, 1] * 50)
    random = np.random.default_rng(0)
    embedding = random.normal(size=(100, 8)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    right = np.eye(2, dtype=np.float32)[labels] * 4
    wrong = right.copy()
    wrong[:10] = wrong[:10, ::-1]  # ten lost
    nothing = np.zeros(100)
    info = BundleInfo("two", ("hulk", "thor"), Calibration())
    figures = figures_of(Seen(wrong, embedding, nothing), Seen(right, embedding, nothing), rows, info, info)
    assert figures["top1_agreement"] == 0.9
    assert figures["accuracy_loss"] == 0.1
    low, high = figures["accuracy_loss_interval"]
    assert 0.03 < low < 0.1 < high < 0.2
    assert figures["embedding_cosine"] == 1.0
    assert figures["neighbour_right"] == figures["neighbour_right_exact"]
    assert "90.0%" in shortfall("fast", figures)


def test_too_few_pictures_say_nothing(folder: Path, pictures: Path) -> None:
    rows = part(read_dataset(pictures), "validation")[:20]
    with pytest.raises(PicturesError, match="too few"):
        make_levels(read_bundle(folder), rows)

"""Levels of a bundle: made from any exporter's graph, admitted by their figures, refused with a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from model.bundle import (
    CONFIG,
    LEVEL_FILES,
    MANIFEST,
    ONNX,
    PREPROCESSOR,
    read_bundle,
    read_json,
    seal,
    write_json,
)
from model.classifier import load_classifier
from model.errors import BundleError, LevelRefused
from model.folders import new_folder
from model.levels import has_levels, levels_of, why_not
from model.levels.forms import Form, adaptive, evenly, factors_of, text_of
from model.levels.making import add_levels, opened
from model.levels.reading import NotRead, read_vit
from model.levels.writing import write
from model.preprocess import Preprocess
from model.types import LEVELS, BundleInfo
from tests.standins.bundles import tiny_bundle
from tests.standins.vits import LAYERS, SIDE, WIDTH, vit_graph

GOOD: Mapping[str, Any] = {
    "pictures": 600,
    "top1_agreement": 0.98,
    "accuracy_loss": 0.001,
    "calibration_error": 0.03,
    "calibration_error_exact": 0.03,
    "embedding_cosine": 0.99,
    "neighbour_right": 0.7,
    "neighbour_right_exact": 0.7,
    "calibration": {"temperature": 0.5, "sure": 0.9, "known": 0.4},
}
UNEVEN = {
    f"{number}.{what}": text_of(np.exp2(np.linspace(-3, 3, WIDTH)).astype(np.float32))
    for number in range(LAYERS)
    for what in ("before", "after")
}
FORMS = {"fast": Form(int8=True), "turbo": Form(int8=True, merge=evenly(2, LAYERS))}


def about(level: str, **changed: Any) -> dict[str, Any]:
    return {"form": FORMS[level].to_json(), **GOOD, "refused": "", **changed}


def bundle(folder: Path, *, averaged: bool = False) -> Path:
    with new_folder(folder) as draft:
        (draft / ONNX).write_bytes(vit_graph(averaged=averaged).SerializeToString())
        write_json(
            draft / CONFIG, {"model_type": "vit", "id2label": {"0": "Hulk", "1": "Thor", "2": "nobody"}}
        )
        write_json(draft / PREPROCESSOR, Preprocess(height=SIDE, width=SIDE).to_config())
        seal(draft, BundleInfo("small-1", ("hulk", "thor", "nobody")), licence="MIT")
    return folder


@pytest.fixture(scope="module")
def levelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = bundle(tmp_path_factory.mktemp("levels") / "bundle", averaged=True)
    add_levels(folder, {level: about(level) for level in FORMS})
    return folder


@pytest.fixture
def copied(levelled: Path, tmp_path: Path) -> Path:
    with new_folder(tmp_path / "copy") as draft:
        for path in levelled.iterdir():
            (draft / path.name).write_bytes(path.read_bytes())
    return tmp_path / "copy"


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_gives_logits_and_embeddings_of_length_1(levelled: Path, level: str) -> None:
    classifier = load_classifier(str(levelled), level=level, models_dir=levelled.parent, threads=1)
    assert classifier.level == level
    # each level speaks with its own calibration
    assert classifier.info.calibration.temperature == (1.0 if level == "exact" else 0.5)
    pixels = np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE, 3), np.uint8)
    together = classifier(pixels)
    assert together.logits.shape == (3, 3)
    assert together.embedding.shape[0] == 3
    assert together.logits.dtype == together.embedding.dtype == np.float32
    assert np.allclose(np.linalg.norm(together.embedding, axis=1), 1, atol=1e-5)
    if level != "fast":  # in 8 bits the range of a batch is that of all its pictures
        for row in range(3):
            assert np.allclose(classifier(pixels[row : row + 1]).logits[0], together.logits[row], atol=1e-4)


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("averaged", [False, True])
def test_layers_written_anew_say_the_same(tmp_path: Path, decomposed: bool, averaged: bool) -> None:
    path = tmp_path / ONNX
    path.write_bytes(vit_graph(decomposed=decomposed, averaged=averaged).SerializeToString())
    assert len(opened(path).layers) == LAYERS  # it compares the outputs


@pytest.mark.parametrize(
    "form",
    [
        Form(merge=evenly(1, LAYERS)),
        Form(merge=evenly(3, LAYERS), proportional=True),
        Form(int8=True, merge=adaptive(1, 4, 0.5, LAYERS)),
        Form(int8=True, floats=("0.up", "1.down")),
        Form(int8=True, smooth=UNEVEN),
    ],
)
def test_a_form_stays_near_the_original(form: Form) -> None:
    import onnxruntime as ort  # type: ignore[import-untyped]

    model = vit_graph(averaged=True)
    pixels = np.random.default_rng(1).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    said = []
    for each in (model, write(read_vit(model), form)):
        session = ort.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"])
        said.append(session.run(["logits", "embedding"], {"pixel_values": pixels}))
    assert float((said[0][1] * said[1][1]).sum()) > 0.95
    assert Form.from_json(form.to_json()) == form


def test_channels_made_even_change_nothing_but_what_8_bits_see() -> None:
    import onnxruntime as ort

    pixels = np.random.default_rng(1).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)
    vit = read_vit(vit_graph())
    said = []
    for form in (Form(), Form(smooth=UNEVEN)):
        session = ort.InferenceSession(
            write(vit, form).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        said.append(session.run(["logits", "embedding"], {"pixel_values": pixels}))
    for one, other in zip(*said, strict=True):
        assert np.allclose(one, other, atol=1e-4)
    assert np.allclose(factors_of(UNEVEN["0.after"]), np.exp2(np.linspace(-3, 3, WIDTH)), rtol=0.1)
    for wrong in ("AAAA", "not base64"):
        with pytest.raises(NotRead, match="factors"):
            write(vit, Form(smooth={"1.after": wrong}))
    # a manifest from before there were any is read as it was
    before = {name: value for name, value in Form(int8=True).to_json().items() if name != "smooth"}
    assert before == Form(int8=True).to_json()
    assert Form.from_json(before) == Form(int8=True)


def test_who_knows_nothing_of_even_channels_does_not_read_a_form_with_them() -> None:
    assert Form(int8=True).to_json()["edition"] == 1
    evened = Form(int8=True, smooth=UNEVEN)
    assert evened.to_json()["edition"] == 2
    assert Form.from_json(evened.to_json() | {"edition": 1}) == evened, "as it was written until then"
    with pytest.raises(ValueError, match="edition 3"):
        Form.from_json(evened.to_json() | {"edition": 3})


def test_a_bundle_names_its_levels_the_most_exact_first(levelled: Path, tmp_path: Path) -> None:
    assert levels_of(read_bundle(levelled)) == LEVELS
    assert levels_of(read_bundle(bundle(tmp_path / "plain"))) == LEVELS[:1]
    assert not any(why_not(read_bundle(levelled), level) for level in LEVELS)
    # level files are beside a whole bundle, not part of it
    assert not set(read_json(levelled / MANIFEST)["files"]) & set(LEVEL_FILES.values())


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"top1_agreement": 0.9}, "same answer for 90.0% of the pictures, not 95%"),
        ({"accuracy_loss": 0.02}, "right 2.0 points less often"),
        ({"accuracy_loss": float("nan")}, "less often"),
        ({"calibration_error": 0.08}, "calibration error is 0.050 larger"),
        ({"embedding_cosine": 0.8}, "a cosine of 0.800"),
        ({"neighbour_right": 0.5}, "20.0 points less often"),
        ({"pictures": 0}, "measured on no pictures"),
        ({"refused": "it was too slow"}, "it was too slow"),
        ({"calibration": {"temperature": 0.0}}, "does not read"),
        ({"top1_agreement": None}, "does not read"),
    ],
)
def test_a_level_that_falls_short_is_refused_and_says_why(
    copied: Path, changed: dict[str, Any], says: str
) -> None:
    add_levels(copied, {"turbo": about("turbo", **changed)})
    read = read_bundle(copied)
    assert levels_of(read) == LEVELS[:1]
    assert says in why_not(read, "turbo")
    with pytest.raises(LevelRefused) as caught:
        load_classifier(str(copied), level="turbo", models_dir=copied, threads=1)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    load_classifier(str(copied), models_dir=copied, threads=1)  # the exact level is as it was


@pytest.mark.parametrize("harm", ["changed", "cut", "gone", "another's"])
def test_a_level_file_that_is_not_as_it_was_is_refused(copied: Path, tmp_path: Path, harm: str) -> None:
    path = copied / LEVEL_FILES["fast"]
    content = bytearray(path.read_bytes())
    if harm == "gone":
        path.unlink()
    elif harm == "another's":
        other = bundle(tmp_path / "other")
        add_levels(other, {"fast": about("fast")})
        path.write_bytes((other / path.name).read_bytes())
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content if harm == "changed" else content[:-9])
    with pytest.raises(LevelRefused, match="lacks" if harm == "gone" else "not the file"):
        load_classifier(str(copied), level="fast", models_dir=copied, threads=1)
    for level in ("exact", "turbo"):
        assert load_classifier(str(copied), level=level, models_dir=copied, threads=1).level == level


def test_levels_are_made_the_same_again(copied: Path) -> None:
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    levels = {level: about(level) for level in FORMS}
    assert has_levels(copied, levels)
    add_levels(copied, levels)
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before
    (copied / LEVEL_FILES["turbo"]).unlink()
    assert not has_levels(copied, levels)


def test_what_is_no_vision_transformer_has_no_levels(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    with pytest.raises(NotRead, match="attention"):
        read_vit(onnx.load(str(folder / ONNX)))
    with pytest.raises(LevelRefused, match="no vision transformer"):
        add_levels(folder, {"fast": about("fast")})
    with pytest.raises(LevelRefused, match="has no level fast"):
        load_classifier(str(folder), level="fast", models_dir=tmp_path)
    with pytest.raises(BundleError, match="one of exact, fast, turbo"):
        load_classifier(str(folder), level="ludicrous", models_dir=tmp_path)

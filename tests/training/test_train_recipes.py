"""``whosthat train`` on drawings and tiny random bases: what comes out, and that it comes out again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model.bundle import read_bundle, sha256_of
from model.classifier import load_classifier
from model.levels.making import opened
from model.types import NOBODY
from training.pictures import part, read_dataset

pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("peft", reason="needs the training dependencies")

from tests.training.studio import invoke, tiny_base, write
from training.bundling import compare_forms
from training.looking import pixels_of

QUICK = ("--set=augmenting.mixed=0.2", "--set=epochs=2", "--set=batch=16", "--set=patience=5")
KINDS = ("Dinov2Model", "Dinov2ForImageClassification", "ViTModel", "ViTForImageClassification")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_on_any_base_is_a_whole_bundle(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "pictures", of_each=40)
    tiny_base(tmp_path / "base", kind)
    code, said = invoke(tmp_path)
    assert code == 0, said
    folder = tmp_path / "out"
    bundle = read_bundle(folder)
    assert bundle.info.characters == ("hulk", "iron-man", "thanos", NOBODY)
    assert bundle.info.id.startswith("head-")
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "preprocessor_config.json", "model.safetensors", "model.onnx", "manifest.json"),
        *("README.md", "curves.png", "confusion.png"),
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["parent"] == "base"
    assert manifest["recipe"]["kind"] == "head"
    assert manifest["recipe"]["seed"] == 0
    assert "torch" in manifest["recipe"]["versions"]
    assert manifest["metrics"]["validation"]["right"]["of"] == 24
    assert manifest["compiled"]["model.onnx"]["top1_agreement"] >= 0.99
    for name in manifest["files"]:
        bundle.verify(folder / name)
    assert opened(folder / "model.onnx").layers  # faster levels can be made of it
    # it has learnt: the colours of the test part, which nothing was trained or chosen on
    test = part(read_dataset(tmp_path / "pictures"), "test")
    for backend in ("onnx", "torch"):
        classifier = load_classifier(str(folder), backend=backend, models_dir=tmp_path)
        logits = classifier(np.stack([pixels_of(p, classifier.preprocess) for p in test])).logits
        right = [bundle.info.characters[i] == p.slug for i, p in zip(logits.argmax(1), test, strict=True)]
        assert np.mean(right) >= 0.75, backend
    card = (folder / "README.md").read_text()
    assert "Iron Man" in card
    assert "not a face recogniser" in card


@pytest.mark.parametrize("recipe", ["adapter", "full"])
@pytest.mark.parametrize("kind", ["Dinov2Model", "ViTForImageClassification"])
def test_fine_tuning_changes_the_backbone_and_both_forms_agree(
    tmp_path: Path, recipe: str, kind: str
) -> None:
    from safetensors.numpy import load_file

    write(tmp_path / "pictures", of_each=20)
    tiny_base(tmp_path / "base", kind)
    code, said = invoke(tmp_path, f"--recipe={recipe}", *QUICK)
    assert code == 0, said
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "out"))
    changed = [n for n in before if n in after and "layer" in n and before[n].shape == after[n].shape]
    assert changed
    assert any(np.abs(before[name] - after[name]).max() > 1e-4 for name in changed)
    if kind == "Dinov2Model":  # a third of its layers stands still, to the last bit
        still = [name for name in before if "layer.0." in name or "embeddings" in name]
        assert still
        assert all(np.array_equal(before[name], after[name]) for name in still)
        assert any(np.abs(before[name] - after[name]).max() > 1e-4 for name in changed if "layer.2." in name)
    assert not any("lora" in name for name in after), "merged at the end"
    validation = part(read_dataset(tmp_path / "pictures"), "validation")
    agreement = compare_forms(tmp_path / "out", validation)
    assert agreement["top1_agreement"] == 1
    assert agreement["max_abs_logit_difference"] < 1e-3
    assert not (tmp_path / ".out.run").exists()


@pytest.mark.parametrize("recipe", ["head", "adapter", "full"])
def test_the_same_pictures_and_seed_give_the_same_weights(tmp_path: Path, recipe: str) -> None:
    write(tmp_path / "pictures", of_each=15)
    tiny_base(tmp_path / "base")
    more = [f"--recipe={recipe}", *(QUICK if recipe != "head" else ())]
    for out in ("a", "b"):
        # features are looked at anew, so that these are the same as well
        code, said = invoke(tmp_path, *more, f"--cache={tmp_path / out}-cache", out=out)
        assert code == 0, said
    weights = [sha256_of(tmp_path / out / "model.safetensors") for out in ("a", "b")]
    assert weights[0] == weights[1]
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()
    if recipe != "head":
        code, said = invoke(tmp_path, *more, "--seed=1", out="c")
        assert code == 0, said
        assert sha256_of(tmp_path / "c/model.safetensors") != weights[0]


def test_a_bundle_of_ours_keeps_the_characters_that_have_no_new_pictures(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=20)
    tiny_base(tmp_path / "base")
    assert invoke(tmp_path, out="first")[0] == 0
    rows = (tmp_path / "pictures" / "splits.csv").read_text().splitlines()
    kept = [row for row in rows if ",Thanos" not in row and "other" not in row]
    (tmp_path / "pictures" / "splits.csv").write_text("\n".join(kept) + "\n")
    code, said = invoke(tmp_path, base="first", out="second")
    assert code == 0, said
    bundle = read_bundle(tmp_path / "second")
    assert bundle.info.characters == ("hulk", "iron-man", "thanos", NOBODY)
    assert bundle.manifest["parent"] == read_bundle(tmp_path / "first").info.id
    # without strangers among the pictures the threshold for them stays the base's
    assert bundle.info.calibration.known == read_bundle(tmp_path / "first").info.calibration.known
    classifier = load_classifier(str(tmp_path / "second"), models_dir=tmp_path)
    from model.preprocess import to_pixels
    from tests.standins.drawings import picture

    pixels = [
        to_pixels(picture("purple", seed=s, size=(64, 48)), classifier.preprocess) for s in range(900, 910)
    ]
    answers = classifier(np.stack(pixels)).logits.argmax(1)
    assert (answers == bundle.info.characters.index("thanos")).mean() >= 0.7


def test_a_head_of_another_size_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=15)
    tiny_base(tmp_path / "base", "ViTForImageClassification", id2label={i: f"thing {i}" for i in range(1000)})
    assert invoke(tmp_path)[0] == 0
    assert read_bundle(tmp_path / "out").info.characters == ("hulk", "iron-man", "thanos", NOBODY)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"]["0"] == "Hulk"


def test_a_plain_folder_gives_some_of_its_pictures_to_choose_by(tmp_path: Path) -> None:
    from tests.standins.drawings import drawing

    for colour, name in (("red", "Iron Man"), ("green", "Hulk")):
        for seed in range(40):
            path = tmp_path / "pictures" / name / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(drawing(colour, seed=seed, size=(64, 48)))
    tiny_base(tmp_path / "base")
    code, said = invoke(tmp_path)
    assert code == 0, said
    assert "held back to choose and calibrate by" in said
    bundle = read_bundle(tmp_path / "out")
    assert bundle.info.characters == ("hulk", "iron-man")
    assert "none among the validation pictures" in (tmp_path / "out" / "README.md").read_text()


def test_every_picture_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import training.bundling
    import training.looking

    write(tmp_path / "pictures", of_each=75)
    tiny_base(tmp_path / "base")
    looked: list[str] = []
    real = training.looking.pixels_of

    def counted(picture, how):  # type: ignore[no-untyped-def]
        looked.append(picture.sha256)
        return real(picture, how)

    monkeypatch.setattr(training.looking, "pixels_of", counted)
    monkeypatch.setattr(training.bundling, "pixels_of", counted)
    assert invoke(tmp_path)[0] == 0
    pictures = [p for p in read_dataset(tmp_path / "pictures") if p.split != "test"]
    forms = len(looked) - len(pictures)  # each of these goes through both forms
    assert len(pictures) + 2 * forms <= 1.2 * len(pictures)


def test_networks_trained_on_the_other_half_judge_each_picture(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=100)
    tiny_base(tmp_path / "base")
    values = (*QUICK, "--set=crossed=2", "--set=crossed_epochs=1")
    code, said = invoke(tmp_path, "--recipe=full", *values)
    assert code == 0, said
    assert said.count("asking for a second opinion") == 2
    plain = invoke(tmp_path, "--recipe=full", *QUICK, out="plain")
    assert plain[0] == 0, plain[1]
    hashes = {name: sha256_of(tmp_path / name / "model.safetensors") for name in ("out", "plain")}
    assert hashes["out"] != hashes["plain"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["recipe"]["crossed"] == 2

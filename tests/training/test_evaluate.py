"""``whosthat evaluate``: a real bundle on drawings, counted by hand; and what cannot be measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from model.answering import answer
from model.types import NOBODY, BundleInfo, Calibration, Verdict
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing
from training.answers import answers_of
from training.cli_evaluate import app
from training.evaluating import evaluate, worst
from training.pictures import read_dataset
from training.predicting import predict

PEOPLE = {"red": "Iron Man", "green": "Hulk", "purple": "Thanos", "grey": "nobody"}


def folder_of(place: Path, people: dict[str, str], each: int = 3, split: str = "test") -> Path:
    """An imagefolder of drawings, each colour under a name."""
    for colour, name in people.items():
        (place / split / name).mkdir(parents=True, exist_ok=True)
        for seed in range(each):
            content = drawing(colour, seed=seed, size=(64, 48), kind="PNG")
            (place / split / name / f"{colour}-{seed}.png").write_bytes(content)
    return place


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.mark.parametrize("nobody", [True, False])
def test_answers_of_many_are_the_answers_of_each(nobody: bool) -> None:
    slugs = ("thor", "loki", *([NOBODY] if nobody else []), "hulk")
    info = BundleInfo("x", slugs, Calibration(0.7, 0.6, 0.55, known_scale=0.4, known_offset=-0.5))
    logits = np.random.default_rng(0).normal(scale=2, size=(200, len(slugs))).astype(np.float32)
    logits[0] = 1.0  # equals are named by slug
    many = answers_of(logits, info)
    for row, each in enumerate(answer(values.tolist(), info) for values in logits):
        assert many.characters[many.first[row]] == each.character
        assert many.confidence[row] == pytest.approx(each.confidence, abs=1e-6)
        assert many.known[row] == pytest.approx(each.known, abs=1e-6)
        assert many.told[row] == (each.verdict is not Verdict.NOBODY)
        assert many.sure[row] == (each.verdict is Verdict.SURE)


def test_every_figure_of_a_model_that_is_right_but_for_one_label(tmp_path: Path, bundle: Path) -> None:
    folder = folder_of(tmp_path / "pictures", PEOPLE)
    folder_of(folder, {"blue": "Thanos"}, each=1)  # captain-america by his colour
    pictures = read_dataset(folder)
    report = evaluate(predict(bundle, pictures), pictures)
    assert (report.pictures, report.strangers, report.damaged) == (13, 3, 0)
    assert (report.accuracy["right"], report.accuracy["of"]) == (9, 10)
    assert report.by_character["thanos"]["share"] == 0.75
    # F1 of iron-man and hulk is 1, that of thanos 2 · 3 / (2 · 3 + 0 + 1)
    assert report.macro_f1 == pytest.approx((1 + 1 + 6 / 7) / 3, abs=1e-4)
    assert report.auroc == 1.0
    assert report.told["nobody"]["share"] == 1.0
    # the surest are answered first, and the wrong one is as sure as the others
    assert 0 <= report.coverage <= 9 / 13
    assert report.calibration_error > report.calibration_floor[0]
    assert report.milliseconds["median"] > 0
    ((picture, lines),) = worst(predict(bundle, pictures), pictures)
    assert picture.path.name == "blue-0.png"
    assert lines[0].startswith("said captain-america") and lines[1] == "label thanos"


def test_the_command_says_and_draws(tmp_path: Path, bundle: Path) -> None:
    folder = folder_of(tmp_path / "pictures", {**PEOPLE, "blue": "Thanos"})
    out = tmp_path / "out"
    said = run("evaluate", bundle, folder, "--out", out)
    assert said.exit_code == 0, said.output
    assert "accuracy" in said.stdout and "honest model" in said.stdout
    for name in ("mistakes.png", "reliability.png", "confusion.png"):
        with Image.open(out / name) as drawn:
            assert min(drawn.size) > 100
    as_json = json.loads(run("evaluate", bundle, folder, "--json").stdout)
    assert as_json["accuracy"]["of"] == 12
    assert as_json["drawn"] == []


def test_damaged_pictures_are_counted_and_unknown_characters_named(tmp_path: Path, bundle: Path) -> None:
    folder = folder_of(tmp_path / "pictures", {**PEOPLE, "blue": "Groot"}, each=2)
    (folder / "test" / "Hulk" / "broken.png").write_bytes(drawing("green", kind="PNG")[:200])
    found = json.loads(run("evaluate", bundle, folder, "--json").stdout)
    assert (found["damaged"], found["unknown"], found["pictures"]) == (1, {"groot": 2}, 8)


def test_predictions_are_kept_by_what_they_depend_on(tmp_path: Path, bundle: Path) -> None:
    pictures = read_dataset(folder_of(tmp_path / "pictures", PEOPLE))
    cache = tmp_path / "cache"
    once = predict(bundle, pictures, cache=cache)
    (file,) = cache.iterdir()
    again = predict(bundle, pictures, cache=cache)
    assert np.array_equal(once.logits, again.logits) and np.array_equal(once.seconds, again.seconds)
    predict(tiny_bundle(tmp_path / "other", name="other"), pictures, cache=cache)
    assert len(list(cache.iterdir())) == 2
    assert file.is_file()


@pytest.mark.parametrize(
    ("people", "split", "says"),
    [
        ({"red": "Iron Man"}, "test", "nobody to be told apart"),
        ({"red": "Iron Man", "green": "Hulk"}, "train", "none of the 6 pictures"),
        ({"red": "Groot", "green": "Rocket"}, "test", "knows none of the characters"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    tmp_path: Path, bundle: Path, people: dict[str, str], split: str, says: str
) -> None:
    said = run("evaluate", bundle, folder_of(tmp_path / "pictures", people, split=split))
    assert said.exit_code == 1
    assert says in said.stderr and said.stderr.count("\n") == 1 and "Traceback" not in said.output
    assert not list(tmp_path.glob("evaluation*"))


def test_a_folder_that_is_no_model_and_pictures_that_do_not_decode(tmp_path: Path, bundle: Path) -> None:
    folder = folder_of(tmp_path / "pictures", PEOPLE)
    for nothing in (tmp_path, tmp_path / "gone"):
        said = run("evaluate", nothing, folder)
        assert (said.exit_code, said.stderr.count("\n")) == (1, 1), said.output
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no picture")
    said = run("evaluate", bundle, folder)
    assert said.exit_code == 1
    assert "decodes" in said.stderr

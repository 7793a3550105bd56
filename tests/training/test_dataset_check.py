"""Checking folders: what is found, what a cleaned copy leaves out, and what cannot be checked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from model.types import NOBODY
from tests.standins.drawings import drawing, encoded, picture
from training.cli_dataset import app
from training.dataset.checking import Checked, cells_of, check_dataset
from training.dataset.contact_sheet import Cell, draw_sheet
from training.dataset.fixing import left_out, write_fixed
from training.dataset.labels import FOLDS, judge_labels, off_diagonal, out_of_sample
from training.dataset.near_groups import look_at, near_groups
from training.errors import DatasetWriteError, PicturesError
from training.fitting import Descent
from training.pictures import read_dataset

COLOURS = {"red": "iron-man", "green": "hulk", "purple": "thanos"}


def folder_of_drawings(folder: Path, of_each: int = 12) -> Path:
    """Three characters, each of its own colour."""
    for number, (colour, slug) in enumerate(COLOURS.items()):
        for seed in range(of_each):
            place = folder / "train" / slug
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{seed:02}.png").write_bytes(drawing(colour, seed=seed + 100 * number, size=(96, 72)))
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def spoiled(folder: Path) -> Path:
    """One of everything that can be wrong."""
    folder_of_drawings(folder)
    train = folder / "train"
    (train / "hulk/broken.jpg").write_bytes(drawing("green", kind="JPEG")[:1500])
    (train / "hulk/page.jpg").write_bytes(b"<html>")
    (train / "hulk/again.png").write_bytes((train / "hulk/00.png").read_bytes())
    (train / "thanos/stolen.png").write_bytes((train / "iron-man/01.png").read_bytes())
    (train / "iron-man/wrong.png").write_bytes(drawing("purple", seed=903, size=(96, 72)))
    (folder / "test/hulk").mkdir(parents=True)
    copy = picture("green", seed=102, size=(96, 72)).resize((140, 105))
    (folder / "test/hulk/copy.jpg").write_bytes(encoded(copy, "JPEG", quality=80))
    (folder / "test/iron-man").mkdir(parents=True)
    (folder / "test/iron-man/wrong-too.png").write_bytes(drawing("green", seed=901, size=(96, 72)))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Checked:
    return check_dataset(spoiled(tmp_path_factory.mktemp("pictures")), cache=cache)


def test_everything_wrong_is_found(checked: Checked) -> None:
    found = checked.to_json()
    assert found["characters"]["hulk"] == {"train": 15, "validation": 0, "test": 1}
    assert [each["file"] for each in found["damaged"]] == ["train/hulk/broken.jpg", "train/hulk/page.jpg"]
    assert "breaks off" in found["damaged"][0]["why"] and "are no JPEG" in found["damaged"][1]["why"]
    assert found["near_copies_across"] == [["train/hulk/02.png", "test/hulk/copy.jpg"]]
    assert sorted(found["near_copies_inside"]) == [
        ["train/hulk/00.png", "train/hulk/again.png"],
        ["train/iron-man/01.png", "train/thanos/stolen.png"],
    ]
    assert [[each["label"] for each in pair] for pair in found["two_labels"]] == [["iron-man", "thanos"]]
    assert found["shorter_side"] == {"least": 72, "median": 72, "most": 105, "small": 0}
    assert found["formats"] == {"jpeg": 1, "png": 40}


def test_a_wrong_label_comes_first_and_test_pictures_are_not_judged(checked: Checked) -> None:
    suspects = [each.picture.path.name for each in checked.suspects]
    assert "wrong.png" in suspects[:2] and "wrong-too.png" not in suspects
    wrong = checked.suspects[suspects.index("wrong.png")]
    assert wrong.looks_like == "thanos" and wrong.other > wrong.own
    assert checked.judged is not None and checked.judged.pictures == 39


def test_a_cleaned_copy_lacks_what_is_wrong_and_the_original_is_as_it_was(
    checked: Checked, tmp_path: Path
) -> None:
    before = contents(checked.folder)
    out = tmp_path / "out"
    wrong = next(each for each in checked.suspects if each.picture.path.name == "wrong.png")
    without = write_fixed(checked, out, margin=wrong.margin)
    assert contents(checked.folder) == before
    said = {each.picture.path.relative_to(checked.folder).as_posix(): each.why for each in without}
    sure = {
        "train/hulk/broken.jpg": "damaged",
        "train/hulk/page.jpg": "damaged",
        "train/hulk/again.png": "same-bytes",
        "train/hulk/02.png": "across-parts",
        "train/iron-man/01.png": "two-labels",
        "train/thanos/stolen.png": "two-labels",
        "train/iron-man/wrong.png": "label",
    }
    assert sure.items() <= said.items()
    assert set(said.values()) - set(sure.values()) == set()
    report = json.loads((out / "report.json").read_text())
    assert {row["file"]: row["why"] for row in report["left_out"]} == said
    assert report["kept"] == len(before) - len(said)
    kept = read_dataset(out)
    assert {p.path.relative_to(out).as_posix() for p in kept} == before.keys() - said.keys()
    assert "test/iron-man/wrong-too.png" in before.keys() - said.keys()
    with Image.open(out / "left_out.png") as sheet:
        assert sheet.format == "PNG" and sheet.width > 100
    again = check_dataset(out, labels=False).to_json()
    assert not again["damaged"] and not again["two_labels"] and not again["near_copies_across"]


def test_a_picture_that_changed_meanwhile_stops_the_copy(tmp_path: Path) -> None:
    found = check_dataset(folder_of_drawings(tmp_path / "a", 2), labels=False)
    (tmp_path / "a/train/hulk/00.png").write_bytes(drawing("blue"))
    with pytest.raises(PicturesError, match="is not the picture that it was"):
        write_fixed(found, tmp_path / "out", margin=1)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_higher_the_margin_the_fewer_are_left_out(checked: Checked) -> None:
    counts = [sum(each.why == "label" for each in left_out(checked, margin)) for margin in (0.0, 0.5, 1.0)]
    assert counts == sorted(counts, reverse=True) and counts[0] >= 1 and counts[2] == 0


def one_class(folder: Path) -> None:
    (folder / "loki").mkdir(parents=True)
    for seed in range(3):
        (folder / f"loki/{seed}.png").write_bytes(drawing("green", seed=seed))


def one_picture(folder: Path) -> None:
    (folder / "loki").mkdir(parents=True)
    (folder / "loki/a.png").write_bytes(drawing("green"))


def all_damaged(folder: Path) -> None:
    (folder / "loki").mkdir(parents=True)
    (folder / "loki/a.png").write_bytes(b"nothing")


def thousand(folder: Path) -> None:
    for number in range(1000):
        (folder / f"c{number}").mkdir(parents=True)
        noise = Image.effect_noise((16, 16), 80).convert("RGB")
        (folder / f"c{number}/a.png").write_bytes(encoded(noise, "PNG"))


@pytest.mark.parametrize(
    ("make", "notes"),
    [
        (
            one_class,
            ["no two characters have 5", "one character alone", "fewer than 10 different pictures: loki"],
        ),
        (one_picture, ["no two characters have 5", "one character alone"]),
        (all_damaged, ["no two characters have 5"]),
        (
            thousand,
            ["no two characters have 5", "fewer than 10 different pictures: c0, c1, c10, c100, c101 and 995"],
        ),
    ],
)
def test_odd_folders_are_checked_and_told(tmp_path: Path, make: Any, notes: list[str]) -> None:
    folder = tmp_path / "pictures"
    make(folder)
    ran = CliRunner().invoke(app, ["check", str(folder), f"--cache={tmp_path / 'cache'}"])
    assert ran.exit_code == 0, ran.output
    for note in notes:
        assert note in ran.output


def test_nothing_right_leaves_nothing_to_copy(tmp_path: Path) -> None:
    all_damaged(tmp_path / "a")
    found = check_dataset(tmp_path / "a", labels=False)
    with pytest.raises(PicturesError, match=r"nothing of .* is right"):
        write_fixed(found, tmp_path / "out", margin=1)
    with pytest.raises(DatasetWriteError, match="lie in one another"):
        write_fixed(found, tmp_path / "a/out", margin=1)


def test_the_command(tmp_path: Path, cache: Path) -> None:
    folder = spoiled(tmp_path / "a")
    out, sheet = tmp_path / "out", tmp_path / "sheet.png"
    runner = CliRunner()
    command = ["check", str(folder), f"--cache={cache}", f"--fix={out}", f"--sheet={sheet}"]
    ran = runner.invoke(app, command)
    assert ran.exit_code == 0, ran.output
    for line in ("2 do not decode", "1 are there under two labels", "1 have near copies in another part"):
        assert line in ran.output
    assert f"written to {out}" in ran.output and sheet.is_file()
    plain = runner.invoke(app, ["check", str(folder), f"--cache={cache}", "--json"])
    assert json.loads(plain.stdout)["pictures"] == 43
    taken = runner.invoke(app, command)
    assert taken.exit_code == 1 and "is not empty" in taken.output and taken.output.count("\n") == 1


def test_no_torch_is_needed(tmp_path: Path, cache: Path) -> None:
    """All three commands in a process that cannot import torch."""
    folder = spoiled(tmp_path / "a")
    script = tmp_path / "without.py"
    script.write_text(
        "import sys\n"
        "if __name__ == '__main__':\n"
        "    sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "    from training.cli_dataset import app\n"
        "    app()\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(Path.cwd()), "PATH": "", "HOME": str(tmp_path)}
        command = [sys.executable, str(script), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=environment, check=False
        )

    ran = run("check", str(folder), f"--cache={cache}", f"--fix={tmp_path / 'out'}")
    assert ran.returncode == 0 and "may be labelled wrongly" in ran.stderr, ran
    ran = run("split", str(tmp_path / "out"), "--again")
    assert ran.returncode == 0, ran
    ran = run("collect", "..", f"--out={tmp_path / 'collected'}")
    assert ran.returncode == 1 and ran.stderr.count("\n") == 1, ran


def test_confident_learning_counts_by_thresholds() -> None:
    """By hand: class 0 is given 0.8 on average where it is the label, class 1 0.5."""
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.85, 0.15], [0.15, 0.85]], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert off_diagonal(p, labels) == [(4, 0)]
    p[2] = [0.45, 0.55]
    assert off_diagonal(p, labels) == [(2, 1), (4, 0)]


def test_predictions_are_out_of_sample_and_copies_are_in_one_fold() -> None:
    """A label that only its own picture could teach is not learnt from a copy."""
    dice = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 20)
    x = dice.normal(size=(40, 60)).astype(np.float32)
    x[:, 0] += 4 * (labels * 2 - 1)
    wrong, twin = 0, 1
    x[twin] = x[wrong]
    labels[[wrong, twin]] = 1  # both say 1, all that is like them says 0
    groups = [f"g{max(i, 1)}" for i in range(40)]
    p = out_of_sample(x, labels, groups, 2, Descent(0.0, 0.01, 200), seed=0)
    assert p[wrong, 0] > 0.9 and p[twin, 0] > 0.9
    assert np.allclose(p.sum(axis=1), 1, atol=1e-4)
    alone = out_of_sample(x, labels, [f"g{i}" for i in range(40)], 2, Descent(0.0, 1e-5, 500), seed=0)
    assert alone[wrong, 0] < p[wrong, 0]
    assert FOLDS == 5


def test_judging_is_the_same_twice_and_leaves_small_characters_out(tmp_path: Path, cache: Path) -> None:
    folder = folder_of_drawings(tmp_path / "a")
    (folder / "train/loki").mkdir()
    (folder / "train/loki/a.png").write_bytes(drawing("blue"))
    pictures = read_dataset(folder)
    groups = near_groups(pictures, look_at([p.path for p in pictures]))
    first, second = (judge_labels(pictures, groups, cache) for _ in range(2))
    assert first == second
    assert first.unjudged == ("loki",) and first.pictures == 36


def test_flat_pictures_are_no_copies_of_one_another(tmp_path: Path) -> None:
    for name, colour in (("a", "white"), ("b", "black"), ("c", "white")):
        (tmp_path / NOBODY).mkdir(exist_ok=True)
        (tmp_path / NOBODY / f"{name}.png").write_bytes(encoded(Image.new("RGB", (90, 90), colour), "PNG"))
    pictures = read_dataset(tmp_path)
    a, b, c = near_groups(pictures, look_at([p.path for p in pictures]))
    assert a == c != b


def test_a_contact_sheet_of_anything(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.new("RGB", (400, 100), "red"), "PNG"))
    (tmp_path / "bad.png").write_bytes(b"x")
    cells = [
        Cell(tmp_path / "a.png", ("a" * 500, "→ 鋼鐵人")),
        Cell(tmp_path / "bad.png"),
        Cell(tmp_path / "gone.png"),
    ]
    draw_sheet(cells, tmp_path / "sheet.png", columns=2, side=100)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 2 * 106 + 6
        red, green, _ = np.asarray(sheet.convert("RGB"))[56, 56]
        assert red > 240 and green < 10
    draw_sheet([], tmp_path / "none.png")
    assert cells_of([]) == []
    with pytest.raises(DatasetWriteError, match="cannot be written"):
        draw_sheet(cells, tmp_path / "nowhere/sheet.png")

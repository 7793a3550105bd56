"""The command that trains the embedded model's head, on drawings; and what it is fed with."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from model.builtin.head import read_head
from tests.standins.drawings import drawing
from training.cli import app
from training.errors import PicturesError
from training.features import features_of, flat
from training.head import classes_of
from training.pictures import COLUMNS, data_hash, part, read_pictures

PEOPLE = {"red": "Iron Man", "green": "Hulk", "purple": "Thanos", "grey": ""}


def write(folder: Path, *, of_each: int = 10, **changes: dict[int, str]) -> Path:
    """A folder of drawings with its table: of each colour most for training, some for the rest."""
    rows: list[dict[str, str]] = []
    for colour, character in PEOPLE.items():
        for seed in range(of_each):
            content = drawing(colour, seed=seed, size=(64, 48), kind="PNG")
            path = folder / f"{colour}-{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            split = "test" if seed % 10 == 9 else "validation" if seed % 5 == 3 else "train"
            rows.append(
                {
                    "file": path.name,
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "group": f"{colour}-{seed}",
                    "split": split,
                    "source": "drawn" if character else "other",
                    "character": character,
                }
            )
    for column, values in changes.items():
        for row, value in values.items():
            rows[row][column] = value
    with (folder / "splits.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_the_table_is_read(tmp_path: Path) -> None:
    pictures = read_pictures(write(tmp_path))
    assert len(pictures) == 40
    assert [len(part(pictures, split)) for split in ("train", "validation", "test")] == [28, 8, 4]
    assert classes_of(pictures) == [
        ("hulk", "Hulk"),
        ("iron-man", "Iron Man"),
        ("thanos", "Thanos"),
        ("nobody", "nobody"),
    ]
    assert data_hash(pictures) == data_hash(pictures[::-1]) != data_hash(pictures[1:])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"file": {0: "gone.png"}}, "is not there"),
        ({"split": {3: "exam"}}, "not one of"),
        ({"group": {0: "same", 9: "same"}}, "in two parts"),
    ],
)
def test_a_wrong_table_is_one_sentence(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PicturesError, match=says) as caught:
        read_pictures(write(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_features_are_kept_and_named_by_their_content(tmp_path: Path) -> None:
    pictures = read_pictures(write(tmp_path / "pictures", of_each=1))
    cache = tmp_path / "cache"
    first = features_of(pictures, cache)
    assert first.shape == (4, 12, 2, 384)
    (file,) = cache.iterdir()
    before = file.stat().st_mtime_ns
    assert np.array_equal(features_of(pictures, cache), first)
    assert file.stat().st_mtime_ns == before
    mirrored = features_of(pictures, cache, mirrored=True)
    assert len(list(cache.iterdir())) == 2
    assert not np.array_equal(mirrored, first)
    assert flat(first, [4, 7]).shape == (4, 2 * 2 * 384)
    assert np.array_equal(flat(first, [4, 7])[:, :384], first[:, 4, 0].astype(np.float32))


def test_a_picture_that_is_another_one_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "pictures", of_each=1)
    (folder / "red-0.png").write_bytes(drawing("blue", kind="PNG"))
    with pytest.raises(PicturesError, match=r"red-0\.png is not the picture"):
        features_of(read_pictures(folder), tmp_path / "cache")


def test_the_command_trains_and_trains_the_same_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "pictures")
    said = [
        CliRunner().invoke(
            app,
            [
                "head",
                f"--pictures={folder}",
                f"--out={tmp_path / out}",
                f"--cache={tmp_path / 'cache'}",
                "--compare=0",
                "--final",
                f"--card={tmp_path / 'card.md'}",
            ],
        )
        for out in ("a", "b")
    ]
    assert [run.exit_code for run in said] == [0, 0], said[0].output
    assert (tmp_path / "a" / "head.safetensors").read_bytes() == (
        tmp_path / "b" / "head.safetensors"
    ).read_bytes()
    head = read_head(tmp_path / "a")
    assert head.characters == ("hulk", "iron-man", "thanos", "nobody")
    test = part(read_pictures(folder), "test")
    logits = head.logits(flat(features_of(test, tmp_path / "cache"), head.layers))
    assert [head.characters[index] for index in logits.argmax(axis=1)] == [p.slug for p in test]
    about = json.loads((tmp_path / "a" / "head.json").read_text())
    assert about["metrics"]["test"]["right"]["of"] == 3
    assert "Hulk" in (tmp_path / "card.md").read_text()


def test_strangers_drawn_by_code_change_the_class_for_nobody_alone(tmp_path: Path) -> None:
    folder = write(tmp_path / "pictures")
    arguments = [f"--pictures={folder}", f"--cache={tmp_path / 'cache'}", "--compare=0"]
    for out, drawn in (("plain", "0"), ("taught", "6")):
        run = CliRunner().invoke(app, ["head", *arguments, f"--out={tmp_path / out}", f"--drawn={drawn}"])
        assert run.exit_code == 0, run.output
    plain, taught = read_head(tmp_path / "plain"), read_head(tmp_path / "taught")
    assert np.array_equal(plain.weight[:-1], taught.weight[:-1])
    assert not np.array_equal(plain.weight[-1], taught.weight[-1])
    assert json.loads((tmp_path / "taught" / "head.json").read_text())["drawn"] == 6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pictures=/nowhere", "--out={tmp}"], "there is no folder of pictures"),
        (["--pictures={tmp}", "--out={tmp}"], "does not read"),
        (["--pictures={tmp}", "--out={tmp}", "--card={tmp}/card.md"], "--final"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    run = CliRunner().invoke(app, ["head", *(a.format(tmp=tmp_path) for a in arguments)])
    assert run.exit_code == 1
    assert says in " ".join(run.output.split())
    assert "Traceback" not in run.output

"""Every kind of folder that training starts from, and what is wrong with some."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from model.types import NOBODY
from tests.standins.drawings import drawing
from training.errors import PicturesError
from training.pictures import COLUMNS, Picture, read_dataset, two_labels


def put(path: Path, colour: str = "red", seed: int = 0) -> str:
    """Draw one picture; its SHA-256."""
    content = drawing(colour, seed=seed, size=(64, 48), kind="PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def table(folder: Path, *rows: tuple[str, ...]) -> None:
    with (folder / "splits.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def facts(pictures: list[Picture]) -> list[tuple[str, str, str, str]]:
    return [(p.path.name, p.split, p.slug, p.name) for p in pictures]


def test_a_plain_folder(tmp_path: Path) -> None:
    sha256 = put(tmp_path / "Iron Man" / "a.png")
    put(tmp_path / "loki" / "deeper" / "b.PNG", "green")
    put(tmp_path / "nobody" / "c.png", "grey")
    (tmp_path / "loki" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "loki" / "sources.jsonl").write_text("{}\n")
    pictures = read_dataset(tmp_path)
    assert facts(pictures) == [
        ("a.png", "train", "iron-man", "Iron Man"),
        ("b.PNG", "train", "loki", "Loki"),
        ("c.png", "train", NOBODY, NOBODY),
    ]
    assert pictures[0].sha256 == pictures[0].group == sha256


def test_an_export(tmp_path: Path) -> None:
    one, two = put(tmp_path / "train/iron-man/1.webp"), put(tmp_path / "test/odd-zz/2.webp", "green")
    put(tmp_path / "train/several/3.webp", "blue")
    lines(
        tmp_path / "train/metadata.jsonl",
        [
            {"file_name": "iron-man/1.webp", "labels": ["iron-man"], "sha256": one, "split_group": "g1"},
            {"file_name": "several/3.webp", "label": "several", "labels": ["loki", "thor"]},
        ],
    )
    lines(
        tmp_path / "test/metadata.jsonl",
        [{"file_name": "odd-zz/2.webp", "labels": ["test-pilot"], "sha256": two, "split_group": "g2"}],
    )
    (tmp_path / "manifest.json").write_text(json.dumps({"vocabulary": {"iron-man": {"en": "Iron Man"}}}))
    pictures = read_dataset(tmp_path)
    assert facts(pictures) == [
        ("1.webp", "train", "iron-man", "Iron Man"),
        ("2.webp", "test", "test-pilot", "Test Pilot"),
    ]
    assert [p.group for p in pictures] == ["g1", "g2"]
    assert {p.source for p in pictures} == {"corrections"}


def test_a_spreadsheet_and_bare_folders(tmp_path: Path) -> None:
    put(tmp_path / "train/x/1.webp")
    (tmp_path / "train/metadata.csv").write_text("file_name,label,labels\nx/1.webp,'=loki,'=loki\n")
    put(tmp_path / "validation/Iron Man/2.webp", "green")
    assert facts(read_dataset(tmp_path)) == [
        ("1.webp", "train", "loki", "Loki"),
        ("2.webp", "validation", "iron-man", "Iron Man"),
    ]


def test_one_picture_under_two_labels_is_told(tmp_path: Path) -> None:
    put(tmp_path / "loki/a.png")
    put(tmp_path / "thor/a.png")
    put(tmp_path / "thor/b.png", seed=1)
    (pair,) = two_labels(read_dataset(tmp_path))
    assert sorted(p.slug for p in pair) == ["loki", "thor"]


def empty(folder: Path) -> None:
    folder.mkdir()


def no_character(folder: Path) -> None:
    put(folder / "a.png")


def dots(folder: Path) -> None:
    sha256 = put(folder / "a.png")
    table(folder, ("a.png", sha256, "g", "train", "s", ".."))


def outside(folder: Path) -> None:
    sha256 = put(folder.parent / "a.png")
    folder.mkdir()
    table(folder, ("../a.png", sha256, "g", "train", "s", "Loki"))


def outside_by_metadata(folder: Path) -> None:
    put(folder / "a.png")
    (folder / "train").mkdir()
    lines(folder / "train/metadata.jsonl", [{"file_name": "../a.png", "label": "loki"}])


def linked_file(folder: Path) -> None:
    put(folder.parent / "a.png")
    (folder / "loki").mkdir(parents=True)
    (folder / "loki/a.png").symlink_to(folder.parent / "a.png")


def linked_folder(folder: Path) -> None:
    put(folder.parent / "loki/a.png")
    folder.mkdir()
    (folder / "loki").symlink_to(folder.parent / "loki")


def looped(folder: Path) -> None:
    put(folder / "loki/a.png")
    (folder / "loki/again").symlink_to(folder)


def no_json(folder: Path) -> None:
    put(folder / "train/a.png")
    (folder / "train/metadata.jsonl").write_text("{nonsense\n")


def copies(folder: Path) -> None:
    put(folder / "train/loki/a.png")
    put(folder / "test/loki/b.png")


def short_line(folder: Path) -> None:
    put(folder / "a.png")
    table(folder, ("a.png", "abc"))


def parquet(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data/train-00000-of-00001.parquet").write_bytes(b"PAR1")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (empty, "holds no pictures"),
        (no_character, "holds no pictures"),
        (lambda folder: None, "there is no folder"),
        (lambda folder: folder.write_bytes(b"PK"), "is a file: unpack it"),
        (dots, r"a character called '\.\.'"),
        (outside, "outside the folder"),
        (outside_by_metadata, "outside the folder"),
        (linked_file, r"a\.png is a link"),
        (linked_folder, "loki is a link"),
        (looped, "again is a link"),
        (no_json, "does not read"),
        (copies, "near copies .* in two parts"),
        (short_line, "a line that is too short"),
        (parquet, "--format imagefolder"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, make: Any, says: str) -> None:
    folder = tmp_path / "pictures"
    make(folder)
    with pytest.raises(PicturesError, match=says) as caught:
        read_dataset(folder)
    assert "\n" not in str(caught.value)

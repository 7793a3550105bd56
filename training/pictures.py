"""A folder of pictures and the table that says who is in them and which part they belong to."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.bundle import slugify
from model.types import NOBODY
from training.errors import PicturesError

SPLITS = ("train", "validation", "test")
COLUMNS = ("file", "sha256", "group", "split", "source", "character")


@dataclass(frozen=True, slots=True)
class Picture:
    """One row of the table; ``slug`` is `NOBODY` where it names no character.

    Near copies share a ``group``, and a group lies in one ``split``.
    """

    path: Path
    sha256: str
    group: str
    split: str
    source: str
    slug: str
    name: str


def read_pictures(folder: Path, table: Path | None = None) -> list[Picture]:
    """Read the table of a folder, ``splits.csv`` in it unless another is given.

    Raises:
        PicturesError: it is not there, lacks a column, names a file that is not there, or has a group
            in two parts, which would let a model be measured on what it was trained on.
    """
    table = table or folder / "splits.csv"
    if not folder.is_dir():
        raise PicturesError(f"there is no folder of pictures {folder}")
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise PicturesError(f"{table} has no column {missing[0]}")
            pictures = [_picture(folder, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PicturesError(f"{table} does not read: {error}") from error
    parts: dict[str, str] = {}
    for picture in pictures:
        if picture.split not in SPLITS:
            raise PicturesError(
                f"{table} puts {picture.path.name} into {picture.split!r}, not one of {SPLITS}"
            )
        if parts.setdefault(picture.group, picture.split) != picture.split:
            raise PicturesError(f"{table} has near copies (group {picture.group}) in two parts")
        if not picture.path.is_file():
            raise PicturesError(f"{table} names {picture.path}, which is not there")
    return pictures


def part(pictures: Sequence[Picture], split: str) -> list[Picture]:
    """Those of one split, in the order of the table."""
    return [picture for picture in pictures if picture.split == split]


def data_hash(pictures: Sequence[Picture]) -> str:
    """A SHA-256 of what is in the pictures and how they are labelled, whatever their order and names."""
    lines = sorted(f"{p.sha256} {p.slug} {p.split} {p.source}\n" for p in pictures)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _picture(folder: Path, row: dict[str, str]) -> Picture:
    name = row["character"] or NOBODY
    return Picture(
        folder / row["file"], row["sha256"], row["group"], row["split"], row["source"], slugify(name), name
    )

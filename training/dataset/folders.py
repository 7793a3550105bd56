"""The two kinds of folder that say by their folders' names who is in a picture."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model.bundle import sha256_of
from model.types import NOBODY
from training.dataset.sources import character_of
from training.errors import PicturesError
from training.pictures import SEVERAL, SPLITS, Picture, files_below, inside, slug_of

SEPARATOR = "|"
"""Between the labels in a cell of a CSV file, as ``corrections export`` writes it."""


def read_plain(folder: Path) -> Iterator[Picture]:
    """``DIR/<character>/…``: all *train*, each content its own group.

    Raises:
        PicturesError: as `training.pictures.read_dataset`.
    """
    names: dict[str, str] = {}
    for place in _characters(folder):
        name = place.name
        slug = slug_of(name, folder)
        spoken = names.setdefault(slug, character_of(place) or spoken_of(slug, name))
        for path in files_below(place):
            sha256 = _sha256(path)
            yield Picture(path, sha256, sha256, "train", "", slug, spoken)


def read_imagefolder(folder: Path) -> Iterator[Picture]:
    """``DIR/<split>/…`` with ``metadata.jsonl`` or ``metadata.csv`` in each split, or folders alone.

    Raises:
        PicturesError: as `training.pictures.read_dataset`.
    """
    names = _vocabulary(folder)
    for split in SPLITS:
        place = folder / split
        if place.is_symlink():
            raise PicturesError(f"{place} is a link; pictures must lie in the folder itself")
        if not place.is_dir():
            continue
        rows = _metadata(place)
        if rows is None:
            for each in _characters(place):
                slug = slug_of(each.name, place)
                for path in files_below(each):
                    sha256 = _sha256(path)
                    yield Picture(path, sha256, sha256, split, "", slug, spoken_of(slug, each.name))
            continue
        where, lines = rows
        for number, row in lines:
            picture = _described(place, split, row, names, where, number)
            if picture is not None:
                yield picture


def spoken_of(slug: str, name: str) -> str:
    """A name for people: a folder's own unless that is the slug; ``iron-man`` becomes ``Iron Man``."""
    if slug == NOBODY:
        return NOBODY
    return name if name != slug else slug.replace("-", " ").title()


def _described(
    place: Path, split: str, row: Mapping[str, Any], names: Mapping[str, str], where: Path, number: int
) -> Picture | None:
    """One line of the metadata; nothing for a picture of several characters."""
    file = row.get("file_name")
    if not isinstance(file, str):
        raise PicturesError(f"{where} names no file_name in line {number}")
    labels = row.get("labels") or row.get("label") or Path(file).parent.name
    if isinstance(labels, str):
        labels = labels.split(SEPARATOR)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise PicturesError(f"{where} has a label that is no name in line {number}")
    if len(labels) > 1 or labels == [SEVERAL]:
        return None
    path = inside(place, file, where)
    if not path.is_file():
        raise PicturesError(f"{where} names {path}, which is not there")
    slug = slug_of(labels[0] if labels else NOBODY, where)
    sha256 = row.get("sha256") or _sha256(path)
    group = row.get("split_group") or row.get("group") or sha256
    source = row.get("source") or ("corrections" if row.get("split_group") else "")
    return Picture(
        path, str(sha256), str(group), split, str(source), slug, names.get(slug) or spoken_of(slug, slug)
    )


def _metadata(place: Path) -> tuple[Path, Iterator[tuple[int, Mapping[str, Any]]]] | None:
    for name, reader in (("metadata.jsonl", _json_lines), ("metadata.csv", _csv_lines)):
        if (place / name).is_file():
            return place / name, reader(place / name)
    return None


def _json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise PicturesError(f"{path} does not hold a JSON object in line {number}")
                    yield number, row
    except (OSError, ValueError) as error:
        raise PicturesError(f"{path} does not read after line {number}: {error}") from error


def _csv_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                yield number, {key: (value or "").removeprefix("'") for key, value in row.items() if key}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PicturesError(f"{path} does not read: {error}") from error


def _vocabulary(folder: Path) -> dict[str, str]:
    """Names by slug, from the manifest of an export; English first."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        found = manifest["vocabulary"]
        return {
            slug: str(names.get("en") or next(iter(names.values()))) for slug, names in found.items() if names
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # names are only for people


def _characters(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise PicturesError(f"{folder} cannot be read: {error.strerror}") from error
    for path in found:
        if path.is_symlink():
            raise PicturesError(f"{path} is a link; pictures must lie in the folder itself")
    return [path for path in found if path.is_dir()]


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise PicturesError(f"{path} cannot be read: {error.strerror}") from error

"""Folders of pictures: who is in them, and which part they belong to.

`read_dataset` reads, in this order:

    DIR/splits.csv                      a table; the project's folder, and what ``dataset split`` writes
    DIR/<split>/<character>/…           an imagefolder, with metadata.jsonl or metadata.csv or without;
                                        what ``corrections export`` writes
    DIR/<character>/…                   a plain folder; all of it is *train*, what ``dataset collect`` writes
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model.bundle import slugify
from model.types import NOBODY
from training.errors import PicturesError

SPLITS = ("train", "validation", "test")
COLUMNS = ("file", "sha256", "group", "split", "source", "character")
TABLE = "splits.csv"
SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".avif",
        ".heic",
        ".heif",
        ".bmp",
        ".tif",
        ".tiff",
    }
)
"""Files called so count as pictures; ``dataset check`` reports those that do not decode."""

SEVERAL = "several"
"""The label of pictures of several characters in an export. No model of one answer learns from them."""

_MOST = 1_000_000  # rows and files; more is a mistake, such as a home folder


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture; ``slug`` is `NOBODY` where it shows no character.

    Near copies share a ``group``, and a group lies in one ``split``; in a folder without a table a group
    is one file's content. ``source`` is where it came from, "" when nobody said.
    """

    path: Path
    sha256: str
    group: str
    split: str
    source: str
    slug: str
    name: str


def read_dataset(folder: Path, table: Path | None = None, *, strict: bool = True) -> list[Picture]:
    """Read any of the folders above, sorted as their table or their paths are.

    Pictures are not decoded. Pictures of several characters are left out. One picture may stand there
    under two labels: see `two_labels`.

    Args:
        table: a table elsewhere; its files are found from ``folder``.
        strict: also refuse groups in two parts.

    Raises:
        PicturesError: there are no pictures, links or paths lead outside, a label has no letters, a
            group is in two parts, which would let a model be measured on what it was trained on.
    """
    if table is not None or (folder / TABLE).is_file():
        pictures = read_pictures(folder, table, strict=strict)
    else:
        if folder.is_file():
            raise PicturesError(f"{folder} is a file: unpack it, and name the folder")
        if not folder.is_dir():
            raise PicturesError(f"there is no folder of pictures {folder}")
        if any((folder / "data").glob("*.parquet")):
            raise PicturesError(f"{folder} is in parquet: export it with --format imagefolder")
        from training.dataset.folders import read_imagefolder, read_plain

        parted = any((folder / split).is_dir() for split in SPLITS)
        pictures = list(read_imagefolder(folder) if parted else read_plain(folder))
        if strict:
            check_groups(pictures, folder)
    if not pictures:
        raise PicturesError(f"{folder} holds no pictures: expected {folder.name}/<character>/<picture>.jpg")
    return pictures


def read_pictures(folder: Path, table: Path | None = None, *, strict: bool = True) -> list[Picture]:
    """Read the table of a folder, ``splits.csv`` in it unless another is given.

    Raises:
        PicturesError: it is not there, lacks a column, names a file that is not there or lies outside,
            or has a group in two parts.
    """
    table = table or folder / TABLE
    if not folder.is_dir():
        raise PicturesError(f"there is no folder of pictures {folder}")
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise PicturesError(f"{table} has no column {missing[0]}")
            pictures = [_picture(folder, row, table) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PicturesError(f"{table} does not read: {error}") from error
    for picture in pictures:
        if picture.split not in SPLITS:
            raise PicturesError(
                f"{table} puts {picture.path.name} into {picture.split!r}, not one of {SPLITS}"
            )
        if not picture.path.is_file():
            raise PicturesError(f"{table} names {picture.path}, which is not there")
    if strict:
        check_groups(pictures, table)
    return pictures


def part(pictures: Sequence[Picture], split: str) -> list[Picture]:
    """Those of one split, in the order of the table."""
    return [picture for picture in pictures if picture.split == split]


def two_labels(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Pictures of the very same bytes that are said to show different characters, together."""
    same: defaultdict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        same[picture.sha256].append(picture)
    return [each for each in same.values() if len({picture.slug for picture in each}) > 1]


def data_hash(pictures: Sequence[Picture]) -> str:
    """A SHA-256 of what is in the pictures and how they are labelled, whatever their order and names."""
    lines = sorted(f"{p.sha256} {p.slug} {p.split} {p.source}\n" for p in pictures)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_groups(pictures: Sequence[Picture], where: Path) -> None:
    """Raises:
    PicturesError: near copies are in two parts.
    """
    parts: dict[str, str] = {}
    for picture in pictures:
        if parts.setdefault(picture.group, picture.split) != picture.split:
            raise PicturesError(f"{where} has near copies (group {picture.group}) in two parts")


def inside(folder: Path, file: str, where: Path) -> Path:
    """The path of a file that a table names by its path from ``folder``.

    Raises:
        PicturesError: it leads outside, or over a link.
    """
    plain = PurePosixPath(file)
    if (
        not file
        or plain.is_absolute()
        or ".." in plain.parts
        or "\\" in file
        or "\0" in file
        or ":" in file[:3]
    ):
        raise PicturesError(f"{where} names a file outside the folder: {file[:80]!r}")
    path = folder
    for name in plain.parts:
        path = path / name
        if path.is_symlink():
            raise PicturesError(f"{path} is a link; pictures must lie in the folder itself")
    return path


def slug_of(name: str, where: Path) -> str:
    """The slug of a label.

    Raises:
        PicturesError: it has neither letters nor digits, as ``..`` has not.
    """
    slug = slugify(name)
    if not slug:
        raise PicturesError(f"{where} has a character called {name[:80]!r}: a name needs letters or digits")
    return slug


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder that are called as pictures are, by path; hidden ones are passed over.

    Raises:
        PicturesError: something is a link, cannot be read, or there are far too many files.
    """
    count = 0

    def refuse(error: OSError) -> None:
        raise PicturesError(f"{error.filename} cannot be read: {error.strerror}") from error

    for where, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [*folders, *sorted(files)]:
            path = Path(where) / name
            if not name.startswith(".") and path.is_symlink():
                raise PicturesError(f"{path} is a link; pictures must lie in the folder itself")
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                count += 1
                if count > _MOST:
                    raise PicturesError(f"{folder} holds more than {_MOST:,} pictures")
                yield Path(where) / name


def _picture(folder: Path, row: dict[str, str], table: Path) -> Picture:
    if None in row.values():
        raise PicturesError(f"{table} has a line that is too short: {row['file']!r}")
    name = row["character"] or NOBODY
    path = inside(folder, row["file"], table)
    return Picture(path, row["sha256"], row["group"], row["split"], row["source"], slug_of(name, table), name)

"""What an import reads: every picture to be, and what its folder or metadata calls it. Blocks."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from bot import import_sources
from bot.import_sources import Source, failed, shown
from corrections.export.rows import SEPARATOR, unguarded
from corrections.export.types import SEVERAL, Split

MOST_METADATA = 512 << 20
"""Bytes of one metadata file."""

_LONGEST_LINE = 1 << 20
_SPLITS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_METADATA = ("metadata.jsonl", "metadata.csv")
_BESIDE = {"manifest.json", "readme.md", "license", "license.txt", "thumbs.db", "desktop.ini", *_METADATA}


@dataclass(frozen=True, slots=True)
class Found:
    """One picture to be; ``labels`` as they are written there (none: nobody), ``split`` if it has one."""

    path: str
    labels: tuple[str, ...]
    split: Split | None


def scan(source: Source) -> list[Found]:
    """Every picture to be, and what it is called: by ``metadata.jsonl`` or ``.csv``, else by its folder.

    Raises:
        ImportFailed: too many, or something in it is wrong.
    """
    paths: list[str] = []
    tables: list[str] = []
    for path in source.names():
        name = PurePosixPath(path).name
        if name.lower().endswith(".parquet"):
            raise failed("import-parquet", file=shown(path))
        if name in _METADATA:
            tables.append(path)
        elif not _ignored(path):
            paths.append(path)
            if len(paths) > import_sources.MOST_PICTURES:
                raise failed("import-too-many", most=import_sources.MOST_PICTURES)
    if not paths:
        raise failed("import-empty")
    said: dict[str, tuple[str, ...]] = {}
    for table in tables:
        said.update(_read_table(source, table))
    return [Found(path, said.get(path) or _by_folder(path), _split_of(path)) for path in paths]


def _ignored(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return (
        parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts) or parts[-1].lower() in _BESIDE
    )


def _split_of(path: str) -> Split | None:
    for part in PurePosixPath(path).parts[:-1]:
        if (split := _SPLITS.get(part.lower())) is not None:
            return split
    return None


def _by_folder(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[-2].lower() in _SPLITS:
        raise failed("import-no-label", file=shown(path))
    if parts[-2] == SEVERAL:
        raise failed("import-several", file=shown(path))
    return (parts[-2],)


def _read_table(source: Source, table: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    folder = PurePosixPath(table).parent
    for number, row in enumerate(_rows(source, table), 1):
        name, labels = row.get("file_name"), _labels(row)
        if not isinstance(name, str) or not name or labels is None:
            raise failed("import-bad-row", file=shown(table), number=number)
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts or "\\" in name:
            raise failed("import-outside", file=shown(name))
        if number > 2 * import_sources.MOST_PICTURES:
            raise failed("import-too-many", most=import_sources.MOST_PICTURES)
        yield str(folder / inside), labels


def _labels(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What a row says; None when it says nothing that is fit to be read."""
    several, one = row.get("labels"), row.get("label")
    if isinstance(several, str):
        several = several.split(SEPARATOR)
    if isinstance(several, list) and several and all(isinstance(each, str) and each for each in several):
        return tuple(several)
    return (one,) if isinstance(one, str) and one and one != SEVERAL else None


def _rows(source: Source, table: str) -> Iterator[Mapping[str, Any]]:
    with source.open(table) as file:
        lines = _lines(file, table)
        if table.endswith(".csv"):
            try:
                for cells in csv.DictReader(lines):
                    yield {
                        key: unguarded(cell) if isinstance(cell, str) else cell
                        for key, cell in cells.items()
                        if key is not None
                    }
            except csv.Error:
                raise failed("import-bad-row", file=shown(table), number=1) from None
            return
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row: object = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise failed("import-bad-row", file=shown(table), number=number)
            yield row


def _lines(file: IO[bytes], table: str) -> Iterator[str]:
    taken = 0
    while line := file.readline(_LONGEST_LINE + 1):
        taken += len(line)
        if len(line) > _LONGEST_LINE or taken > MOST_METADATA:
            raise failed("import-long-table", file=shown(table))
        yield line.decode("utf-8-sig", errors="replace")

"""What an import reads: the pictures of a folder or zip file, and what their folders and metadata call them.

Nothing is trusted: names that lead outside, links, archives that unpack to more than they are, files without
end. Whatever is wrong with the whole is one sentence, before a single picture is looked at. All block.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Protocol, Self

from bot.words import words
from corrections.errors import ImportFailed
from corrections.export.rows import SEPARATOR, unguarded
from corrections.export.types import SEVERAL, Split

MOST_PICTURES = 200_000
"""Pictures in one import; whoever has more imports folder by folder."""

MOST_METADATA = 512 << 20
"""Bytes of one metadata file."""

MOST_DEEP = 16
"""Folders in one another."""

_LONGEST_LINE = 1 << 20
_MOST_DIRECTORY = 48 << 20  # bytes of a zip file's list of contents
_SPLITS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_METADATA = ("metadata.jsonl", "metadata.csv")
_BESIDE = {"manifest.json", "readme.md", "license", "license.txt", "thumbs.db", "desktop.ini", *_METADATA}


def failed(key: str, **values: str | int) -> ImportFailed:
    """The error with the sentence of that key."""
    return ImportFailed(words()(key, **values))


def shown(text: str) -> str:
    """A name from outside as it may be printed."""
    safe = "".join(c if c.isprintable() else "?" for c in text.encode(errors="replace").decode())
    return safe if len(safe) <= 80 else f"{safe[:76]}…"


@dataclass(frozen=True, slots=True)
class Found:
    """One picture to be; ``labels`` as they are written there (none: nobody), ``split`` if it has one."""

    path: str
    labels: tuple[str, ...]
    split: Split | None


class Source(Protocol):
    """A folder or an archive. Use as ``with``."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def names(self) -> Iterator[str]:
        """The path of every file, with slashes.

        Raises:
            ImportFailed: there is something in it that nobody should follow.
        """
        ...

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Read one of them."""
        ...


class Folder:
    """A folder on this machine."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def names(self) -> Iterator[str]:
        """See `Source.names`."""
        yield from self._below("", 0)

    def _below(self, path: str, depth: int) -> Iterator[str]:
        if depth > MOST_DEEP:
            raise failed("import-too-deep", file=shown(path), most=MOST_DEEP)
        try:
            with os.scandir(self._place / path) as entries:
                # Some file systems list in another order every time; the order decides what is "first".
                here = sorted(_at_most(entries), key=lambda entry: entry.name)
        except OSError as error:
            raise failed(
                "import-unreadable", file=shown(path or str(self._place)), why=str(error.strerror)
            ) from None
        for entry in here:
            below = f"{path}/{entry.name}" if path else entry.name
            if entry.is_symlink():
                raise failed("import-link", file=shown(below))
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    yield from self._below(below, depth + 1)
            elif entry.is_file(follow_symlinks=False):
                yield below

    def open(self, path: str) -> IO[bytes]:
        """See `Source.open`; a file that became a link meanwhile is not followed."""
        return os.fdopen(os.open(self._place / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


class Archive:
    """A zip file."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._zip: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        try:
            if _directory_bytes(self._place) > _MOST_DIRECTORY:
                raise failed("import-too-many", most=MOST_PICTURES)
            self._zip = zipfile.ZipFile(self._place)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise failed("import-no-zip", file=shown(str(self._place)), why=shown(str(error))) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zip is not None:
            self._zip.close()

    def names(self) -> Iterator[str]:
        """See `Source.names`."""
        assert self._zip is not None
        packed, there = 0, self._place.stat().st_size
        seen: set[str] = set()
        for entry in self._zip.infolist():
            name = entry.filename
            parts = PurePosixPath(name).parts
            if name.startswith(("/", "\\")) or "\\" in name or ".." in parts or ":" in name[:2]:
                raise failed("import-outside", file=shown(name))
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise failed("import-link", file=shown(name))
            if entry.flag_bits & 1:
                raise failed("import-locked", file=shown(name))
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise failed("import-packing", file=shown(name))
            if len(parts) > MOST_DEEP:
                raise failed("import-too-deep", file=shown(name), most=MOST_DEEP)
            packed += entry.compress_size
            if packed > there or name in seen:  # entries that share their bytes: a bomb
                raise failed("import-no-zip", file=shown(str(self._place)), why="overlapping entries")
            seen.add(name)
            if not entry.is_dir():
                yield name

    def open(self, path: str) -> IO[bytes]:
        """See `Source.open`."""
        assert self._zip is not None
        return self._zip.open(path)


def source_of(place: Path) -> Source:
    """The folder or zip file at that place.

    Raises:
        ImportFailed: there is none.
    """
    if place.is_dir():
        return Folder(place)
    if place.is_file():
        return Archive(place)
    raise failed("import-nothing-there", file=shown(str(place)))


def scan(source: Source) -> list[Found]:
    """Every picture to be, and what it is called: by ``metadata.jsonl`` or ``.csv``, else by its folder.

    Raises:
        ImportFailed: too many, or something in it is wrong.
    """
    paths: list[str] = []
    tables: list[str] = []
    for path in source.names():
        name = PurePosixPath(path).name
        if name in _METADATA:
            tables.append(path)
        elif not _ignored(path):
            paths.append(path)
            if len(paths) > MOST_PICTURES:
                raise failed("import-too-many", most=MOST_PICTURES)
    if not paths:
        raise failed("import-empty")
    said: dict[str, tuple[str, ...]] = {}
    for table in tables:
        said.update(_read_table(source, table))
    return [Found(path, said.get(path) or _by_folder(path), _split_of(path)) for path in paths]


def read(source: Source, path: str, most: int) -> bytes:
    """The bytes of a file, one more than ``most`` at the longest.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with source.open(path) as file:
            return file.read(most + 1)
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise OSError(str(error)) from error
    except Exception as error:
        if type(error).__module__ == "zlib":
            raise OSError(str(error)) from error
        raise


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
        if number > 2 * MOST_PICTURES:
            raise failed("import-too-many", most=MOST_PICTURES)
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


def _at_most(entries: Iterable[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    taken: list[os.DirEntry[str]] = []
    for entry in entries:
        taken.append(entry)
        if len(taken) > MOST_PICTURES + len(_BESIDE):
            raise failed("import-too-many", most=MOST_PICTURES)
    return taken


def _directory_bytes(place: Path) -> int:
    """How long a zip file's list of contents says it is, so that it is not read when it is endless.

    See APPNOTE.TXT of PKWARE, sections 4.3.14 to 4.3.16.
    """
    with place.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - (1 << 16) - 64))
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        if end < 0 or len(tail) - end < 22:
            raise zipfile.BadZipFile("no end of a zip file in it")
        length: int = struct.unpack_from("<I", tail, end + 12)[0]
        wide = tail.rfind(b"PK\6\6", 0, end)
        if length == 0xFFFFFFFF and wide >= 0 and len(tail) - wide >= 56:
            length = struct.unpack_from("<Q", tail, wide + 40)[0]
    return length

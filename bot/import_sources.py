"""Where an import reads: a folder or a zip file.

Nothing is trusted: names that lead outside, links, archives that unpack to more than they are, files without
end. Whatever is wrong with the whole is one sentence, before a single picture is looked at. All block.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Protocol, Self

from bot.words import words
from corrections.errors import ImportFailed

MOST_PICTURES = 200_000
"""Pictures in one import; whoever has more imports folder by folder."""

MOST_DEEP = 16
"""Folders in one another."""

_BESIDE = 100  # files that are no pictures, in a folder full of them
_MOST_DIRECTORY = 48 << 20  # bytes of a zip file's list of contents


def failed(key: str, **values: str | int) -> ImportFailed:
    """The error with the sentence of that key."""
    return ImportFailed(words()(key, **values))


def shown(text: str) -> str:
    """A name from outside as it may be printed."""
    safe = "".join(c if c.isprintable() else "?" for c in text.encode(errors="replace").decode())
    return safe if len(safe) <= 80 else f"{safe[:76]}…"


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


def _at_most(entries: Iterable[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    taken: list[os.DirEntry[str]] = []
    for entry in entries:
        taken.append(entry)
        if len(taken) > MOST_PICTURES + _BESIDE:
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

"""Where a snapshot is written: a folder or a zip file, beside its place until it is whole. All block."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from corrections.disk import sync_folder
from corrections.errors import DiskFull, ExportError, OutExists, OutUnwritable
from corrections.export.drafts import draft_of, locked, remove_leftovers

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MODE = 0o644


class Hashed:
    """What writes a file and works out its SHA-256 meanwhile."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._at = 0
        self.closed = False

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._digest.hexdigest()

    def write(self, content: bytes) -> int:
        """Append."""
        self._file.write(content)
        self._digest.update(content)
        self._at += len(content)
        return len(content)

    def tell(self) -> int:
        """How much was written."""
        return self._at

    def flush(self) -> None:
        """Nothing to be done: the sink sees to it."""

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False

    def close(self) -> None:
        """The sink closes the file."""
        self.closed = True


class Sink(Protocol):
    """A place for files. Use as ``with``; what was not finished is gone afterwards."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file."""
        ...

    def open(self, path: str) -> AbstractContextManager[Hashed]:
        """Write a file bit by bit; one at a time."""
        ...

    def settle(self) -> None:
        """Bring all to the disk."""
        ...

    def finish(self) -> None:
        """Give it its name."""
        ...


@contextlib.contextmanager
def said_plainly(place: Path) -> Iterator[None]:
    """Turn what the system says about a full disk or a closed door into one sentence.

    Raises:
        DiskFull, OutUnwritable: nothing is left under the snapshot's name.
    """
    try:
        yield
    except ExportError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"the disk is full: there is no room for {place}, and nothing is left there"
            ) from error
        raise OutUnwritable(f"{place} cannot be written: {error.strerror or error}") from error


class FolderSink:
    """A folder; ``out`` may be there already when it is empty.

    Raises:
        OutExists, OutUnwritable, DiskFull: on entering or later.
    """

    def __init__(self, out: Path) -> None:
        self.out = out.absolute()
        self._draft = draft_of(self.out)
        self._descriptor: int | None = None
        self._folders: set[Path] = set()

    def __enter__(self) -> Self:
        with said_plainly(self.out):
            self._check()
            remove_leftovers(self.out)
            self._draft.mkdir(mode=0o755)
            self._descriptor = locked(self._draft)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._draft, ignore_errors=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file."""
        with self._made(path).open("xb") as file:
            file.write(content)

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[Hashed]:
        """Write a file bit by bit."""
        with self._made(path).open("xb") as file:
            yield Hashed(file)

    def settle(self) -> None:
        """Bring all to the disk: one call for all files, since one a file would take minutes."""
        os.sync()

    def finish(self) -> None:
        """Give it its name."""
        self._check()
        if self.out.is_dir():
            self.out.rmdir()
        self._draft.rename(self.out)
        sync_folder(self.out.parent)

    def _made(self, path: str) -> Path:
        whole = self._draft / path
        if whole.parent not in self._folders:
            whole.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(whole.parent)
        return whole

    def _check(self) -> None:
        if self.out.is_symlink() or (self.out.exists() and not self.out.is_dir()):
            raise OutExists(f"{self.out} is there already and is no folder: name another place")
        if self.out.is_dir() and next(self.out.iterdir(), None) is not None:
            raise OutExists(f"{self.out} is there already and is not empty: name another folder")
        if not self.out.parent.is_dir():
            raise OutUnwritable(f"there is no folder {self.out.parent} to write into")


class ZipSink:
    """A zip file, stored without compression (pictures have theirs).

    Args:
        out: the file.
        at: the time of every entry.

    Raises:
        OutExists, OutUnwritable, DiskFull: on entering or later.
    """

    def __init__(self, out: Path, at: datetime) -> None:
        self.out = out.absolute()
        self._draft = draft_of(self.out)
        self._time = max(at.astimezone(UTC), datetime(1980, 1, 1, tzinfo=UTC)).timetuple()[:6]
        self._file: IO[bytes] | None = None
        self._zip: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        with said_plainly(self.out):
            self._check()
            if not self.out.parent.is_dir():
                raise OutUnwritable(f"there is no folder {self.out.parent} to write into")
            remove_leftovers(self.out)
            self._file = self._draft.open("xb")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draft.unlink(missing_ok=True)
        if self._zip is not None:
            with contextlib.suppress(OSError, ValueError):  # a full disk, or a file cut short
                self._zip.close()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file."""
        assert self._zip is not None
        self._zip.writestr(self._entry(path), content)

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[Hashed]:
        """Write a file bit by bit."""
        assert self._zip is not None
        with self._zip.open(self._entry(path), "w", force_zip64=True) as file:
            yield Hashed(file)

    def settle(self) -> None:
        """Bring all to the disk."""
        assert self._zip is not None and self._file is not None
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Give it its name."""
        self._check()
        self._draft.replace(self.out)
        sync_folder(self.out.parent)

    def _check(self) -> None:
        if self.out.is_dir():
            raise OutExists(f"{self.out} is a folder: name a file")
        if self.out.exists() or self.out.is_symlink():
            raise OutExists(f"{self.out} is there already: name another file")

    def _entry(self, path: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(path, self._time)
        entry.external_attr = _MODE << 16
        entry.create_system = 3
        return entry

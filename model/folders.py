"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED_AFTER = 3600.0
"""Seconds after which a folder that was never finished is taken away by the next one."""


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``place`` in one step when the block ends well, or disappears.

    What stood at ``place`` is replaced; whoever has its files open keeps them.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f".{place.name}-*"):  # by a process that was killed meanwhile
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER:
                shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        yield draft
        for path in draft.iterdir():
            _sync(path)
        _sync(draft)
        draft.chmod(0o755)
        _put(draft, place)
        _sync(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put(draft: Path, place: Path) -> None:
    """Rename ``draft`` to ``place``; what stands there goes first, which others may be doing as well."""
    for attempt in range(20):
        aside = draft.with_name(f"{draft.name}-{attempt}")
        with suppress(FileNotFoundError):
            place.rename(aside)
        try:
            draft.rename(place)
        except OSError:
            if attempt == 19:
                raise
        else:
            return
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    """Have the disk hold it before anything relies on it."""
    if os.name != "posix" and path.is_dir():
        return  # Windows cannot open folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

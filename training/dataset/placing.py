"""Where results go: only where nothing is, only when there is room, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from training.errors import DatasetWriteError
from training.pictures import Picture

LEAVE_FREE = 64 * 2**20


def empty_place(out: Path, folder: Path) -> None:
    """Raises:
    DatasetWriteError: there is something at ``out``, or it lies in ``folder``, or the other way round.
    """
    a, b = out.resolve(), folder.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise DatasetWriteError(f"{out} and {folder} lie in one another: name a place outside")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise DatasetWriteError(f"there is something else at {out}")
    if out.is_dir() and any(out.iterdir()):
        raise DatasetWriteError(f"{out} is not empty: name a new folder")


def room_for(pictures: Sequence[Picture], out: Path) -> None:
    """Raises:
    DatasetWriteError: the disk has no room for copies of all pictures.
    """
    place = out
    while not place.exists():
        place = place.parent
    needed = sum(picture.path.stat().st_size for picture in pictures) + LEAVE_FREE
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DatasetWriteError(f"{out} needs {needed:,} bytes, and its disk has {free:,} left")


def put_file(path: Path, content: bytes) -> None:
    """Write one file in one step.

    Raises:
        DatasetWriteError: the disk does not take it; what was there is as it was.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise DatasetWriteError(f"{path} cannot be written: {error.strerror or error}") from error

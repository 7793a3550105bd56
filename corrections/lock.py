"""One program at a time in a folder: the bot while it runs, or what replaces the folder's contents."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from corrections.errors import InUse, Unwritable

LOCK_FILE = ".lock"
STEPS_ASIDE = "steps-aside"
POLL_SECONDS = 0.02


class DataDirLock:
    """Held as ``with`` or ``async with``; the system lets go of it when the process ends, however it ends.

    Args:
        data_dir: the folder, made when it is not there.
        steps_aside: the holder lets go for a moment when it gets SIGUSR1, and comes back.
        patience: seconds to wait for another holder to let go.

    Raises:
        InUse: on entering: another process holds it.
        Unwritable: on entering: the folder cannot be written to.
    """

    def __init__(self, data_dir: Path, *, steps_aside: bool = False, patience: float = 0.0) -> None:
        self._folder = data_dir
        self._steps_aside = steps_aside
        self._patience = patience
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        path = self._folder / LOCK_FILE
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Unwritable(f"the folder {self._folder} cannot be written to: {error.strerror}") from error
        end = time.monotonic() + self._patience
        while not locked(descriptor):
            if time.monotonic() < end:
                time.sleep(POLL_SECONDS)
                continue
            number, _, manner = os.pread(descriptor, 40, 0).decode(errors="replace").strip().partition(" ")
            os.close(descriptor)
            holder = int(number) if number.isdecimal() else 0
            told = f" (process {holder})" if holder else ""
            raise InUse(
                f"{self._folder} is in use by another whosthat{told}: stop that one first",
                holder,
                manner == STEPS_ASIDE,
            )
        with contextlib.suppress(OSError):  # the number is for people; a full disk does not keep us out
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {STEPS_ASIDE if self._steps_aside else ''}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def locked(descriptor: int) -> bool:
    """Lock an open file; False where another process has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system that knows no locks: better to work there than not
        return True
    return True

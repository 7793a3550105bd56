"""The workers that live, each by a file that it keeps locked, in which it says what it looks with."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What one living worker says: the choice that it looks with (-1: none yet) and its bundle's id."""

    serial: int
    bundle: str


class WorkerFile:
    """What a worker says of itself."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, serial: int, bundle: str) -> None:
        """Which choice it looks with."""
        content = json.dumps({"serial": serial, "bundle": bundle}).ljust(256).encode()
        with contextlib.suppress(OSError):  # a full disk is no reason not to answer
            os.pwrite(self._descriptor, content, 0)


@contextlib.contextmanager
def register(folder: Path) -> Iterator[WorkerFile]:
    """A file of one's own in that folder, for as long as one lives."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", suffix=".json", dir=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield WorkerFile(descriptor)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(descriptor)


def living(folder: Path) -> list[WorkerState]:
    """What the living say; files of those that were killed are taken away."""
    states = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                states.append(_state(file.read()))
            else:
                if path.stat().st_size:  # an empty one may be about to be locked
                    path.unlink(missing_ok=True)
    return states


def _state(content: bytes) -> WorkerState:
    try:
        said = json.loads(content)
        return WorkerState(int(said["serial"]), str(said["bundle"]))
    except (ValueError, KeyError, TypeError):
        return WorkerState(-1, "")

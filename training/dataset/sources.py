"""``sources.jsonl`` in the folder of a character: where each picture came from, and which were turned down.

    {"character": "Spider-Man"}                                         the first line
    {"file": "….webp", "sha256": …, "near_key": …, "address": …, …}      a picture that is kept
    {"address": …, "dropped": "near-copy"}                               one that is not asked for again

A picture whose file somebody has deleted stays deleted: its address is known. The line is on the disk before
the file gets its name, so that a run that is killed leaves at worst a draft, which the next one names.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from training.errors import CollectError

SOURCES = "sources.jsonl"


class Sources:
    """The lines of one character's folder, which is made when it is not there.

    Raises:
        CollectError: the folder cannot be written, or its lines are not ours.
    """

    def __init__(self, folder: Path, character: str) -> None:
        self.folder = folder
        self._path = folder / SOURCES
        self.known: set[str] = set()
        """Addresses that are not asked for again."""
        self.files: dict[str, str] = {}
        """Near keys by file name, of what is described here, also of what was deleted since."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._mend()
            for number, row in enumerate(self._rows(), 1):
                self._learn(row, number)
            self._finish_drafts()
            if not self._path.exists():
                self._append({"character": character})
        except OSError as error:
            raise CollectError(f"{folder} cannot be written: {error.strerror or error}") from error

    def keep(self, content: bytes, near_key: str, facts: Mapping[str, Any]) -> str:
        """Put a picture (WebP) into the folder; its file's name.

        Raises:
            CollectError: the disk does not take it; nothing is left of it.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"{sha256[:32]}.webp"
        draft = self._draft(name)
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            row = {"file": name, "sha256": sha256, "near_key": near_key, **facts}
            self._append(row)
            draft.replace(self.folder / name)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise CollectError(
                f"{self.folder} cannot be written: {error.strerror or error}; run it again to go on"
            ) from error
        self._learn(row, 0)
        return name

    def drop(self, address: str, reason: str) -> None:
        """Remember that an address is not to be asked again.

        Raises:
            CollectError: the disk does not take it.
        """
        try:
            self._append({"address": address, "dropped": reason})
        except OSError as error:
            raise CollectError(f"{self.folder} cannot be written: {error.strerror or error}") from error
        self.known.add(address)

    def _learn(self, row: Mapping[str, Any], number: int) -> None:
        try:
            if "address" in row:
                self.known.add(str(row["address"]))
            if "file" in row:
                self.files[str(row["file"])] = str(row["near_key"])
        except KeyError as error:
            raise CollectError(f"{self._path} lacks {error} in line {number}") from None

    def _rows(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        rows = []
        for number, line in enumerate(self._path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise CollectError(f"{self._path} does not read in line {number}")
            rows.append(row)
        return rows

    def _append(self, row: Mapping[str, Any]) -> None:
        """One whole line, or none."""
        line = (json.dumps(row) + "\n").encode()
        with self._path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    os.truncate(self._path, before)
                raise

    def _mend(self) -> None:
        """Take off a last line that a killed run did not finish."""
        if self._path.exists():
            content = self._path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(self._path, whole)

    def _finish_drafts(self) -> None:
        """Name what was described before it was named; take away what was not."""
        for name in self.files:
            with suppress(FileNotFoundError):
                self._draft(name).replace(self.folder / name)
        for draft in self.folder.glob(".*.draft"):
            draft.unlink(missing_ok=True)

    def _draft(self, name: str) -> Path:
        return self.folder / f".{name}.draft"


def character_of(folder: Path) -> str:
    """The name that pictures in a folder were collected for; empty when they were not."""
    try:
        with (folder / SOURCES).open(encoding="utf-8") as file:
            return str(json.loads(file.readline(10_000))["character"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""

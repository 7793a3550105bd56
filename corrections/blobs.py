"""Pictures as files, named by their content: ``data_dir/blobs/ab/cdef….webp``.

All functions block; call them in a thread. A file is whole or not there: it is written beside its place,
brought to the disk, and moved.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from corrections.disk import sync_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FORMAT = re.compile(r"[a-z0-9]{1,8}")
_DRAFT = ".tmp"


class Stray(NamedTuple):
    """A file of the store; ``sha256`` is None for what a crash left half-written."""

    path: Path
    sha256: str | None
    bytes: int


class BlobStore:
    """The files of one ``data_dir``."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "blobs"

    def path(self, sha256: str, suffix: str) -> Path:
        """Where the picture is kept.

        Raises:
            ValueError: this is no digest, or no suffix: neither may reach outside the folder.
        """
        if not _DIGEST.fullmatch(sha256) or not _FORMAT.fullmatch(suffix):
            raise ValueError(f"not the name of a blob: {sha256[:80]!r}, {suffix[:16]!r}")
        return self.folder / sha256[:2] / f"{sha256[2:]}.{suffix}"

    def exists(self, sha256: str, suffix: str) -> bool:
        """Whether the bytes are here."""
        return self.path(sha256, suffix).is_file()

    def put(self, sha256: str, suffix: str, content: bytes) -> bool:
        """Keep these bytes; True when they were not here before. On return they are on the disk."""
        path = self.path(sha256, suffix)
        if path.is_file() and path.stat().st_size == len(content):
            return False
        new_folder = not path.parent.is_dir()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(6)}{_DRAFT}")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        if new_folder:
            sync_folder(self.folder)
        return True

    def get(self, sha256: str, suffix: str) -> bytes | None:
        """The bytes, or None when they are not here or are not what they were."""
        try:
            content = self.path(sha256, suffix).read_bytes()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def delete(self, sha256: str, suffix: str) -> int:
        """Remove the bytes; how many they were, 0 when they were not here."""
        return self.remove(self.path(sha256, suffix))

    def remove(self, path: Path) -> int:
        """Remove one file of the store; how many bytes it had, 0 when it was gone already."""
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            return size
        return 0

    def strays(self, older_than: float) -> Iterator[Stray]:
        """Every file that has not been touched for so many seconds, to be compared with the ledger."""
        limit = time.time() - older_than
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                if facts.st_mtime <= limit and path.is_file():
                    digest = path.parent.name + path.name.partition(".")[0]
                    whole = _DIGEST.fullmatch(digest) and not path.name.endswith(_DRAFT)
                    yield Stray(path, digest if whole else None, facts.st_size)


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal. Blocking."""
    return hashlib.sha256(content).hexdigest()

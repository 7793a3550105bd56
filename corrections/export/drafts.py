"""Drafts, beside the place of a snapshot until it is whole.

A draft is locked while its writer lives. A later export removes the drafts that nobody holds any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path


def draft_of(out: Path) -> Path:
    """A name beside ``out`` that nothing has yet."""
    return out.with_name(f".{_short(out)}.{secrets.token_hex(6)}.partial")


def _short(out: Path) -> str:
    """The name as far as a draft can carry it: names have 255 bytes at most."""
    return out.name.encode()[:200].decode(errors="ignore")


def locked(path: Path) -> int:
    """Hold the draft as long as the descriptor is open.

    Raises:
        OSError: it is gone, or somebody else holds it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def remove_leftovers(out: Path) -> None:
    """Remove what exports to this place left when they were killed."""
    beginning = f".{_short(out)}."
    for left in out.parent.iterdir():
        token = left.name.removeprefix(beginning).removesuffix(".partial")
        if left.name != f"{beginning}{token}.partial" or len(token) != 12:
            continue
        with contextlib.suppress(OSError):  # somebody is writing it, or has just removed it
            descriptor = locked(left)
            try:
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()
            finally:
                os.close(descriptor)

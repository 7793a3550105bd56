"""What runs first: the files that take minutes, lest one core is idle while the other ends them; where the
tests' folders are; and what several folders of tests need."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.standins.postgres import Server

settings.register_profile("patient", deadline=None)  # on a shared machine time says nothing
settings.load_profile("patient")


MEMORY = Path("/dev/shm")
"""Linux's folder in memory. A commit of SQLite takes 0.03 ms there, 6 ms on a disk, and tests commit a lot;
what is killed and started again finds the same files in either."""
ROOM = 3 << 30


def pytest_configure() -> None:
    """Let every temporary folder, ours and those of what we start, be in memory where there is room for them.

    ``TMPDIR`` says otherwise, as always.
    """
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is looked up anew


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whatever is marked ``long`` first; the rest keeps its order, as the Makefile has xdist do too."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite ledger with all tables and nothing in them, to be copied: making one takes twice as long."""
    from tests.standins import ledgers

    file = tmp_path_factory.mktemp("migrated") / "ledger.db"
    ledgers.lay(file)
    return file


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server for all tests of this process."""
    from tests.standins.postgres import Server, binaries

    if binaries() is None:
        nowhere = "there is no PostgreSQL server here (Debian: apt install postgresql)"
        pytest.fail(nowhere) if os.environ.get("CI") == "true" else pytest.skip(nowhere)
    with Server() as running:
        yield running

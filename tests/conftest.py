"""What runs first: the files that take minutes, lest one core is idle while the other ends them; and what
several folders need."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.standins.postgres import Server

settings.register_profile("patient", deadline=None)  # on a shared machine time says nothing
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whatever is marked ``long`` first; the rest keeps its order, as the Makefile has xdist do too."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite ledger with all tables and nothing in them, to be copied: making one takes twice as long."""
    from corrections.schema import upgrade

    file = tmp_path_factory.mktemp("migrated") / "ledger.db"
    with ThreadPoolExecutor(1) as elsewhere:  # here a loop may run already
        elsewhere.submit(asyncio.run, upgrade(f"sqlite:///{file}")).result()
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

"""What the tests of the desk share: a real ledger in a file of its own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from corrections.ledger import Ledger


@pytest.fixture
async def ledger(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Ledger]:
    """An empty one, closed in the end."""
    shutil.copyfile(migrated_file, tmp_path / "whosthat.db")
    opened = await Ledger.open(f"sqlite+aiosqlite:///{tmp_path}/whosthat.db", tmp_path)
    yield opened
    await opened.close()

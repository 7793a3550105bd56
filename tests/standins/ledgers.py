"""Ledgers on SQLite that need not be migrated: the bytes of one with all tables, made once a process."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from bot.settings import Settings
from corrections.ledger import Ledger
from corrections.schema import upgrade


@cache
def migrated() -> bytes:
    """A file with all tables and nothing in them."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as elsewhere:
        file = Path(folder) / "ledger.db"
        # here a loop may run already
        elsewhere.submit(asyncio.run, upgrade(f"sqlite:///{file}")).result()
        return file.read_bytes()


def lay(file: Path) -> None:
    """Make one at ``file`` unless something is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_bytes(migrated())


async def open_ledger(settings: Settings) -> Ledger:
    """That of these settings, as the bot would open it; to be closed."""
    lay(settings.data_dir / "whosthat.db")
    return await Ledger.open(settings.database_url, settings.data_dir)

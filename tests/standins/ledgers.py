"""Ledgers on SQLite that need not be migrated: one file with all tables is made a process, and copied."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from bot.settings import Settings
from corrections.ledger import Ledger
from corrections.schema import upgrade


@cache
def migrated_file() -> Path:
    """All tables and nothing in them; to be copied, never opened."""
    folder = Path(tempfile.mkdtemp(prefix="migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "ledger.db"
    with ThreadPoolExecutor(1) as elsewhere:  # here a loop may run already
        elsewhere.submit(asyncio.run, upgrade(f"sqlite:///{file}")).result()
    return file


def lay(file: Path) -> None:
    """Copy it to ``file`` unless something is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        shutil.copyfile(migrated_file(), file)


async def open_ledger(settings: Settings) -> Ledger:
    """That of these settings, as the bot would open it; to be closed."""
    lay(settings.data_dir / "whosthat.db")
    return await Ledger.open(settings.database_url, settings.data_dir)

"""Where the machines of Hypothesis have their ledgers: in a file, or on the server of these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tests.standins import postgres


class Place(Protocol):
    """Makes ledgers and removes them."""

    def fresh(self, folder: Path) -> str:
        """The address of a new one."""
        ...

    def drop(self, url: str) -> None:
        """It is not needed any more."""
        ...


class Files:
    """SQLite, in a folder that somebody else removes."""

    def fresh(self, folder: Path) -> str:
        return f"sqlite:///{folder}/ledger.db"

    def drop(self, url: str) -> None:
        pass


class Databases:
    """PostgreSQL, while the fixture ``server`` has one running."""

    def fresh(self, folder: Path) -> str:
        return postgres.running().fresh()

    def drop(self, url: str) -> None:
        postgres.running().drop(url)

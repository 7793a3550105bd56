"""A ledger in a folder of its own, and a short way to put pictures into it.

Whatever takes ``url``, ``new_url``, ``blank_url`` or ``ledger`` runs on SQLite always, and on PostgreSQL
where a server can be started.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from corrections.ledger import Ledger
from corrections.types import Recorded
from tests.corrections.support import ANNA, address, answer, moment, seen
from tests.standins.postgres import Server

Post = Callable[..., Awaitable[Recorded]]
NewUrl = Callable[[Path], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Which database; see `tests.corrections.support.ON_SQLITE` for what is about one of them."""
    return str(request.param)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, database: str) -> Iterator[NewUrl]:
    """Makes addresses of new ledgers: ``new_url(folder)``; the folder is where SQLite has its file."""
    if database == "sqlite":
        migrated: Path = request.getfixturevalue("migrated_file")

        def copy(folder: Path) -> str:
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "ledger.db").exists():
                shutil.copyfile(migrated, folder / "ledger.db")
            return f"sqlite:///{folder}/ledger.db"

        yield copy
        return
    server: Server = request.getfixturevalue("server")
    made: list[str] = []

    def make(folder: Path) -> str:
        made.append(server.fresh())
        return made[-1]

    yield make
    for each in made:
        server.drop(each)


@pytest.fixture
def url(new_url: NewUrl, tmp_path: Path) -> str:
    """The address of a new ledger."""
    return new_url(tmp_path)


@pytest.fixture
def blank_url(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[str]:
    """The address of a database that has no tables yet."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    server: Server = request.getfixturevalue("server")
    made = server.fresh("template0")
    yield made
    server.drop(made)


@pytest.fixture
async def ledger(url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(url, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def post(ledger: Ledger) -> Post:
    """Record a picture: ``await post(message, picture, …)``."""

    async def record(
        message: object,
        picture: object = None,
        *,
        flips: int = 0,
        slot: int = 0,
        poster: tuple[str, str] = ANNA,
        community: str = "guild",
        bundle: str = "b1",
        minutes: float = 0.0,
        size: int = 600,
    ) -> Recorded:
        picture = message if picture is None else picture
        return await ledger.record(
            address(message, community),
            slot,
            poster,
            seen(picture, flips, size),
            bundle,
            "fp32",
            answer(),
            12.5,
            moment(minutes),
        )

    return record

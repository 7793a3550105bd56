"""A ledger in a folder of its own, and a short way to put pictures into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from corrections.ledger import Ledger
from corrections.types import Recorded
from tests.corrections.support import ANNA, address, answer, moment, seen

Post = Callable[..., Awaitable[Recorded]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


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

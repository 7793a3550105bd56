"""A page with some open cases, and a moderator who is signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.standins.console import moderating, some_cases
from tests.standins.page import Served, page_served


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as served:
        await some_cases(served)
        yield served


@pytest.fixture
async def browser(page: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with moderating(page) as session:
        yield session

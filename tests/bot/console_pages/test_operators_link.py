"""The operator's link into the console, from the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.console_link import link_line
from bot.errors import BotError
from bot.settings import load
from tests.bot.test_console import got
from tests.bot.test_web import somebody
from tests.standins.page import Served


async def test_the_terminals_link_works_beside_the_running_page(page: Served, tmp_path: Path) -> None:
    port = page.url.rpartition(":")[2]
    environ = {"WHOSTHAT_WEB__PORT": port, "WHOSTHAT_DATA_DIR": str(tmp_path / "data")}
    line = await link_line(load(environ=environ, folder=tmp_path))
    found = re.search(
        r"^Open this to sign in \(works once, for 10 minutes\): (http://127\.0\.0\.1:\d+)(\S+)$", line
    )
    assert found
    assert found[1] == page.url
    async with somebody(page) as browser:
        assert (await got(browser, found[2]))[0] == 200
        async with browser.post("/review/login", data={"token": found[2].rpartition("=")[2]}) as response:
            assert response.status == 200
        assert 'name="community"' not in (await got(browser, "/review/agreed"))[1]
        assert "discord · 1001" in (await got(browser, "/review"))[1]


@pytest.mark.parametrize(
    ("variables", "begins"),
    [
        (
            {"WEB__PUBLIC_URL": "https://who.example/", "WEB__PORT": "0"},
            "https://who.example/review/login?token=",
        ),
        ({"WEB__HOST": "::1", "WEB__PORT": "9090"}, "http://[::1]:9090/review/login?token="),
        ({"WEB__ENABLED": "false"}, None),
        ({"WEB__PORT": "0"}, None),
        ({"WEB__HOST": "0.0.0.0"}, None),
    ],
)
async def test_where_the_link_begins(tmp_path: Path, variables: dict[str, str], begins: str | None) -> None:
    environ = {f"WHOSTHAT_{key}": value for key, value in variables.items()}
    settings = load(environ=environ | {"WHOSTHAT_DATA_DIR": str(tmp_path / "data")}, folder=tmp_path)
    if begins:
        assert begins in await link_line(settings)
    else:
        with pytest.raises(BotError, match=r"^[^\n]+web\.\w+[^\n]+$"):
            await link_line(settings)

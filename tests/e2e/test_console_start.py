"""The operator's way in: the link that the bot prints at its start, and the one of ``whosthat console``."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from pathlib import Path

import aiohttp

from tests.e2e.running import running_bot
from tests.standins.drawings import drawing


async def test_one_person_runs_the_whole_loop_alone(tmp_path: Path, bundle: Path) -> None:
    """Asking, correcting, signing in with the printed link, approving, seeing it in the history."""
    async with running_bot(tmp_path, bundle, terminal=True) as bot, _browser() as browser:
        printed = await bot.line(r"^Review: (http\S+) \(works once, for 10 minutes\)$")
        page = await bot.url()
        assert printed[1].startswith(f"{page}/review/login?token=")
        json = {"Accept": "application/json"}
        async with browser.post(f"{page}/ask", data=drawing("red"), headers=json) as response:
            prediction = (await response.json())["prediction"]
        said = {"prediction": str(prediction), "slug": "loki"}
        async with browser.post(f"{page}/correct", data=said, headers=json) as response:
            assert (await response.json())["said"] == "loki"
        await _sign_in(browser, printed[1])
        async with browser.get(f"{page}/review") as response:
            shown = await response.text()
        case, revision = (re.search(rf'name="{name}" value="(\d+)"', shown) for name in ("case", "revision"))
        assert case
        assert revision
        decision = {"case": case[1], "revision": revision[1], "do": "is:loki"}
        async with browser.post(f"{page}/review/decide", data=decision) as response:
            assert "Approved: Loki." in await response.text()
        async with browser.get(f"{page}/review/history") as response:
            assert "Approved" in await response.text()
        assert bot.rows("SELECT status, decided FROM cases") == [("approved", '["loki"]')]
        # The link is used up, and whoever reads the log later gets nowhere with it.
        async with _browser() as late, late.get(printed[1]) as response:
            assert response.status == 410


async def test_a_link_from_the_terminal_while_the_bot_runs(tmp_path: Path, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    async with running_bot(tmp_path, bundle, WHOSTHAT_WEB__PORT=port) as bot, _browser() as browser:
        # What is printed goes to a journal that others read: no link is in it.
        await bot.line(r"^Review: whosthat console prints a link to sign in with\.$")
        assert "token=" not in bot.output
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("whosthat"),
            "console",
            cwd=bot.folder,
            env={"WHOSTHAT_WEB__PORT": port, "PATH": ""},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, trouble = await process.communicate()
        assert (process.returncode, trouble) == (0, b"")
        (line,) = out.decode().splitlines()
        assert line.startswith("Open this to sign in (works once, for 10 minutes): http://127.0.0.1:")
        await _sign_in(browser, line.rpartition(" ")[2])


async def _sign_in(browser: aiohttp.ClientSession, link: str) -> None:
    async with browser.get(link) as response:
        assert response.status == 200
    data = {"token": link.rpartition("=")[2]}
    async with browser.post(link.partition("?")[0], data=data) as response:
        assert (response.status, response.url.path) == (200, "/review")


def _browser() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

"""The whole program as its user starts it: the page in Chromium, the terminal, a worker elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from tests.e2e.running import VOTES, running_bot, start_bot, until
from tests.standins.browser import WAIT, choose, chromium, watched
from tests.standins.drawings import drawing

WHOSTHAT = Path(sys.executable).with_name("whosthat")


def environ(folder: Path, bundle: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHOSTHAT_")}
    return kept | {"WHOSTHAT_MODEL__USE": str(bundle), "WHOSTHAT_DATA_DIR": str(folder / "data")} | more


async def terminal(folder: Path, bundle: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Run one command to its end: status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        WHOSTHAT,
        *arguments,
        cwd=folder,
        env=environ(folder, bundle, **more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.browser
async def test_a_picture_on_the_page_wrong_a_name_and_a_look_into_the_file(
    tmp_path: Path, bundle: Path
) -> None:
    expect.set_options(timeout=WAIT)
    async with (
        chromium() as browser,
        running_bot(tmp_path, bundle) as bot,
        watched(browser, await bot.url()) as seen,
    ):
        page = seen.page
        await choose(page, drawing("orange"))
        await expect(page.get_by_role("status")).to_have_text("Could be Iron Man (50%) or Spider-Man (50%).")
        await page.get_by_role("button", name="Wrong").click()
        await page.get_by_role("combobox").fill("spidey")
        await page.get_by_role("option", name="Spider-Man").click()
        await expect(page.get_by_role("status")).to_have_text("Thank you, noted: Spider-Man.")
        assert bot.rows(VOTES) == [("spider-man",)]
        # Killed and started again on the same port, the open page still corrects the same answer.
        port = (await bot.url()).rsplit(":", 1)[1]
        await bot.kill()
        async with running_bot(tmp_path, bundle, WHOSTHAT_WEB__PORT=port) as again:
            await page.get_by_role("button", name="Undo").click()
            await expect(page.get_by_role("status")).to_have_text("Taken back.")
            assert again.rows(VOTES) == []


@asynccontextmanager
async def pictures_served() -> AsyncIterator[str]:
    """Somewhere on loopback, which is a private address like any other."""
    from aiohttp import web

    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=drawing("red"), content_type="image/png")

    app = web.Application()
    app.add_routes([web.get("/red.png", picture)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_identify_prints_one_object_a_line_in_order(tmp_path: Path, bundle: Path) -> None:
    for colour in ("red", "orange", "grey"):
        (tmp_path / f"{colour}.png").write_bytes(drawing(colour))
    (tmp_path / "words.txt").write_text("just words")
    (tmp_path / "large.png").write_bytes(drawing("red") + b"\0" * (2 << 20))
    async with pictures_served() as url:
        names = [
            "red.png",
            "words.txt",
            "orange.png",
            "nowhere.png",
            f"{url}/red.png",
            "grey.png",
            "large.png",
        ]
        limits = {"WHOSTHAT_WORKER__MAX_MEBIBYTES": "1"}
        status, out, err = await terminal(tmp_path, bundle, "identify", "--json", *names, **limits)
    assert status == 1, "not every picture could be answered"
    assert err == ""
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["file"] for line in lines] == names
    red, words, orange, nowhere, private, grey, large = lines
    assert (red["verdict"], red["character"]) == ("sure", "iron-man")
    assert set(red) == {
        "file",
        "verdict",
        "character",
        "confidence",
        "known",
        "ranked",
        "bundle",
        "milliseconds",
    }
    assert red["confidence"] == red["ranked"][0]["probability"] > 0.9
    assert set(red["ranked"][0]) == {"character", "probability"}
    assert sum(each["probability"] for each in red["ranked"]) == pytest.approx(red["known"], abs=0.01)
    assert orange["verdict"] == "unsure"
    assert (grey["verdict"], grey["known"] < 0.1) == ("nobody", True)
    assert words == {"file": "words.txt", "error": words["error"]}
    assert "not a picture" in words["error"]
    assert "No such file" in nowhere["error"]
    assert private["error"] == "I do not fetch pictures from that address."
    assert large["error"] == "That file is too large: 1 MB is all I take."


async def test_identify_for_people_and_its_status(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "red.png").write_bytes(drawing("red"))
    status, out, err = await terminal(tmp_path, bundle, "identify", "red.png")
    assert (status, out, err) == (0, "red.png: That is Iron Man, 99% sure.\n", "")


async def test_a_worker_elsewhere_serves_a_bot_by_its_address(tmp_path: Path, bundle: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        WHOSTHAT,
        "worker",
        "--listen",
        "tcp://127.0.0.1:0",
        cwd=tmp_path,
        env=environ(tmp_path, bundle),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(60):
            while not (line := (await process.stdout.readline()).decode()).startswith("ready "):
                assert line, "the worker ended"
        address = line.split()[1]
        async with running_bot(tmp_path / "bot", bundle, WHOSTHAT_WORKER__URL=address) as bot:
            await bot.line(rf"^Model: tiny-\S+ at {address}$")
            assert len(bot.family()) == 1, "no worker of its own"
            async with aiohttp.ClientSession(headers={"Accept": "application/json"}) as session:
                async with session.post(await bot.url() + "/ask", data=drawing("green")) as response:
                    assert (await response.json())["character"] == "hulk"
                process.terminate()
                await asyncio.wait_for(process.wait(), 20)
                async with session.get(await bot.url() + "/healthz") as response:
                    assert response.status == 200, "without its worker the bot goes on"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_what_is_kept_is_the_operators_alone(tmp_path: Path, bundle: Path) -> None:
    async with running_bot(tmp_path, bundle) as bot:
        async with (
            aiohttp.ClientSession(headers={"Accept": "application/json"}) as session,
            session.post(await bot.url() + "/ask", data=drawing("green")) as response,
        ):
            assert response.status == 200
        kept = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
        assert {file.name.split(".")[-1] for file in kept} >= {"db", "key", "webp"}
        for file in kept:
            assert file.stat().st_mode & 0o077 == 0, f"{file} can be read by others"


async def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path, slow_bundle: Path) -> None:
    bot = await start_bot(tmp_path, slow_bundle)
    await until(lambda: len(bot.family()) > 1, 30)
    family = bot.family()
    assert await bot.stop() == 0
    await until(lambda: not any(each.is_running() and each.status() != "zombie" for each in family))


async def test_two_programs_never_share_a_folder(tmp_path: Path, bundle: Path) -> None:
    async with running_bot(tmp_path, bundle):
        second = await start_bot(tmp_path, bundle)
        assert await second.ended() == 1
        said = [line for line in second.lines if line.startswith("whosthat: ")]
        assert len(said) == 1
        assert "in use by another whosthat" in said[0]

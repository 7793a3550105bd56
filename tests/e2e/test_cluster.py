"""``whosthat worker --engine ray`` as an operator starts it, and a bot that asks it instead of its own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest

from model.client import WorkerClient
from tests.e2e.running import running_bot
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

START_SECONDS, STOP_SECONDS = 400, 90
SECRET = "a-secret-of-the-tests-own"


async def test_the_bot_does_not_notice_the_difference(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        missing = "Ray is not installed here: pip install 'whosthat[ray]'"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    bundle = tiny_bundle(tmp_path / "tiny")
    folder = tmp_path / "cluster"
    folder.mkdir()
    (folder / "config.toml").touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {name: os.environ[name] for name in os.environ if not name.startswith(("RAY_", "WHOSTHAT_"))}
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("whosthat"),
        *("worker", "--engine", "ray", "--listen", f"tcp://127.0.0.1:{port}"),
        cwd=folder,
        env=environ
        | {
            "WHOSTHAT_MODEL__USE": str(bundle),
            "WHOSTHAT_WORKER__DECODERS": "1",
            "WHOSTHAT_WORKER__SECRET": SECRET,
            "WHOSTHAT_CLUSTER__CPUS": "0.5",
            "HOME": str(tmp_path),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    said = ""
    try:
        assert process.stdout
        async with asyncio.timeout(START_SECONDS):
            while not said.startswith("ready "):
                raw = await process.stdout.readline()
                assert raw, "it ended before it was ready"
                said = raw.decode().strip()
        reading = asyncio.create_task(process.stdout.read())
        url = said.removeprefix("ready ")
        assert url == f"http://127.0.0.1:{port}"
        elsewhere = {"WHOSTHAT_WORKER__URL": url, "WHOSTHAT_WORKER__SECRET": SECRET}
        async with running_bot(tmp_path / "bot", bundle, **elsewhere) as bot, aiohttp.ClientSession() as http:
            assert not any("model.worker" in each.cmdline() for each in bot.family())
            ask = (await bot.url()).rstrip("/") + "/ask"
            for colour, name in (("red", "Iron Man"), ("green", "Hulk")):
                headers = {"Accept": "application/json"}
                async with http.post(ask, data=drawing(colour), headers=headers) as response:
                    assert response.status == 200, await response.text()
                    assert name in await response.text()
            assert bot.rows("SELECT count(*) FROM predictions") == [(2,)]
        async with WorkerClient(url, secret=SECRET) as client:
            assert (await client.status())["counters"]["answered"] >= 2
        every = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), STOP_SECONDS) == 0
        await reading
        _, left = await asyncio.to_thread(psutil.wait_procs, every, 15)
        assert left == []
        assert not (tmp_path / ".ray").exists()  # no token is left in the home folder
    finally:
        if process.returncode is None:
            with contextlib.suppress(psutil.Error):
                for each in psutil.Process(process.pid).children(recursive=True):
                    each.kill()
            process.kill()
            await process.wait()

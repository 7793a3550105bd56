"""What people said counts at once, also in another process: the real bots, the real page and console."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import time
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image, ImageOps

from tests.e2e.running import running_bot
from tests.e2e.test_console_start import _browser, _sign_in
from tests.standins.drawings import drawing, encoded, picture

JSON = {"Accept": "application/json"}
BUSY = 20.0
"""Seconds that are waited on a busy machine; the bot promises two."""


async def ask(browser: aiohttp.ClientSession, page: str, sent: bytes) -> dict[str, Any]:
    async with browser.post(f"{page}/ask", data=sent, headers=JSON) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def told(browser: aiohttp.ClientSession, page: str, sent: bytes, said: str) -> float:
    """Ask until it is answered so; the seconds that took."""
    began = time.monotonic()
    while (answer := await ask(browser, page, sent))["sentence"] != said:
        assert time.monotonic() - began < BUSY, answer
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def decide(browser: aiohttp.ClientSession, page: str, do: str) -> None:
    """Decide the one case that is there, in the console."""
    async with browser.get(f"{page}/review/case/1") as response:
        shown = await response.text()
    revision = re.search(r'name="revision" value="(\d+)"', shown)
    assert revision, shown
    decision = {"case": "1", "revision": revision[1], "do": do}
    async with browser.post(f"{page}/review/decide", data=decision) as response:
        assert response.status == 200, await response.text()


async def test_an_approval_counts_in_every_process(tmp_path: Path, bundle: Path) -> None:
    """Corrected on one bot, approved in its console, said by the other; taken back, and as before."""
    first, second = tmp_path / "first", tmp_path / "second"
    often: dict[str, Any] = {
        "WHOSTHAT_LIMITS__PERSON_PER_MINUTE": "1000",
        "WHOSTHAT_LIMITS__COMMUNITY_PER_MINUTE": "1000",
    }
    async with running_bot(first, bundle, terminal=True, **often) as one:
        (second / "data").mkdir(parents=True)
        shutil.copy(first / "data" / "person.key", second / "data")
        shared = f"sqlite:///{first}/data/whosthat.db"
        async with (
            running_bot(second, bundle, WHOSTHAT_DATABASE__URL=shared, **often) as other,
            _browser() as browser,
        ):
            here, there = await one.url(), await other.url()
            plain = await ask(browser, here, drawing("red"))
            assert (plain["character"], plain["told"], plain["memory"]) == ("iron-man", "", 0)
            said = {"prediction": str(plain["prediction"]), "slug": "loki"}
            async with browser.post(f"{here}/correct", data=said, headers=JSON) as response:
                assert (await response.json())["said"] == "loki"
            copies = [
                encoded(ImageOps.mirror(picture("red")), "JPEG", quality=60),
                encoded(picture("red").resize((200, 150), Image.Resampling.LANCZOS), "WEBP"),
            ]
            for copy in copies:  # a vote alone changes nothing
                assert (await ask(browser, there, copy))["sentence"] == plain["sentence"]
            await _sign_in(browser, (await one.line(r"^Review: (http\S+) \(works once"))[1])
            await decide(browser, here, "is:loki")
            for sent in (*copies, drawing("red")):
                await told(browser, there, sent, "People here say Loki.")
                await told(browser, here, sent, "People here say Loki.")
            now = await ask(browser, there, noisy(drawing("red")))
            assert (now["character"], now["told"], now["verdict"]) == ("loki", "same", "sure")
            assert now["memory"] > 0
            right = {"prediction": str(now["prediction"])}
            async with browser.post(f"{there}/right", data=right, headers=JSON) as response:
                assert (await response.json())["said"] == "loki"
            assert (await ask(browser, there, drawing("green", seed=5)))["told"] == ""
            # the figures are still the model's own
            own = "SELECT DISTINCT character FROM predictions WHERE how = 'same'"
            assert one.rows(own) == [("iron-man",)]
            async with _browser() as stranger:  # another session of the page is another community
                assert (await ask(stranger, there, noisy(drawing("red"), 9)))["told"] == ""
            await decide(browser, here, "reject")
            for page in (here, there):
                await told(browser, page, noisy(drawing("red"), 2), plain["sentence"])
            await decide(browser, here, "is:loki")
            await told(browser, there, noisy(drawing("red"), 3), "People here say Loki.")
            (last,) = one.rows("SELECT max(id) FROM blobs")
            async with browser.post(f"{here}/forget", data={"sure": "yes"}, headers=JSON) as response:
                assert response.status == 200, await response.text()
            left = one.rows("SELECT count(*) FROM features WHERE blob_id <= ?", *last)
            assert left == [(1,)]  # the stranger's own
            await told(browser, there, noisy(drawing("red"), 4), plain["sentence"])
        assert not [line for line in one.lines + other.lines if "Traceback" in line]


def noisy(content: bytes, seed: int = 1) -> bytes:
    """Another file of the same picture, which no cache knows."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    image.putpixel((seed, seed), (seed, seed, seed))
    return encoded(image, "PNG")

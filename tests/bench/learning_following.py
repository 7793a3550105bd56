"""How soon an approved correction counts in another process: two real bots on one ledger.

Each round a drawing is corrected on the first bot's page and approved in its console; the second bot's page
is asked for it again and again. Measured is the time from when the approval is sent until the second bot has
answered as corrected, so it contains the approval itself and one answer (that the worker has kept).
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from tests.bench.learning_sights import Say
from tests.e2e.running import running_bot
from tests.standins.drawings import COLOURS, drawing

JSON = {"Accept": "application/json"}
PATIENT = 60.0
"""Seconds after which a round has failed."""
EVERY = 0.02
"""Seconds between an answer and the next question."""


def following(rounds: int, bundle: Path, say: Say) -> dict[str, Any]:
    """Seconds from an approval in one bot to the answer of another that shows it.

    Args:
        bundle: what both bots serve; ``builtin`` is the embedded model.

    Raises:
        AssertionError: the second bot did not follow within a minute.
    """
    with tempfile.TemporaryDirectory() as folder:
        seconds = asyncio.run(_rounds(Path(folder), rounds, bundle))
    say(f"an approval counts in another process: median {median(seconds):.2f} s, worst {max(seconds):.2f} s")
    return {"rounds": rounds, "median": median(seconds), "worst": max(seconds), "seconds": seconds}


async def _rounds(folder: Path, rounds: int, bundle: Path) -> list[float]:
    first, second = folder / "first", folder / "second"
    often = {
        "WHOSTHAT_LIMITS__PERSON_PER_MINUTE": "100000",
        "WHOSTHAT_LIMITS__COMMUNITY_PER_MINUTE": "1000000",
    }
    async with running_bot(first, bundle, terminal=True, **often) as one:
        (second / "data").mkdir(parents=True)
        shutil.copy(first / "data" / "person.key", second / "data")  # one person on both
        shared = {"WHOSTHAT_DATABASE__URL": f"sqlite:///{first}/data/whosthat.db", **often}
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            running_bot(second, bundle, **shared) as other,  # type: ignore[arg-type]
            aiohttp.ClientSession(cookie_jar=jar) as browser,
        ):
            here, there = await one.url(), await other.url()
            await _sign_in(browser, (await one.line(r"^Review: (http\S+) \(works once"))[1])
            return [
                await _round(browser, here, there, drawing(colour, seed=seed))
                for seed, colour in zip(range(rounds), _colours(), strict=False)
            ]


def _colours() -> Iterator[str]:
    while True:
        yield from COLOURS


async def _round(browser: aiohttp.ClientSession, here: str, there: str, content: bytes) -> float:
    plain = await _ask(browser, here, content)
    slug = "loki" if plain["character"] != "loki" else "thor"
    said = {"prediction": str(plain["prediction"]), "slug": slug}
    async with browser.post(f"{here}/correct", data=said, headers=JSON) as response:
        assert response.status == 200, await response.text()
    before = await _ask(browser, there, content)
    assert before["told"] == "", before
    async with browser.get(f"{here}/review") as response:  # the one case that waits
        shown = await response.text()
    found = [re.search(rf'name="{name}" value="(\d+)"', shown) for name in ("case", "revision")]
    assert found[0] and found[1], shown
    decision = {"case": found[0][1], "revision": found[1][1], "do": f"is:{slug}"}
    began = time.monotonic()
    async with browser.post(f"{here}/review/decide", data=decision) as response:
        assert response.status == 200, await response.text()
    return await _until_told(browser, there, content, slug, began + PATIENT) - began


async def _until_told(
    browser: aiohttp.ClientSession, page: str, content: bytes, slug: str, deadline: float
) -> float:
    """Ask until it is answered as people said; when that was read."""
    while True:
        answer = await _ask(browser, page, content)
        now = time.monotonic()
        if (answer["told"], answer["character"]) == ("same", slug):
            return now
        assert now < deadline, answer
        await asyncio.sleep(EVERY)


async def _ask(browser: aiohttp.ClientSession, page: str, content: bytes) -> dict[str, Any]:
    async with browser.post(f"{page}/ask", data=content, headers=JSON) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def _sign_in(browser: aiohttp.ClientSession, link: str) -> None:
    async with browser.get(link) as response:
        assert response.status == 200
    data = {"token": link.rpartition("=")[2]}
    async with browser.post(link.partition("?")[0], data=data) as response:
        assert response.status == 200

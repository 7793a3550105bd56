"""Consent and being forgotten on the page, over real sockets."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.bot.test_web import JSON, asked, form, posted, somebody, text_of
from tests.standins.drawings import drawing
from tests.standins.page import Served, page_served


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as served:
        yield served


@pytest.fixture
async def browser(page: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with somebody(page) as session:
        yield session


async def standing(browser: aiohttp.ClientSession) -> str:
    async with browser.get("/privacy", headers=JSON) as response:
        assert response.status == 200
        return str((await response.json())["standing"])


def cookie(browser: aiohttp.ClientSession) -> str:
    return next((each.value for each in browser.cookie_jar if each.key == "whosthat"), "")


async def test_the_question_stands_below_the_answer_until_it_is_answered(
    browser: aiohttp.ClientSession,
) -> None:
    async with browser.post("/ask", data=form(drawing("red"))) as response:
        assert "May I learn from this?" in text_of(await response.text())
    prediction = await asked(browser, "green")
    async with browser.post("/learn", data={"prediction": str(prediction)}) as response:
        said = text_of(await response.text())
    assert response.status == 200
    assert "Thank you! I may learn from this picture" in said and "May I learn from this?" not in said
    assert "That is Hulk" in said and "Right" in said  # what was there is still there
    assert await standing(browser) == "from-now"
    status, fields = await posted(browser, "/learn", prediction=prediction)
    assert (status, fields["how"], fields["may_ask"]) == (200, "again", False)
    async with browser.post("/ask", data=form(drawing("blue"))) as response:
        assert "May I learn from this?" not in text_of(await response.text())


async def test_nobody_else_can_answer(page: Served, browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    async with somebody(page) as stranger:
        await asked(stranger, "green")
        status, fields = await posted(stranger, "/learn", prediction=prediction)
        assert (status, fields["reason"]) == (403, "not-yours")
        assert (await posted(stranger, "/learn", prediction=10**9))[0] == 404
    assert (await posted(browser, "/learn", prediction="x"))[0] == 400
    assert await page.ledger.privacy.asks(prediction)


async def test_the_page_of_choices(browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    async with browser.get("/privacy") as response:
        page = await response.text()
    assert 'value="ask" aria-pressed="true"' in page and 'href="/"' in page
    assert "What holds now: only pictures that you agreed to one by one" in text_of(page)
    for choice in ("all", "never", "from-now", "ask"):
        async with browser.post("/privacy", data={"standing": choice}) as response:
            page = await response.text()
        assert response.status == 200 and f'value="{choice}" aria-pressed="true"' in page
        assert page.count('aria-pressed="true"') == 1
        assert await standing(browser) == choice
    status, fields = await posted(browser, "/privacy", standing="<script>")
    assert (status, fields["reason"]) == (422, "old-button")
    assert (await posted(browser, "/privacy"))[0] == 422
    assert await standing(browser) == "ask"
    assert (await posted(browser, "/learn", prediction=prediction))[1]["how"] == "allowed"


async def test_a_choice_before_the_first_picture_holds(browser: aiohttp.ClientSession) -> None:
    assert (await posted(browser, "/privacy", standing="never"))[0] == 200
    assert cookie(browser)
    assert await standing(browser) == "never"
    async with browser.post("/ask", data=form(drawing("red"))) as response:
        assert "May I learn from this?" not in text_of(await response.text())


async def test_whoever_is_forgotten_is_somebody_new(page: Served, browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    await posted(browser, "/right", prediction=prediction)
    before = cookie(browser)
    async with browser.get("/privacy") as response:
        assert "Forget me" in text_of(await response.text())
    assert (await posted(browser, "/forget"))[0] == 400
    assert (await posted(browser, "/forget", sure="no"))[0] == 400
    assert await page.ledger.prediction(prediction) is not None
    async with browser.post("/forget", data={"sure": "yes"}) as response:
        said = text_of(await response.text())
    assert response.status == 200
    assert "you are forgotten: one picture was removed, and one thing that you had said" in said
    assert cookie(browser) not in ("", before)
    assert (await posted(browser, "/right", prediction=prediction))[0] == 404
    assert await page.ledger.prediction(prediction) is None
    blobs = page.settings.data_dir / "blobs"
    assert not [path for path in blobs.rglob("*") if path.is_file()]
    session = before.partition(".")[0]
    with sqlite3.connect(page.settings.data_dir / "whosthat.db") as file:
        assert file.execute("SELECT count(*) FROM communities WHERE native = ?", (session,)).fetchone() == (
            0,
        )
    status, fields = await posted(browser, "/forget", sure="yes")
    assert (status, fields["pictures"], fields["votes"]) == (200, 0, 0)


async def test_forgetting_while_a_picture_is_looked_at(page: Served, browser: aiohttp.ClientSession) -> None:
    await asked(browser)
    page.eyes.gate.clear()
    page.eyes.looking.clear()
    kept = cookie(browser)
    headers = {**JSON, "Cookie": f"whosthat={kept}"}
    async with aiohttp.ClientSession(page.url, cookie_jar=aiohttp.DummyCookieJar()) as tab:
        asking = asyncio.create_task(_ask(tab, headers))
        await asyncio.wait_for(page.eyes.looking.wait(), 5)
        assert (await posted(browser, "/forget", sure="yes"))[0] == 200
        page.eyes.gate.set()
        assert await asyncio.wait_for(asking, 5) == (410, "forgotten")


async def _ask(tab: aiohttp.ClientSession, headers: dict[str, str]) -> tuple[int, object]:
    async with tab.post("/ask", data=drawing("green"), headers=headers) as response:
        return response.status, (await response.json())["reason"]


@pytest.mark.parametrize("path", ["/learn", "/privacy", "/forget"])
async def test_no_other_site_can_choose_for_somebody(
    page: Served, browser: aiohttp.ClientSession, path: str
) -> None:
    prediction = await asked(browser)
    fields = {"prediction": str(prediction), "standing": "all", "sure": "yes"}
    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        async with browser.post(path, data=fields, headers=header) as response:
            assert response.status == 403
    assert await standing(browser) == "ask"
    assert await page.ledger.privacy.asks(prediction)
    async with browser.get(path) as response:
        assert response.status == (200 if path == "/privacy" else 405)


async def test_in_chinese_too(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/privacy", headers={"Accept-Language": "zh-CN"}) as response:
        assert response.headers["Content-Language"] == "zh-CN"
        assert "忘掉我" in await response.text()

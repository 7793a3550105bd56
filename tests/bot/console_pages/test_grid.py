"""The console's grid: many cases at once."""

from __future__ import annotations

import re

import aiohttp

from corrections.review.types import Moderator
from tests.bot.console_pages.forms import ME, decided, seen, sent
from tests.bot.test_console import got
from tests.bot.test_web import text_of
from tests.standins.console import GUILD, NOEL, posted
from tests.standins.drawings import drawing
from tests.standins.page import Served


async def test_what_changed_meanwhile_is_left_alone(page: Served, browser: aiohttp.ClientSession) -> None:
    _, shown = await got(browser, "/review/agreed")
    (ticked,) = re.findall(r'name="case" value="([^"]+)"', shown)
    assert ticked == f"3.{await seen(page, 3)}.iron-man"
    await decided(page, 3, "reject", by=Moderator(NOEL, GUILD))
    status, shown = await sent(browser, "/review/agreed", case=ticked, listed=3)
    assert status == 200
    assert "Nothing was approved. One had changed meanwhile and was left alone." in text_of(shown)
    assert (await page.ledger.review.case(ME, 3)).status == "rejected"


async def test_all_that_is_agreed_at_once(page: Served, browser: aiohttp.ClientSession) -> None:
    for seed in range(3):
        await posted(page, drawing("green", seed=60 + seed), votes={"hulk": list("abcdef")})
    await page.ledger.review.rescore(everything=True)
    _, shown = await sent(browser, "/review/agreed/all")
    assert "4 pictures were approved." in text_of(shown)
    assert (await page.ledger.review.progress(ME)).approved == 4


async def test_what_lost_its_tick_stays_open_and_the_rest_is_undone_as_one(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    for seed in range(3):
        await posted(page, drawing("green", seed=60 + seed), votes={"hulk": list("abcdef")})
    await page.ledger.review.rescore(everything=True)
    _, shown = await got(browser, "/review/agreed")
    assert shown.count(" checked>") == 4
    form = [("listed", each) for each in re.findall(r'name="listed" value="([^"]+)"', shown)]
    form += [("case", each) for each in re.findall(r'name="case" value="([^"]+)"', shown)]
    form = [each for each in form if not (each[0] == "case" and each[1].startswith("3."))]
    async with browser.post("/review/agreed", data=form) as response:
        shown = await response.text()
    assert "3 pictures were approved." in text_of(shown)
    assert 'name="back" value="agreed">Undo</button>' in shown
    assert 'value="3"' in shown
    assert " checked>" not in shown
    async with browser.post("/review/agreed/all", data=[("listed", "3")]) as response:
        assert "Nothing was approved." in text_of(await response.text())
    assert (await page.ledger.review.case(ME, 3)).status == "open"
    _, shown = await sent(browser, "/review/undo", back="agreed")
    assert shown.count(" checked>") == 4
    assert "Undo" not in text_of(shown)
    assert (await page.ledger.review.progress(ME)).approved == 0


async def test_a_tick_that_makes_no_sense(browser: aiohttp.ClientSession) -> None:
    for ticked in ("", "x", "1", "1.0", "1.x.loki", "1.0.", "." * 20):
        assert (await sent(browser, "/review/agreed", case=ticked))[0] == 400, ticked

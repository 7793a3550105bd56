"""The console's history and figures."""

from __future__ import annotations

import re

import aiohttp

from tests.bot.console_pages.forms import ME, decided
from tests.bot.test_console import got
from tests.bot.test_web import text_of
from tests.standins.page import Served


async def test_history_reads_on(page: Served, browser: aiohttp.ClientSession) -> None:
    case = await page.ledger.review.case(ME, 1)
    for number in range(60):
        verb = "approve" if number % 2 else "reject"
        case = await page.ledger.review.decide(ME, 1, case.revision, verb, ("thor",) if number % 2 else None)
    _, first = await got(browser, "/review/history")
    assert first.count("<time") == 50
    older = re.search(r'href="(/review/history\?before=\d+)"', first)
    assert older
    _, second = await got(browser, older[1])
    assert second.count("<time") == 10
    assert "before=" not in second
    assert (await got(browser, "/review/history?before=x"))[0] == 400


async def test_agreement_names_nobody(page: Served, browser: aiohttp.ClientSession) -> None:
    await decided(page, 2, "approve", "loki")
    _, shown = await got(browser, "/review/agreement")
    assert "Nobody has five decided votes yet." in text_of(shown)
    assert "People who voted 6" in text_of(shown)
    key = page.ledger.person_key(("discord", "a"))
    assert key[:8] not in shown

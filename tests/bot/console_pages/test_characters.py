"""The console's page of characters: names, and what the bot takes for what."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import aiohttp

from tests.bot.console_pages.forms import ME, decided, sent
from tests.bot.test_console import got
from tests.bot.test_web import text_of
from tests.standins.console import GUILD, OTHER, operating
from tests.standins.page import Served


async def test_a_moderator_rules_over_the_names_of_their_place(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    now = datetime.now(UTC)
    for name in ("Howard the Duck", "Spidermann", "Rubbish"):
        await page.ledger.propose(name, ("discord", "a"), GUILD, now)
    await page.ledger.propose("Elsewhere", ("discord", "z"), OTHER, now)
    _, shown = await got(browser, "/review/characters")
    assert "3 proposed names" in text_of(shown)
    assert "Elsewhere" not in shown
    async with operating(page) as operator:  # under the name that was proposed, not one made from its slug
        _, all_of_them = await got(operator, "/review/characters")
        assert "<strong>Howard the Duck</strong>" in all_of_them
        assert "<strong>Elsewhere</strong>" in all_of_them
    chinese = {"slug": "howard-the-duck", "name_en": "Howard the Duck", "name_zh_CN": "霍华德鸭"}
    _, shown = await sent(browser, "/review/characters/accept", **chinese)
    assert "Name accepted" in text_of(shown)
    _, shown = await sent(browser, "/review/characters/merge", slug="spidermann", into="spider-man")
    assert "Merged" in text_of(shown)
    _, shown = await sent(browser, "/review/characters/refuse", slug="rubbish")
    assert "Name refused" in text_of(shown)
    _, shown = await sent(browser, "/review/characters/add", name_en="Moon Knight")
    assert "Character added" in text_of(shown)
    many = {"slug": "moon-knight", "name_en": "Moon Knight", "aliases": "Marc Spector\n\nMr. Knight"}
    _, shown = await sent(browser, "/review/characters/rename", **many)
    assert "Renamed" in text_of(shown)
    here = {each.slug: each for each in await page.ledger.characters(GUILD)}
    assert here["howard-the-duck"].names == {"en": "Howard the Duck", "zh-CN": "霍华德鸭"}
    assert set(here["moon-knight"].aliases) == {"Marc Spector", "Mr. Knight"}
    assert "moon-knight" not in {each.slug for each in await page.ledger.characters(OTHER)}
    _, shown = await got(browser, "/review/history")
    for action in ("Name accepted", "Merged", "Name refused", "Character added", "Renamed"):
        assert action in text_of(shown)


async def test_names_of_others_are_out_of_reach(page: Served, browser: aiohttp.ClientSession) -> None:
    await page.ledger.propose("Elsewhere", ("discord", "z"), OTHER, datetime.now(UTC))
    before = {each.slug: each for each in await page.ledger.characters(OTHER)}
    for what in ("accept", "refuse", "rename", "merge"):
        for slug in ("iron-man", "elsewhere", "no-such", "", "../x"):
            fields = {"slug": slug, "name_en": "Taken Over", "into": "thor"}
            status, shown = await sent(browser, f"/review/characters/{what}", **fields)
            assert (status, 'class="refused"' in shown) == (422, True), (what, slug)
    assert {each.slug: each for each in await page.ledger.characters(OTHER)} == before
    assert await page.ledger.review.history(ME) == []


async def test_a_name_that_cannot_be_one(page: Served, browser: aiohttp.ClientSession) -> None:
    before = len(await page.ledger.characters(GUILD))
    for name in (
        *("", "x" * 300, "@everyone", "<b>x</b>", "../../etc"),
        *("\u202eevil", "🦆", "Iron Man", "12"),
    ):
        status, shown = await sent(browser, "/review/characters/add", name_en=name)
        assert status == 422, name
        assert "Traceback" not in shown
        assert len(await page.ledger.characters(GUILD)) == before


async def test_what_the_bot_takes_for_what_is_drawn(page: Served, browser: aiohttp.ClientSession) -> None:
    await decided(page, 2, "approve", "loki")  # the bot said Hulk
    await decided(page, 3, "approve", "iron-man")  # and Iron Man
    _, shown = await got(browser, "/review/characters")
    assert "The bot was right about 1 of 2 decided pictures (50%)." in text_of(shown)
    matrix = shown[shown.index('<table class="confusion">') :]
    rows = re.findall(r'<th scope="row">([^<]+)</th>(.*?)</tr>', matrix)
    columns = re.findall(r'<th scope="col">([^<]+)</th>', matrix)
    told = {
        (name, columns[place]): int(count[1])
        for name, cells in rows
        for place, cell in enumerate(re.findall(r"<td>(.*?)</td>", cells))
        if (count := re.search(r"<span>(\d+)</span>", cell))
    }
    assert told == {("Loki", "Hulk"): 1, ("Iron Man", "Iron Man"): 1}
    assert 'class="wrong"' in matrix
    assert 'class="right"' in matrix

"""The console's queue: decisions as forms, one at a time, and what makes no sense."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp

from corrections.review.types import Filter, Moderator
from tests.bot.console_pages.forms import FRAGMENT, ME, cases_in, seen, sent
from tests.bot.test_console import got
from tests.bot.test_web import text_of
from tests.standins.console import GUILD, NOEL, moderating, posted
from tests.standins.drawings import drawing
from tests.standins.page import Served


async def test_a_page_has_the_best_case_and_the_one_after_it(browser: aiohttp.ClientSession) -> None:
    _, shown = await got(browser, "/review")
    assert cases_in(shown) == [1, 2]
    said = text_of(shown)
    assert "People disagree" in said
    assert "Iron Man" in said
    assert "0 of 4 decided · 0 by you today" in said


async def test_a_fragment_brings_the_case_after_the_next(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    await got(browser, "/review")
    fields = {"case": 1, "revision": await seen(page, 1), "do": "is:thor", "showing": "2", "deciding": "1"}
    async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
        shown = await response.text()
    assert response.status == 200
    assert "<html" not in shown
    assert cases_in(shown) == [3]
    assert "Approved: Thor." in text_of(shown)
    fields = {"case": 2, "revision": await seen(page, 2), "do": "skip", "showing": "3,4", "deciding": "2"}
    async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
        assert cases_in(await response.text()) == []


async def test_the_same_form_twice_decides_once(page: Served, browser: aiohttp.ClientSession) -> None:
    revision = await seen(page, 1)
    for _ in range(2):
        status, shown = await sent(browser, "/review/decide", case=1, revision=revision, do="is:thor")
        assert status == 200
        assert "Approved: Thor." in text_of(shown)
    assert len(await page.ledger.review.history(ME)) == 1


async def test_two_at_once_and_one_decision(page: Served, browser: aiohttp.ClientSession) -> None:
    async with moderating(page, NOEL) as noel:
        fields = {"case": "1", "revision": str(await seen(page, 1))}
        answers = await asyncio.gather(
            browser.post("/review/decide", data=fields | {"do": "is:thor"}, headers=FRAGMENT),
            noel.post("/review/decide", data=fields | {"do": "is:loki"}, headers=FRAGMENT),
        )
        assert sorted(each.status for each in answers) == [200, 409]
        late = await next(each for each in answers if each.status == 409).text()
        (decision,) = await page.ledger.review.history(ME)
        assert decision.after
        name = {"thor": "Thor", "loki": "Loki"}[decision.after["decided"][0]]  # type: ignore[index]
        assert f"Somebody was faster, so your decision was not taken: it is approved as {name}." in text_of(
            late
        )


NO_SENSE: tuple[dict[str, str], ...] = (
    {"case": "1"},
    {"case": "x", "revision": "0", "do": "reject"},
    {"case": "1", "revision": "-1", "do": "reject"},
    {"case": "1", "revision": "9" * 30, "do": "reject"},
    {"case": "1", "revision": "0", "do": "explode"},
    {"case": "1", "revision": "0", "do": "is:"},
    {"case": "1", "revision": "0", "do": "is:" + ",".join("abcdefghijklmnop")},
)


async def test_a_form_that_makes_no_sense(page: Served, browser: aiohttp.ClientSession) -> None:
    unnamed = {"case": "1", "revision": "0", "q": "", "slug": ""}
    for headers in ({}, FRAGMENT):
        for fields in NO_SENSE[1:]:
            async with browser.post("/review/decide", data=fields, headers=headers) as response:
                assert response.status == 400, fields
                assert "I could not make sense of that request." in text_of(await response.text())
        async with browser.post("/review/decide", data=unnamed, headers=headers) as response:
            assert response.status == 422
            assert "Please write a name." in text_of(await response.text())
    for showing in ("a", ",".join(["1"] * 999)):
        fields = {"case": "4", "revision": str(await seen(page, 4)), "do": "reject", "showing": showing}
        async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
            assert response.status == 400
    assert await page.ledger.review.history(ME) == []


async def test_a_name_that_nobody_has(page: Served, browser: aiohttp.ClientSession) -> None:
    for slug in ("nobody-at-all", "../../etc", "<script>", "=HYPERLINK(1)", "é", "NUL"):
        revision = await seen(page, 1)
        status, shown = await sent(browser, "/review/decide", case=1, revision=revision, do=f"is:{slug}")
        assert status == 422, slug
        assert "is called" in text_of(shown)
        assert "<script>" not in shown
    assert await page.ledger.review.history(ME) == []


async def test_who_votes_meanwhile_has_the_moderator_look_again(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    revision = await seen(page, 4)
    for person in ("a", "b"):
        await page.ledger.vote(4, ("discord", person), frozenset({"loki"}), datetime.now(UTC))
    assert await seen(page, 4) != revision
    fields = {"case": 4, "revision": revision, "do": "is:captain-america"}
    async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
        shown = await response.text()
    assert response.status == 409
    assert "Something else has been said of it meanwhile, so nothing was decided" in text_of(shown)
    assert cases_in(shown)[0] == 4  # as it is now
    status, shown = await sent(browser, "/review/decide", **fields)
    assert (status, cases_in(shown)) == (200, [4])
    assert "please look again" in text_of(shown)


async def test_nobody_is_approved_as_nobody(page: Served, browser: aiohttp.ClientSession) -> None:
    _, shown = await sent(browser, "/review/decide", case=1, revision=await seen(page, 1), do="is:nobody")
    assert "Approved: nobody on the list." in text_of(shown)
    assert (await page.ledger.review.case(ME, 1)).decided == ()


async def test_undo_when_there_is_nothing(browser: aiohttp.ClientSession) -> None:
    for headers in ({}, FRAGMENT):
        status, shown = await sent(browser, "/review/undo", headers=headers)
        assert status == 409
        assert "There is nothing of yours to take back." in text_of(shown)


async def test_a_hostile_name_is_text(page: Served, browser: aiohttp.ClientSession) -> None:
    proposal = await page.ledger.propose("Ro'n “& Co”", ("discord", "a"), GUILD, datetime.now(UTC))
    await posted(page, drawing("red", seed=77), votes={proposal.slug: ["a", "b"]})
    for path in ("/review", "/review/characters", "/review/case/5"):
        _, shown = await got(browser, path)
        assert "Ro&#39;n “&amp; Co”" in shown, path
        assert "Ro'n" not in shown, path


async def test_a_filter_that_makes_no_sense_is_none(browser: aiohttp.ClientSession) -> None:
    for query in ("status=x", "reason=%00", "agreed=maybe", "character=" + "x" * 500, "about=1", "said=x"):
        assert (await got(browser, f"/review?{query}"))[0] == 200, query


async def test_letting_go(page: Served, browser: aiohttp.ClientSession) -> None:
    await got(browser, "/review")
    noel = Moderator(NOEL, GUILD)
    assert [each.case_id for each in await page.ledger.review.next(noel, Filter(), 4)] == [3, 4]
    async with browser.post("/review/release", data=[("case", "1"), ("case", "2")]) as response:
        assert response.status == 204
    assert [each.case_id for each in await page.ledger.review.next(noel, Filter(), 4)] == [1, 2, 3, 4]

"""The console's page on which a character is taught, over the real desk and ledger."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp

from corrections.review.types import Filter, Moderator
from tests.standins.console import GUILD, MARA, NOEL, OTHER, moderating, operating, some_cases
from tests.standins.drawings import drawing, encoded, picture
from tests.standins.page import Served, page_served

PAGE = "/review/teach"


def form(name: str, *pictures: bytes, **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData({"name": name, **fields})
    for number, each in enumerate(pictures):
        made.add_field("pictures", each, filename=f"{number}.png", content_type="image/png")
    return made


async def sent(browser: aiohttp.ClientSession, data: Any) -> tuple[int, str, str]:
    """Status, what is said, and the number of what can be insisted on."""
    async with browser.post(PAGE, data=data) as response:
        page = await response.text()
    said = re.search(r'<div id="said" role="status">(.*?)</div>', page, re.DOTALL)
    assert said
    number = re.search(r'name="number" value="(\d+)"', said[1])
    return (
        response.status,
        re.sub(r"<[^>]+>|\n", "", said[1].replace("</p>", " ")),
        number[1] if number else "",
    )


async def approved(page: Served, where: tuple[str, str] = GUILD) -> list[tuple[str, ...] | None]:
    found = await page.ledger.review.next(Moderator(("discord", "1"), where), Filter("approved"), 50)
    return sorted(each.decided or () for each in found)


async def test_three_pictures_are_learned_at_once(tmp_path: Path) -> None:
    async with page_served(tmp_path) as page, moderating(page) as browser:
        async with browser.get("/review/characters") as response:
            assert f'href="{PAGE}"' in await response.text()
        async with browser.get(PAGE) as response:
            shown = await response.text()
        assert "never teach a private person" in shown
        assert 'name="community"' not in shown
        token = re.search(r'name="token" value="([0-9a-f]+)"', shown)
        assert token
        pictures = [drawing("orange", seed=n) for n in range(3)]
        for said in ("Learned: Winter Soldier. 3 pictures are examples from now on.", "Nothing new:"):
            status, text, _ = await sent(browser, form("Winter Soldier", *pictures, token=token[1]))
            assert (status, said in text) == (200, True), text
        assert await approved(page) == [("winter-soldier",)] * 3
        async with browser.get("/review/characters") as response:
            assert "Winter Soldier" in await response.text()
        assert (await page.ledger.privacy.standing(MARA)) == "ask"


async def test_what_the_model_is_sure_of_waits_for_a_word(tmp_path: Path) -> None:
    async with page_served(tmp_path) as page, moderating(page) as browser:
        grey, red = drawing("grey", seed=1), drawing("red", seed=2)
        status, text, number = await sent(browser, form("Thor", grey, red))
        assert status == 200
        assert "Nothing is taught as Thor yet" in text
        assert "picture 1 shows nobody I know" in text
        assert "picture 2 shows Iron Man, I am sure" in text
        assert await approved(page) == []
        async with moderating(page, NOEL) as other:
            assert (await sent(other, {"number": number}))[1].startswith("Only whoever taught")
        async with moderating(page, MARA, OTHER) as elsewhere:  # the same person, in another community
            assert (await sent(elsewhere, {"number": number}))[1].startswith("I do not have")
        assert await approved(page) == []
        assert "2 more pictures are examples of Thor" in (await sent(browser, {"number": number}))[1]
        assert await approved(page) == [("thor",)] * 2
        status, text, _ = await sent(browser, {"number": number})
        assert (status, text.startswith("I do not have those pictures any more")) == (422, True)


async def sent_status(browser: aiohttp.ClientSession, data: Any) -> int:
    async with browser.post(PAGE, data=data) as response:
        return response.status


async def test_bad_input_is_one_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    async with page_served(tmp_path) as page, moderating(page) as browser:
        red = drawing("red")
        many = [drawing("red", seed=n, size=(32, 24)) for n in range(11)]
        for data, sentence in (
            (form("Winter Soldier"), "Please add 1 to 10 pictures."),
            (form("Winter Soldier", *many), "That is 11 pictures: I take 10 at a time."),
            (form("", red), "Please write a name."),
            (form("@everyone", red), "A name cannot call people"),
            (form("/undo", red), "A name cannot hold links, slashes"),
            (form("x" * 80, red), "too long"),
            (form("My Corrections", red), "means something else to me"),
            (form("Winter Soldier", b"no picture"), "not a picture I can read"),
        ):
            status, text, _ = await sent(browser, data)
            assert (status, sentence in text) == (422, True), (text, sentence)
        assert await sent_status(browser, {"number": "x"}) == 400
        assert await approved(page) == []
        assert not [each for each in await page.ledger.characters(GUILD) if each.community]


async def test_a_file_that_is_no_picture_is_named_and_left_out(tmp_path: Path) -> None:
    async with page_served(tmp_path) as page, moderating(page) as browser:
        whole = drawing("orange", seed=1)
        heic = encoded(picture("orange", seed=2), "PNG")
        _, text, _ = await sent(browser, form("Winter Soldier", whole, whole[: len(whole) // 2], heic))
        assert "2 pictures are examples" in text
        assert "Picture 2 is left out. That picture breaks off" in text
        assert len(await approved(page)) == 2


async def test_one_picture_is_one_character(tmp_path: Path) -> None:
    async with page_served(tmp_path) as page, moderating(page) as browser:
        await sent(browser, form("Winter Soldier", drawing("orange", seed=1)))
        status, text, _ = await sent(browser, form("Falcon", drawing("orange", seed=1, kind="JPEG")))
        assert (status, "decided that picture 1 shows Winter Soldier" in text) == (422, True)
        assert not await page.ledger.resolve("Falcon", GUILD)


async def test_the_operator_says_where(tmp_path: Path) -> None:
    async with page_served(tmp_path) as page:
        await some_cases(page)
        async with operating(page) as browser:
            async with browser.get(PAGE) as response:
                shown = await response.text()
            assert '<option value="discord:1001">' in shown
            pictures = [drawing("orange", seed=n) for n in (21, 22)]
            assert await sent_status(browser, form("Falcon", *pictures, community="discord:2002")) == 404
            _, text, _ = await sent(browser, form("Falcon", *pictures, community="discord:1001"))
            assert "Learned: Falcon." in text
            assert (await page.ledger.resolve("Falcon", OTHER)).slug == "falcon"  # the operator's are shared
        assert ("falcon",) in await approved(page)
        async with moderating(page) as browser:  # whoever is no operator has nothing to choose
            await sent(browser, form("Bucky", drawing("orange", seed=30), community="discord:2002"))
        assert ("bucky",) in await approved(page)
        assert await approved(page, OTHER) == []

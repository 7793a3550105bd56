"""The page over real sockets: asking, correcting, undoing, with a browser's forms and a script's JSON."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.errors import StartError
from bot.settings import load
from bot.web.app import WebAdapter
from tests.standins.drawings import drawing
from tests.standins.page import SECRET, Served, page_served

JSON = {"Accept": "application/json"}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as served:
        yield served


@pytest.fixture
async def browser(page: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with somebody(page) as session:
        yield session


def somebody(page: Served) -> aiohttp.ClientSession:
    """A browser of its own: with its own cookies."""
    return aiohttp.ClientSession(page.url, cookie_jar=aiohttp.CookieJar(unsafe=True))


def form(picture: bytes, token: str = "", name: str = "x.png") -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("token", token)
    data.add_field("picture", picture, filename=name, content_type="image/png")
    return data


async def asked(browser: aiohttp.ClientSession, colour: str = "red") -> int:
    """Ask about a picture as a script does; the prediction's id."""
    async with browser.post("/ask", data=drawing(colour), headers=JSON) as response:
        assert response.status == 200, await response.text()
        return int((await response.json())["prediction"])


async def posted(
    browser: aiohttp.ClientSession, path: str, **fields: object
) -> tuple[int, dict[str, object]]:
    async with browser.post(path, data={k: str(v) for k, v in fields.items()}, headers=JSON) as response:
        return response.status, await response.json()


def text_of(page: str) -> str:
    body = re.sub(r"<(script|style|head).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


# -- asking ----------------------------------------------------------------------------------------


async def test_the_page_is_there_and_healthy(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/") as response:
        assert response.status == 200
        assert response.headers["Content-Language"] == "en"
        assert "Drop a picture" in await response.text()
    async with browser.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})
        assert "Set-Cookie" not in response.headers


async def test_a_form_without_scripts_gets_a_whole_page(browser: aiohttp.ClientSession) -> None:
    async with browser.post("/ask", data=form(drawing("red"))) as response:
        page = await response.text()
    assert response.status == 200
    assert page.startswith("<!doctype html>")
    said = text_of(page)
    assert "That is Iron Man , 94% sure." in said
    assert "Spider-Man 3%" in said
    assert "<strong>Iron Man</strong>" in page
    # Nothing can be opened without scripts, so what Wrong opens is open.
    assert 'id="wrong"' not in page
    assert "Nobody on the list" in said


async def test_htmx_gets_a_fragment(browser: aiohttp.ClientSession) -> None:
    async with browser.post("/ask", data=form(drawing("orange")), headers={"HX-Request": "true"}) as response:
        fragment = await response.text()
    assert "<html" not in fragment
    assert "Could be Iron Man (48%) or Spider-Man (40%)." in text_of(fragment).replace(" (", " (")
    assert 'aria-expanded="false"' in fragment


async def test_a_script_gets_json(browser: aiohttp.ClientSession) -> None:
    async with browser.post("/ask", data=drawing("green"), headers=JSON) as response:
        answer = await response.json()
    assert response.status == 200
    assert (answer["verdict"], answer["character"], answer["confidence"]) == ("sure", "hulk", 0.9)
    assert answer["ranked"][1] == {"character": "loki", "name": "Loki", "probability": 0.06}
    assert answer["sentence"] == "That is Hulk, 90% sure."
    assert answer["prediction"] > 0


async def test_a_picture_of_nobody_is_answered_too(browser: aiohttp.ClientSession) -> None:
    async with browser.post("/ask", data=form(drawing("grey"))) as response:
        page = await response.text()
    assert "Nobody I know." in text_of(page)
    assert 'value="nobody"' not in page  # that is what Right says already


async def test_the_same_form_twice_is_answered_once(page: Served, browser: aiohttp.ClientSession) -> None:
    token = "0123456789abcdef" * 2
    await (await browser.get("/")).read()
    page.eyes.gate.clear()

    async def same() -> aiohttp.ClientResponse:
        return await browser.post("/ask", data=form(drawing("red"), token), headers=JSON)

    first = asyncio.create_task(same())
    await asyncio.wait_for(page.eyes.looking.wait(), 20)
    second = asyncio.create_task(same())
    page.eyes.gate.set()
    predictions = [(await (await each).json())["prediction"] for each in (first, second)]
    predictions.append((await (await same()).json())["prediction"])
    assert len(set(predictions)) == 1
    assert page.eyes.looked == 1
    # Another picture from the same form is another question.
    other = await browser.post("/ask", data=form(drawing("green"), token), headers=JSON)
    assert (await other.json())["character"] == "hulk"


async def test_the_page_speaks_the_language_that_the_browser_asks_for(browser: aiohttp.ClientSession) -> None:
    for wanted in ("tlh, en;q=0.5", "*", "en-GB", ";;;,,q=x", "en;q=0", "x" * 5000):
        async with browser.get("/", headers={"Accept-Language": wanted}) as response:
            assert response.status == 200
            assert '<html lang="en">' in await response.text()


@pytest.mark.parametrize("wanted", ["zh-CN", "zh-TW,zh;q=0.9,en;q=0.8", "fr, ZH-hans;q=0.7, en;q=0.2"])
async def test_the_page_speaks_chinese(page: Served, browser: aiohttp.ClientSession, wanted: str) -> None:
    chinese = {"Accept-Language": wanted}
    async with browser.get("/", headers=chinese) as response:
        assert response.headers["Content-Language"] == "zh-CN"
        assert "Accept-Language" in response.headers["Vary"]
        whole = await response.text()
    assert '<html lang="zh-CN">' in whole
    assert not re.search(r"[A-Za-z]{3,}", text_of(whole))
    async with browser.post("/ask", data=form(drawing("orange")), headers=chinese) as response:
        shown = text_of(await response.text()).replace(" ", "")
        assert "可能是钢铁侠（48%），也可能是蜘蛛侠（40%）。" in shown
    async with browser.post("/ask", data=drawing("red"), headers=chinese | JSON) as response:
        said = await response.json()
    assert (said["sentence"], said["ranked"][1]["name"]) == ("这是钢铁侠，我有 94% 的把握。", "蜘蛛侠")
    # The same person may change their mind about the language at any time.
    _, thanks = await posted(browser, "/correct", prediction=said["prediction"], slug="loki")
    assert thanks["sentence"] == "Thank you, noted: Loki."


@pytest.mark.parametrize("typed", ["钢铁", "gangtie", "gtx", "iron", "鋼鐵人"])
async def test_characters_are_found_by_chinese_pinyin_and_english(
    browser: aiohttp.ClientSession, typed: str
) -> None:
    for language, name in (("zh-CN", "钢铁侠"), ("en", "Iron Man")):
        headers = JSON | {"Accept-Language": language}
        async with browser.get("/characters", params={"q": typed}, headers=headers) as response:
            assert (await response.json())[0] == {"character": "iron-man", "name": name}


async def test_what_goes_wrong_is_said_in_chinese(browser: aiohttp.ClientSession) -> None:
    chinese = JSON | {"Accept-Language": "zh-CN"}
    async with browser.post("/ask", data=b"hello", headers=chinese) as response:
        assert (await response.json())["error"].startswith("这不是我能读的图片")
    async with browser.get("/nowhere", headers=chinese) as response:
        assert (await response.json())["error"] == "这个地址什么也没有。"


# -- correcting ------------------------------------------------------------------------------------


async def test_right_is_thanked_for_once_it_is_in_the_ledger(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    prediction = await asked(browser)
    status, said = await posted(browser, "/right", prediction=prediction)
    assert (status, said["how"], said["sentence"]) == (200, "right", "Thank you, noted: Iron Man it is.")
    assert (await page.ledger.tally(prediction)).characters == {"iron-man": 1}
    status, said = await posted(browser, "/right", prediction=prediction)
    assert said["how"] == "again"
    assert (await page.ledger.tally(prediction)).voters == 1


async def test_a_runner_up_nobody_and_undo(page: Served, browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    async with browser.post("/correct", data={"prediction": prediction, "slug": "spider-man"}) as response:
        whole = await response.text()
    assert "Thank you, noted: Spider-Man" in text_of(whole)
    assert "Undo" in whole
    assert "One person says Spider-Man" in text_of(whole)
    _, said = await posted(browser, "/correct", prediction=prediction, slug="nobody")
    assert said["sentence"] == "Changed: you say nobody on the list now."
    assert (await page.ledger.tally(prediction)).nobody == 1
    _, said = await posted(browser, "/undo", prediction=prediction)
    assert said["sentence"] == "Taken back; what you said before holds again: Spider-Man."
    _, said = await posted(browser, "/undo", prediction=prediction)
    assert said["sentence"] == "Taken back."
    status, said = await posted(browser, "/undo", prediction=prediction)
    assert (status, said["error"]) == (409, "There is nothing to take back.")
    assert (await page.ledger.tally(prediction)).voters == 0


@pytest.mark.parametrize("text", ["spidey", "Peter Parker", "SPIDER MAN"])
async def test_a_name_is_understood_and_confirmed(
    page: Served, browser: aiohttp.ClientSession, text: str
) -> None:
    prediction = await asked(browser)
    status, found = await posted(browser, "/name", prediction=prediction, q=text)
    assert (status, found["exact"]) == (200, True)
    assert found["choices"] == [{"character": "spider-man", "name": "Spider-Man"}]
    assert (await page.ledger.tally(prediction)).voters == 0  # not before it is confirmed


async def test_a_name_that_was_picked_from_the_list_needs_no_second_question(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    prediction = await asked(browser)
    _, said = await posted(browser, "/name", prediction=prediction, q="Loki", slug="loki")
    assert (said["how"], said["said"]) == ("corrected", "loki")


async def test_a_new_name_becomes_a_proposal(page: Served, browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    async with browser.post("/name", data={"prediction": prediction, "q": "Howard the Duck"}) as response:
        assert "Add “Howard the Duck” as a new name" in text_of(await response.text())
    _, said = await posted(browser, "/new", prediction=prediction, q="Howard the Duck")
    assert (said["how"], said["said"]) == ("proposed", "howard-the-duck")
    assert (await page.ledger.tally(prediction)).characters == {"howard-the-duck": 1}


async def test_type_ahead(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/characters", params={"q": "iro"}) as response:
        fragment = await response.text()
    assert re.search(r'<li role="option" id="option-1"[^>]* data-slug="iron-man">Iron Man</li>', fragment)
    async with browser.get("/characters", params={"q": "钢铁侠"}, headers=JSON) as response:
        assert (await response.json())[0]["character"] == "iron-man"
    async with browser.get("/characters", headers=JSON) as response:
        assert len(await response.json()) > 5
    async with browser.get("/characters", params={"q": "<b>" * 500}, headers=JSON) as response:
        assert response.status == 200


async def test_a_strange_answer_can_neither_be_seen_nor_corrected(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    prediction = await asked(browser)
    async with somebody(page) as stranger:
        await (await stranger.get("/")).read()
        for path in ("/right", "/correct", "/name", "/new", "/undo"):
            status, said = await posted(stranger, path, prediction=prediction, slug="loki", q="Loki")
            assert (status, said["error"]) == (
                403,
                "That answer belongs to another place, so nothing was noted.",
            )
    assert (await page.ledger.tally(prediction)).voters == 0


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "９", "9" * 30, "1; drop table votes"])
async def test_a_prediction_that_is_no_number(browser: aiohttp.ClientSession, number: str) -> None:
    status, said = await posted(browser, "/right", prediction=number)
    assert (status, said["error"]) == (400, "I could not make sense of that request.")


async def test_a_prediction_that_is_not_there(browser: aiohttp.ClientSession) -> None:
    status, said = await posted(browser, "/right", prediction=10**17)
    assert (status, said["reason"]) == (404, "prediction-gone")


# -- starting and stopping -------------------------------------------------------------------------


async def test_a_port_in_use_is_one_sentence(page: Served, tmp_path: Path) -> None:
    port = page.url.rpartition(":")[2]
    settings = load(environ={"WHOSTHAT_WEB__PORT": port}, folder=tmp_path)
    with pytest.raises(StartError, match=r"^[^\n]*web\.port[^\n]*$"):
        async with WebAdapter(page.desk, settings, SECRET):
            pass


async def test_an_address_of_another_machine_is_one_sentence(page: Served, tmp_path: Path) -> None:
    settings = load(environ={"WHOSTHAT_WEB__PORT": "0", "WHOSTHAT_WEB__HOST": "192.0.2.1"}, folder=tmp_path)
    with pytest.raises(StartError, match=r"^[^\n]*web\.host[^\n]*$"):
        async with WebAdapter(page.desk, settings, SECRET):
            pass


async def test_an_answer_in_flight_is_finished_when_the_page_stops(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        async with page_served(tmp_path) as served:
            served.eyes.gate.clear()
            asking = asyncio.create_task(
                session.post(f"{served.url}/ask", data=drawing("red"), headers=JSON).__aenter__()
            )
            await served.eyes.looking.wait()
            asyncio.get_running_loop().call_later(0.2, served.eyes.gate.set)
        response = await asking
        assert json.loads(await response.read())["character"] == "iron-man"
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(served.url)


async def test_an_answer_that_never_comes_does_not_keep_the_page_from_stopping(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        async with page_served(tmp_path, worker__deadline_seconds="0.3") as served:
            served.eyes.gate.clear()
            asking = asyncio.create_task(session.post(f"{served.url}/ask", data=drawing("red")).__aenter__())
            await served.eyes.looking.wait()
        with pytest.raises(aiohttp.ClientConnectionError):
            await asking
    assert [each for each in asyncio.all_tasks() if "_answered" in repr(each)] == []

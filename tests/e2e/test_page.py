"""The page in headless Chromium, over the real desk and ledger."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, FileChooser, Page, expect

from tests.standins.browser import PHONE, WAIT, Watched, choose, chromium, hand_over, watched
from tests.standins.drawings import drawing
from tests.standins.page import Served, page_served

pytestmark = pytest.mark.browser
expect.set_options(timeout=WAIT)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as page:
        yield page


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.fixture
async def seen(browser: Browser, served: Served) -> AsyncIterator[Watched]:
    async with watched(browser, served.url) as page:
        yield page


async def answered(page: Page, sentence: str) -> None:
    await expect(page.get_by_role("heading", name=sentence)).to_be_visible()
    # Whoever cannot see it is told the same.
    await expect(page.get_by_role("status")).to_have_text(sentence)


RED = "That is Iron Man, 94% sure."


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
async def test_a_picture_comes_in_and_is_answered(seen: Watched, way: str) -> None:
    page = seen.page
    await expect(page.get_by_role("img", name="The picture you asked about")).to_be_hidden()
    if way == "choose":
        await choose(page, drawing("red"))
    else:
        await hand_over(page, way, drawing("red"))
    await answered(page, RED)
    shown = page.get_by_role("img", name="The picture you asked about")
    await expect(shown).to_be_visible()
    assert await shown.evaluate("(image) => image.naturalWidth") == 320
    # The next one takes its place.
    await hand_over(page, "drop", drawing("grey"))
    await answered(page, "Nobody I know. Loki would come closest (14%).")


async def test_the_picture_and_a_sign_of_life_are_there_before_the_answer(
    seen: Watched, served: Served
) -> None:
    page = seen.page
    served.eyes.gate.clear()
    await choose(page, drawing("red"))
    await expect(page.get_by_role("img", name="The picture you asked about")).to_be_visible()
    await expect(page.locator("#looking")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("Looking…")
    served.eyes.gate.set()
    await answered(page, RED)
    await expect(page.locator("#looking")).to_be_hidden()


async def test_right_and_undo(seen: Watched, served: Served) -> None:
    page = seen.page
    await choose(page, drawing("red"))
    await page.get_by_role("button", name="Right").click()
    await expect(page.get_by_role("status")).to_have_text("Thank you, noted: Iron Man it is.")
    assert (await served.ledger.tally(1)).characters == {"iron-man": 1}
    await expect(page.get_by_role("button", name="Undo")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Taken back.")
    assert (await served.ledger.tally(1)).voters == 0
    await expect(page.get_by_role("button", name="Right")).to_be_focused()


async def test_wrong_and_a_runner_up(seen: Watched, served: Served) -> None:
    page = seen.page
    await choose(page, drawing("orange"))
    await answered(page, "Could be Iron Man (48%) or Spider-Man (40%).")
    wrong = page.get_by_role("button", name="Wrong")
    await expect(page.get_by_role("button", name="Spider-Man")).to_be_hidden()
    await wrong.click()
    assert await wrong.get_attribute("aria-expanded") == "true"
    await page.get_by_role("group", name="Who is it, then?").get_by_role("button", name="Spider-Man").click()
    await expect(page.get_by_role("status")).to_have_text("Thank you, noted: Spider-Man.")
    assert (await served.ledger.tally(1)).characters == {"spider-man": 1}


async def test_nobody_on_the_list(seen: Watched, served: Served) -> None:
    page = seen.page
    await choose(page, drawing("red"))
    await page.get_by_role("button", name="Wrong").click()
    await page.get_by_role("button", name="Nobody on the list").click()
    await expect(page.get_by_role("status")).to_have_text("Thank you, noted: nobody on the list.")
    assert (await served.ledger.tally(1)).nobody == 1


async def test_someone_else_with_the_keyboard_alone(seen: Watched, served: Served) -> None:
    page = seen.page
    opened: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()
    page.on("filechooser", lambda dialog: opened.set_result(dialog))
    for _ in range(10):  # the file field is reached with Tab
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == "picture":
            break
    else:
        pytest.fail("Tab does not reach the file field")
    await page.keyboard.press("Enter")
    dialog = await asyncio.wait_for(opened, WAIT / 1000)
    await dialog.set_files({"name": "a.png", "mimeType": "image/png", "buffer": drawing("red")})
    await answered(page, RED)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Wrong")).to_be_focused()
    await page.keyboard.press("Enter")
    field = page.get_by_role("combobox", name="Someone else…")
    for _ in range(8):
        await page.keyboard.press("Tab")
        if await field.evaluate("(each) => each === document.activeElement"):
            break
    await expect(field).to_be_focused()

    await page.keyboard.type("lo")
    options = page.get_by_role("listbox", name="Characters")
    await expect(options).to_be_visible()
    assert await field.get_attribute("aria-expanded") == "true"
    assert await field.get_attribute("aria-activedescendant") is None
    await page.keyboard.press("Escape")  # closes the list, keeps the text
    await expect(options).to_be_hidden()
    await expect(field).to_have_value("lo")
    await page.keyboard.press("ArrowDown")
    await expect(options).to_be_visible()
    first = options.get_by_role("option").first
    await expect(first).to_have_attribute("aria-selected", "true")
    assert await field.get_attribute("aria-activedescendant") == await first.get_attribute("id")
    await expect(first).to_have_text("Loki")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Thank you, noted: Loki.")
    await expect(page.get_by_role("button", name="Undo")).to_be_focused()
    assert (await served.ledger.tally(1)).characters == {"loki": 1}


async def test_a_nickname_is_understood_and_confirmed(seen: Watched, served: Served) -> None:
    page = seen.page
    await choose(page, drawing("red"))
    await page.get_by_role("button", name="Wrong").click()
    await page.get_by_role("combobox").fill("spidey")
    await page.get_by_role("button", name="Look up").click()
    await expect(page.get_by_role("status")).to_have_text("Whom do you mean by “spidey”?")
    await expect(page.get_by_role("button", name="Spider-Man")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Thank you, noted: Spider-Man.")
    assert (await served.ledger.tally(1)).characters == {"spider-man": 1}


async def test_an_option_can_be_clicked(seen: Watched) -> None:
    page = seen.page
    await choose(page, drawing("red"))
    await page.get_by_role("button", name="Wrong").click()
    await page.get_by_role("combobox").press_sequentially("black w")
    await page.get_by_role("option", name="Black Widow").click()
    await expect(page.get_by_role("status")).to_have_text("Thank you, noted: Black Widow.")


async def test_a_new_name_with_html_in_it_stays_text(seen: Watched, served: Served) -> None:
    page = seen.page
    await choose(page, drawing("red"), name="<img src=x onerror=alert(1)>.png")
    await page.get_by_role("button", name="Wrong").click()
    await page.get_by_role("combobox").fill("<img src=x onerror=alert(1)>")
    await page.get_by_role("button", name="Look up").click()
    await expect(page.get_by_role("status")).to_have_text("A name cannot hold links, slashes or brackets.")
    assert await page.locator("#result img").count() == 0
    seen.allow(422)
    await page.get_by_role("button", name="Wrong").click()
    await page.get_by_role("combobox").fill("Howard & the “Duck”")
    await page.get_by_role("button", name="Look up").click()
    await page.get_by_role("button", name="Add “").click()
    await expect(page.get_by_role("status")).to_contain_text("a moderator will look at it")


async def test_what_is_no_picture_gets_a_sentence_and_the_next_picture_an_answer(seen: Watched) -> None:
    page = seen.page
    await hand_over(page, "drop", b"hello", name="hello.txt")
    await expect(page.get_by_role("status")).to_have_text(
        "That is not a picture I can read: send a JPEG, PNG, WebP, GIF, AVIF or HEIC."
    )
    await expect(page.get_by_role("img", name="The picture you asked about")).to_be_hidden()
    await hand_over(page, "drop", b"", name="empty.png")
    await expect(page.get_by_role("status")).to_have_text("That file is empty.")
    await hand_over(page, "drop", drawing("red"), drawing("green"))
    await expect(page.get_by_role("status")).to_have_text("Please send one picture.")
    await page.locator("#picture").evaluate("(field) => { field.form.dataset.maxBytes = 10; }")
    await hand_over(page, "drop", drawing("red"))
    await expect(page.get_by_role("status")).to_have_text("That file is too large: 20 MB is all I take.")
    await page.locator("#picture").evaluate("(field) => { field.form.dataset.maxBytes = 1e7; }")
    await hand_over(page, "paste", drawing("red"))
    await answered(page, RED)
    seen.allow(415)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, served: Served, scheme: str
) -> None:
    async with watched(
        browser, served.url, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme=scheme
    ) as seen:
        page = seen.page

        async def fits() -> None:
            assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        await fits()
        await choose(page, drawing("orange", size=(900, 300)))
        await answered(page, "Could be Iron Man (48%) or Spider-Man (40%).")
        await fits()
        await page.get_by_role("button", name="Wrong").tap()
        await page.get_by_role("combobox").fill("Captain Extraordinarily-Long-Name of Nowhere")
        await page.get_by_role("button", name="Look up").tap()
        await expect(page.get_by_role("button", name="Add “")).to_be_visible()
        await fits()
        for button in await page.get_by_role("button").all():
            size = await button.bounding_box()
            assert size is None or size["height"] >= 44  # a finger's width


async def test_consent_and_being_forgotten_on_a_phone(browser: Browser, served: Served) -> None:
    async with watched(browser, served.url, viewport=PHONE, has_touch=True, is_mobile=True) as seen:
        page = seen.page
        await choose(page, drawing("red"))
        await answered(page, RED)
        await page.get_by_role("button", name="May I learn from this?").tap()
        await expect(page.locator("#live")).to_contain_text("Thank you! I may learn from this picture")
        await expect(page.get_by_role("button", name="May I learn from this?")).to_have_count(0)
        await page.get_by_role("link", name="What I learn from").tap()
        await expect(page.get_by_role("button", name="From now on", pressed=True)).to_be_visible()
        await page.get_by_role("button", name="None of them").tap()
        await expect(page.get_by_role("button", name="None of them", pressed=True)).to_be_visible()
        await page.get_by_text("Forget me", exact=True).tap()
        for button in await page.get_by_role("button").all():
            size = await button.bounding_box()
            assert size is None or size["height"] >= 44
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await page.get_by_role("button", name="Yes, forget me").tap()
        await expect(page.get_by_role("status")).to_contain_text("you are forgotten: one picture was removed")
        await page.get_by_role("link", name="Back to the page").tap()
        await expect(page.get_by_role("button", name="choose a file")).to_be_visible()


async def test_what_a_screen_reader_finds(seen: Watched) -> None:
    page = seen.page
    await expect(page.locator("body")).to_match_aria_snapshot("""
        - banner:
            - link "Who is that?":
                - heading "Who is that?" [level=1]
            - paragraph: "Drop a picture: I say which Marvel film character is in it."
        - main:
            - paragraph: Drop a picture here, paste one, or
            - paragraph:
                - button "choose a file"
            - paragraph: /kept for 24 hours/
            - status
        - contentinfo:
            - paragraph: /fictional characters only/
    """)
    await choose(page, drawing("red"))
    await answered(page, RED)
    await page.get_by_role("button", name="Wrong").click()
    await expect(page.get_by_role("main")).to_match_aria_snapshot("""
        - main:
            - paragraph:
                - button "choose a file"
            - status: "That is Iron Man, 94% sure."
            - figure:
                - img "The picture you asked about"
            - region "That is Iron Man, 94% sure.":
                - heading "That is Iron Man, 94% sure." [level=2]
                - heading "What else it could be" [level=3]
                - list:
                    - listitem: Spider-Man 3%
                    - listitem: Thor 2%
                - button "Right"
                - button "Wrong" [expanded]
                - group "Who is it, then?":
                    - button "Spider-Man"
                    - button "Thor"
                    - button "Nobody on the list"
                    - combobox "Someone else…"
                    - button "Look up"
    """)


async def test_without_scripts_the_forms_do_it_all(browser: Browser, served: Served) -> None:
    async with watched(browser, served.url, java_script_enabled=False) as seen:
        page = seen.page
        await choose(page, drawing("red"))
        await page.get_by_role("button", name="Ask").click()
        await expect(page.get_by_role("heading", name=RED)).to_be_visible()
        await page.get_by_role("textbox").or_(page.get_by_role("combobox")).last.fill("spidey")
        await page.get_by_role("button", name="Look up").click()
        await page.get_by_role("button", name="Spider-Man").click()
        await expect(page.locator("#result")).to_contain_text("Thank you, noted: Spider-Man.")
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator("#result")).to_contain_text("Taken back.")


async def test_a_program_that_is_gone_is_said(browser: Browser, tmp_path: Path) -> None:
    async with page_served(tmp_path) as served:
        context = watched(browser, served.url)
        seen = await context.__aenter__()
    await choose(seen.page, drawing("red"))
    await expect(seen.page.get_by_role("status")).to_have_text(
        "I cannot be reached: is the program still running?"
    )
    assert any(re.search("ERR_CONNECTION_REFUSED", each) for each in seen.trouble)
    seen.trouble.clear()
    await context.__aexit__(None, None, None)


async def test_everything_in_chinese(browser: Browser, served: Served) -> None:
    async with watched(browser, served.url, locale="zh-CN", viewport=PHONE) as seen:
        page = seen.page
        assert await page.evaluate("document.documentElement.lang") == "zh-CN"
        await expect(page).to_have_title("这是谁？")
        await choose(page, drawing("orange"))
        await answered(page, "可能是钢铁侠（48%），也可能是蜘蛛侠（40%）。")
        await expect(page.get_by_role("button", name="对", exact=True)).to_be_visible()
        await page.get_by_role("button", name="不对").click()
        await expect(page.get_by_role("button", name="名单上没有")).to_be_visible()
        field = page.get_by_role("combobox", name="另有其人…")
        options = page.get_by_role("listbox", name="角色")
        for typed, found in (("钢铁", "钢铁侠"), ("heigf", "黑寡妇"), ("luoji", "洛基")):
            await field.fill("")
            await field.press_sequentially(typed)
            await expect(options.get_by_role("option").first).to_have_text(found)
        await field.press("ArrowDown")
        await field.press("Enter")
        await expect(page.get_by_role("status")).to_have_text("谢谢，记下了：洛基。")
        assert (await served.ledger.tally(1)).characters == {"loki": 1}
        await page.get_by_role("button", name="撤回").click()
        await expect(page.get_by_role("status")).to_have_text("已撤回。")
        # Nothing of it is wider than a telephone, and nothing is left in English.
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not re.search(r"[A-Za-z]{3,}", (await page.inner_text("body")).replace("table", ""))

"""The moderators' console in headless Chromium, over the real desk and ledger."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from corrections.review.types import Filter, Moderator
from corrections.types import Community, Person
from tests.standins.browser import WAIT, Watched, chromium, watched
from tests.standins.console import GUILD, MARA, NOEL, posted, some_cases, token
from tests.standins.drawings import drawing
from tests.standins.page import Served, page_served

pytestmark = pytest.mark.browser
expect.set_options(timeout=WAIT)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as page:
        await some_cases(page)
        yield page


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@asynccontextmanager
async def signed_in(
    browser: Browser,
    served: Served,
    person: Person | None = MARA,
    community: Community | None = GUILD,
    **context: Any,
) -> AsyncIterator[Watched]:
    """A browser window of a moderator, on the queue."""
    async with watched(browser, served.url, **context) as window:
        link = await token(served, person, community)
        await window.page.goto(f"{served.url}/review/login?token={link}")
        await window.page.locator("main button").click()
        await window.page.wait_for_url("**/review")
        yield window


@pytest.fixture
async def page(browser: Browser, served: Served) -> AsyncIterator[Page]:
    async with signed_in(browser, served) as window:
        yield window.page


def case(page: Page, number: int) -> Any:
    return page.get_by_role("article", name=re.compile(rf"^Case {number}\b"))


async def statuses(served: Served) -> dict[int, tuple[str, tuple[str, ...] | None]]:
    """By case what has been decided."""
    me = Moderator(("test", "reader"))
    return {
        n: (view.status, view.decided)
        for n in range(1, 5)
        for view in [await served.ledger.review.case(me, n)]
    }


async def test_the_whole_queue_by_keyboard_alone(served: Served, page: Page) -> None:
    said = page.locator("#said")
    await expect(case(page, 1)).to_be_focused()
    await expect(page.get_by_text("0 of 4 decided")).to_be_visible()
    await page.keyboard.press("2")  # Spider-Man
    await expect(case(page, 2)).to_be_focused()
    await expect(said).to_have_text("Approved: Spider-Man.")
    await expect(page.get_by_role("status")).to_have_text(re.compile(r"^Approved: Spider-Man\. Case 2"))
    await page.keyboard.press("n")
    await expect(said).to_have_text("Approved: nobody on the list.")
    await expect(case(page, 3)).to_be_visible()
    await page.keyboard.press("Enter")  # what leads
    await expect(said).to_have_text("Approved: Iron Man.")
    await expect(case(page, 4)).to_be_visible()
    await page.keyboard.press("r")
    await expect(said).to_have_text("Rejected: that picture will not be used.")
    await expect(page.get_by_role("heading", name="Nothing is left to review. Thank you!")).to_be_visible()
    await expect(page.get_by_text("4 of 4 decided · 4 by you today")).to_be_visible()
    assert await statuses(served) == {
        1: ("approved", ("spider-man",)),
        2: ("approved", ()),
        3: ("approved", ("iron-man",)),
        4: ("rejected", None),
    }
    await page.keyboard.press("u")
    await expect(case(page, 4)).to_be_focused()
    await expect(said).to_have_text("Taken back; here it is again.")
    await page.keyboard.press("u")
    await expect(case(page, 3)).to_be_focused()
    await page.keyboard.press("s")
    await expect(said).to_have_text("Skipped; it comes again later.")
    await expect(case(page, 4)).to_be_visible()
    done = await statuses(served)
    assert done[3] == done[4] == ("open", None)


async def test_the_next_picture_is_there_before_it_is_needed(served: Served, page: Page) -> None:
    """The answer is held back: the next case is shown all the same, with its picture."""
    await page.wait_for_load_state("networkidle")
    gate = asyncio.Event()

    async def hold(route: Any) -> None:
        await gate.wait()
        await route.continue_()

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.route("**/review/decide*", hold)
    await page.keyboard.press("Enter")
    await expect(case(page, 2)).to_be_focused()
    shown = case(page, 2).get_by_role("img", name="The picture of case 2")
    assert await shown.evaluate("(image) => image.complete && image.naturalWidth") == 320
    assert (await statuses(served))[1][0] == "open"
    await expect(page.locator("#said")).to_be_empty()  # nothing is claimed that is not so yet
    # Two more: one is shown as soon as it comes, nothing is lost.
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Getting the next picture…")).to_be_visible()
    await page.keyboard.press("Enter")  # there is nothing to decide now
    gate.set()
    await expect(case(page, 3)).to_be_visible()
    await expect(page.locator("#said")).to_have_text("Approved: Loki.")
    done = await statuses(served)
    assert [done[n][0] for n in (1, 2, 3)] == ["approved", "approved", "open"]


async def test_what_could_not_be_sent_comes_back(browser: Browser, served: Served) -> None:
    async with signed_in(browser, served) as window:
        page = window.page
        await page.route("**/review/decide*", lambda route: route.abort())
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_have_text(
            "That could not be sent, so nothing was decided: is the program still running?"
        )
        await expect(case(page, 1)).to_be_focused()
        await page.unroute("**/review/decide*")
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_have_text("Approved: Iron Man.")
        await expect(case(page, 2)).to_be_visible()
        window.trouble = [each for each in window.trouble if "ERR_FAILED" not in each]
    assert (await statuses(served))[1] == ("approved", ("iron-man",))


async def test_two_moderators_at_once_are_shown_different_cases(browser: Browser, served: Served) -> None:
    async with signed_in(browser, served) as mara, signed_in(browser, served, NOEL) as noel:
        await expect(case(mara.page, 1)).to_be_visible()
        await expect(case(noel.page, 3)).to_be_visible()
        await noel.page.keyboard.press("Enter")
        await expect(case(noel.page, 4)).to_be_visible()
        await noel.page.keyboard.press("s")
        done = noel.page.get_by_role("heading", name="Other moderators are looking at what is left")
        await expect(noel.page.locator("#said")).to_have_text("Skipped; it comes again later.")
        await noel.page.reload()
        await expect(case(noel.page, 4).or_(done)).to_be_visible()


async def test_whoever_was_slower_is_told_what_was_decided(browser: Browser, served: Served) -> None:
    async with signed_in(browser, served) as window:
        page = window.page
        await expect(case(page, 1)).to_be_visible()
        view = await served.ledger.review.case(Moderator(NOEL, GUILD), 1)
        await served.ledger.review.decide(Moderator(NOEL, GUILD), 1, view.revision, "approve", ("thor",))
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_have_text(
            "Somebody was faster, so your decision was not taken: it is approved as Thor."
        )
        await expect(case(page, 2)).to_be_focused()
        window.allow(409)
    assert (await statuses(served))[1] == ("approved", ("thor",))


async def test_cases_are_let_go_of_when_the_tab_is_closed(browser: Browser, served: Served) -> None:
    noel = Moderator(NOEL, GUILD)
    async with signed_in(browser, served) as window:
        await expect(case(window.page, 1)).to_be_visible()
        assert [each.case_id for each in await served.ledger.review.next(noel, Filter(), 4)] == [3, 4]
        await window.page.close(run_before_unload=True)
        async with asyncio.timeout(WAIT / 1000):
            while len(await served.ledger.review.next(noel, Filter(), 4)) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # nothing tells when the beacon has come


async def test_a_name_is_found_in_both_languages_by_keyboard(served: Served, page: Page) -> None:
    field = page.get_by_role("combobox", name="Someone else…")
    options = page.get_by_role("listbox", name="Characters")
    for typed, found in (("wid", "Black Widow"), ("钢铁", "Iron Man"), ("heigf", "Black Widow")):
        await page.keyboard.press("/")
        await expect(field).to_be_focused()
        await field.press_sequentially(typed)
        await expect(options.get_by_role("option").first).to_have_text(found)
        await page.keyboard.press("Escape")
        await expect(options).to_be_hidden()
        await page.keyboard.press("Escape")
        await expect(case(page, 1)).to_be_focused()
    await page.keyboard.press("/")
    await field.press_sequentially("wid")
    await expect(options.get_by_role("option").first).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#said")).to_have_text("Approved: Black Widow.")
    assert (await statuses(served))[1] == ("approved", ("black-widow",))
    # Typed to its end it is understood as well; what nobody is called is asked about, and nothing is decided.
    await page.keyboard.press("/")
    await field.press_sequentially("spidey")
    await page.keyboard.press("Enter")
    await expect(page.locator("#said")).to_have_text("Approved: Spider-Man.")
    await page.keyboard.press("/")
    await field.press_sequentially("captan")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Captain America").click()
    await expect(page.locator("#said")).to_have_text("Approved: Captain America.")
    await page.keyboard.press("/")
    await field.press_sequentially("qqqqqq")
    await page.keyboard.press("Enter")
    await expect(case(page, 4).get_by_text("I know nobody called “qqqqqq”.")).to_be_visible()
    assert (await statuses(served))[4][0] == "open"


async def test_what_the_bot_said_is_hidden_from_who_wants_it_so(served: Served, page: Page) -> None:
    said = page.get_by_text("The bot said: Iron Man")
    await expect(said).to_be_visible()
    await page.get_by_role("button", name="Hide what the bot said").click()
    await expect(case(page, 1)).to_be_visible()
    await expect(said).to_be_hidden()
    await page.keyboard.press("b")
    await expect(said).to_be_visible()
    await page.keyboard.press("b")
    await expect(said).to_be_hidden()
    for _ in range(3):
        await page.keyboard.press("s")
        await expect(page.locator("#said")).to_have_text("Skipped; it comes again later.")
    # Nobody has said anything: Enter would only repeat what the bot said, so it does nothing.
    await page.goto(f"{served.url}/review/case/4")
    await expect(case(page, 4).get_by_role("button", name="Approve")).to_have_count(0)
    names = await case(page, 4).get_by_role("group", name="The likeliest names").inner_text()
    assert re.findall(r"Captain America|Hawkeye|Thor", names) == ["Captain America", "Hawkeye", "Thor"]
    assert (await statuses(served))[4][0] == "open"


async def test_keys_are_told_and_can_be_switched_off(served: Served, page: Page) -> None:
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    await expect(dialog).to_be_visible()
    await expect(dialog.get_by_text("it is nobody on the list")).to_be_visible()
    await page.keyboard.press("r")  # not behind an open dialog
    await page.get_by_label("Single keys do something").uncheck()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await case(page, 1).focus()
    await page.keyboard.press("r")
    await page.keyboard.press("Enter")
    await expect(page.locator("#said")).to_be_empty()
    assert (await statuses(served))[1][0] == "open"


async def test_a_button_that_has_the_focus_does_what_it_says(served: Served, page: Page) -> None:
    await page.get_by_role("button", name="Reject").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#said")).to_have_text("Rejected: that picture will not be used.")


async def test_what_many_agree_on_is_approved_with_one_button(served: Served, page: Page) -> None:
    for seed in (20, 21):
        await posted(served, drawing("green", seed=seed), votes={"hulk": list("abcdef")})
    await served.ledger.review.rescore(everything=True)
    await page.get_by_role("link", name="Agreed").click()
    await expect(page.get_by_role("heading", name="3 pictures are agreed on")).to_be_visible()
    boxes = page.get_by_role("checkbox")
    assert [await each.is_checked() for each in await boxes.all()] == [True] * 3
    await page.get_by_role("checkbox", name="Iron Man").uncheck()
    await page.get_by_role("button", name="Approve what is ticked").click()
    await expect(page.get_by_text("2 pictures were approved.")).to_be_visible()
    await expect(page.get_by_role("heading", name="One picture is agreed on")).to_be_visible()
    progress = await served.ledger.review.progress(Moderator(MARA, GUILD))
    assert (progress.approved, progress.agreed) == (2, 1)


async def test_the_filter_asks_for_what_is_chosen(served: Served, page: Page) -> None:
    await page.get_by_text("Filter", exact=True).click()
    await page.get_by_label("Shown because").select_option("People disagree")
    await page.wait_for_url("**reason=disagreement**")
    await expect(case(page, 1)).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nothing (more) fits this filter")).to_be_visible()
    await page.get_by_role("link", name="Show everything").click()
    await expect(case(page, 2)).to_be_visible()


@pytest.mark.parametrize("context", [{"java_script_enabled": False}, {}], ids=["without scripts", "with"])
async def test_every_page_without_scripts_and_with(
    browser: Browser, served: Served, context: dict[str, Any]
) -> None:
    async with signed_in(browser, served, **context) as window:
        page = window.page
        await page.get_by_role("button", name="Approve: Iron Man").click()
        await expect(page.get_by_text("Approved: Iron Man.").first).to_be_visible()
        await expect(case(page, 2)).to_be_visible()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_text("Taken back; here it is again.").first).to_be_visible()
        await expect(case(page, 1)).to_be_visible()
        await page.get_by_role("combobox").fill("captan")
        await page.get_by_role("button", name="It is this one").click()
        await page.get_by_role("button", name="Captain America").click()
        await expect(page.get_by_text("Approved: Captain America.").first).to_be_visible()
        for name in ("Characters", "Exports", "Agreement", "History"):
            await page.get_by_role("link", name=name, exact=True).click()
            await expect(page.get_by_role("heading", name=name).first).to_be_visible()
        await expect(page.get_by_role("row").nth(1)).to_contain_text("you Approved 1")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.goto(f"{served.url}/review")
        await page.wait_for_url("**/review/sign-in")


async def test_a_snapshot_by_a_button(served: Served, page: Page) -> None:
    await served.ledger.privacy.choose(("discord", "7"), "all", _now())
    await page.keyboard.press("Enter")
    await expect(page.locator("#said")).to_have_text("Approved: Iron Man.")
    await page.get_by_role("link", name="Exports").click()
    await expect(page.get_by_role("heading", name="One picture would leave now")).to_be_visible()
    await page.get_by_role("button", name="Make a snapshot").click()
    await expect(page.get_by_text(re.compile(r"^Made: \S+, with one picture\."))).to_be_visible()
    async with page.expect_download() as arriving:
        await page.get_by_role("link", name="Download").click()
    download = await arriving.value
    assert Path(await download.path()).read_bytes()[:2] == b"PK"


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
async def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, served: Served, language: str
) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    async with signed_in(browser, served, None, None, locale=language, **phone) as window:
        page = window.page
        for path in ("", "/agreed", "/characters", "/exports", "/agreement", "/history", "/case/2"):
            await page.goto(f"{served.url}/review{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
            if language == "zh-CN":
                shown = re.sub(
                    r"whosthat|table|discord|imagefolder|csv|parquet|Krippendorff|UTC",
                    "",
                    await page.inner_text("body"),
                )
                assert not re.search(r"[A-Za-z]{3,}", re.sub(r"Iron Man", "", shown)), path
        await page.goto(f"{served.url}/review")
        approve = page.locator(".approve")
        box = await approve.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 740  # under the thumb, without scrolling
        await approve.tap()
        await expect(page.locator("#said p")).to_be_visible()


async def test_every_field_and_picture_has_a_name_and_every_page_its_landmarks(
    served: Served, page: Page
) -> None:
    for path in ("", "/agreed", "/characters", "/exports", "/agreement", "/history"):
        await page.goto(f"{served.url}/review{path}")
        nameless = await page.evaluate(
            """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button")]
                .filter((each) => !each.labels?.length && !each.textContent.trim() && !each.ariaLabel)
                .map((each) => each.outerHTML)"""
        )
        assert nameless == [], path
        assert await page.locator("img:not([alt])").count() == 0
        assert await page.locator("main").count() == await page.locator("h1").count() == 1
        assert await page.locator("nav [aria-current=page]").count() == 1
        repeated = await page.evaluate(
            """() => { const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
                       return ids.filter((id, place) => ids.indexOf(id) !== place); }"""
        )
        assert repeated == [], path
    await page.goto(f"{served.url}/review/history")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_focused()

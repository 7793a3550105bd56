"""Training in the console: over real sockets, in headless Chromium, with a real retraining process."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.desk.training import run_of
from bot.retraining.types import Phase
from model.bundle import read_bundle
from model.versions import Versions
from tests.bot.test_console import got
from tests.bot.test_web import text_of
from tests.corrections.exporting import TELEGRAM, Stage
from tests.e2e.running import until
from tests.e2e.test_console import signed_in
from tests.standins.browser import WAIT, chromium
from tests.standins.bundles import tiny_bundle
from tests.standins.console import GUILD, MARA, OTHER, moderating, operating
from tests.standins.page import Served, page_served
from tests.standins.retraining.orders import Orders

PAGE = "/review/training"
expect.set_options(timeout=WAIT)


@dataclass
class Scene:
    page: Served
    orders: Orders

    @property
    def choice(self) -> str:
        settings = self.page.settings
        return Versions(settings.models_dir, settings.model.use).choice().now

    async def phase(self, phase: Phase) -> None:
        """Wait for it, and for the end of the process."""
        training = self.page.desk.moderation.training
        assert training is not None
        disk = training._retraining.disk

        def there() -> bool:
            state = disk.read()
            with disk.alone() as alone:
                return alone and state is not None and state.phase is phase

        await until(there, 60)


@pytest.fixture
async def scene(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    orders = Orders(tmp_path / "orders", tiny_bundle(tmp_path / "better", name="better", bias=1.0))
    monkeypatch.setenv("STANDIN_RETRAINING", str(orders.folder))
    variables = {"model__use": str(bundle), "training__communities": ":".join(GUILD)}
    async with page_served(tmp_path, **variables) as page:
        stage = Stage(page.ledger)
        for number, label in enumerate(("iron-man", "loki", "hulk")):
            await stage.put(number, label, home=TELEGRAM, poster=("telegram", "1"))
        yield Scene(page, orders)


async def test_who_may_and_forms_that_make_no_sense(scene: Scene) -> None:
    async with moderating(scene.page, MARA, OTHER) as browser:
        status, shown = await got(browser, PAGE)
        assert status == 403
        assert "Only the operator may do that, and moderators of communities" in text_of(shown)
        assert PAGE not in (await got(browser, "/review"))[1]  # no page that only says no is offered
        async with browser.post(PAGE, data={"do": "start"}) as response:
            assert response.status == 403
    for somebody in (moderating(scene.page), operating(scene.page)):
        async with somebody as browser:
            assert f'href="{PAGE}"' in (await got(browser, "/review"))[1]
            status, shown = await got(browser, PAGE)
            assert status == 200
            assert "Nothing is being retrained." in text_of(shown)
            assert "In service: table" in text_of(shown)
            for fields in ({}, {"do": "explode"}, {"do": "look"}):
                async with browser.post(PAGE, data=fields) as response:
                    assert response.status == 400
            for do in ("cancel", "use", "drop"):
                async with browser.post(PAGE, data={"do": do, "run": "x" * 99}) as response:
                    assert response.status == 409
                    assert "That was about another retraining" in text_of(await response.text())
    training = scene.page.desk.moderation.training
    assert training is not None
    assert (await training.status()).phase is Phase.IDLE


async def test_without_scripts(scene: Scene) -> None:
    scene.orders.give(promoted=False)
    async with moderating(scene.page) as browser:
        async with browser.post(PAGE, data={"do": "start"}) as response:
            assert response.status == 200
            shown = await response.text()
        assert '<noscript><meta http-equiv="refresh"' in shown
        assert "<progress" in shown
        await scene.phase(Phase.REFUSED)
        _, shown = await got(browser, PAGE)
        assert "http-equiv" not in shown
        assert "is not good enough" in text_of(shown)
        assert "✗ overall: right 95.0% instead of 90.0%" in text_of(shown)
        assert "One picture that the model in service has right is wrong with the new one." in text_of(shown)
        assert "1.webp" not in shown  # which picture, of whichever community, is the operator's to see
    async with operating(scene.page) as operator:
        assert "<code>1.webp</code>" in (await got(operator, PAGE))[1]
    scene.orders.give()
    async with moderating(scene.page) as browser:
        async with browser.post(PAGE, data={"do": "start"}) as response:
            assert response.status == 200
        await scene.phase(Phase.ASKING)
        _, shown = await got(browser, PAGE)
        training = scene.page.desk.moderation.training
        assert training is not None
        run = run_of(await training.status())
        assert f'name="run" value="{run}"' in shown
        for do, told in (("start", "still waits for an answer"), ("use", "")):
            async with browser.post(PAGE, data={"do": do, "run": run}) as response:
                assert response.status == (409 if told else 200)
                assert told in text_of(await response.text())
        await scene.phase(Phase.DONE)
        assert scene.choice == read_bundle(scene.orders.candidate).info.id


@pytest.mark.browser
async def test_a_bar_that_moves_and_an_answer(scene: Scene, tmp_path: Path) -> None:
    scene.orders.give(hold="train")
    async with chromium() as browser, signed_in(browser, scene.page, None, None) as window:
        page = window.page
        await page.get_by_role("link", name="Training").click()
        await page.get_by_role("button", name="Retrain").click()
        await page.evaluate("() => { window.sameDocument = true; }")
        said = page.locator("#training h2")
        await expect(said).to_have_text(re.compile("Retraining: learning from 3 corrections"))
        await expect(page.get_by_role("progressbar")).to_be_visible()
        await until(scene.orders.began("train"), 60)
        await page.screenshot(path=tmp_path / "learning.png")
        await page.get_by_role("button", name="Cancel").focus()
        scene.orders.let_go()
        await expect(said).to_have_text(re.compile("Shall it serve"))
        await expect(page.locator("#live")).to_have_text(re.compile("Shall it serve"))
        await expect(page.locator("#training")).to_be_focused()  # Enter says neither yes nor no
        assert await page.evaluate("() => window.sameDocument")  # nobody was thrown back to the top
        await page.screenshot(path=tmp_path / "asking.png")
        await page.get_by_role("button", name="Use it", exact=True).click()
        await expect(said).to_have_text(re.compile("serves now, after 3 corrections"))
        await scene.phase(Phase.DONE)
        assert scene.choice == read_bundle(scene.orders.candidate).info.id
        await page.screenshot(path=tmp_path / "done.png")

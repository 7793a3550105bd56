"""Teaching in the console, in headless Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.test_console import signed_in
from tests.standins.browser import WAIT, chromium
from tests.standins.console import GUILD
from tests.standins.drawings import drawing
from tests.standins.page import page_served

pytestmark = pytest.mark.browser
expect.set_options(timeout=WAIT)


async def test_a_name_and_pictures_are_chosen_and_sent(tmp_path: Path) -> None:
    async with page_served(tmp_path) as served, chromium() as browser, signed_in(browser, served) as window:
        page = window.page
        await page.get_by_role("link", name="Characters").click()
        await page.get_by_role("link", name="Teach with pictures…").click()
        await page.get_by_label("Character", exact=True).fill("Thor")
        files = [
            {"name": f"{colour}.png", "mimeType": "image/png", "buffer": drawing(colour, seed=1)}
            for colour in ("grey", "orange")
        ]
        await page.get_by_label("Pictures", exact=True).set_input_files(files)  # type: ignore[arg-type]
        await page.get_by_role("button", name="Teach", exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text("picture 1 shows nobody I know")
        await page.get_by_role("button", name="They are right").click()
        await expect(page.get_by_role("status")).to_contain_text("2 more pictures are examples of Thor")
        counts = {each.slug: each.status for each in await served.ledger.characters(GUILD)}
        assert counts["thor"] == "known"

"""A headless Chromium for the end-to-end tests, and a page in it that is watched for what must not happen."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1100, "height": 800}
PHONE = {"width": 320, "height": 640}
WAIT = 15_000
"""Milliseconds that anything in the browser may take."""


def chromium_path() -> str:
    """Where Chromium is. Without one the test is skipped, in CI it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing = "no Chromium on this machine: install Debian's package chromium to run the browser's tests"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser that is gone at the end of the block."""
    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watched:
    """A page and everything it did that it should not do."""

    page: Page
    url: str
    trouble: list[str] = field(default_factory=list)

    def allow(self, *statuses: int) -> None:
        """Forget what the console says of responses with these statuses: a refusal is meant."""
        self.trouble = [
            each for each in self.trouble if not any(f"status of {status} " in each for status in statuses)
        ]


@asynccontextmanager
async def watched(browser: Browser, url: str, **context: Any) -> AsyncIterator[Watched]:
    """Open ``url`` in a fresh profile; at the end, fail if the console complained or another host was asked.

    ``context`` goes to Playwright's ``new_context``, for example ``viewport=PHONE``.
    """
    profile = await browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **context})
    profile.set_default_timeout(WAIT)
    page = await profile.new_page()
    seen = Watched(page, url)
    page.on("console", lambda m: seen.trouble.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.trouble.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((url, "blob:", "data:"))
            else seen.trouble.append(f"asked {request.url}")
        ),
    )
    try:
        await page.goto(url)
        yield seen
    finally:
        await profile.close()
    assert seen.trouble == []


# Each builds a DataTransfer with files as a person's would be and lets the page have it.
_HAND_OVER = """
async ([kind, files]) => {
    const carried = new DataTransfer();
    for (const [name, type, text] of files) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        carried.items.add(new File([bytes], name, { type }));
    }
    const send = (name, key) => document.querySelector("main").dispatchEvent(
        new (key === "clipboardData" ? ClipboardEvent : DragEvent)(
            name, { [key]: carried, bubbles: true, cancelable: true }));
    if (kind === "paste") send("paste", "clipboardData");
    else for (const name of ["dragenter", "dragover", "drop"]) send(name, "dataTransfer");
}
"""


async def hand_over(page: Page, kind: str, *pictures: bytes, name: str = "picture.png") -> None:
    """Drop or paste pictures (``kind``: "drop" or "paste") onto the page."""
    files = [[name, "image/png", base64.b64encode(each).decode()] for each in pictures]
    await page.evaluate(_HAND_OVER, [kind, files])


async def choose(page: Page, picture: bytes, name: str = "picture.png") -> None:
    """Choose a file, as the file dialog would."""
    await page.locator("#picture").set_input_files({"name": name, "mimeType": "image/png", "buffer": picture})

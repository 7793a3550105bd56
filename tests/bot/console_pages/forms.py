"""What the pages' tests share: forms that are sent, and cases that are decided elsewhere."""

from __future__ import annotations

import re

import aiohttp

from corrections.review.types import Moderator, Verb
from tests.standins.console import GUILD, MARA
from tests.standins.page import Served

FRAGMENT = {"HX-Request": "true"}
ME = Moderator(MARA, GUILD)


async def sent(
    browser: aiohttp.ClientSession, path: str, headers: dict[str, str] | None = None, **fields: object
) -> tuple[int, str]:
    """Send a form and follow where it leads."""
    data = {key.replace("_", "-"): str(value) for key, value in fields.items()}
    async with browser.post(path, data=data, headers=headers) as response:
        return response.status, await response.text()


def cases_in(shown: str) -> list[int]:
    """The cases on a page, those in templates too."""
    return [int(each) for each in re.findall(r'data-case="(\d+)"', shown)]


async def seen(page: Served, case: int) -> int:
    """The revision that somebody who looks at a case now sees."""
    return (await page.ledger.review.case(ME, case)).revision


async def decided(page: Served, case: int, verb: Verb, *labels: str, by: Moderator = ME) -> None:
    """A decision that was made elsewhere."""
    await page.ledger.review.decide(
        by, case, await seen(page, case), verb, labels if verb == "approve" else None
    )

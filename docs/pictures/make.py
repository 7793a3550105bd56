"""Remakes the pictures of the page: ``python docs/pictures/make.py`` from the project's folder.

It serves the real page over the real desk and ledger in a temporary folder and photographs it in headless
Chromium (the development dependencies and Debian's chromium are needed). The figure on the pictures is drawn
by `hero` below. With ``--model`` the answer comes from the model that the settings name, as prepared by
``whosthat run``; without, from the table of answers by colour that the tests use. ``--why`` makes the picture
of *Why?* alone, always with that model: what an answer hangs on cannot be made up.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path.insert(0, str(PROJECT))

from playwright.async_api import Browser, expect  # noqa: E402

from bot.app import open_eyes  # noqa: E402
from bot.settings import load  # noqa: E402
from corrections.review.types import Filter, Moderator  # noqa: E402
from tests.standins.browser import choose, chromium  # noqa: E402
from tests.standins.page import Served, page_served  # noqa: E402

GROUND, SKY, RED, DARK, GOLD, LIGHT = "#d8d2c4", "#f4f1ea", "#c42b27", "#8d1a1d", "#e9b23c", "#fff3c9"


def hero() -> bytes:
    """A figure in red and gold armour, of circles, boxes and polygons, as a PNG of 720 x 720 pixels."""
    image = Image.new("RGB", (1440, 1440), SKY)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 1180, 1440, 1440), fill=GROUND)
    for x in range(20, 1440, 180):
        height = 180 + (x * 7919) % 260
        draw.rectangle((x, 1180 - height, x + 130, 1180), fill="#c9bfae")
        for y in range(1200 - height, 1160, 46):
            draw.rectangle((x + 24 + (y * x) % 50, y, x + 44 + (y * x) % 50, y + 20), fill=GOLD)
    # the figure: arms, body, head, from the back to the front
    for side in (-1, 1):

        def at(*points: tuple[int, int], side: int = side) -> list[tuple[int, int]]:
            return [(720 + side * x, y) for x, y in points]

        draw.polygon(at((200, 700), (390, 740), (470, 1010), (330, 1060)), fill=DARK)
        draw.polygon(at((335, 985), (480, 945), (540, 1180), (390, 1220)), fill=GOLD)
        draw.polygon(at((400, 1190), (545, 1150), (550, 1290), (430, 1320)), fill=RED)
        draw.polygon(at((60, 1050), (290, 1010), (300, 1440), (70, 1440)), fill=DARK)
        draw.polygon(at((140, 640), (420, 650), (440, 800), (230, 840)), fill=RED)
    draw.polygon([(420, 660), (1020, 660), (960, 1120), (840, 1200), (600, 1200), (480, 1120)], fill=RED)
    draw.polygon([(560, 660), (880, 660), (820, 760), (620, 760)], fill=GOLD)
    draw.polygon([(560, 980), (880, 980), (850, 1200), (590, 1200)], fill=DARK)
    draw.ellipse((640, 800, 800, 960), fill=GOLD)
    draw.ellipse((662, 822, 778, 938), fill=LIGHT)
    draw.polygon([(630, 560), (810, 560), (830, 700), (610, 700)], fill=DARK)
    draw.rounded_rectangle((540, 200, 900, 640), radius=150, fill=RED)
    face = [(600, 350), (680, 410), (760, 410), (840, 350), (850, 500), (790, 620), (650, 620), (590, 500)]
    draw.polygon(face, fill=GOLD)
    draw.polygon([(622, 460), (702, 478), (702, 506), (630, 496)], fill=LIGHT)
    draw.polygon([(818, 460), (738, 478), (738, 506), (810, 496)], fill=LIGHT)
    draw.line([(668, 572), (772, 572)], fill=DARK, width=12)
    buffer = io.BytesIO()
    image.resize((720, 720), Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()


async def photograph(
    browser: Browser, url: str, file: Path, size: tuple[int, int], scheme: str, clicks: tuple[str, ...] = ()
) -> None:
    """Drop the hero on the page and take its picture after pressing the buttons named."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=1.5,
        locale="en-GB",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(url)
    await choose(page, hero())
    await expect(page.get_by_role("button", name="Right")).to_be_visible(timeout=30_000)
    for name in clicks:
        await page.get_by_role("button", name=name).click()
    await page.screenshot(path=file, full_page=True)
    await context.close()


def others() -> list[bytes]:
    """The same figure elsewhere: pictures that people have named before."""
    drawn = Image.open(io.BytesIO(hero()))
    turned = (
        ImageOps.mirror(drawn).rotate(12, Image.Resampling.BICUBIC, fillcolor=SKY).crop((110, 60, 640, 590))
    )
    far = Image.new("RGB", (720, 720), "#31405c")
    far.paste(drawn.resize((400, 400)).crop((90, 40, 310, 400)), (420, 330))
    near = drawn.crop((230, 70, 490, 330)).rotate(-20, Image.Resampling.BICUBIC, fillcolor=GROUND)
    made = []
    for each in (turned, far, near):
        buffer = io.BytesIO()
        each.resize((720, 720), Image.Resampling.LANCZOS).save(buffer, "PNG")
        made.append(buffer.getvalue())
    return made


async def explained(browser: Browser, served: Served, file: Path) -> None:
    """Have some drawings named and approved, ask for the hero, press *Why?* and take the picture."""
    context = await browser.new_context(
        viewport={"width": 960, "height": 640},
        color_scheme="light",
        device_scale_factor=1.5,
        locale="en-GB",
        reduced_motion="reduce",
    )
    context.set_default_timeout(300_000)
    script, headers = context.request, {"Accept": "application/json", "Origin": served.url}
    for each in others():
        asked = await script.post(f"{served.url}/ask", data=each, headers=headers)
        said = {"prediction": str((await asked.json())["prediction"]), "slug": "iron-man"}
        await script.post(f"{served.url}/correct", form=said, headers=headers)
    await script.post(f"{served.url}/privacy", form={"standing": "all"}, headers=headers)
    operator = Moderator(("web", "operator"), None)
    for case in await served.ledger.review.next(operator, Filter(), 10):
        await served.ledger.review.decide(operator, case.case_id, case.revision, "approve", ("iron-man",))
    page = await context.new_page()
    await page.goto(served.url)
    await choose(page, hero())
    await page.get_by_role("button", name="Why?").click()
    await expect(page.locator(".why figure.sheet img")).to_be_visible(timeout=300_000)
    taken = Image.open(io.BytesIO(await page.screenshot(full_page=True))).convert("RGB")
    taken.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    await context.close()


async def main(folder: Path, with_model: bool, why: bool) -> None:
    """Write the pictures to ``folder``."""
    async with AsyncExitStack() as stack:
        eyes = await open_eyes(stack, load(folder=PROJECT)) if with_model or why else None
        data = stack.enter_context(tempfile.TemporaryDirectory())
        served = await stack.enter_async_context(page_served(Path(data), eyes))
        browser = await stack.enter_async_context(chromium())
        if why and eyes is not None:
            served.desk.explain_with(eyes)
            await explained(browser, served, folder / "page-why.png")
            return
        await photograph(browser, served.url, folder / "page-light.png", (960, 640), "light")
        await photograph(browser, served.url, folder / "page-phone-dark.png", (375, 740), "dark", ("Wrong",))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Remakes the pictures of the page.")
    arguments.add_argument("--model", action="store_true", help="ask the model that the settings name")
    arguments.add_argument("--why", action="store_true", help="only the picture of Why?, with that model")
    arguments.add_argument("folder", nargs="?", type=Path, default=HERE, help="where they are written")
    given = arguments.parse_args()
    asyncio.run(main(given.folder, given.model, given.why))

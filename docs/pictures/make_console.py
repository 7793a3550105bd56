"""Remakes the pictures of the moderators' console: ``python docs/pictures/make_console.py``.

It serves the real page over the real desk and ledger in a temporary folder, fills the ledger with drawings
and made-up votes, and photographs it in headless Chromium (the development dependencies and Debian's chromium
are needed). The figures on the pictures are drawn by `figure` below; nobody is shown, and nobody has voted.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import sys
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from playwright.async_api import Browser, Page  # noqa: E402

from corrections.review.types import Filter, Moderator  # noqa: E402
from tests.standins.browser import chromium  # noqa: E402
from tests.standins.console import GUILD, MARA, posted, token  # noqa: E402
from tests.standins.drawings import COLOURS, encoded, picture  # noqa: E402
from tests.standins.page import Served, page_served  # noqa: E402

SKIN, DARK, LIGHT = (246, 200, 139), (42, 37, 83), (255, 245, 228)
TRUTH = {
    "red": "iron-man",
    "green": "hulk",
    "blue": "captain-america",
    "purple": "thanos",
    "orange": "spider-man",
    "grey": "",
}
"""Who is on a picture of a colour, as most people say; "" is nobody on the list."""


def figure(colour: str, seed: int, size: int = 640) -> Image.Image:
    """Somebody with a cape and a mask in that colour, each seed at another place and of another stature."""
    dice = random.Random(f"{colour}{seed}")  # noqa: S311  # where somebody stands is no secret
    image = picture(colour, seed=seed, size=(2 * size, 2 * size))
    draw = ImageDraw.Draw(image)
    base = COLOURS[colour]
    shade = tuple(round(part * 0.55) for part in base)
    tint = tuple(round(part + (255 - part) * 0.45) for part in base)
    x, y = dice.randint(480, 800), dice.randint(330, 480)
    head, wide = dice.randint(150, 210), dice.randint(250, 380)
    foot = 2 * size
    draw.polygon([(x, y), (x - wide * 1.6, foot), (x + wide * 1.6, foot)], fill=shade)
    draw.rounded_rectangle((x - wide, y + head * 0.85, x + wide, foot + 200), radius=wide // 2, fill=base)
    draw.polygon([(x - wide * 0.5, y + head), (x + wide * 0.5, y + head), (x, y + head * 2.6)], fill=tint)
    draw.ellipse((x - head, y - head, x + head, y + head * 1.1), fill=SKIN)
    draw.pieslice((x - head * 1.08, y - head * 1.15, x + head * 1.08, y + head * 0.7), 180, 360, fill=shade)
    draw.rounded_rectangle((x - head, y - head * 0.2, x + head, y + head * 0.3), radius=head // 4, fill=DARK)
    for side in (-1, 1):
        eye = x + side * head * 0.45
        draw.ellipse((eye - head * 0.2, y - head * 0.08, eye + head * 0.2, y + head * 0.2), fill=LIGHT)
    draw.arc((x - head * 0.4, y + head * 0.2, x + head * 0.4, y + head * 0.8), 25, 155, fill=DARK, width=12)
    return image.resize((size, size), Image.Resampling.LANCZOS)


async def fill(served: Served) -> int:
    """Sixty cases as a week of a server may leave them, some of them decided; the one that people dispute."""
    dice = random.Random(4)  # noqa: S311
    people = [f"p{n}" for n in range(14)]
    for number in range(60):
        colour = dice.choice(list(TRUTH))
        truth = TRUTH[colour]
        votes: dict[str, list[str]] = {}
        for person in dice.sample(people, dice.choice((0, 1, 3, 4, 6, 8))):
            wrong = dice.choice(["loki", "thor", "hawkeye"])
            said = truth if dice.random() < (0.4 if person in ("p0", "p1") else 0.93) else wrong
            votes.setdefault(said, []).append(person)
        await posted(served, encoded(figure(colour, number), "PNG"), votes=votes)
    # What is shown first: people disagree, and there is a near copy of it.
    shown = figure("orange", 1000, 900)
    await posted(
        served,
        encoded(shown, "PNG"),
        votes={"spider-man": ["p2", "p3", "p4"], "iron-man": ["p5", "p6", "p8"], "thor": ["p9"]},
    )
    await posted(served, encoded(shown.resize((420, 420)), "JPEG", quality=60), votes={"thor": ["p7"]})
    ledger, mara = served.ledger, Moderator(MARA, GUILD)
    await ledger.propose("Howard the Duck", ("discord", "p3"), GUILD, datetime.now(UTC))
    await ledger.privacy.choose(("discord", "7"), "all", datetime.now(UTC))
    await ledger.review.rescore(everything=True)
    cases = await ledger.review.next(mara, Filter(), 99)
    disputed = next(each.case_id for each in cases if each.copies > 1)
    for case in [each for each in cases if each.case_id != disputed][5::2][:24]:
        verb = "reject" if case.leading is None else "approve"
        await ledger.review.decide(mara, case.case_id, case.revision, verb, case.leading)
    await ledger.review.rescore()
    await ledger.review.release(mara, [each.case_id for each in cases])
    return disputed


async def opened(
    browser: Browser, served: Served, size: tuple[int, int], scheme: str, phone: bool = False
) -> Page:
    """A window of a moderator who has signed in."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=1.5,
        locale="en-GB",
        reduced_motion="reduce",
        has_touch=phone,
        is_mobile=phone,
    )
    context.set_default_timeout(30_000)
    page = await context.new_page()
    await page.goto(f"{served.url}/review/login?token={await token(served)}")
    await page.locator("main button").click()
    await page.wait_for_url("**/review")
    return page


async def photograph(page: Page, url: str, file: Path, *, full: bool = False) -> None:
    """Go there and take a picture, when everything on it has come."""
    await page.goto(url)
    await page.wait_for_load_state("networkidle")
    await keep(page, file, full=full)


async def fill_in(page: Page, url: str, file: Path) -> None:
    """The form that teaches a character, with a name and three drawings in it."""
    await page.set_viewport_size({"width": 1180, "height": 380})
    await page.goto(url)
    await page.locator("input[name=name]").fill("Howard the Duck")
    drawings = [encoded(figure("purple", seed), "PNG") for seed in (70, 71, 72)]
    await page.locator("input[name=pictures]").set_input_files(
        [
            {"name": f"howard-{number}.png", "mimeType": "image/png", "buffer": each}
            for number, each in enumerate(drawings, 1)
        ]
    )
    await keep(page, file)


async def keep(page: Page, file: Path, *, full: bool = False) -> None:
    """Take a picture of what is shown; 256 colours are enough for it."""
    taken = Image.open(io.BytesIO(await page.screenshot(full_page=full))).convert("RGB")
    taken.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


async def main(folder: Path) -> None:
    """Write the pictures to ``folder``."""
    async with AsyncExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory())
        served = await stack.enter_async_context(page_served(Path(data)))
        disputed = await fill(served)
        browser = await stack.enter_async_context(chromium())
        review = f"{served.url}/review"
        light = await opened(browser, served, (1180, 780), "light")
        await photograph(light, f"{review}/case/{disputed}", folder / "console-light.png")
        await photograph(light, f"{review}/agreed", folder / "console-agreed.png")
        await photograph(light, f"{review}/characters", folder / "console-characters.png", full=True)
        await photograph(light, f"{review}/agreement", folder / "console-agreement.png")
        await fill_in(light, f"{review}/teach", folder / "console-teach.png")
        await light.context.close()
        dark = await opened(browser, served, (1180, 780), "dark")
        await photograph(dark, f"{review}/case/{disputed}", folder / "console-dark.png")
        await dark.context.close()
        phone = await opened(browser, served, (375, 740), "dark", phone=True)
        await photograph(phone, f"{review}/case/{disputed}", folder / "console-phone.png")
        await phone.context.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Remakes the pictures of the moderators' console.")
    arguments.add_argument("folder", nargs="?", type=Path, default=HERE, help="where they are written")
    asyncio.run(main(arguments.parse_args().folder))

"""The console's exports: what may leave, who may fetch it, and links that work once."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from datetime import UTC, datetime

import aiohttp
import pytest

from bot.desk.releases import Released
from corrections.export.types import ExportQuery, Policy
from corrections.review.types import Filter, Moderator
from tests.bot.console_pages.forms import ME, decided, sent
from tests.bot.test_console import got
from tests.bot.test_web import somebody, text_of
from tests.standins.console import NOEL, OTHER, moderating, operating, posted, token
from tests.standins.drawings import drawing
from tests.standins.page import Served


async def exported(page: Served, browser: aiohttp.ClientSession, **fields: object) -> str:
    """Make a snapshot by the button; the page when it is done."""
    status, shown = await sent(browser, "/review/exports", **fields)
    assert status == 200
    async with asyncio.timeout(30):
        while "data-again" in shown:
            await asyncio.sleep(0.05)
            _, shown = await got(browser, "/review/exports")
    return shown


async def test_nothing_leaves_that_may_not_and_that_is_said(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    await decided(page, 3, "approve", "iron-man")
    _, shown = await got(browser, "/review/exports")
    assert "Nothing would leave now" in text_of(shown)
    assert "1 held back: no consent." in text_of(shown)
    shown = await exported(page, browser)
    assert "There is nothing that may leave." in text_of(shown)
    assert "Nothing has been exported yet." in text_of(shown)


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("since", "nonsense", "A day is written like 2026-01-31, not “nonsense”."),
        ("since", "2026-02-30", "A day is written like 2026-01-31, not “2026-02-30”."),
        ("format", "exe", "An export is an imagefolder, csv or parquet, not “exe”."),
        ("format", "", "An export is an imagefolder, csv or parquet, not “”."),
    ],
)
async def test_an_export_of_what_nobody_asked_for_is_refused(
    page: Served, browser: aiohttp.ClientSession, field: str, text: str, said: str
) -> None:
    await page.ledger.privacy.choose(("discord", "7"), "all", datetime.now(UTC))
    await decided(page, 3, "approve", "iron-man")
    status, shown = await sent(browser, "/review/exports", **{field: text})
    assert status == 422
    assert said in text_of(shown)
    assert "data-again" not in shown
    assert await page.ledger.exports.snapshots(ME) == []


async def test_the_operator_reads_of_nobodys_private_place_whose_it_is(page: Served) -> None:
    now = datetime.now(UTC)
    homes = (("web", "790c62f1"), ("telegram", "dm:4711"))
    for seed, home in enumerate(homes):
        await posted(page, drawing("red", seed=300 + seed), community=home, votes={"iron-man": ["x"]})
        await page.ledger.propose(f"Friend {'AB'[seed]}", (home[0], "x"), home, now)
        await page.ledger.privacy.choose(("discord", "7"), "all", now)
    async with operating(page) as operator:
        for home in homes:
            case = (await page.ledger.review.next(Moderator(("w", "o")), Filter(community=home)))[0]
            await page.ledger.review.decide(
                Moderator(("w", "o")), case.case_id, case.revision, "approve", ("iron-man",)
            )
            query, policy = ExportQuery(home), Policy(True, 0.1, 0.1)
            out = page.settings.data_dir / f"{home[0]}.zip"
            await page.ledger.exports.archive(
                out, query, policy, "csv", Moderator(("w", "o")), lambda *_: None
            )
        for path in (
            "",
            "/history",
            "/characters",
            "/exports",
            "/agreed",
            "/agreement",
            "/case/5",
            "?status=open",
        ):
            _, shown = await got(operator, f"/review{path}")
            assert not [home for home in homes if home[1] in shown], path
            said = text_of(shown)
            assert said.count("private") == (2 if path in ("/characters", "/exports") else 0), path
            assert "discord · 1001" in said or path not in ("", "?status=open")


async def test_the_operator_chooses_among_names_that_one_place_alone_has(page: Served) -> None:
    await page.ledger.review.add(Moderator(NOEL, OTHER), {"en": "Zorblax"}, datetime.now(UTC))
    option = '<option value="zorblax">Zorblax</option>'
    async with operating(page) as operator, moderating(page) as mara, moderating(page, NOEL, OTHER) as noel:
        for path in ("/review", "/review/exports"):
            shown = [(await got(each, path))[1] for each in (operator, noel, mara)]
            assert [option in each for each in shown] == [True, True, False], path


@pytest.mark.parametrize("form", ["imagefolder", "csv"])
async def test_a_snapshot_is_made_and_fetched(
    page: Served, browser: aiohttp.ClientSession, form: str
) -> None:
    await page.ledger.privacy.choose(("discord", "7"), "all", datetime.now(UTC))
    await decided(page, 3, "approve", "iron-man")
    shown = await exported(page, browser, format=form)
    assert re.search(r"Made: \S+, with one picture\.", text_of(shown))
    assert re.search(r"\d\d:\d\d UTC", text_of(shown))
    link = re.search(r'href="(/review/exports/([\w-]+)\.zip)"', shown)
    assert link
    async with browser.get(link[1]) as response:
        assert response.headers["Content-Type"] == "application/zip"
        assert response.headers["Content-Disposition"] == f'attachment;filename="{link[2]}.zip"'
        archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert any(name.endswith("manifest.json") for name in archive.namelist())
    async with moderating(page, NOEL, OTHER) as stranger:
        for path in (link[1], link[1].replace(".zip", ".withdrawn.txt")):
            answers = [await got(stranger, each) for each in (path, path.replace(link[2], "s-0000000000"))]
            assert answers[0] == answers[1]
            assert answers[0][0] == 404
        assert link[2] not in (await got(stranger, "/review/exports"))[1]
    # Who takes their consent back has the file removed, and the snapshot says what to drop.
    await page.ledger.privacy.choose(("discord", "7"), "never", datetime.now(UTC))
    assert (await got(browser, link[1]))[0] == 404
    _, shown = await got(browser, "/review/exports")
    assert "1 to drop" in text_of(shown)
    _, names = await got(browser, link[1].replace(".zip", ".withdrawn.txt"))
    assert len(names.splitlines()) == 1


async def test_a_link_to_an_export_works_once_and_without_a_session(page: Served) -> None:
    await page.ledger.privacy.choose(("discord", "7"), "all", datetime.now(UTC))
    await decided(page, 3, "approve", "iron-man")
    made = await page.desk.moderation.export(ME)
    assert isinstance(made, Released)
    link = await page.desk.moderation.export_link(ME, made)
    assert isinstance(link, str)
    assert link.startswith(f"{page.url}/download?token=")
    async with somebody(page) as anybody:
        for _ in range(2):  # a preview uses nothing up
            status, shown = await got(anybody, link.removeprefix(page.url))
            assert status == 200
            assert "Download" in text_of(shown)
        data = {"token": link.rpartition("=")[2]}
        async with anybody.post(
            "/download", data=data, headers={"Origin": "https://evil.example"}
        ) as response:
            assert response.status == 403
        async with anybody.post("/download", data=data) as response:
            assert response.content_type == "application/zip"
            assert (await response.read())[:2] == b"PK"
        async with anybody.post("/download", data=data) as response:
            assert response.status == 410
        assert (await got(anybody, link.removeprefix(page.url)))[0] == 410
        for wrong in ("", "x", await token(page)):
            async with anybody.post("/download", data={"token": wrong}) as response:
                assert response.status == 410


async def test_no_other_file_can_be_fetched(browser: aiohttp.ClientSession) -> None:
    for name in ("..%2fperson.key.zip", "../person.key", "x.zip", "%00.zip", "..zip"):
        async with browser.get(f"/review/exports/{name}") as response:
            assert response.status in (400, 404), name

"""What the console's pages do, over real sockets and without a browser: forms, tables, exports, bad input."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from bot.console_link import link_line
from bot.desk.releases import Released
from bot.errors import BotError
from bot.settings import load
from corrections.export.types import ExportQuery, Policy
from corrections.review.types import Filter, Moderator, Verb
from tests.bot.test_console import got
from tests.bot.test_web import somebody, text_of
from tests.standins.console import GUILD, MARA, NOEL, OTHER, moderating, operating, posted, some_cases, token
from tests.standins.drawings import drawing
from tests.standins.page import Served, page_served

FRAGMENT = {"HX-Request": "true"}
ME = Moderator(MARA, GUILD)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as served:
        await some_cases(served)
        yield served


@pytest.fixture
async def browser(page: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with moderating(page) as session:
        yield session


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


# -- the queue -------------------------------------------------------------------------------------------


async def test_a_page_has_the_best_case_and_the_one_after_it(browser: aiohttp.ClientSession) -> None:
    _, shown = await got(browser, "/review")
    assert cases_in(shown) == [1, 2]
    said = text_of(shown)
    assert "People disagree" in said
    assert "Iron Man" in said
    assert "0 of 4 decided · 0 by you today" in said


async def test_a_fragment_brings_the_case_after_the_next(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    await got(browser, "/review")
    fields = {"case": 1, "revision": await seen(page, 1), "do": "is:thor", "showing": "2", "deciding": "1"}
    async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
        shown = await response.text()
    assert response.status == 200
    assert "<html" not in shown
    assert cases_in(shown) == [3]
    assert "Approved: Thor." in text_of(shown)
    fields = {"case": 2, "revision": await seen(page, 2), "do": "skip", "showing": "3,4", "deciding": "2"}
    async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
        assert cases_in(await response.text()) == []


async def test_the_same_form_twice_decides_once(page: Served, browser: aiohttp.ClientSession) -> None:
    revision = await seen(page, 1)
    for _ in range(2):
        status, shown = await sent(browser, "/review/decide", case=1, revision=revision, do="is:thor")
        assert status == 200
        assert "Approved: Thor." in text_of(shown)
    assert len(await page.ledger.review.history(ME)) == 1


async def test_two_at_once_and_one_decision(page: Served, browser: aiohttp.ClientSession) -> None:
    async with moderating(page, NOEL) as noel:
        fields = {"case": "1", "revision": str(await seen(page, 1))}
        answers = await asyncio.gather(
            browser.post("/review/decide", data=fields | {"do": "is:thor"}, headers=FRAGMENT),
            noel.post("/review/decide", data=fields | {"do": "is:loki"}, headers=FRAGMENT),
        )
        assert sorted(each.status for each in answers) == [200, 409]
        late = await next(each for each in answers if each.status == 409).text()
        (decision,) = await page.ledger.review.history(ME)
        assert decision.after
        name = {"thor": "Thor", "loki": "Loki"}[decision.after["decided"][0]]  # type: ignore[index]
        assert f"Somebody was faster, so your decision was not taken: it is approved as {name}." in text_of(
            late
        )


NO_SENSE: tuple[dict[str, str], ...] = (
    {"case": "1"},
    {"case": "x", "revision": "0", "do": "reject"},
    {"case": "1", "revision": "-1", "do": "reject"},
    {"case": "1", "revision": "9" * 30, "do": "reject"},
    {"case": "1", "revision": "0", "do": "explode"},
    {"case": "1", "revision": "0", "do": "is:"},
    {"case": "1", "revision": "0", "do": "is:" + ",".join("abcdefghijklmnop")},
)


async def test_a_form_that_makes_no_sense(page: Served, browser: aiohttp.ClientSession) -> None:
    unnamed = {"case": "1", "revision": "0", "q": "", "slug": ""}
    for headers in ({}, FRAGMENT):
        for fields in NO_SENSE[1:]:
            async with browser.post("/review/decide", data=fields, headers=headers) as response:
                assert response.status == 400, fields
                assert "I could not make sense of that request." in text_of(await response.text())
        async with browser.post("/review/decide", data=unnamed, headers=headers) as response:
            assert response.status == 422
            assert "Please write a name." in text_of(await response.text())
    for showing in ("a", ",".join(["1"] * 999)):
        fields = {"case": "4", "revision": str(await seen(page, 4)), "do": "reject", "showing": showing}
        async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
            assert response.status == 400
    assert await page.ledger.review.history(ME) == []


async def test_a_name_that_nobody_has(page: Served, browser: aiohttp.ClientSession) -> None:
    for slug in ("nobody-at-all", "../../etc", "<script>", "=HYPERLINK(1)", "é", "NUL"):
        revision = await seen(page, 1)
        status, shown = await sent(browser, "/review/decide", case=1, revision=revision, do=f"is:{slug}")
        assert status == 422, slug
        assert "is called" in text_of(shown)
        assert "<script>" not in shown
    assert await page.ledger.review.history(ME) == []


async def test_who_votes_meanwhile_has_the_moderator_look_again(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    revision = await seen(page, 4)
    for person in ("a", "b"):
        await page.ledger.vote(4, ("discord", person), frozenset({"loki"}), datetime.now(UTC))
    assert await seen(page, 4) != revision
    fields = {"case": 4, "revision": revision, "do": "is:captain-america"}
    async with browser.post("/review/decide", data=fields, headers=FRAGMENT) as response:
        shown = await response.text()
    assert response.status == 409
    assert "Something else has been said of it meanwhile, so nothing was decided" in text_of(shown)
    assert cases_in(shown)[0] == 4  # as it is now
    status, shown = await sent(browser, "/review/decide", **fields)
    assert (status, cases_in(shown)) == (200, [4])
    assert "please look again" in text_of(shown)


async def test_nobody_is_approved_as_nobody(page: Served, browser: aiohttp.ClientSession) -> None:
    _, shown = await sent(browser, "/review/decide", case=1, revision=await seen(page, 1), do="is:nobody")
    assert "Approved: nobody on the list." in text_of(shown)
    assert (await page.ledger.review.case(ME, 1)).decided == ()


async def test_undo_when_there_is_nothing(browser: aiohttp.ClientSession) -> None:
    for headers in ({}, FRAGMENT):
        status, shown = await sent(browser, "/review/undo", headers=headers)
        assert status == 409
        assert "There is nothing of yours to take back." in text_of(shown)


async def test_a_hostile_name_is_text(page: Served, browser: aiohttp.ClientSession) -> None:
    proposal = await page.ledger.propose("Ro'n “& Co”", ("discord", "a"), GUILD, datetime.now(UTC))
    await posted(page, drawing("red", seed=77), votes={proposal.slug: ["a", "b"]})
    for path in ("/review", "/review/characters", "/review/case/5"):
        _, shown = await got(browser, path)
        assert "Ro&#39;n “&amp; Co”" in shown, path
        assert "Ro'n" not in shown, path


async def test_a_filter_that_makes_no_sense_is_none(browser: aiohttp.ClientSession) -> None:
    for query in ("status=x", "reason=%00", "agreed=maybe", "character=" + "x" * 500, "about=1", "said=x"):
        assert (await got(browser, f"/review?{query}"))[0] == 200, query


async def test_letting_go(page: Served, browser: aiohttp.ClientSession) -> None:
    await got(browser, "/review")
    noel = Moderator(NOEL, GUILD)
    assert [each.case_id for each in await page.ledger.review.next(noel, Filter(), 4)] == [3, 4]
    async with browser.post("/review/release", data=[("case", "1"), ("case", "2")]) as response:
        assert response.status == 204
    assert [each.case_id for each in await page.ledger.review.next(noel, Filter(), 4)] == [1, 2, 3, 4]


# -- the grid --------------------------------------------------------------------------------------------


async def test_what_changed_meanwhile_is_left_alone(page: Served, browser: aiohttp.ClientSession) -> None:
    _, shown = await got(browser, "/review/agreed")
    (ticked,) = re.findall(r'name="case" value="([^"]+)"', shown)
    assert ticked == f"3.{await seen(page, 3)}.iron-man"
    await decided(page, 3, "reject", by=Moderator(NOEL, GUILD))
    status, shown = await sent(browser, "/review/agreed", case=ticked, listed=3)
    assert status == 200
    assert "Nothing was approved. One had changed meanwhile and was left alone." in text_of(shown)
    assert (await page.ledger.review.case(ME, 3)).status == "rejected"


async def test_all_that_is_agreed_at_once(page: Served, browser: aiohttp.ClientSession) -> None:
    for seed in range(3):
        await posted(page, drawing("green", seed=60 + seed), votes={"hulk": list("abcdef")})
    await page.ledger.review.rescore(everything=True)
    _, shown = await sent(browser, "/review/agreed/all")
    assert "4 pictures were approved." in text_of(shown)
    assert (await page.ledger.review.progress(ME)).approved == 4


async def test_what_lost_its_tick_stays_open_and_the_rest_is_undone_as_one(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    for seed in range(3):
        await posted(page, drawing("green", seed=60 + seed), votes={"hulk": list("abcdef")})
    await page.ledger.review.rescore(everything=True)
    _, shown = await got(browser, "/review/agreed")
    assert shown.count(" checked>") == 4
    form = [("listed", each) for each in re.findall(r'name="listed" value="([^"]+)"', shown)]
    form += [("case", each) for each in re.findall(r'name="case" value="([^"]+)"', shown)]
    form = [each for each in form if not (each[0] == "case" and each[1].startswith("3."))]
    async with browser.post("/review/agreed", data=form) as response:
        shown = await response.text()
    assert "3 pictures were approved." in text_of(shown)
    assert 'name="back" value="agreed">Undo</button>' in shown
    assert 'value="3"' in shown
    assert " checked>" not in shown
    async with browser.post("/review/agreed/all", data=[("listed", "3")]) as response:
        assert "Nothing was approved." in text_of(await response.text())
    assert (await page.ledger.review.case(ME, 3)).status == "open"
    _, shown = await sent(browser, "/review/undo", back="agreed")
    assert shown.count(" checked>") == 4
    assert "Undo" not in text_of(shown)
    assert (await page.ledger.review.progress(ME)).approved == 0


async def test_a_tick_that_makes_no_sense(browser: aiohttp.ClientSession) -> None:
    for ticked in ("", "x", "1", "1.0", "1.x.loki", "1.0.", "." * 20):
        assert (await sent(browser, "/review/agreed", case=ticked))[0] == 400, ticked


# -- characters ------------------------------------------------------------------------------------------


async def test_a_moderator_rules_over_the_names_of_their_place(
    page: Served, browser: aiohttp.ClientSession
) -> None:
    now = datetime.now(UTC)
    for name in ("Howard the Duck", "Spidermann", "Rubbish"):
        await page.ledger.propose(name, ("discord", "a"), GUILD, now)
    await page.ledger.propose("Elsewhere", ("discord", "z"), OTHER, now)
    _, shown = await got(browser, "/review/characters")
    assert "3 proposed names" in text_of(shown)
    assert "Elsewhere" not in shown
    async with operating(page) as operator:  # under the name that was proposed, not one made from its slug
        _, all_of_them = await got(operator, "/review/characters")
        assert "<strong>Howard the Duck</strong>" in all_of_them
        assert "<strong>Elsewhere</strong>" in all_of_them
    chinese = {"slug": "howard-the-duck", "name_en": "Howard the Duck", "name_zh_CN": "霍华德鸭"}
    _, shown = await sent(browser, "/review/characters/accept", **chinese)
    assert "Name accepted" in text_of(shown)
    _, shown = await sent(browser, "/review/characters/merge", slug="spidermann", into="spider-man")
    assert "Merged" in text_of(shown)
    _, shown = await sent(browser, "/review/characters/refuse", slug="rubbish")
    assert "Name refused" in text_of(shown)
    _, shown = await sent(browser, "/review/characters/add", name_en="Moon Knight")
    assert "Character added" in text_of(shown)
    many = {"slug": "moon-knight", "name_en": "Moon Knight", "aliases": "Marc Spector\n\nMr. Knight"}
    _, shown = await sent(browser, "/review/characters/rename", **many)
    assert "Renamed" in text_of(shown)
    here = {each.slug: each for each in await page.ledger.characters(GUILD)}
    assert here["howard-the-duck"].names == {"en": "Howard the Duck", "zh-CN": "霍华德鸭"}
    assert set(here["moon-knight"].aliases) == {"Marc Spector", "Mr. Knight"}
    assert "moon-knight" not in {each.slug for each in await page.ledger.characters(OTHER)}
    _, shown = await got(browser, "/review/history")
    for action in ("Name accepted", "Merged", "Name refused", "Character added", "Renamed"):
        assert action in text_of(shown)


async def test_names_of_others_are_out_of_reach(page: Served, browser: aiohttp.ClientSession) -> None:
    await page.ledger.propose("Elsewhere", ("discord", "z"), OTHER, datetime.now(UTC))
    before = {each.slug: each for each in await page.ledger.characters(OTHER)}
    for what in ("accept", "refuse", "rename", "merge"):
        for slug in ("iron-man", "elsewhere", "no-such", "", "../x"):
            fields = {"slug": slug, "name_en": "Taken Over", "into": "thor"}
            status, shown = await sent(browser, f"/review/characters/{what}", **fields)
            assert (status, 'class="refused"' in shown) == (422, True), (what, slug)
    assert {each.slug: each for each in await page.ledger.characters(OTHER)} == before
    assert await page.ledger.review.history(ME) == []


async def test_a_name_that_cannot_be_one(page: Served, browser: aiohttp.ClientSession) -> None:
    before = len(await page.ledger.characters(GUILD))
    for name in (
        *("", "x" * 300, "@everyone", "<b>x</b>", "../../etc"),
        *("\u202eevil", "🦆", "Iron Man", "12"),
    ):
        status, shown = await sent(browser, "/review/characters/add", name_en=name)
        assert status == 422, name
        assert "Traceback" not in shown
        assert len(await page.ledger.characters(GUILD)) == before


async def test_what_the_bot_takes_for_what_is_drawn(page: Served, browser: aiohttp.ClientSession) -> None:
    await decided(page, 2, "approve", "loki")  # the bot said Hulk
    await decided(page, 3, "approve", "iron-man")  # and Iron Man
    _, shown = await got(browser, "/review/characters")
    assert "The bot was right about 1 of 2 decided pictures (50%)." in text_of(shown)
    matrix = shown[shown.index('<table class="confusion">') :]
    rows = re.findall(r'<th scope="row">([^<]+)</th>(.*?)</tr>', matrix)
    columns = re.findall(r'<th scope="col">([^<]+)</th>', matrix)
    told = {
        (name, columns[place]): int(count[1])
        for name, cells in rows
        for place, cell in enumerate(re.findall(r"<td>(.*?)</td>", cells))
        if (count := re.search(r"<span>(\d+)</span>", cell))
    }
    assert told == {("Loki", "Hulk"): 1, ("Iron Man", "Iron Man"): 1}
    assert 'class="wrong"' in matrix
    assert 'class="right"' in matrix


# -- figures ---------------------------------------------------------------------------------------------


async def test_history_reads_on(page: Served, browser: aiohttp.ClientSession) -> None:
    case = await page.ledger.review.case(ME, 1)
    for number in range(60):
        verb = "approve" if number % 2 else "reject"
        case = await page.ledger.review.decide(ME, 1, case.revision, verb, ("thor",) if number % 2 else None)
    _, first = await got(browser, "/review/history")
    assert first.count("<time") == 50
    older = re.search(r'href="(/review/history\?before=\d+)"', first)
    assert older
    _, second = await got(browser, older[1])
    assert second.count("<time") == 10
    assert "before=" not in second
    assert (await got(browser, "/review/history?before=x"))[0] == 400


async def test_agreement_names_nobody(page: Served, browser: aiohttp.ClientSession) -> None:
    await decided(page, 2, "approve", "loki")
    _, shown = await got(browser, "/review/agreement")
    assert "Nobody has five decided votes yet." in text_of(shown)
    assert "People who voted 6" in text_of(shown)
    key = page.ledger.person_key(("discord", "a"))
    assert key[:8] not in shown


# -- exports ---------------------------------------------------------------------------------------------


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


# -- the operator's link ---------------------------------------------------------------------------------


async def test_the_terminals_link_works_beside_the_running_page(page: Served, tmp_path: Path) -> None:
    port = page.url.rpartition(":")[2]
    environ = {"WHOSTHAT_WEB__PORT": port, "WHOSTHAT_DATA_DIR": str(tmp_path / "data")}
    line = await link_line(load(environ=environ, folder=tmp_path))
    found = re.search(
        r"^Open this to sign in \(works once, for 10 minutes\): (http://127\.0\.0\.1:\d+)(\S+)$", line
    )
    assert found
    assert found[1] == page.url
    async with somebody(page) as browser:
        assert (await got(browser, found[2]))[0] == 200
        async with browser.post("/review/login", data={"token": found[2].rpartition("=")[2]}) as response:
            assert response.status == 200
        assert 'name="community"' not in (await got(browser, "/review/agreed"))[1]
        assert "discord · 1001" in (await got(browser, "/review"))[1]


@pytest.mark.parametrize(
    ("variables", "begins"),
    [
        (
            {"WEB__PUBLIC_URL": "https://who.example/", "WEB__PORT": "0"},
            "https://who.example/review/login?token=",
        ),
        ({"WEB__HOST": "::1", "WEB__PORT": "9090"}, "http://[::1]:9090/review/login?token="),
        ({"WEB__ENABLED": "false"}, None),
        ({"WEB__PORT": "0"}, None),
        ({"WEB__HOST": "0.0.0.0"}, None),
    ],
)
async def test_where_the_link_begins(tmp_path: Path, variables: dict[str, str], begins: str | None) -> None:
    environ = {f"WHOSTHAT_{key}": value for key, value in variables.items()}
    settings = load(environ=environ | {"WHOSTHAT_DATA_DIR": str(tmp_path / "data")}, folder=tmp_path)
    if begins:
        assert begins in await link_line(settings)
    else:
        with pytest.raises(BotError, match=r"^[^\n]+web\.\w+[^\n]+$"):
            await link_line(settings)

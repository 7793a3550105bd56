"""A moderator of one community cannot fetch, guess or decide anything of another: every address is tried.

The addresses come from the application's own router, so that a new one without a case here fails. What is
tried with another community's ids must be answered as the same with ids that do not exist, to the byte, and
must leave the ledger as it was.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import sqlite3
import zipfile
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.desk.releases import Released
from bot.web.app import build_app
from bot.web.console.session import COOKIE, ConsoleSessions
from corrections.review.types import Filter, Moderator
from tests.bot.test_web import somebody
from tests.standins.console import GUILD, MARA, NOEL, OLGA, OTHER, posted, some_cases
from tests.standins.drawings import drawing
from tests.standins.explaining import TableExplainer
from tests.standins.page import SECRET, Served, page_served

OURS, THEIRS = Moderator(MARA, GUILD), Moderator(OLGA, OTHER)
ALSO_MARA = Moderator(MARA, OTHER)
"""The same person is a moderator over there, too: a session in one community is not one in the other."""

NOWHERE = 10**12
NO_SHA = "0" * 64
POSTER = ("discord", "4711")
SECRETS = ("Zorblax", "zorblax", "Quuxana", "quuxana", "discord:2002", "2002")
"""What nobody of our community may ever read: names, and the id of the other community."""

Route = tuple[str, str]


@dataclass
class Scene:
    """Two communities with cases, decisions, names, snapshots and links; the ids of the other one's."""

    page: Served
    database: Path
    cases: tuple[int, ...] = ()
    revision: int = 0
    sha256: str = ""
    prediction: int = 0
    our_case: int = 0
    our_revision: int = 0
    our_sha256: str = ""
    snapshot: str = ""
    our_snapshot: str = ""

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables but those of our own community, which its moderator may change."""
        with closing(sqlite3.connect(self.database)) as file:
            file.row_factory = sqlite3.Row
            (ours,) = file.execute("SELECT id FROM communities WHERE native = ?", (GUILD[1],)).fetchone()
            tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            snapshots = {
                row["id"] for row in file.execute("SELECT id FROM snapshots WHERE community_id = ?", (ours,))
            }
            kept: dict[str, list[tuple[Any, ...]]] = {}
            for table in set(tables) - {"sqlite_sequence", "split_groups"}:
                kept[table] = [
                    tuple(value for name, value in row.items() if name != "split_group_id")
                    for row in map(dict, file.execute(f'SELECT * FROM "{table}"'))
                    if not ("community_id" in row and row["community_id"] == ours)
                    and not (table == "snapshot_items" and row["snapshot_id"] in snapshots)
                ]
        return kept


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    # Their moderators may retrain, ours may not.
    async with page_served(tmp_path, training__communities=":".join(OTHER)) as page:
        page.desk.explain_with(TableExplainer())
        made = Scene(page, tmp_path / "data" / "whosthat.db")
        await some_cases(page)
        await _their_side(page)
        await _our_side(page)
        # What she looks at over there stays hers.
        theirs = await page.ledger.review.next(ALSO_MARA, Filter(), 10)
        ours = await page.ledger.review.next(Moderator(NOEL, GUILD), Filter(), 1)
        await page.ledger.review.release(Moderator(NOEL, GUILD), [ours[0].case_id])
        made.cases = tuple(each.case_id for each in theirs)
        made.revision, made.sha256 = theirs[0].revision, theirs[0].pictures[0].sha256
        assert theirs[0].guess is not None
        made.prediction = theirs[0].guess.prediction_id
        made.our_case, made.our_revision = ours[0].case_id, ours[0].revision
        made.our_sha256 = ours[0].pictures[0].sha256
        (made.snapshot,) = [s.name for s in await page.ledger.exports.snapshots(THEIRS)]
        (made.our_snapshot,) = [s.name for s in await page.ledger.exports.snapshots(OURS)]
        yield made


async def _their_side(page: Served) -> None:
    """Cases of every status, decided by both of their moderators, names of their own, a snapshot."""
    ledger, now = page.ledger, datetime.now(UTC)
    made = await some_cases(page, OTHER, seed=50)
    for n, (who, labels) in enumerate(((ALSO_MARA, ("thor",)), (THEIRS, ("loki",)), (ALSO_MARA, None))):
        at = now - timedelta(hours=1)
        done = await posted(page, drawing("purple", seed=70 + n), community=OTHER, poster=POSTER)
        case = next(
            each for each in await ledger.review.next(who, Filter(), 50, at=at - timedelta(hours=n + 1))
            if each.guess and each.guess.prediction_id == done.prediction_id
        )  # fmt: skip
        verb = "reject" if labels is None else "approve"
        await ledger.review.decide(who, case.case_id, case.revision, verb, labels, at)  # type: ignore[arg-type]
    await ledger.privacy.choose(POSTER, "all", now)
    proposed = await ledger.propose("Zorblax", ("discord", "a"), OTHER, now)
    await ledger.vote(made[3].prediction_id, ("discord", "a"), frozenset({proposed.slug}), now)
    await ledger.review.add(THEIRS, {"en": "Quuxana"}, now)
    assert isinstance(await page.desk.moderation.export(THEIRS), Released)
    assert (await ledger.review.progress(THEIRS)).agreed


async def _our_side(page: Served) -> None:
    ledger, now = page.ledger, datetime.now(UTC)
    done = await posted(page, drawing("purple", seed=90), poster=POSTER)
    who = Moderator(NOEL, GUILD)
    queue = await ledger.review.next(who, Filter(), 50, at=now - timedelta(hours=5))
    case = next(each for each in queue if each.guess and each.guess.prediction_id == done.prediction_id)
    await ledger.review.decide(who, case.case_id, case.revision, "approve", ("hulk",), now)
    assert isinstance(await page.desk.moderation.export(who), Released)


@asynccontextmanager
async def signed_in(page: Served, who: Moderator = OURS) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser with a session that a link from the chat began."""
    link = await page.desk.moderation.console_link(who)
    assert isinstance(link, str)
    async with somebody(page) as browser:
        async with browser.get(link) as response:
            sent = re.search(r'name="token" value="([^"]+)"', await response.text())
            assert sent is not None
        async with browser.post("/review/login", data={"token": sent[1]}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/review")
        yield browser


def routes(page: Served) -> set[Route]:
    """Every method and address of the application."""
    app = build_app(page.desk, max_bytes=1, secret=SECRET, unvoted_hours=1)
    return {(each.method, each.resource.canonical) for each in app.router.routes() if each.resource}


CASE, PICTURE = "/review/case/{case}", "/review/case/{case}/{sha256}"
FILE, WITHDRAWN = "/review/exports/{name}.zip", "/review/exports/{name}.withdrawn.txt"
ATTEMPTS: dict[Route, list[dict[str, str]]] = {
    # query ("?…") and form fields; {…} are ids of the other community, or of nothing
    ("GET", "/review"): [
        {},
        *({"?community": each} for each in ("{community}", "{community}' OR 1=1 --")),
        *({"?community": "{community}", "?status": each} for each in ("open", "approved", "rejected")),
        *({"?character": "{slug}", "?status": each} for each in ("open", "approved")),
        *({"?about": "{case}", "?said": each} for each in ("approve", "undo", "stale")),
    ],
    ("GET", CASE): [{}, {"?community": "{community}"}, {"?said": "undo"}],
    ("GET", PICTURE): [{}],
    ("POST", "/review/decide"): [
        *({"case": "{case}", "revision": "{revision}", "do": each} for each in (
            "is:loki", "is:nobody", "is:thor,loki", "reject", "skip"
        )),
        *({"case": "{case}", "revision": "{revision}", "q": each} for each in ("Loki", "{named}", "zzz")),
        {"case": "{case}", "revision": "{revision}", "slug": "{slug}"},
        {"case": "{case}", "revision": "{revision}", "do": "reject", "?community": "{community}"},
        {"case": "{our-case}", "revision": "{our-revision}", "do": "is:{slug}"},
        {"case": "{our-case}", "revision": "{our-revision}", "q": "{named}"},
        {"case": "{our-case}", "revision": "{our-revision}", "slug": "{slug}"},
    ],
    ("POST", "/review/undo"): [{}, {"?community": "{community}"}, {"case": "{case}"}],
    ("POST", "/review/release"): [{"case": "{case}"}],
    ("POST", "/review/guess"): [{"blind": "no", "?community": "{community}"}],
    ("GET", "/review/suggest"): [
        {"?case": "{case}", "?q": "lo"},
        {"?case": "{our-case}", "?q": "{named}"},
        {"?case": "{our-case}", "?q": "{named}", "?community": "{community}"},
    ],
    ("GET", "/review/agreed"): [
        *({}, {"?community": "{community}"}, {"?character": "{slug}"}, {"?left": "{case}"}),
    ],
    ("POST", "/review/agreed"): [
        {"case": "{case}.{revision}.loki", "listed": "{case}"},
        {"case": "{case}.{revision}.nobody", "?community": "{community}"},
        {"listed": "{case}"},
    ],
    ("POST", "/review/agreed/all"): [
        {"?community": "{community}", "?character": "{slug}"},
        {"listed": "{case}", "?character": "{slug}"},
    ],
    ("GET", "/review/characters"): [{}, {"?community": "{community}"}],
    ("POST", "/review/characters/{what}"): [
        *({"what": each, "slug": "{slug}", "name-en": "Somebody"} for each in (
            "accept", "refuse", "rename", "remove"
        )),
        {"what": "merge", "slug": "{slug}", "into": "thor"},
        {"what": "merge", "slug": "{own}", "into": "{slug}"},
        {"what": "delete", "slug": "{slug}"},
    ],
    ("GET", "/review/teach"): [{}, {"?community": "{community}"}],
    ("POST", "/review/teach"): [
        *({"name": "{named}", "?community": each, "community": each} for each in ("", "{community}")),
        {"number": "{case}", "community": "{community}"},
    ],
    ("GET", "/review/agreement"): [{}, {"?community": "{community}"}],
    ("GET", "/review/history"): [{}, {"?community": "{community}"}, {"?before": str(10**9)}],
    ("GET", "/review/exports"): [{}, {"?community": "{community}"}],
    ("POST", "/review/exports"): [
        {"format": "imagefolder", "character": "{slug}"},
        {"format": "imagefolder", "?community": "{community}", "community": "{community}"},
    ],
    ("GET", "/review/training"): [{}, {"?community": "{community}"}],
    ("POST", "/review/training"): [
        *({"do": each, "run": "00000000", "?community": "{community}"} for each in (
            "start", "cancel", "use", "drop"
        )),
    ],
    ("GET", FILE): [{}],
    ("GET", WITHDRAWN): [{}],
}  # fmt: skip
OPEN: dict[Route, list[dict[str, str]]] = {
    # for everybody: tried with other people's pictures, and with links that are none (any more)
    ("GET", "/review/sign-in"): [{}],
    ("GET", "/review/login"): [{"?token": "{used}"}, {"?token": "{old}"}, {"?token": "{download}"}],
    ("POST", "/review/login"): [{"token": "{used}"}, {"token": "{old}"}, {"token": "{download}"}],
    ("POST", "/review/sign-out"): [{}],
    ("GET", "/review/static/{name}"): [{"name": "..%2f..%2fperson.key"}, {"name": "whosthat.db"}],
    ("GET", "/download"): [{"?token": "{login}"}, {"?token": "{used}"}],
    ("POST", "/download"): [{"token": "{login}"}, {"token": "{used}"}],
    ("GET", "/"): [{}],
    ("POST", "/ask"): [{"picture": "none"}],
    ("POST", "/right"): [{"prediction": "{prediction}"}],
    ("POST", "/correct"): [{"prediction": "{prediction}", "slug": "thor"}],
    ("POST", "/name"): [
        {"prediction": "{prediction}", "q": "Zorblax"},
        {"prediction": "{prediction}", "slug": "thor"},
    ],
    ("POST", "/new"): [{"prediction": "{prediction}", "q": "A new name"}],
    ("POST", "/undo"): [{"prediction": "{prediction}"}],
    ("POST", "/learn"): [{"prediction": "{prediction}"}],
    ("POST", "/why"): [{"prediction": "{prediction}"}],
    ("GET", "/privacy"): [{}],
    ("POST", "/privacy"): [{"standing": "everything"}],
    ("POST", "/forget"): [{"sure": "yes", "person": "discord:4711"}],
    ("GET", "/characters"): [{"?q": "zorb"}, {"?q": ""}],
    ("GET", "/static/{name}"): [{"name": "..%2f..%2fperson.key"}],
    ("GET", "/healthz"): [{}],
}


def filled(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z0-9-]+)\}", lambda found: known[found[1]], text)


def request_of(
    path: str, attempt: Mapping[str, str], known: Mapping[str, str]
) -> tuple[str, dict[str, str], dict[str, str]]:
    """Address, query and form of one attempt."""
    query = {key[1:]: filled(value, known) for key, value in attempt.items() if key.startswith("?")}
    named = {key: filled(value, known) for key, value in attempt.items() if f"{{{key}}}" in path}
    fields = {
        key: filled(value, known) for key, value in attempt.items() if key[0] != "?" and key not in named
    }
    return filled(path, {**known, **named}), query, fields


async def sent(
    browser: aiohttp.ClientSession,
    route: Route,
    attempt: Mapping[str, str],
    known: Mapping[str, str],
    **headers: str,
) -> tuple[int, str, str]:
    """Status, where it leads, and what is shown."""
    path, query, fields = request_of(route[1], attempt, known)
    async with browser.request(
        route[0], path, params=query, data=fields if route[0] == "POST" else None,
        headers=headers, allow_redirects=False,
    ) as response:  # fmt: skip
        body = (await response.read()).decode(errors="replace")
        return response.status, response.headers.get("Location", ""), body


def ids(scene: Scene, what: str) -> dict[str, str]:
    """What the other community's things are called, or what nothing is called."""
    theirs = what == "theirs"
    return {
        "case": str(scene.cases[0] if theirs else NOWHERE),
        "revision": str(scene.revision),
        "sha256": scene.sha256 if theirs else NO_SHA,
        "name": scene.snapshot if theirs else "s-0000000000",
        "community": ":".join(OTHER if theirs else ("discord", "999999")),
        "slug": "zorblax" if theirs else "nobodys-name",
        "named": "Zorblax" if theirs else "Nobodys Name",
        "prediction": str(scene.prediction if theirs else NOWHERE),
        "our-case": str(scene.our_case),
        "our-revision": str(scene.our_revision),
        "own": "ourselves",
    }


def same(shown: str, known: Mapping[str, str]) -> str:
    """What was sent may come back in a sentence; beside that nothing may differ."""
    for key in ("slug", "named", "community"):
        shown = shown.replace(known[key], "…").replace(known[key].replace(":", "%3A"), "…")
    shown = re.sub(r"([?&]left)=[0-9]+", r"\1=…", shown)
    return re.sub(r'(name="token" value=")[0-9a-f]+', r"\1", shown)  # every form of the page has its own


# -- every address ---------------------------------------------------------------------------------------


async def test_every_address_is_tried(scene: Scene) -> None:
    there = routes(scene.page)
    tried = {*ATTEMPTS, *OPEN}
    wanted = tried | {("HEAD", path) for method, path in tried if method == "GET"}
    left_out = {
        ("HEAD", "/review/login"),
        ("HEAD", "/download"),
    }  # not offered: nothing looks at a link twice
    assert there == wanted - left_out


async def test_what_is_theirs_is_answered_as_what_does_not_exist(scene: Scene) -> None:
    before = scene.dump()
    known = {what: ids(scene, what) for what in ("theirs", "nowhere")}
    async with signed_in(scene.page) as browser:
        for route, attempts in ATTEMPTS.items():
            for attempt in attempts:
                for headers in ({}, {"HX-Request": "true"}):
                    answers = {
                        what: await sent(browser, route, attempt, known[what], **headers) for what in known
                    }
                    theirs, nowhere = (
                        (status, same(leads, known[what]), same(shown, known[what]))
                        for what, (status, leads, shown) in answers.items()
                    )
                    assert theirs == nowhere, (route, attempt)
                    said = answers["theirs"][2]
                    for word in (
                        ()
                        if any("{named}" in each or "{slug}" in each for each in attempt.values())
                        else SECRETS
                    ):
                        assert word not in said, (route, attempt, word)
                    for case in scene.cases:
                        assert not re.search(rf'(?:case/|data-case="|value="){case}(?:[^0-9a-f]|$)', said), (
                            route
                        )
                    assert scene.sha256 not in said and scene.snapshot not in said, route
                    assert theirs[0] in (200, 204, 303, 403, 404, 409, 422), (route, attempt, theirs[0])
                if route[0] == "GET":
                    head = [await sent(browser, ("HEAD", route[1]), attempt, each) for each in known.values()]
                    assert head[0] == head[1]
                assert scene.dump() == before, (route, attempt)


async def test_a_case_or_picture_of_theirs_is_not_found(scene: Scene) -> None:
    """Also mixed with ours: their picture under our case, ours under theirs."""
    async with signed_in(scene.page) as browser:
        for case, sha256, status in (
            (scene.our_case, scene.our_sha256, 200),
            (scene.our_case, scene.sha256, 404),
            *((case, sha256, 404) for case in scene.cases for sha256 in (scene.our_sha256, scene.sha256)),
        ):
            known = {"case": str(case), "sha256": sha256}
            assert (await sent(browser, ("GET", PICTURE), {}, known))[0] == status
        for case in range(1, 40):
            status, _, shown = await sent(browser, ("GET", CASE), {}, {"case": str(case)})
            assert (status == 200) == (case in await _our_cases(scene.page)), case
            assert scene.sha256 not in shown


async def _our_cases(page: Served) -> set[int]:
    found: set[int] = set()
    for status in ("open", "approved", "rejected"):
        who = Moderator(("whosthat", "looker"), GUILD)
        filter_ = Filter(status=status)
        soon = datetime.now(UTC) + timedelta(hours=1)
        found |= {each.case_id for each in await page.ledger.review.next(who, filter_, 100, at=soon)}
        await page.ledger.review.release(who, sorted(found))
    return found


async def test_what_they_exported_and_what_we_export_is_apart(scene: Scene) -> None:
    """Whatever is asked for, our export has our pictures, and our page lists our snapshots."""
    async with signed_in(scene.page) as browser:
        attempt = {"format": "csv", "community": ":".join(OTHER), "?community": ":".join(OTHER)}
        await sent(browser, ("POST", "/review/exports"), attempt, {})
        snapshots = scene.page.ledger.exports.snapshots
        async with asyncio.timeout(60):
            kept = scene.page.desk.moderation.releases.kept  # type: ignore[union-attr]
            while len({each.name for each in await snapshots(OURS)} & await kept()) < 2:
                await sent(browser, ("GET", "/review/exports"), {}, {})
        names = [each.name for each in await snapshots(OURS)]
        assert {each.community for each in await snapshots(OURS)} == {GUILD}
        for name in names:
            async with browser.get(f"/review/exports/{name}.zip") as response:
                assert response.status == 200
                with zipfile.ZipFile(io.BytesIO(await response.read())) as archive:
                    said = b"".join(archive.read(each) for each in archive.namelist())
                    pictures = {Path(each).stem for each in archive.namelist() if each.endswith(".webp")}
            assert len(pictures) == 1 and scene.sha256 not in pictures
            assert not [word for word in SECRETS if word.encode() in said]
        for path in (FILE, WITHDRAWN):
            assert (await sent(browser, ("GET", path), {}, {"name": scene.snapshot}))[0] == 404
    async with signed_in(scene.page, THEIRS) as browser:
        assert (await sent(browser, ("GET", FILE), {}, {"name": scene.snapshot}))[0] == 200
        for name in names:
            assert (await sent(browser, ("GET", FILE), {}, {"name": name}))[0] == 404


async def test_one_person_two_communities_two_sessions(scene: Scene) -> None:
    """What a moderator did or looks at in the other community is not in reach from this one's session."""
    assert len(scene.cases) > 2
    await scene.page.ledger.review.next(Moderator(("discord", "77"), GUILD), Filter("rejected"))
    before = scene.dump()
    async with signed_in(scene.page) as browser:
        async with signed_in(scene.page, Moderator(("discord", "77"), GUILD)) as newcomer:
            nothing = await sent(newcomer, ("POST", "/review/undo"), {}, {})
        assert nothing[0] == 409 and await sent(browser, ("POST", "/review/undo"), {}, {}) == nothing
        for case in scene.cases:
            await sent(browser, ("POST", "/review/release"), {"case": str(case)}, {})
            await sent(browser, ("POST", "/review/agreed"), {"listed": str(case)}, {})
    assert scene.dump() == before
    assert await scene.page.ledger.review.next(THEIRS, Filter(), 50) == []  # all are still hers
    async with signed_in(scene.page, ALSO_MARA) as browser:
        assert (await sent(browser, ("POST", "/review/undo"), {}, {}))[0] == 303


# -- links, cookies and forms that are none --------------------------------------------------------------


async def tokens(scene: Scene) -> dict[str, str]:
    """Links that open nothing: used, too old, of the other kind, changed by a letter, under another name."""
    links, now = scene.page.ledger.links, datetime.now(UTC)
    used = await links.make("login", now, 10, OLGA, OTHER)
    assert await links.redeem("login", used, now) is not None
    fetched = await links.make("download", now, 10, OLGA, OTHER, scene.snapshot)
    assert await links.redeem("download", fetched, now) is not None
    fresh = await links.make("login", now, 10, OLGA, OTHER)
    body, _, _ = fresh.partition(".")
    mara = base64.urlsafe_b64encode(":".join(MARA).encode()).decode().rstrip("=")
    return {
        "used": used,
        "fetched": fetched,
        "old": await links.make("login", now - timedelta(minutes=11), 10, OLGA, OTHER),
        "download": await links.make("download", now, 10, OLGA, OTHER, scene.snapshot),
        "login": fresh,
        "changed": fresh[:5] + ("A" if fresh[5] != "A" else "B") + fresh[6:],
        "shorter": fresh[:-1],
        "renamed": f"{body}.{mara}",
        "unnamed": body,
        "hash": sqlite_value(scene.database, "SELECT token_sha256 FROM links ORDER BY id DESC LIMIT 1"),
        "none": "",
    }


def sqlite_value(database: Path, query: str) -> str:
    with closing(sqlite3.connect(database)) as file:
        return str(file.execute(query).fetchone()[0])


async def test_links_that_are_none(scene: Scene) -> None:
    links = await tokens(scene)
    before = scene.dump()
    logins = set(links) - {"login"}
    downloads = set(links) - {"download"}
    async with signed_in(scene.page) as ours, somebody(scene.page) as stranger:
        for browser in (ours, stranger):
            for path, kinds in (("/review/login", logins), ("/download", downloads)):
                answers = set()
                for kind in sorted(kinds):
                    for route, attempt in (
                        (("GET", path), {"?token": links[kind]}), (("POST", path), {"token": links[kind]})
                    ):  # fmt: skip
                        status, _, shown = await sent(browser, route, attempt, {})
                        assert status == 410, (path, kind)
                        answers.add(shown)
                assert len(answers) == 1, "it is not told why a link is none"
        assert (await sent(ours, ("GET", "/review"), {}, {}))[0] == 200
        assert (await sent(stranger, ("GET", "/review"), {}, {}))[0] == 303
    lately = "SELECT count(*) FROM links WHERE used_at IS NULL"
    assert scene.dump()["cases"] == before["cases"] and sqlite_value(scene.database, lately) == "3"


async def test_another_communitys_link_opens_that_one_alone(scene: Scene) -> None:
    """Whoever uses it in a browser with a session of ours has theirs from then on, not both."""
    async with signed_in(scene.page) as browser:
        ours = next(each.value for each in browser.cookie_jar if each.key == COOKIE)
        link = await scene.page.desk.moderation.console_link(THEIRS)
        assert isinstance(link, str)
        token = link.rpartition("=")[2]
        assert (await sent(browser, ("POST", "/review/login"), {"token": token}, {}))[0] == 303
        assert (await sent(browser, ("GET", CASE), {}, {"case": str(scene.cases[0])}))[0] == 200
        assert (await sent(browser, ("GET", CASE), {}, {"case": str(scene.our_case)}))[0] == 404
    async with aiohttp.ClientSession(scene.page.url, headers={"Cookie": f"{COOKIE}={ours}"}) as before:
        assert (await sent(before, ("GET", "/review"), {}, {}))[0] == 303


def cookies(scene: Scene, good: str) -> dict[str, str]:
    """Cookies that are nobody's; ``good`` is one that was signed out."""
    payload, _, signature = good.rpartition(".")
    theirs = ConsoleSessions(bytes(32), hours=8)._serializer.dumps([OLGA, OTHER, "0" * 64])
    known = ConsoleSessions(SECRET, hours=8)
    no_login = known._serializer.dumps([OLGA, OTHER, "0" * 64])
    return {
        "none": "",
        "signed out": good,
        "of another secret": str(theirs),
        "of a login that never was": str(no_login),
        "changed": f"{payload[:-1]}{'A' if payload[-1] != 'A' else 'B'}.{signature}",
        "cut": good[:-3],
        "plain": base64.urlsafe_b64encode(b'[["discord","53"],null,""]').decode(),
    }


async def test_without_a_session_nothing_but_the_sign_in_page_answers(scene: Scene) -> None:
    async with signed_in(scene.page) as browser:
        good = next(each.value for each in browser.cookie_jar if each.key == COOKIE)
        assert (await sent(browser, ("POST", "/review/sign-out"), {}, {}))[0] == 303
    before = scene.dump()
    for name, cookie in cookies(scene, good).items():
        headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
        async with aiohttp.ClientSession(scene.page.url, headers=headers) as stranger:
            for route, attempts in ATTEMPTS.items():
                for attempt in attempts[:2]:
                    for what in ("theirs", "nowhere"):
                        status, leads, shown = await sent(stranger, route, attempt, ids(scene, what))
                        assert (status, leads) == (303, "/review/sign-in"), (name, route)
                        assert not [word for word in SECRETS if word in shown]
                    told = await sent(
                        stranger, route, attempt, ids(scene, "theirs"), **{"HX-Request": "true"}
                    )
                    assert told[0] == 401, (name, route)
            assert (await sent(stranger, ("GET", "/review/sign-in"), {}, {}))[0] == 200
    assert scene.dump() == before


async def test_a_cookie_that_says_another_community_is_none(scene: Scene) -> None:
    """Nobody can write another community into a cookie, nor use a living session under another name."""
    async with signed_in(scene.page) as browser:
        good = next(each.value for each in browser.cookie_jar if each.key == COOKIE)
        head, _, rest = good.lstrip(".").partition(".")
        packed = base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
        said = (zlib.decompress(packed) if good.startswith(".") else packed).decode()
        assert GUILD[1] in said
        for other in (said.replace(GUILD[1], OTHER[1]), said.replace('["discord","1001"]', "null")):
            assert other != said
            forged = base64.urlsafe_b64encode(other.encode()).decode().rstrip("=")
            headers = {"Cookie": f"{COOKIE}={forged}.{rest}"}
            async with aiohttp.ClientSession(scene.page.url, headers=headers) as liar:
                assert (await sent(liar, ("GET", "/review"), {}, {}))[0] == 303
        assert (await sent(browser, ("GET", "/review"), {}, {}))[0] == 200


FORGED = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
    {"Sec-Fetch-Site": "", "Origin": "{own}"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "{own}.evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "{own}", "Host": "evil.example"},
)


async def test_a_form_of_another_page_does_nothing(scene: Scene) -> None:
    """Every form there is, with a session that may do it: our own cases, names and exports."""
    known = {**ids(scene, "nowhere"), "case": str(scene.our_case), "slug": "loki"}
    known |= {"revision": known["our-revision"], "used": "x", "old": "x", "download": "x", "login": "x"}
    async with signed_in(scene.page) as browser:
        whole = dump_of(scene.database)
        for forged in FORGED:
            headers = {key: value.replace("{own}", scene.page.url) for key, value in forged.items()}
            for (method, path), attempts in {**ATTEMPTS, **OPEN}.items():
                for attempt in attempts if method == "POST" else ():
                    status, _, _ = await sent(browser, (method, path), attempt, known, **headers)
                    assert status == 403, (path, forged)
            assert dump_of(scene.database) == whole
        assert (await sent(browser, ("GET", "/review"), {}, {}))[0] == 200  # and they are still signed in


async def test_the_cookie_is_sent_with_no_other_sites_form(scene: Scene) -> None:
    """A form without those headers is no browser's, or an old one's, which keeps the cookie to itself."""
    link = await scene.page.desk.moderation.console_link(OURS)
    assert isinstance(link, str)
    async with somebody(scene.page) as browser:
        data = {"token": link.rpartition("=")[2]}
        async with browser.post("/review/login", data=data, allow_redirects=False) as response:
            cookie = next(each for each in response.headers.getall("Set-Cookie") if COOKIE in each)
    assert {"SameSite=Strict", "HttpOnly", "Path=/review"} <= set(cookie.split("; "))
    async with aiohttp.ClientSession(scene.page.url) as bare:
        known = {**ids(scene, "nowhere"), "case": str(scene.our_case)}
        attempt = ATTEMPTS["POST", "/review/decide"][0]
        assert (await sent(bare, ("POST", "/review/decide"), attempt, known))[1] == "/review/sign-in"


def dump_of(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as file:
        return list(file.iterdump())


# -- the page for everybody ------------------------------------------------------------------------------


async def test_the_page_for_everybody_says_nothing_of_any_community(scene: Scene) -> None:
    links = await tokens(scene)
    known = {**ids(scene, "theirs"), **links}
    async with signed_in(scene.page) as browser:
        await sent(browser, ("POST", "/ask"), {"picture": ""}, known)
        before = scene.dump()
        for route, attempts in OPEN.items():
            for attempt in attempts:
                status, _, shown = await sent(browser, route, attempt, known)
                assert status in (200, 303, 400, 403, 404, 409, 410, 415, 422), (route, status)
                assert scene.sha256 not in shown and scene.snapshot not in shown
                echoed = any("orblax" in value for value in attempt.values())
                assert echoed or not [word for word in SECRETS if word in shown], (route, attempt)
                if "{prediction}" in attempt.values():
                    assert status >= 400 and "Captain" not in shown
                if route[1] != "/review/sign-out":  # which ends the session, and its row with it
                    assert _without_links(scene.dump()) == _without_links(before), (route, attempt)


def _without_links(dump: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows for table, rows in dump.items() if table not in ("links", "people", "tombstones")}

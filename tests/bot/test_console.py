"""The console over real sockets: the way in and out, and who gets how far."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from itsdangerous import URLSafeTimedSerializer

from bot.web.app import build_app
from bot.web.console.session import COOKIE, ConsoleSessions, SignedIn
from corrections.review.types import Filter, Moderator
from corrections.types import Community, Person
from tests.bot.test_web import somebody, text_of
from tests.standins.console import GUILD, MARA, OTHER, moderating, operating, some_cases, token
from tests.standins.page import SECRET, Served, page_served

HTML = {"Accept": "text/html"}
STALE = "That link has been used, is too old, or was never one. Please get another one."


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as served:
        yield served


async def got(browser: aiohttp.ClientSession, path: str, **options: object) -> tuple[int, str]:
    """Status and page."""
    async with browser.get(path, allow_redirects=False, **options) as response:  # type: ignore[arg-type]
        return response.status, await response.text()


def cookie_of(browser: aiohttp.ClientSession) -> str:
    """The console's cookie as the browser has it."""
    return next(each.value for each in browser.cookie_jar if each.key == COOKIE)


# -- the way in ----------------------------------------------------------------------------------------


async def test_a_link_shows_a_button_and_the_button_lets_in(page: Served) -> None:
    link = await token(page)
    async with somebody(page) as browser:
        for _ in range(3):  # a chat's preview looks at it too
            async with browser.get("/review/login", params={"token": link}) as response:
                assert response.status == 200
                assert "Set-Cookie" not in response.headers or COOKIE not in response.headers["Set-Cookie"]
                assert f'value="{link}"' in await response.text()
        assert (await got(browser, "/review"))[0] == 303
        async with browser.post("/review/login", data={"token": link}) as response:
            assert (response.status, response.url.path) == (200, "/review")
            assert "Nothing is left to review" in text_of(await response.text())
        assert (await got(browser, "/review"))[0] == 200


async def test_a_link_works_once(page: Served) -> None:
    link = await token(page)
    async with somebody(page) as first, somebody(page) as second:
        await (await first.post("/review/login", data={"token": link})).read()
        for path in ("/review/login", f"/review/login?token={link}"):
            status, shown = await got(second, path)
            assert (status, STALE in text_of(shown)) == (410, True)
        async with second.post("/review/login", data={"token": link}) as response:
            assert response.status == 410
            assert STALE in text_of(await response.text())
        assert (await got(second, "/review"))[0] == 303


async def test_a_link_that_is_too_old(page: Served) -> None:
    now = datetime.now(UTC) - timedelta(minutes=11)
    link = await page.ledger.links.make("login", now, 10, MARA, GUILD)
    async with somebody(page) as browser:
        assert (await got(browser, f"/review/login?token={link}"))[0] == 410
        async with browser.post("/review/login", data={"token": link}) as response:
            assert response.status == 410


@pytest.mark.parametrize("made_up", ["", "x", "A" * 43, "<script>alert(1)</script>", "é" * 30, "A" * 100_000])
async def test_a_link_that_never_was(page: Served, made_up: str) -> None:
    async with somebody(page) as browser:
        async with browser.post("/review/login", data={"token": made_up}) as response:
            assert response.status == 410
            assert "alert(1)" not in await response.text()
        async with browser.post("/review/login") as response:
            assert response.status == 410


async def test_a_download_link_signs_nobody_in(page: Served) -> None:
    link = await page.ledger.links.make("download", datetime.now(UTC), 10, MARA, GUILD, "x.zip")
    async with somebody(page) as browser, browser.post("/review/login", data={"token": link}) as response:
        assert response.status == 410


async def test_who_is_not_signed_in_is_told_how(page: Served) -> None:
    async with somebody(page) as browser:
        async with browser.get("/review", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/review/sign-in")
        _, shown = await got(browser, "/review/sign-in")
        assert "/console" in text_of(shown)
        assert "whosthat console" in text_of(shown)
        assert "A link works for 10 minutes." in text_of(shown)
        async with browser.get("/review", headers={"HX-Request": "true"}) as response:
            assert response.status == 401


# -- the session -----------------------------------------------------------------------------------------


async def test_the_cookie_is_kept_from_scripts_other_sites_and_other_pages(page: Served) -> None:
    async with somebody(page) as browser:
        data = {"token": await token(page)}
        async with browser.post("/review/login", data=data, allow_redirects=False) as response:
            cookie = next(each for each in response.headers.getall("Set-Cookie") if COOKIE in each)
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/review" in cookie
        assert "Max-Age=28800" in cookie
        assert "Secure" not in cookie
        data, https = {"token": await token(page)}, {"X-Forwarded-Proto": "https"}
        async with browser.post("/review/login", data=data, headers=https, allow_redirects=False) as response:
            assert "Secure" in next(e for e in response.headers.getall("Set-Cookie") if COOKIE in e)


async def test_signing_out_ends_the_session_wherever_its_cookie_was_copied_to(page: Served) -> None:
    async with moderating(page) as browser:
        stolen = {"Cookie": f"{COOKIE}={cookie_of(browser)}"}
        async with aiohttp.ClientSession(page.url, headers=stolen) as thief:
            assert (await got(thief, "/review"))[0] == 200
            async with browser.post("/review/sign-out", allow_redirects=False) as response:
                assert (response.status, response.headers["Location"]) == (303, "/review/sign-in")
            assert (await got(thief, "/review"))[0] == 303
        assert (await got(browser, "/review"))[0] == 303


async def test_whoever_is_no_moderator_any_more_is_signed_out(page: Served) -> None:
    rights, asked = page.desk.moderation.rights, []
    now: dict[str, bool | None] = {"may": True}

    async def still(person: Person, community: Community) -> bool | None:
        asked.append((person, community))
        return now["may"]

    rights.register("discord", still)
    async with moderating(page) as browser, operating(page) as operator:
        for _ in range(3):
            assert (await got(browser, "/review"))[0] == 200
        assert asked == [(MARA, GUILD)]  # once a minute at most
        rights.holds = 0.0
        now["may"] = None  # the chat cannot tell at the moment
        assert (await got(browser, "/review"))[0] == 200
        now["may"] = False
        stolen = {"Cookie": f"{COOKIE}={cookie_of(browser)}"}
        async with browser.get("/review", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/review/sign-in")
        now["may"] = True
        async with aiohttp.ClientSession(page.url, headers=stolen) as copy:
            assert (await got(copy, "/review"))[0] == 303  # the session has ended for good
        assert (await got(operator, "/review"))[0] == 200  # nobody in a chat let the operator in
        assert asked == [(MARA, GUILD)] * 3
    async with moderating(page) as again:
        assert (await got(again, "/review"))[0] == 200


async def test_a_chat_that_fails_to_tell_ends_no_session(page: Served) -> None:
    async def broken(person: Person, community: Community) -> bool | None:
        raise RuntimeError("Session is closed")

    page.desk.moderation.rights.register("discord", broken)
    async with moderating(page) as browser:
        assert (await got(browser, "/review"))[0] == 200


async def test_one_browser_has_one_session(page: Served) -> None:
    async with moderating(page) as browser:
        before = {"Cookie": f"{COOKIE}={cookie_of(browser)}"}
        await (await browser.post("/review/login", data={"token": await token(page)})).read()
        async with aiohttp.ClientSession(page.url, headers=before) as old:
            assert (await got(old, "/review"))[0] == 303
        assert (await got(browser, "/review"))[0] == 200


async def test_a_cookie_that_we_did_not_make_is_nobodys(page: Served) -> None:
    async with moderating(page) as browser:
        good = cookie_of(browser)
    payload, _, signature = good.rpartition(".")
    serializer = URLSafeTimedSerializer(b"another secret" * 4, salt="whosthat-console")
    forged = ["", "x", payload, f"{payload}.", f"x{payload}.{signature}", good[:-2], "é", "." * 99]
    forged.append(str(serializer.dumps([["discord", "51"], None, "0" * 64])))
    for value in forged:
        liar = aiohttp.ClientSession(page.url, headers={"Cookie": f"{COOKIE}={value}"})
        async with liar:
            assert (await got(liar, "/review"))[0] == 303, value


def test_a_session_ends_by_itself() -> None:
    class Later(URLSafeTimedSerializer):
        class TimestampedInThePast(URLSafeTimedSerializer.default_signer):
            def get_timestamp(self) -> int:
                return super().get_timestamp() - 2 * 3600

        default_signer = TimestampedInThePast

    sessions = ConsoleSessions(SECRET, hours=1)
    who = SignedIn(Moderator(MARA, GUILD), "0" * 64)
    response = web.Response()
    sessions.begin(_request(""), response, who)
    assert sessions.read(_request(response.cookies[COOKIE].value)) == who
    made = sessions._serializer
    old = Later(made.secret_keys, salt=made.salt, signer_kwargs=made.signer_kwargs)
    aged = old.dumps([MARA, GUILD, "0" * 64])
    assert ConsoleSessions(SECRET, hours=3).read(_request(str(aged))) == who
    assert sessions.read(_request(str(aged))) is None


def _request(cookie: str) -> web.Request:
    from aiohttp.test_utils import make_mocked_request

    return make_mocked_request("GET", "/review", headers={"Cookie": f"{COOKIE}={cookie}"})


async def test_a_session_outlives_a_restart(tmp_path: Path) -> None:
    async with page_served(tmp_path) as served, moderating(served) as browser:
        cookie = cookie_of(browser)
    async with (
        page_served(tmp_path) as served,
        aiohttp.ClientSession(served.url, headers={"Cookie": f"{COOKIE}={cookie}"}) as browser,
    ):
        assert (await got(browser, "/review"))[0] == 200


async def test_forgetting_a_moderator_ends_their_sessions(page: Served) -> None:
    async with moderating(page) as browser:
        assert (await got(browser, "/review"))[0] == 200
        await page.ledger.privacy.forget(MARA, datetime.now(UTC))
        assert (await got(browser, "/review"))[0] == 303


def test_a_short_secret_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ConsoleSessions(b"short", 1)


# -- every address ---------------------------------------------------------------------------------------

OPEN = {"/review/sign-in", "/review/login", "/review/sign-out", "/review/static/{name}"}
"""What needs no session."""


def routes(page: Served) -> list[tuple[str, str]]:
    """Every method and address below /review, as the application has them."""
    app = build_app(page.desk, max_bytes=1, secret=SECRET, unvoted_hours=1)
    found = {(each.method, each.resource.canonical) for each in app.router.routes() if each.resource}
    return sorted(each for each in found if each[1].startswith("/review") and each[1] not in OPEN)


def filled(path: str, case: int, sha256: str) -> str:
    """An address with something in its places."""
    return re.sub(r"\{[^}]+\}", lambda m: {"{case}": str(case), "{sha256}": sha256}.get(m[0], "x"), path)


async def test_no_address_answers_to_who_is_not_signed_in(page: Served) -> None:
    await some_cases(page)
    all_routes = routes(page)
    assert len(all_routes) > 12
    async with somebody(page) as stranger:
        for method, path in all_routes:
            async with stranger.request(
                method, filled(path, 1, "0" * 64), data={"case": "1"} if method == "POST" else None,
                allow_redirects=False,
            ) as response:  # fmt: skip
                assert (response.status, response.headers.get("Location")) == (303, "/review/sign-in"), path


@pytest.mark.parametrize(
    "forged",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
async def test_another_sites_page_can_do_nothing(page: Served, forged: dict[str, str]) -> None:
    await some_cases(page)
    async with moderating(page) as browser:
        posts = [path for method, path in routes(page) if method == "POST"]
        for path in (*posts, "/review/login", "/review/sign-out"):
            data = {"case": "1", "revision": "0", "do": "reject", "token": await token(page)}
            async with browser.post(filled(path, 1, ""), data=data, headers=forged) as response:
                assert response.status == 403, path
        assert (await got(browser, "/review"))[0] == 200
    assert await page.ledger.review.history(Moderator(MARA, GUILD)) == []


async def test_every_page_is_locked_down(page: Served) -> None:
    await some_cases(page)
    async with operating(page) as browser:
        for method, path in routes(page):
            if method != "GET":
                continue
            async with browser.get(filled(path, 1, "0" * 64)) as response:
                policy = response.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Cache-Control"] == "no-store"
                shown = await response.text()
            assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", shown)
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", shown)


# -- whose cases -----------------------------------------------------------------------------------------


async def test_a_moderator_reaches_nothing_of_another_community(page: Served) -> None:
    """Every address, with every case and picture of the other community; the same answer as for none."""
    await some_cases(page)
    await some_cases(page, OTHER, seed=50)
    theirs = await page.ledger.review.next(Moderator(("discord", "9"), OTHER), Filter(), 10)
    assert len(theirs) == 4
    await page.ledger.review.release(Moderator(("discord", "9"), OTHER), [each.case_id for each in theirs])
    nowhere = 10**12
    before = await page.ledger.review.progress(Moderator(("discord", "9"), OTHER))
    async with moderating(page) as browser:
        for case in theirs:
            sha256 = case.pictures[0].sha256
            for _, path in routes(page):
                if "{case}" not in path:
                    continue
                answers = [await got(browser, filled(path, each, sha256)) for each in (case.case_id, nowhere)]
                assert answers[0] == answers[1] == (404, answers[0][1]), path
            for do in ("is:loki", "reject", "skip"):
                sent = {"revision": str(case.revision), "do": do}
                answers = []
                for each in (case.case_id, nowhere):
                    async with browser.post("/review/decide", data={"case": str(each), **sent}) as response:
                        answers.append((response.status, await response.text()))
                assert answers[0] == answers[1]
                assert answers[0][0] == 404
            answers = [await got(browser, f"/review/suggest?case={each}") for each in (case.case_id, nowhere)]
            assert answers[0] == answers[1] == (404, answers[0][1])
            ticked = f"{case.case_id}.{case.revision}.loki"
            await (await browser.post("/review/agreed", data={"case": ticked, "listed": case.case_id})).read()
            await (await browser.post("/review/release", data={"case": str(case.case_id)})).read()
        for query in ("?community=discord:2002", "?community=discord:2002&status=open", "?status=approved"):
            status, shown = await got(browser, f"/review{query}")
            assert status == 200
            assert not any(f'data-case="{each.case_id}"' in shown for each in theirs)
        await (await browser.post("/review/agreed/all?community=discord:2002")).read()
        await (await browser.post("/review/undo")).read()
    after = await page.ledger.review.progress(Moderator(("discord", "9"), OTHER))
    assert after == before
    assert await page.ledger.review.history(Moderator(("discord", "9"), OTHER)) == []


async def test_the_operator_sees_all_and_may_look_at_one(page: Served) -> None:
    await some_cases(page)
    await some_cases(page, OTHER, seed=50)
    async with operating(page) as browser:
        _, shown = await got(browser, "/review")
        assert "0 of 8 decided" in text_of(shown)
        _, shown = await got(browser, "/review/agreed?community=discord:2002")
        assert len(re.findall(r'name="listed"', shown)) == 1


async def test_a_picture_comes_as_what_it_is(page: Served) -> None:
    await some_cases(page)
    case = (await page.ledger.review.next(Moderator(MARA, GUILD)))[0]
    async with moderating(page) as browser:
        path = f"/review/case/{case.case_id}/{case.pictures[0].sha256}"
        async with browser.get(path) as response:
            assert (response.status, response.content_type) == (200, "image/webp")
            assert response.headers["Cache-Control"].startswith("private")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert (await response.read())[8:12] == b"WEBP"
        other = (await page.ledger.review.next(Moderator(MARA, GUILD), Filter(), 4))[-1]
        for wrong in ("0" * 64, other.pictures[0].sha256, "x", "..%2f..%2fperson.key", "A" * 64):
            assert (await got(browser, f"/review/case/{case.case_id}/{wrong}"))[0] == 404, wrong


async def test_a_name_of_the_public_address_is_ours(tmp_path: Path) -> None:
    """Behind a proxy on this machine the browser asks for the proxy's name."""
    async with page_served(tmp_path, web__public_url="https://who.example") as served:
        assert served.desk.moderation.console == "https://who.example"
        link = await served.desk.moderation.console_link(Moderator(MARA, GUILD))
        assert isinstance(link, str)
        assert link.startswith("https://who.example/review/login?token=")
        own = {"Host": "who.example", "Origin": "https://who.example"}
        async with aiohttp.ClientSession(served.url, headers=own) as browser:
            path = link.removeprefix("https://who.example")
            assert (await got(browser, path))[0] == 200
            data = {"token": link.rpartition("=")[2]}
            async with browser.post("/review/login", data=data, allow_redirects=False) as response:
                assert response.status == 303
                assert "Secure" in next(e for e in response.headers.getall("Set-Cookie") if COOKIE in e)
        async with somebody(served) as browser:
            assert (await got(browser, "/", headers={"Host": "evil.example"}))[0] == 403
            assert (await got(browser, "/"))[0] == 200


async def test_links_begin_with_the_page_on_loopback_and_there_are_none_elsewhere(tmp_path: Path) -> None:
    async with page_served(tmp_path / "a") as served:
        assert served.desk.moderation.console == served.url
    async with page_served(tmp_path / "b", web__host="0.0.0.0") as served:
        assert served.desk.moderation.console == ""


async def test_who_signs_in_at_once_with_one_link_is_one(page: Served) -> None:
    link = await token(page)
    async with somebody(page) as a, somebody(page) as b:
        answers = await asyncio.gather(
            *(
                each.post("/review/login", data={"token": link}, allow_redirects=False)
                for each in (a, b, a, b)
            )
        )
        assert sorted(each.status for each in answers) == [303, 410, 410, 410]

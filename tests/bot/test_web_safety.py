"""What the page refuses, and that a refusal is one sentence: forged requests, strange hosts, bad pictures."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.web.session import COOKIE, Sessions
from tests.bot.test_web import JSON, asked, form, posted, somebody, text_of
from tests.standins.drawings import drawing
from tests.standins.page import Served, page_served

HTML = {"Accept": "text/html"}
TOO_LARGE = "That file is too large: 20 MB is all I take."


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as served:
        yield served


@pytest.fixture
async def browser(page: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with somebody(page) as session:
        yield session


# -- requests that were forged -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "forged",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
    ],
)
@pytest.mark.parametrize("path", ["/ask", "/right", "/correct", "/name", "/new", "/undo"])
async def test_another_sites_page_cannot_post(
    page: Served, browser: aiohttp.ClientSession, forged: dict[str, str], path: str
) -> None:
    async with browser.post(path, data=form(drawing("red")), headers=forged) as response:
        assert response.status == 403
        assert "That request came from another page, so it was refused." in text_of(await response.text())
    assert page.eyes.looked == 0


async def test_our_own_page_and_scripts_can_post(page: Served, browser: aiohttp.ClientSession) -> None:
    own: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": page.url},
        {},
    ]
    for headers in own:
        async with browser.post("/ask", data=drawing("red"), headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]", "", "@"]
)
async def test_a_strange_name_for_this_machine_is_refused(browser: aiohttp.ClientSession, host: str) -> None:
    async with browser.get("/", headers={"Host": host}) as response:
        assert response.status == 403
        assert "That request came from another page" in text_of(await response.text())


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:80"])
async def test_the_names_of_loopback_are_fine(browser: aiohttp.ClientSession, host: str) -> None:
    async with browser.get("/", headers={"Host": host}) as response:
        assert response.status == 200


async def test_behind_a_proxy_any_name_is_fine(tmp_path: Path) -> None:
    async with page_served(tmp_path, web__host="0.0.0.0") as served, somebody(served) as browser:
        assert served.url.startswith("http://127.0.0.1:")
        async with browser.get("/", headers={"Host": "whosthat.example"}) as response:
            assert response.status == 200


# -- sessions ----------------------------------------------------------------------------------------


async def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/") as response:
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    async with browser.get("/") as response:
        assert "Set-Cookie" not in response.headers  # once is enough
    browser.cookie_jar.clear()
    async with browser.get("/", headers={"X-Forwarded-Proto": "https"}) as response:
        assert "Secure" in response.headers["Set-Cookie"]


async def test_a_cookie_that_we_did_not_make_is_nobody(page: Served, browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    good = next(each.value for each in browser.cookie_jar if each.key == COOKIE)
    person, _, signature = good.partition(".")
    forged = ["", "x", good[:-1] + ("0" if good[-1] != "0" else "1"), f"{person}.", f"{'0' * 32}.{signature}"]
    for value in forged:
        async with aiohttp.ClientSession(page.url, headers={"Cookie": f"{COOKIE}={value}"}) as liar:
            status, _ = await posted(liar, "/right", prediction=prediction)
            assert status == 403
    assert (await posted(browser, "/right", prediction=prediction))[0] == 200


def test_a_short_secret_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sessions(b"short")


async def test_the_session_outlives_a_restart(tmp_path: Path) -> None:
    async with page_served(tmp_path) as served, somebody(served) as browser:
        prediction = await asked(browser)
        cookie = next(each.value for each in browser.cookie_jar if each.key == COOKIE)
    async with (
        page_served(tmp_path) as served,
        aiohttp.ClientSession(served.url, headers={"Cookie": f"{COOKIE}={cookie}"}) as browser,
    ):
        status, said = await posted(browser, "/correct", prediction=prediction, slug="loki")
        assert (status, said["said"]) == (200, "loki")


# -- headers, addresses, methods -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/static/page.js", "/static/htmx.min.js", "/nothing", "/healthz", "/characters"]
)
async def test_every_response_is_locked_down(browser: aiohttp.ClientSession, path: str) -> None:
    async with browser.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/static/",
        "/static",
        "/static/nothing.js",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/<script>alert(1)</script>",
    ],
)
async def test_nothing_there_is_a_sentence(browser: aiohttp.ClientSession, path: str) -> None:
    async with browser.get(path) as response:
        page = await response.text()
    assert response.status in (403, 404)
    assert "alert" not in page
    assert "Traceback" not in page
    assert "def build_app" not in page
    assert page.startswith("<!doctype html>")


async def test_the_wrong_method_is_a_sentence(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/ask", headers=HTML) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert "This address does not take that kind of request." in text_of(await response.text())
    async with browser.delete("/", headers=JSON) as response:
        assert (response.status, (await response.json())["reason"]) == (405, "wrong-way")


# -- pictures that are none ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        (b"", 415, "That file is empty."),
        (b"hello", 415, "That is not a picture I can read: send a JPEG, PNG, WebP, GIF, AVIF or HEIC."),
        (drawing("red")[:900], 422, "That picture breaks off in the middle: please send it again."),
    ],
)
async def test_a_bad_picture_is_one_sentence(
    browser: aiohttp.ClientSession, sent: bytes, status: int, sentence: str
) -> None:
    async with browser.post("/ask", data=form(sent), headers=HTML) as response:
        assert response.status == status
        assert sentence in text_of(await response.text())
    async with browser.post("/ask", data=sent, headers=JSON) as response:
        assert (response.status, (await response.json())["error"]) == (status, sentence)
    await asked(browser)  # and the next one is answered


async def test_a_form_without_a_picture_or_with_two(browser: aiohttp.ClientSession) -> None:
    none = aiohttp.FormData()
    none.add_field("token", "x")
    none.add_field("picture", b"", filename="", content_type="application/octet-stream")
    two = form(drawing("red"))
    two.add_field("picture", drawing("green"), filename="b.png")
    for sent in (none, two):
        async with browser.post("/ask", data=sent, headers=JSON) as response:
            assert (response.status, (await response.json())["error"]) == (422, "Please send one picture.")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=picture"),
        ("multipart/form-data; boundary=x", b"no boundary at all"),
        ("multipart/form-data; boundary=" + "x" * 400, b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--"),
    ],
)
async def test_a_form_that_is_none_is_one_sentence(
    browser: aiohttp.ClientSession, kind: str, body: bytes
) -> None:
    async with browser.post("/ask", data=body, headers={**JSON, "Content-Type": kind}) as response:
        assert response.status in (400, 422)
        assert (await response.json())["error"].endswith(".")


async def test_40_megabytes_are_refused_before_they_have_come(page: Served) -> None:
    """Told a large length we answer at once; told none, as soon as the cap is passed."""
    host, port = page.url.removeprefix("http://").split(":")
    head = f"POST /ask HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nContent-Type: image/png\r\n"
    for length in ("Content-Length: 41943040", "Transfer-Encoding: chunked"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{head}{length}\r\n\r\n".encode())
        sent = 0
        if length.startswith("Transfer"):
            while sent <= 20 << 20:
                writer.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
                await writer.drain()
                sent += 1 << 20
        answer = await asyncio.wait_for(reader.readuntil(b"}"), 20)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert TOO_LARGE.encode() in answer
        writer.close()
        await writer.wait_closed()
    assert page.eyes.looked == 0


async def test_40_megabytes_in_a_form_are_refused(browser: aiohttp.ClientSession) -> None:
    large = aiohttp.FormData()
    large.add_field("picture", io.BytesIO(bytes(40 << 20)), filename="x.png", content_type="image/png")
    async with browser.post("/ask", data=large, headers=HTML) as response:
        assert response.status == 413
        assert TOO_LARGE in text_of(await response.text())
    await asked(browser)


async def test_the_cap_counts_what_a_compressed_body_becomes(browser: aiohttp.ClientSession) -> None:
    bomb = zlib.compress(bytes(60 << 20), 9)
    async with browser.post(
        "/ask", data=bomb, headers={**JSON, "Content-Encoding": "deflate"}, compress=None
    ) as response:
        assert response.status in (400, 413)
    await asked(browser)


async def test_a_file_name_with_html_is_never_echoed(browser: aiohttp.ClientSession) -> None:
    name = '"><script>alert(1)</script>@everyone\u202egnp.exe'
    for picture in (drawing("red"), b"none"):
        async with browser.post("/ask", data=form(picture, name=name), headers=HTML) as response:
            page = await response.text()
        assert "alert" not in page
        assert "everyone" not in page


async def test_a_hundred_pictures_a_minute_are_too_many(page: Served, browser: aiohttp.ClientSession) -> None:
    answers = []
    for number in range(25):
        async with browser.post("/ask", data=drawing("red", seed=number), headers=JSON) as response:
            answers.append((response.status, response.headers.get("Retry-After")))
    assert [status for status, _ in answers] == [200] * 20 + [429] * 5
    assert int(answers[-1][1] or 0) > 0
    async with somebody(page) as another:
        await asked(another)


async def test_new_sessions_do_not_get_around_the_limit(tmp_path: Path) -> None:
    async with page_served(tmp_path, limits__community_per_minute="3") as served:
        statuses = []
        for _ in range(5):
            async with (
                somebody(served) as fresh,
                fresh.post("/ask", data=drawing("red"), headers=JSON) as response,
            ):
                statuses.append(response.status)
        assert statuses == [200, 200, 200, 429, 429]


# -- names that are none -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "label-empty"),
        ("@everyone", "label-mention"),
        ("<img src=x onerror=alert(1)>", "label-markup"),
        ("x" * 10_000, "label-too-long"),
        ("\u202enaM norI", "label-control"),
        ("12345", "label-no-letters"),
    ],
)
@pytest.mark.parametrize("path", ["/name", "/new"])
async def test_a_bad_name_is_one_sentence_and_is_not_echoed(
    page: Served, browser: aiohttp.ClientSession, path: str, name: str, reason: str
) -> None:
    prediction = await asked(browser)
    status, said = await posted(browser, path, prediction=prediction, q=name)
    assert (status, said["reason"]) == (422, reason)
    async with browser.post(path, data={"prediction": prediction, "q": name}, headers=HTML) as response:
        whole = await response.text()
    assert str(said["error"]) in text_of(whole)
    assert "onerror" not in whole
    assert "x" * 200 not in whole
    assert "\u202e" not in whole
    assert (await page.ledger.tally(prediction)).voters == 0


async def test_a_proposed_name_is_shown_as_text(browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    async with browser.post("/new", data={"prediction": prediction, "q": "O'Brien & “Sons”"}) as response:
        page = await response.text()
    assert "<strong>O&#39;Brien &amp; “Sons”</strong>" in page


@pytest.mark.parametrize("slug", ["nope", "@everyone", "<b>", "x" * 10_000])
async def test_a_slug_that_nobody_has(page: Served, browser: aiohttp.ClientSession, slug: str) -> None:
    prediction = await asked(browser)
    status, said = await posted(browser, "/correct", prediction=prediction, slug=slug)
    assert (status, said["reason"]) == (422, "old-button")
    assert (await page.ledger.tally(prediction)).voters == 0


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/ask", {"Content-Encoding": "gzip", "Content-Type": "image/png"}, b"this is not packed"),
        ("/ask", {"Content-Type": "multipart/form-data; boundary=a"}, b"--a\r\n\x00broken\r\n\r\nx\r\n--a--"),
        ("/ask", {"Content-Type": "multipart/form-data; boundary=a"}, b"--b\r\n\r\nx\r\n--b--"),
        ("/right", {"Content-Type": "application/x-www-form-urlencoded; charset=foo"}, b"prediction=1"),
        ("/right", {"Content-Type": "application/x-www-form-urlencoded"}, b"prediction=\xff\xfe"),
        ("/right", {"Content-Type": "multipart/form-data; boundary=a"}, b"--a\r\n\r\nx"),
    ],
)
async def test_a_body_that_is_not_what_it_says_fills_no_log(
    browser: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    path: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    async with browser.post(path, data=body, headers=headers) as response:
        assert 400 <= response.status < 500
        assert "Traceback" not in await response.text()
    # What aiohttp says of the connection itself is not let through by bot.logs.
    ours = [each for each in caplog.records if each.name != "aiohttp.server"]
    assert not [record for record in ours if record.exc_info]

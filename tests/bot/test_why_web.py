"""*Why?* on the page: over real sockets, with and without scripts, and for nobody else's picture."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bot.test_web import JSON, asked, form, posted, somebody, text_of
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing
from tests.standins.explaining import TableExplainer
from tests.standins.page import Served, page_served


@pytest.fixture
def explainer() -> TableExplainer:
    return TableExplainer()


@pytest.fixture
async def page(tmp_path: Path, explainer: TableExplainer) -> AsyncIterator[Served]:
    async with page_served(tmp_path) as served:
        served.desk.explain_with(explainer)
        yield served


@pytest.fixture
async def browser(page: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with somebody(page) as session:
        yield session


async def test_the_button_leads_to_the_picture_with_its_heat(browser: aiohttp.ClientSession) -> None:
    async with browser.post("/ask", data=form(drawing("red"))) as response:
        page = await response.text()
    assert 'action="/why#result"' in page
    prediction = re.search(r'name="prediction" value="(\d+)"', page)
    assert prediction
    async with browser.post("/why", data={"prediction": prediction[1]}) as response:
        assert response.status == 200
        page = await response.text()
        assert "img-src 'self' blob: data:" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"
    said = text_of(page)
    assert "Why Iron Man ?" in said
    assert "Iron Man falls from 93% to 10%" in said
    assert "It shows where the answer comes from, not whether it is right" in said
    (picture,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert base64.b64decode(picture).startswith(b"\xff\xd8")
    assert 'action="/right#result"' in page
    assert 'action="/why#result"' not in page


async def test_a_fragment_and_json_say_the_same(browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    async with browser.post(
        "/why", data={"prediction": prediction}, headers={"HX-Request": "true"}
    ) as response:
        fragment = await response.text()
    assert fragment.lstrip().startswith("<section")
    assert fragment.count("data-announce") == 1
    status, fields = await posted(browser, "/why", prediction=prediction)
    why = fields["why"]
    assert isinstance(why, dict)
    assert (status, why["explained"], why["nearest"], why["sheet"]) == (200, "Iron Man", [], None)
    assert str(why["picture"]).startswith("data:image/jpeg;base64,")


async def test_in_chinese_too(browser: aiohttp.ClientSession) -> None:
    prediction = await asked(browser)
    headers = {"Accept-Language": "zh-CN"}
    async with browser.post("/why", data={"prediction": prediction}, headers=headers) as response:
        assert "为什么是" in await response.text()


async def test_somebody_elses_picture_is_never_shown(
    page: Served, browser: aiohttp.ClientSession, explainer: TableExplainer
) -> None:
    prediction = await asked(browser)
    async with somebody(page) as stranger:
        await asked(stranger, "green")
        assert (await posted(stranger, "/why", prediction=prediction))[0] == 403
        assert (await posted(stranger, "/why", prediction=10**9))[0] == 404
    async with somebody(page) as nobody:
        assert (await posted(nobody, "/why", prediction=prediction))[0] == 403
    assert (await posted(browser, "/why", prediction="x"))[0] == 400
    assert not explainer.asked


@pytest.mark.parametrize(
    "forged", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}]
)
async def test_another_sites_page_cannot_ask(
    browser: aiohttp.ClientSession, explainer: TableExplainer, forged: dict[str, str]
) -> None:
    prediction = await asked(browser)
    async with browser.post("/why", data={"prediction": prediction}, headers=forged) as response:
        assert response.status == 403
    assert not explainer.asked


async def test_new_sessions_cost_nothing_so_the_address_is_counted(tmp_path: Path) -> None:
    async with page_served(tmp_path, limits__community_per_minute="2") as served:
        served.desk.explain_with(TableExplainer())
        async with somebody(served) as browser:
            prediction = await asked(browser)
            assert (await posted(browser, "/why", prediction=prediction))[0] == 200
            assert (await posted(browser, "/why", prediction=prediction))[0] == 429


async def test_where_nobody_explains_there_is_no_button_and_no_route(tmp_path: Path) -> None:
    async with page_served(tmp_path) as served, somebody(served) as browser:
        async with browser.post("/ask", data=form(drawing("red"))) as response:
            assert "/why" not in await response.text()
        assert (await posted(browser, "/why", prediction=1))[0] == 404


async def test_a_real_worker_explains_over_a_real_socket(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "bundle")
    options = WorkerOptions(use=str(tmp_path / "bundle"), models_dir=tmp_path)
    async with (
        WorkerSupervisor(options) as supervisor,
        supervisor.client() as client,
        page_served(tmp_path, client) as served,
        somebody(served) as browser,
    ):
        served.desk.explain_with(client)
        async with browser.post("/ask", data=drawing("red"), headers=JSON) as response:
            prediction = (await response.json())["prediction"]
        status, fields = await posted(browser, "/why", prediction=prediction)
    assert status == 200
    why = fields["why"]
    assert isinstance(why, dict)
    assert why["explained"] == "Iron Man"
    assert 0 <= float(why["without"]) <= 1

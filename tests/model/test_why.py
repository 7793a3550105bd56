"""Why: what a character's probability hangs on, through a real worker; and who waits for whom."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.client import WorkerClient
from model.decode import DecodeLimits
from model.errors import DeadlinePassed, PictureError, WorkerBusy
from model.explaining import CELLS, Window, covered, filling, heat_of, windows, without_hottest
from model.heat import GAP, SMALL, draw_heat, draw_sheet
from model.preprocess import Preprocess
from model.reasons import SHEET
from model.worker import reasons
from model.worker.options import WorkerOptions
from tests.model.test_worker import Running, running
from tests.model.worker_contract import counters, until
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import COLOURS, drawing, encoded

SLOW = 700
"""Rounds: some 0.15 s a look on a quiet machine, so that explaining takes ten seconds."""


def spotted(size: tuple[int, int] = (420, 280)) -> bytes:
    """Grey, which is nobody, and at the lower right so much red that it is Iron Man after all."""
    image = Image.new("RGB", size, COLOURS["grey"])
    width, height = size
    box = (width * 5 // 14, height * 5 // 14, width, height)
    ImageDraw.Draw(image).rectangle(box, fill=(255, 0, 0))
    return encoded(image, "PNG")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a quick bundle and a slow one."""
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(folder / "quick")
    tiny_bundle(folder / "slow", name="slow", slow=SLOW)
    return folder


@pytest.fixture(scope="module")
def quick(bundles: Path) -> WorkerOptions:
    return WorkerOptions(use=str(bundles / "quick"), models_dir=bundles, max_bytes=4 * 2**20)


@pytest.fixture(scope="module")
def slow(bundles: Path) -> WorkerOptions:
    return WorkerOptions(use=str(bundles / "slow"), models_dir=bundles, threads=1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Somewhere with a short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="wt-") as name:
        yield Path(name)


@pytest.fixture
async def worker(quick: WorkerOptions, folder: Path) -> AsyncIterator[Running]:
    async with running(replace(quick, listen=f"unix:{folder}/w")) as started:
        yield started


@pytest.fixture
async def slow_worker(slow: WorkerOptions, folder: Path) -> AsyncIterator[Running]:
    async with running(replace(slow, listen=f"unix:{folder}/w")) as started:
        yield started


def opened(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image


# what it says


async def test_the_heat_lies_where_the_character_is(worker: Running) -> None:
    async with WorkerClient(worker.url) as client:
        reason = await client.why(spotted(), character="iron-man")
        sight = await client.look(spotted())
    heat = np.array(reason.heat)
    assert heat.shape == (CELLS, CELLS)
    assert (heat.min(), heat.max()) == (0, 1)
    inside = heat[5:, 5:]
    assert inside.mean() > 4 * (heat.sum() - inside.sum()) / (heat.size - inside.size)
    assert reason.character == "iron-man"
    of_iron_man = {each.character: each.probability for each in sight.answer.ranked}["iron-man"]
    assert reason.probability == pytest.approx(of_iron_man, abs=1e-4)
    assert reason.without < 0.5 * reason.probability
    assert (reason.bundle, reason.level, reason.method) == (sight.bundle, "exact", "occlusion")
    picture = opened(reason.picture)
    assert (picture.format, picture.size) == ("JPEG", (420, 280))
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    hottest = int(column) * 30 + 15, int(row) * 20 + 10
    bright, dark = picture.getpixel(hottest), picture.getpixel((40, 40))
    assert isinstance(bright, tuple)
    assert isinstance(dark, tuple)
    assert bright[0] > 200
    assert max(dark) < 70


@pytest.mark.parametrize("character", ["", "somebody-taught", "蜘蛛侠"])
async def test_whom_the_bundle_does_not_know_is_not_explained_but_its_own_answer_is(
    worker: Running, character: str
) -> None:
    async with WorkerClient(worker.url) as client:
        reason = await client.why(drawing("blue"), character=character)
    assert reason.character == "captain-america"


@pytest.mark.parametrize(
    ("data", "why"), [(b"", "empty"), (b"a text\n" * 99, "not-a-picture"), (spotted()[:200], "truncated")]
)
async def test_what_is_no_picture_is_refused_as_ever(worker: Running, data: bytes, why: str) -> None:
    async with WorkerClient(worker.url) as client:
        with pytest.raises(PictureError) as refused:
            await client.why(data)
        assert refused.value.reason == why
        assert (await client.why(spotted())).heat


async def test_a_body_over_the_cap_is_refused(worker: Running) -> None:
    async with WorkerClient(worker.url) as client:
        with pytest.raises(PictureError) as refused:
            await client.why(bytes(5 * 2**20))
    assert refused.value.reason == "too-many-bytes"


# who waits for whom


async def test_one_at_a_time_and_the_second_is_told_so_at_once(slow_worker: Running) -> None:
    async with WorkerClient(slow_worker.url, deadline=60) as client:
        first = asyncio.create_task(client.why(spotted()))

        async def under_way() -> bool:
            return (await counters(client)).get("batches", 0) > 0

        await until(under_way)
        with pytest.raises(WorkerBusy) as refused:
            await client.why(spotted())
        assert refused.value.retry_after > 0
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        async def free() -> bool:  # whoever goes away makes room
            try:
                await client.why(drawing("red"), deadline=0.2)
            except DeadlinePassed:
                return True
            except WorkerBusy:
                return False
            return True

        await until(free)


async def test_an_answer_waits_for_one_look_at_most(slow_worker: Running) -> None:
    async with WorkerClient(slow_worker.url, deadline=60) as client:
        why = asyncio.create_task(client.why(spotted()))

        async def under_way() -> bool:
            return (await counters(client)).get("batches", 0) > 2

        await until(under_way)
        before = (await counters(client))["batches"]
        await client.look(drawing("green"))
        after = (await counters(client))["batches"]
        assert after - before <= 4  # its own, the one under way, and one between two questions of ours
        assert not why.done()
        why.cancel()
        await asyncio.gather(why, return_exceptions=True)


async def test_there_is_a_deadline(slow_worker: Running) -> None:
    async with WorkerClient(slow_worker.url) as client:
        with pytest.raises(DeadlinePassed):
            await client.why(spotted(), deadline=0.5)


# pictures side by side


async def test_a_sheet_shows_pictures_side_by_side(worker: Running) -> None:
    pictures = [drawing("red", size=(400, 100)), drawing("green", size=(90, 300)), drawing("blue")]
    async with WorkerClient(worker.url) as client:
        sheet = opened(await client.sheet(pictures))
        assert sheet.size == (3 * SMALL + 2 * GAP, SMALL)
        middle = [sheet.getpixel((place * (SMALL + GAP) + SMALL // 2, SMALL // 2)) for place in range(3)]
        for found, colour in zip(middle, ("red", "green", "blue"), strict=True):
            assert isinstance(found, tuple)
            assert int(np.argmax(found)) == int(np.argmax(COLOURS[colour]))
        with pytest.raises(PictureError):
            await client.sheet([drawing("red"), b"no picture"])


@pytest.mark.parametrize("sizes", ["", "x", "1,2", "-5,10", "0,5", ",".join("1" * (SHEET + 1)), "5" * 900])
async def test_sizes_that_do_not_fit_are_refused(worker: Running, sizes: str) -> None:
    connector = aiohttp.UnixConnector(worker.url.removeprefix("unix:"))
    async with aiohttp.ClientSession("http://worker", connector=connector) as http:
        headers = {reasons.SIZES: sizes}
        async with http.post("/v1/sheet", data=b"12345", headers=headers) as reply:
            assert reply.status == 422
            assert (await reply.json())["reason"] == "damaged"


# the sums


def test_squares_reach_every_cell_about_as_often() -> None:
    times = np.zeros((CELLS, CELLS))
    for top, bottom, left, right in windows():
        times[top:bottom, left:right] += 1
    assert times.min() == times.max() == 4
    assert len(windows()) == 64


def test_a_covered_place_is_what_the_model_takes_for_nothing() -> None:
    how = Preprocess(height=28, width=28)
    pixels = np.full((28, 28, 3), 255, np.uint8)
    (copy,) = covered(pixels, [Window(0, 2, 4, 6)], how)
    assert np.abs(how.normalise(copy[None])[0, :, 0, 8]).max() < 0.02
    assert (copy == 255).all(axis=2).sum() == 28 * 28 - 16
    assert pixels.min() == 255
    assert filling(Preprocess(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))).tolist() == [128, 128, 128]


def test_where_covering_helps_or_changes_nothing_it_is_cold() -> None:
    places = windows()
    assert not heat_of(places, 0.5, [0.5] * len(places)).any()
    assert not heat_of(places, 0.5, [0.9] * len(places)).any()
    hot = heat_of(places, 0.9, [0.0 if place.top == 0 else 0.9 for place in places])
    assert hot[0].min() == 1
    assert hot[6:].max() == 0


def test_the_hottest_part_is_covered_in_the_end() -> None:
    heat = np.zeros((CELLS, CELLS), np.float32)
    heat[:2] = 1
    pixels = np.full((28, 28, 3), 255, np.uint8)
    bare = without_hottest(pixels, heat, Preprocess(height=28, width=28))
    assert bare[:4].max() < 200
    assert (bare[6:] == 255).all()


def test_the_part_that_a_crop_leaves_out_is_dark() -> None:
    how = Preprocess(height=32, width=32, how="crop", shortest=32)
    picture = encoded(Image.new("RGB", (600, 200), "white"), "PNG")
    drawn = draw_heat(picture, DecodeLimits(), how, np.ones((CELLS, CELLS), np.float32))
    assert isinstance(drawn, bytes)
    image = opened(drawn).convert("L")
    assert [image.getpixel((x, 100)) for x in (100, 300, 500)] == pytest.approx([89, 255, 89], abs=4)


def test_without_any_heat_the_picture_stays_as_it_is() -> None:
    picture = encoded(Image.new("RGB", (60, 60), "white"), "PNG")
    drawn = draw_heat(picture, DecodeLimits(), Preprocess(), np.zeros((CELLS, CELLS), np.float32))
    assert isinstance(drawn, bytes)
    assert np.asarray(opened(drawn).convert("L")).min() > 250


def test_a_picture_that_does_not_decode_is_an_error_that_travels() -> None:
    assert isinstance(draw_sheet([b"no picture"], DecodeLimits()), PictureError)
    nothing = draw_heat(b"", DecodeLimits(), Preprocess(), np.ones((2, 2), np.float32))
    assert isinstance(nothing, PictureError)

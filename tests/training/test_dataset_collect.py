"""Collecting pictures from an image search on loopback: what is kept, what is turned down, and going on."""

from __future__ import annotations

import asyncio
import io
import json
import resource
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from model.decoders import DecoderOptions
from tests.standins.drawings import drawing, encoded, picture
from tests.standins.search import StandinSearch
from training.cli_dataset import app
from training.dataset.collecting import CollectOptions, Haul, collect, folders_of
from training.dataset.searching import image_search
from training.dataset.sources import SOURCES, Sources
from training.errors import CollectError
from training.pictures import read_dataset

DECODING = DecoderOptions(children=1)
HERE = {"127.0.0.1", "::1"}


def options(**changes: Any) -> CollectOptions:
    return CollectOptions(**{"pause": 0.0, "allowed": HERE.__contains__, "decoding": DECODING, **changes})


def stocked(count: int = 12) -> StandinSearch:
    """A search that finds ``count`` different pictures of each of two characters."""
    standin = StandinSearch()
    for name, colour in (("Spider-Man", "red"), ("Loki", "green")):
        paths = [f"/{colour}/{seed}.jpg" for seed in range(count)]
        standin.results[name] = paths
        for seed, path in enumerate(paths):
            standin.files[path] = drawing(colour, seed=seed + (100 if colour == "green" else 0), kind="JPEG")
    return standin


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / SOURCES).read_text().splitlines()]


async def run(standin: StandinSearch, names: list[str], out: Path, **changes: Any) -> list[Haul]:
    return await collect(names, out, image_search(place=standin.page), options(**changes))


async def test_pictures_are_collected_with_their_sources(tmp_path: Path) -> None:
    async with stocked().running() as standin:
        hauls = await run(standin, ["Spider-Man", "Loki"], tmp_path, limit=8)
        assert [(h.slug, h.there, h.new) for h in hauls] == [("spider-man", 8, 8), ("loki", 8, 8)]
        assert all("whosthat" in agent for _, _, agent in standin.asked)
        pictures = read_dataset(tmp_path)
        assert {p.name for p in pictures} == {"Spider-Man", "Loki"}
        rows = {row["file"]: row for row in lines(tmp_path / "loki") if "file" in row}
        for each in (tmp_path / "loki").glob("*.webp"):
            assert rows[each.name]["address"].startswith(f"{standin.url}/green/")
            assert rows[each.name]["page"].startswith(f"{standin.url}/page/")
            with Image.open(each) as image:
                assert image.format == "WEBP" and image.size == (320, 240)
        # nobody asks for more than is wanted
        assert len(standin.paths("/green")) <= 10


async def test_run_again_it_goes_on_and_asks_for_nothing_twice(tmp_path: Path) -> None:
    async with stocked().running() as standin:
        await run(standin, ["Loki"], tmp_path, limit=4)
        kept = {row["address"].removeprefix(standin.url) for row in lines(tmp_path / "loki") if "file" in row}
        standin.asked.clear()
        (haul,) = await run(standin, ["Loki"], tmp_path, limit=10)
        assert (haul.there, haul.new) == (10, 6)
        asked = standin.paths("/green")
        assert len(asked) == len(set(asked))
        assert len(kept) == 4 and not kept & set(asked)
        standin.asked.clear()
        (haul,) = await run(standin, ["Loki"], tmp_path, limit=10)
        assert (haul.new, standin.asked) == (0, [])


async def test_what_was_deleted_stays_deleted(tmp_path: Path) -> None:
    standin = stocked(5)
    copy = picture("green", seed=100).resize((400, 300))
    async with standin.running():
        await run(standin, ["Loki"], tmp_path)
        row = next(row for row in lines(tmp_path / "loki") if row.get("address", "").endswith("/green/0.jpg"))
        (tmp_path / "loki" / row["file"]).unlink()
        standin.results["Loki"].append("/green/copy.png")
        standin.files["/green/copy.png"] = encoded(copy, "PNG")
        (haul,) = await run(standin, ["Loki"], tmp_path)
        assert (haul.there, haul.new, dict(haul.dropped)) == (4, 0, {"near-copy": 1})


async def test_what_is_no_use_is_turned_down_by_its_reason(tmp_path: Path) -> None:
    standin = stocked(2)
    near = encoded(picture("red", seed=1).resize((500, 380)), "JPEG", quality=50)
    standin.files |= {
        "/x/copy.jpg": near,
        "/x/page.jpg": b"<html>not found</html>",
        "/x/broken.jpg": drawing("blue", kind="JPEG")[:2000],
        "/x/icon.png": drawing("blue", size=(32, 32)),
        "/x/flat.png": encoded(Image.new("RGB", (300, 300), "white"), "PNG"),
        "/x/large.jpg": b"\xff\xd8" + bytes(DECODING.limits.bytes),
    }
    standin.moved = {"/x/away.jpg": "http://169.254.169.254/latest/meta-data", "/x/moved.jpg": "/red/1.jpg"}
    bad = [*(path for path in standin.files if path.startswith("/x")), "/x/gone.jpg", "/x/away.jpg"]
    elsewhere = ["http://10.0.0.1/a.jpg", "http://[::ffff:10.0.0.1]/a.jpg", "file:///etc/passwd", "x"]
    standin.results["Hulk"] = ["/red/0.jpg", "/red/1.jpg", *bad, "/x/moved.jpg", *elsewhere]
    async with standin.running():
        (haul,) = await run(standin, ["Hulk"], tmp_path)
    assert haul.there == 2
    assert dict(haul.dropped) == {
        "near-copy": 2,
        "not-a-picture": 1,
        "truncated": 1,
        "too-small": 1,
        "empty-picture": 1,
        "too-many-bytes": 1,
        "gone": 1,
        "not-public": 3,
        "no-address": 2,
    }
    assert not list((tmp_path / "hulk").glob(".*"))


async def test_loopback_is_not_looked_at_unless_allowed(tmp_path: Path) -> None:
    standin = stocked(2)
    async with standin.running():
        standin.results["Loki"].append(standin.url.replace("127.0.0.1", "localhost") + "/green/0.jpg")
        search = image_search(place=standin.page)
        (haul,) = await collect(["Loki"], tmp_path, search, CollectOptions(pause=0, decoding=DECODING))
        assert dict(haul.dropped) == {"not-public": 3}
        assert not standin.paths("/green") and not standin.paths("/robots.txt")


async def test_robots_are_heeded_and_a_host_gets_its_pause(tmp_path: Path) -> None:
    standin = stocked(4)
    standin.robots = "User-agent: *\nDisallow: /red/\n\nUser-agent: whosthat\nDisallow: /green/2"
    async with standin.running():
        (haul,) = await run(standin, ["Loki"], tmp_path, pause=0.1)
        assert (haul.there, dict(haul.dropped)) == (3, {"robots": 1})
        assert len(standin.paths("/robots.txt")) == 1
        times = [at for path, at, _ in standin.asked if path != "/images/async"]
        assert min(b - a for a, b in pairwise(times)) >= 0.09


async def test_trouble_may_pass_so_it_is_tried_again_next_time(tmp_path: Path) -> None:
    standin = stocked(3)
    content = standin.files.pop("/green/0.jpg")
    async with standin.running():
        standin.results["Loki"][0] = "http://127.0.0.1:9/green/0.jpg"  # nobody listens there
        (haul,) = await run(standin, ["Loki"], tmp_path)
        assert dict(haul.dropped) == {"trouble": 1}
        assert not any("dropped" in row for row in lines(tmp_path / "loki"))
    assert content


async def test_a_search_that_refuses_is_one_sentence_and_what_there_is_stays(tmp_path: Path) -> None:
    standin = stocked(3)
    async with standin.running():
        await run(standin, ["Loki"], tmp_path)
        standin.out_of_order = True
        with pytest.raises(CollectError, match="refused to answer: wait a while and run it again") as caught:
            await run(standin, ["Spider-Man"], tmp_path)
        assert "\n" not in str(caught.value)
    assert len(read_dataset(tmp_path)) == 3


async def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The kernel refuses what is longer than the limit, in the place of a disk that is full."""
    sources = Sources(tmp_path / "loki", "Loki")
    sources.keep(b"a" * 100, "0" * 64, {"address": "http://a/1"})
    before = (tmp_path / "loki" / SOURCES).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for most in (50, len(before) + 20):  # the picture does not fit; it does, but its line does not
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
            with pytest.raises(CollectError, match="cannot be written"):
                sources.keep(b"b" * 100, "0" * 64, {"address": "http://a/2"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert (tmp_path / "loki" / SOURCES).read_bytes() == before
    assert len(list((tmp_path / "loki").iterdir())) == 2
    assert "http://a/2" not in sources.known


def test_a_disk_with_too_little_room_is_one_sentence(tmp_path: Path) -> None:
    async def main() -> None:
        async with stocked(3).running() as standin:
            await run(standin, ["Loki"], tmp_path, leave_free=2**62)

    with pytest.raises(CollectError, match="make room and run it again"):
        asyncio.run(main())


def test_a_killed_run_is_mended_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "loki"
    sources = Sources(folder, "Loki")
    name = sources.keep(b"whole", "0" * 64, {"address": "http://a/1"})
    (folder / name).rename(folder / f".{name}.draft")  # killed after the line, before the name
    (folder / ".other.webp.draft").write_bytes(b"half")  # killed before the line
    with (folder / SOURCES).open("a") as file:
        file.write('{"address": "http://a/2", "dro')  # killed within a line
    again = Sources(folder, "Loki")
    assert (folder / name).read_bytes() == b"whole"
    assert again.known == {"http://a/1"}
    assert sorted(path.name for path in folder.iterdir()) == sorted([name, SOURCES])


def test_two_runs_do_not_meet_in_one_folder(tmp_path: Path) -> None:
    holder = (
        "import sys, filelock; a = filelock.FileLock(sys.argv[1]); a.acquire(); print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path / ".collect.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        with pytest.raises(CollectError, match="another run is collecting"):
            asyncio.run(collect(["Loki"], tmp_path, lambda words, page: [], options()))
        other.communicate(b"\n", timeout=30)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "nobody to search for"),
        ([".."], r"'\.\.' makes no folder"),
        (["x" * 65], "makes no folder"),
        (["Nobody"], "is no character"),
        (["Train"], "is no character"),
        (["Iron Man", "iron-man"], "would be one folder, iron-man"),
    ],
)
def test_names_that_make_no_folder(names: list[str], says: str) -> None:
    with pytest.raises(CollectError, match=says):
        folders_of(names)


async def test_the_command(tmp_path: Path) -> None:
    standin = stocked(2)
    standin.results["Loki Marvel"] = ["/green/0.jpg"]
    async with standin.running():
        arguments = ["collect", "Loki", f"--out={tmp_path}", f"--search-page={standin.page}", "--pause=0"]
        ran = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--query={} Marvel"])
        assert ran.exit_code == 0, ran.output
        assert "Loki: 0 pictures, 0 of them new; turned down: 1 not-public" in ran.output
        assert standin.paths("/images/async")
        wrong = await asyncio.to_thread(CliRunner().invoke, app, ["collect", "..", f"--out={tmp_path}"])
        assert wrong.exit_code == 1
        assert "makes no folder" in wrong.output


def test_metadata_is_gone(tmp_path: Path) -> None:
    """Where a photograph was taken is nobody's business."""
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    buffer = io.BytesIO()
    picture("red").save(buffer, "JPEG", exif=exif)
    standin = StandinSearch({"Loki": ["/a.jpg"]}, {"/a.jpg": buffer.getvalue()})

    async def main() -> None:
        async with standin.running():
            await run(standin, ["Loki"], tmp_path)

    asyncio.run(main())
    (path,) = (tmp_path / "loki").glob("*.webp")
    assert b"taken at home" in buffer.getvalue()
    assert b"taken at home" not in path.read_bytes()

"""The capacity sheet is what its script makes of its figures, and the script computes what it says."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def capacity() -> ModuleType:
    spec = importlib.util.spec_from_file_location("capacity", DOCS / "capacity.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["capacity"] = module
    spec.loader.exec_module(module)
    return module


def changed(capacity: Any, **more: float) -> dict[str, dict[str, float]]:
    """The figures with others in place of some: ``small_cores=4`` is *small.cores*."""
    given: dict[str, dict[str, float]] = capacity.read()
    for key, value in more.items():
        section, _, name = key.partition("_")
        assert name in given[section]
        given[section][name] = value
    return given


def test_the_sheet_is_what_the_script_makes(capacity: Any) -> None:
    """If it fails because a figure was changed on purpose: ``python docs/capacity.py`` makes it anew."""
    assert capacity.page() == (DOCS / "capacity.md").read_text(encoding="utf-8")
    drawn = (DOCS / "pictures" / "capacity.svg").read_text(encoding="utf-8")
    assert capacity.drawing() == drawn
    assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_looking_costs_what_it_should(capacity: Any) -> None:
    given = changed(capacity, small_cores=2, small_worker_ms=200, small_decode_ms=100, assumed_repeated=0.5)
    given["prices"]["small_box"] = 0.036
    box, one, ten = capacity.fleets(given)
    assert box.pictures == pytest.approx(2000 / (100 + 0.5 * 100))
    # a thousandth of a cent a second
    assert box.million(0.5) == pytest.approx(0.00001 / (box.pictures * 0.5) * 1e6)
    assert ten.pictures == pytest.approx(10 * one.pictures)
    assert ten.million(0.5) == pytest.approx(one.million(0.5))


def test_a_gpu_is_held_back_by_what_comes_first(capacity: Any) -> None:
    slow = changed(capacity, gpu_measured=10, gpu_cores=16, small_decode_ms=20, assumed_repeated=0.2)
    _, one, _ = capacity.fleets(slow)
    assert (one.pictures, one.held_by) == (pytest.approx(12.5), "the GPU")
    assert "as measured" in capacity.page(slow)
    fast = changed(capacity, gpu_measured=10_000, gpu_cores=16, small_decode_ms=20)
    _, one, _ = capacity.fleets(fast)
    assert (one.pictures, one.held_by) == (pytest.approx(800), "decoding")
    assert "assumed, not measured" in capacity.page(changed(capacity, gpu_measured=0))


def test_limits_count_what_each_part_counts(capacity: Any) -> None:
    given = changed(
        capacity, ledger_sqlite_answer_ms=6, ledger_sqlite_vote_ms=18, ledger_commit_ms=2,
        assumed_votes_a_picture=0.5, discord_requests_a_second=60, small_bot_ms=10,
    )  # fmt: skip
    found = {part.name: part.pictures for part in capacity.parts(given)}
    assert found["SQLite"] == pytest.approx(1000 / (6 + 2 * 2 + 0.5 * (18 + 2)))
    assert found["one Discord bot"] == pytest.approx(60 / 1.5)
    assert found["one process of the bot"] == pytest.approx(100)


def test_servers_and_what_they_want_are_one_another_s_inverse(capacity: Any) -> None:
    given = changed(capacity, assumed_pictures_a_server_a_day=8.64, assumed_peak=2, assumed_busy=0.5)
    assert capacity.needed(given, 1000) == pytest.approx(0.2)
    assert capacity.carried(given, 0.4) == pytest.approx(1000)
    million = capacity.row(given, 1_000_000, capacity.parts(given))
    assert million[0] == "1,000,000"
    assert million[5] == "400"
    assert "one Discord bot" in million[-1]
    assert capacity.row(given, 1, capacity.parts(given))[-1] == "nothing"


@pytest.mark.parametrize(
    ("number", "written"), [(0.000234, "0.00023"), (0.5, "0.5"), (14.2, "14"), (1234, "1,200"), (9.96, "10")]
)
def test_numbers_have_two_digits(capacity: Any, number: float, written: str) -> None:
    assert capacity.count(number) == written


def test_other_figures_are_printed_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("capacity.py", "capacity.toml"):
        shutil.copy(DOCS / name, tmp_path)

    def said(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, tmp_path / "capacity.py", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    result = said("--set", "assumed.pictures_a_server_a_day=20", "--set", "gpu.measured=90")
    assert result.returncode == 0, result.stderr
    assert "posts 20 pictures a day" in result.stdout
    assert not (tmp_path / "capacity.md").exists()
    for wrong in ("assumed.pictures=1", "assumed.peak=many", "assumed.peak=0", "assumed.peak=nan", "peak"):
        result = said("--set", wrong)
        assert result.returncode == 2, wrong
        assert "Traceback" not in result.stderr


def test_what_was_measured_is_taken_over_and_nothing_else_changes(capacity: Any) -> None:
    toml = (DOCS / "capacity.toml").read_text(encoding="utf-8")
    rows = [
        {"name": "CPU to decode, keep and prepare a picture of 1920 x 1080", "median": 7.04},
        {"name": "CPU of a vote in PostgreSQL", "median": 12.0},
        {"name": "pictures a second", "median": 99.0},
    ]
    changed_toml = capacity.taken_over(toml, rows)
    before, after = tomllib.loads(toml), tomllib.loads(changed_toml)
    assert after["small"].pop("decode_ms") == 7.0
    assert after["ledger"].pop("postgres_vote_ms") == 12.0
    del before["small"]["decode_ms"], before["ledger"]["postgres_vote_ms"]
    assert after == before
    assert len(changed_toml.splitlines()) == len(toml.splitlines())
    with pytest.raises(ValueError, match="none of these rows"):
        capacity.taken_over(toml, rows[2:])


def test_the_bench_has_the_rows_that_are_taken_over(capacity: Any) -> None:
    """Their names are written in both places; those of the ledgers are made of the database's."""
    bench = (ROOT / "tests" / "bench" / "capacity.py").read_text(encoding="utf-8")
    for name, key in capacity.MEASURED.items():
        for database in ("SQLite", "PostgreSQL"):
            name = name.replace(f" in {database}", " in {name}")
        assert f'"{name}"' in bench, name
        section, _, figure = key.partition(".")
        assert figure in capacity.read()[section]

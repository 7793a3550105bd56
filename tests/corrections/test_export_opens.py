"""`datasets` opens what we export, as it is and offline; a spreadsheet's reader does the same with CSV."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corrections.export.rows import COLUMNS, unguarded
from corrections.export.types import FORMATS, SPLITS, ExportQuery, Policy
from corrections.ledger import Ledger
from tests.corrections.exporting import ALL, OPEN, OPERATOR, Stage, manifest, rows
from tests.corrections.support import ANNA, GUILD, moment


def opened(tmp_path: Path, *pairs: str) -> list[dict[str, Any]]:
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_DATASETS_CACHE": str(tmp_path / "hf" / "datasets"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.corrections.open_export", *pairs],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def stage(ledger: Ledger) -> Stage:
    return Stage(ledger)


async def test_datasets_opens_every_format(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    strange = await ledger.propose("Crash Test Dummy", ANNA, GUILD, moment())
    labels = (("loki",), ("thor",), (), ("loki", "thor"), (strange.slug,))
    for n in range(40):
        await stage.put(n, *labels[n % 5], minutes=n)
    for form in FORMATS:
        await ledger.exports.export(tmp_path / form, ALL, OPEN, form, OPERATOR)
    folder, table, parquet, alone = opened(
        tmp_path,
        *("imagefolder", str(tmp_path / "imagefolder")),
        *("imagefolder", str(tmp_path / "csv")),
        *("parquet", str(tmp_path / "parquet")),
        *(".", str(tmp_path / "imagefolder")),
    )
    counts = manifest(tmp_path / "imagefolder")["counts"]["by_split"]
    assert all(counts.values()), "this many pictures fill every split"
    written = rows(tmp_path / "imagefolder")
    for found in (folder, table, parquet, alone):
        assert {split: len(each["rows"]) for split, each in found.items()} == counts
        assert set(found) == set(SPLITS)
        for split, each in found.items():
            assert {row["label"] for row in each["rows"]} <= {
                "loki",
                "thor",
                "nobody",
                "several",
                strange.slug,
            }
            for row in each["rows"]:
                assert row["image"] == [8, 8]
                assert row["label"] == written[row["sha256"]]["label"]
                assert row["split"] == split
    for split in SPLITS:
        assert folder[split]["features"] == alone[split]["features"]
        assert set(folder[split]["features"]) == {"image", *COLUMNS} - {"file_name"}
        assert set(parquet[split]["features"]) == {"image", *COLUMNS}
        assert parquet[split]["features"]["image"].startswith("Image(")
        assert [row["labels"] for row in folder[split]["rows"]] == [
            row["labels"] for row in parquet[split]["rows"]
        ]


async def test_one_class_and_empty_splits_open_too(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    for n in range(3):
        await stage.put(n, "loki")
    everything_trains = Policy(allow_discord=True, validation=0.0, test=0.0)
    for form in FORMATS:
        await ledger.exports.export(tmp_path / form, ALL, everything_trains, form, OPERATOR)
    await stage.put("nobody")
    only = ExportQuery(character="nobody")
    await ledger.exports.export(tmp_path / "nobody", only, everything_trains, "imagefolder", OPERATOR)
    for found in opened(
        tmp_path,
        *("imagefolder", str(tmp_path / "imagefolder")),
        *("imagefolder", str(tmp_path / "csv")),
        *("parquet", str(tmp_path / "parquet")),
        *(".", str(tmp_path / "parquet")),
        *("imagefolder", str(tmp_path / "nobody")),
    ):
        assert set(found) == {"train"}
        assert {row["label"] for row in found["train"]["rows"]} <= {"loki", "nobody"}


async def test_a_table_says_what_the_lines_say(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    for n in range(12):
        await stage.put(n, *(("loki",), ("loki", "thor"), ())[n % 3], minutes=n)
    await ledger.exports.export(tmp_path / "lines", ALL, OPEN, "imagefolder", OPERATOR)
    await ledger.exports.export(tmp_path / "table", ALL, OPEN, "csv", OPERATOR)
    read: dict[str, dict[str, str]] = {}
    for file in (tmp_path / "table").glob("*/metadata.csv"):
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                read[row["sha256"]] = {name: unguarded(cell) for name, cell in row.items()}
    for sha256, row in rows(tmp_path / "lines").items():
        wanted = {**row, "labels": "|".join(row["labels"])}
        assert read.pop(sha256) == {name: str(value) for name, value in wanted.items()}
    assert not read

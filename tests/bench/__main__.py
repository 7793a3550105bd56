"""``make bench``: one table, every figure beside a named peer in the same run.

Runs take turns with the peer's, medians are shown with their spread, and all measurements are written as
JSON beside the table. ``--only answering`` measures one part; ``--install`` also a newcomer's first start in
a fresh clone, downloads included.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from tests.bench.rows import ROOT, Bench, Row, table

PARTS = (
    "starting",
    "answering",
    "levels",
    "decoding",
    "repeating",
    "deciding",
    "capacity",
    "waiting",
    "overload",
    "holding",
    "cluster",
    "gpu",
)
"""Modules of this package, each with ``rows(bench: Bench) -> list[Row]``."""


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--install", action="store_true", help="measure a newcomer's first start as well")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="measure these parts")
    parser.add_argument("--runs", type=int, default=5, help="starts of each kind")
    parser.add_argument("--pictures", type=int, default=40, help="pictures that both answer")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    arguments = parser.parse_args()
    screen = Console()
    rows: list[Row] = []
    parts = [("starting", "installing")] if arguments.install else []
    parts += [(name, "rows") for name in PARTS if name in arguments.only]
    for name, measure in parts:
        folder = Path(tempfile.mkdtemp(prefix="whosthat-bench-"))
        try:
            part = importlib.import_module(f"tests.bench.{name}")
            rows += getattr(part, measure)(Bench(folder, screen, arguments.runs, arguments.pictures))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps([row.to_json() for row in rows], indent=1))
    screen.print(table(rows))


if __name__ == "__main__":
    main()

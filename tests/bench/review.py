"""``make bench-review``: how many labels of an export are wrong, beside majority vote and Dawid–Skene.

Over 20 seeds: 1,000 cases, 5 votes a case, 11 characters, the crowd of `tests.bench.crowd`. The review runs
in memory by the ledger's own functions; for one seed of each crowd it runs through a real ledger as well,
which has to export the very same. Nothing was tuned on these seeds.
Then: what a decision costs with 10,000 open cases.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from corrections.review.agreement import ReviewRules
from tests.bench.crowd import FIRST, peers_of_the_rule, review, world
from tests.bench.crowd_ledger import shown_times, speed, through_ledger

ROOT = Path(__file__).parents[2]
LEAST_EXPORTED, MOST_WRONG = 0.8, 0.01
BOUND_MS = 50.0


def main() -> None:
    """Measure, print two tables, write JSON; the exit status says whether the bounds hold."""
    parser = argparse.ArgumentParser(prog="make bench-review ARGS=…", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many crowds of each size")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them")
    parser.add_argument("--people", type=int, nargs="+", default=[60, 200], help="sizes of the crowd")
    parser.add_argument("--ledgers", type=int, default=1, help="seeds that run through a real ledger too")
    parser.add_argument("--open", type=int, default=10_000, help="open cases while decisions are timed")
    parser.add_argument("--decisions", type=int, default=200, help="decisions that are timed; 0: none")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-review.json")
    arguments = parser.parse_args()
    console = Console()
    results = [row for people in arguments.people for row in _crowds(arguments, people, console)]
    console.print(_table(results, arguments))
    times: dict[str, list[float]] = {}
    if arguments.decisions:
        with tempfile.TemporaryDirectory(prefix="whosthat-bench-") as folder:
            times = asyncio.run(speed(Path(folder), arguments.open, arguments.decisions))
        table = Table(f"with {arguments.open:,} open cases", "takes", "bound")
        for name, values in times.items():
            bound = f"< {BOUND_MS:.0f} ms" if name == "decide and next" else ""
            table.add_row(name, shown_times(values), bound)
        console.print(table)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"crowds": results, "milliseconds": times}, indent=1))
    ours = [row for row in results if row["method"] == "whosthat"]
    held = all(min(row["exported"]) >= LEAST_EXPORTED and max(row["wrong"]) <= MOST_WRONG for row in ours)
    quick = not times or statistics.median(times["decide and next"]) < BOUND_MS
    raise SystemExit(0 if held and quick else 1)


def _crowds(arguments: argparse.Namespace, people: int, console: Console) -> list[dict[str, Any]]:
    """By method what share of the cases it exports, and how many of these are wrong, a figure a seed."""
    rules = ReviewRules()
    figures: dict[str, dict[str, list[float]]] = {}
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    for seed in track(seeds, f"{people} people", console=console, transient=True):
        given = world(seed, people)
        outcome = review(given, rules)
        if seed < arguments.first_seed + arguments.ledgers:
            with tempfile.TemporaryDirectory(prefix="whosthat-bench-") as folder:
                real = asyncio.run(through_ledger(given, Path(folder), rules))
            if (list(real.decided.items()), real.agreed) != (list(outcome.decided.items()), outcome.agreed):
                raise SystemExit(f"seed {seed}: the ledger exported something else than the rule in memory")
        ours = figures.setdefault("whosthat", {"exported": [], "wrong": []})
        ours["exported"].append(outcome.exported(given))
        ours["wrong"].append(outcome.wrong(given))
        for name, labels in peers_of_the_rule(given, outcome.decided).items():
            peer = figures.setdefault(name, {"exported": [], "wrong": []})
            wrong = sum(label != given.truth[case] for case, label in labels.items())
            peer["exported"].append(len(labels) / len(given.truth))
            peer["wrong"].append(wrong / len(labels))
    return [{"people": people, "method": name, **found} for name, found in figures.items()]


def _table(results: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> Table:
    title = f"{arguments.seeds} seeds, 1,000 cases, 5 votes each; the moderator decides {FIRST:.0%} of them"
    table = Table("people", "method", "cases exported", "of these wrong", "seeds within bounds", title=title)
    for row in results:
        within = sum(
            exported >= LEAST_EXPORTED and wrong <= MOST_WRONG
            for exported, wrong in zip(row["exported"], row["wrong"], strict=True)
        )
        table.add_row(
            str(row["people"]),
            row["method"],
            _percent(row["exported"], 1),
            _percent(row["wrong"], 2),
            f"{within} of {len(row['wrong'])}",
        )
    return table


def _percent(values: Sequence[float], digits: int) -> str:
    low, middle, high = (
        f"{100 * each:.{digits}f}" for each in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} % ({low}-{high})"


if __name__ == "__main__":
    main()

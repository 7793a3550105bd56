"""``make bench-life``: does the bot get better by being corrected?

The bot's life, simulated: a first model knows nothing of the noisy source of the project's pictures; these
are posted one after another, the bot answers, people who are right in 85 % say who it is, a moderator
reviews, and every 200 corrections the bot retrains and the gate rules. How often it is then right on
untouched pictures, beside never retraining and beside perfect labels. See docs/training.md, section
*Learning from corrections*, for what is real in it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from corrections.review.agreement import ReviewRules
from tests.bench.life_days import DECIDED, EVERY, Point, Rules, begin, live, reasons_of
from tests.bench.life_drawing import Curve, draw
from tests.bench.life_pictures import World, world_of
from training.head import default_cache
from training.recipes.head import Recipe

ROOT = Path(__file__).parents[2]
PEOPLE, PERFECT, NEVER = "corrected by people", "perfect labels", "never retrained"
PANELS = {
    "noisy": "pictures like those posted",
    "others": "pictures of the other sources",
}
Lives = dict[str, list[list[Point]]]
"""By name of a life its points, a list for each seed."""


def main() -> None:
    """Simulate, draw, print a table, write JSON; the exit status says whether corrections helped."""
    parser = argparse.ArgumentParser(prog="make bench-life ARGS=…", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--part", default="validation", choices=("validation", "test"), help="measured on")
    parser.add_argument("--every", type=int, default=EVERY, help="corrections between two retrainings")
    parser.add_argument("--decided", type=int, default=DECIDED, help="of these the moderator decides so many")
    parser.add_argument("--quorum", type=int, default=ReviewRules().quorum)
    parser.add_argument("--keep", type=float, default=Recipe().keep, help="see the recipe *head*")
    parser.add_argument("--components", type=int, default=512, help="of the features; 0: all, unchanged")
    parser.add_argument(
        "--judges",
        default="all",
        choices=("all", "own"),
        help="sources of the evaluation set: all, or not the noisy one",
    )
    parser.add_argument("--cache", type=Path, default=None, help="where what the backbone saw is kept")
    parser.add_argument("--draw", type=Path, default=ROOT / "build" / "bench-life.png")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-life.json")
    asked = parser.parse_args()
    folder = os.environ.get("WHOSTHAT_PICTURES", "")
    if not folder:
        sys.exit(
            "WHOSTHAT_PICTURES does not name the project's picture folder, without which nothing is measured"
        )
    console = Console(width=None if sys.stdout.isatty() else 170, highlight=False)
    with threadpool_limits(1):
        world = world_of(
            Path(folder),
            asked.cache or default_cache(),
            asked.part,
            asked.components,
            console.print,
            asked.judges == "all",
        )
        lives = _lives(world, asked, console)
    console.print(_table(lives))
    for name in (PEOPLE, PERFECT):
        console.print(f"{name}: {_told(lives[name])}", markup=False)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: [[asdict(p) for p in points] for points in some] for name, some in lives.items()}
    options = {name: str(value) for name, value in vars(asked).items() if not isinstance(value, Path)}
    asked.json.write_text(json.dumps({"options": options, "lives": plain}, indent=1))
    draw(asked.draw, {title: _curves(lives, figure) for figure, title in PANELS.items()})
    console.print(f"drawn in {asked.draw}, figures in {asked.json}", markup=False)
    ends = [(after[-1].served.noisy, after[0].served.noisy) for after in lives[PEOPLE]]
    sys.exit(0 if all(after > before for after, before in ends) else 1)


def _lives(world: World, asked: argparse.Namespace, console: Console) -> Lives:
    """Every seed: one life with people, one with perfect labels, and the first model that stays."""
    found: Lives = {PEOPLE: [], PERFECT: [], NEVER: []}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    recipe, review = Recipe(keep=asked.keep), ReviewRules(quorum=asked.quorum)
    rounds = len(world.posted) // asked.every
    console.print(
        f"{len(world.own)} pictures of the operator's, {len(world.posted)} to be posted, "
        f"{len(world.judges)} to judge by, {len(world.untouched)} untouched"
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("living", total=asked.seeds * (1 + 2 * rounds))

        def step(what: str) -> None:
            bars.update(bar, advance=1, description=what)

        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            step(f"seed {seed}: the first model")
            first, _ = begin(world, recipe, seed)
            for name in (PEOPLE, PERFECT):
                rules = Rules(name == PEOPLE, asked.every, asked.decided, review, recipe)
                points = list(live(world, first, rules, seed, step))
                found[name].append(points)
                ends = points[-1].served
                console.print(
                    f"seed {seed}, {name}: {points[0].served.noisy:.1%} → {ends.noisy:.1%}", markup=False
                )
            start = found[PEOPLE][-1]
            found[NEVER].append([Point(point.corrections, start[0].served) for point in start])
    return found


def _curves(lives: Lives, figure: str) -> dict[str, Curve]:
    """One figure of what serves, for the drawing; and of what was trained, let through or not."""
    made = [[replace(p, served=p.candidate or p.served) for p in points] for points in lives[PEOPLE]]
    return {
        name: (
            [point.corrections for point in some[0]],
            np.array([[getattr(point.served, figure) for point in points] for points in some]),
        )
        for name, some in {**lives, "the gate or not": made}.items()
    }


def _table(lives: Lives) -> Table:
    first = next(iter(lives.values()))
    title = f"{len(first)} seeds; right in % on untouched pictures: mean (range)"
    columns = ("corrections", "exported", "wrong", "promoted", PEOPLE, PERFECT, NEVER)
    table = Table(*columns, "known before", "new", "other sources", title=title)
    for place, point in enumerate(first[0]):
        people = [points[place] for points in lives[PEOPLE]]
        table.add_row(
            f"{point.corrections:,}",
            f"{np.mean([p.exported for p in people]):,.0f}",
            f"{100 * sum(p.wrong for p in people) / max(1, sum(p.exported for p in people)):.2f} %",
            f"{sum(p.promoted for p in people)} of {len(people)}" if place else "",
            *(_range([points[place].served.noisy for points in lives[n]]) for n in (PEOPLE, PERFECT, NEVER)),
            *(_range([getattr(p.served, figure) for p in people]) for figure in ("known", "new", "others")),
        )
    return table


def _range(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} ({100 * min(values):.1f}-{100 * max(values):.1f})"


def _told(lives: Sequence[Sequence[Point]]) -> str:
    points = [point for life in lives for point in life[1:]]
    reasons: Counter[Any] = reasons_of(points)
    refused = ", ".join(f"{check} {count}" for check, count in reasons.most_common())
    kept = sum(point.promoted for point in points)
    return f"{kept} of {len(points)} candidates promoted" + (f"; refused by {refused}" if refused else "")


if __name__ == "__main__":
    main()

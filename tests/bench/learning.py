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
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from bot.memory.kernel import CONSTANTS, read_constants
from model.classifier import load_classifier
from tests.bench import learning_reaches as reaches
from tests.bench.learning_fit import fit
from tests.bench.learning_material import material
from training.head import default_cache
from training.pictures import SPLITS

ROOT = Path(__file__).parents[2]
REACHES = ("copies", "new", "untouched", "corrections", "flood", "cost")


def main() -> None:
    """Measure, print tables, write JSON and a drawing."""
    parser = argparse.ArgumentParser(prog="make bench-learning ARGS=…", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=REACHES, default=REACHES,
        help="copies: reach 1; new: reach 2 with the embedded backbone, untouched: with the wheel's; "
        "corrections: reach 3; flood: 10,000 wrong corrections; cost: reach 5",
    )  # fmt: skip
    parser.add_argument("--fit", action="store_true", help="first fit the kernel's constants and write them")
    parser.add_argument("--tries", type=int, default=120, help="constants drawn by --fit")
    parser.add_argument("--seeds", type=int, default=5, help="draws of pictures for each character and size")
    parser.add_argument("--runs", type=int, default=10, help="runs of 500 corrections")
    parser.add_argument("--draws", type=int, default=1, help="draws of 50 corrected pictures")
    parser.add_argument(
        "--beside", nargs="*", choices=SPLITS[:2], default=SPLITS[:2], help="what else is remembered then"
    )
    parser.add_argument("--entries", type=int, default=10_000, help="remembered pictures that costs are for")
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
        if arguments.fit:
            constants = fit(seen, arguments.tries, console.print)
            CONSTANTS.write_text(json.dumps(asdict(constants), indent=2) + "\n", encoding="utf-8")
        constants = read_constants()
        if constants.bundle != seen.bundle:
            console.print(f"the constants were fitted with {constants.bundle or 'another model'}: see --fit")
        found: dict[str, Any] = {"bundle": seen.bundle, "constants": asdict(constants)}
        look = None
        if {"copies", "cost"} & set(arguments.only):
            look = load_classifier("builtin", models_dir=cache / "models", threads=1, backend="onnx")
        if "corrections" in arguments.only:
            found["corrections"] = reaches.run_of_corrections(seen, arguments.runs, constants, console.print)
        if "flood" in arguments.only:
            found["flood"] = reaches.flooded(seen, constants)
        if "new" in arguments.only:
            found["new"] = reaches.new_character(
                seen, arguments.seeds, constants, not arguments.no_retraining, console.print
            )
        if "cost" in arguments.only and look is not None:
            found["cost"] = reaches.cost(seen, look, cache, arguments.entries, constants)
        if "copies" in arguments.only and look is not None:
            found["copies"] = reaches.copies(
                seen, look, cache, arguments.draws, constants, console.print, arguments.beside
            )
        if "untouched" in arguments.only:
            wheel = material(Path(folder), cache, untouched=True, say=console.print)
            found["untouched"] = reaches.new_character(
                wheel, arguments.seeds, constants, not arguments.no_retraining, console.print
            )
    for table in tables(found):
        console.print(table)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    draw(arguments.draw, found)


def tables(found: Mapping[str, Any]) -> list[Table]:
    """One for each reach that was measured."""
    made = []
    if "copies" in found:
        said = found["copies"]
        table = Table("copies", "answered as corrected", title=f"reach 1, {found['bundle']}")
        for name, share in said["by change"].items():
            table.add_row(name, f"{share:.1%}")
        for name in ("answered as corrected", "pulled over"):
            count, of, (low, high) = said[name]
            table.add_row(name, f"{count} of {of}: {count / of:.2%} ({low:.2%} to {high:.2%})")
        made.append(table)
    for key in ("new", "untouched"):
        if key in found:
            curve = found[key]["curve"]
            names = list(next(iter(curve.values())))
            table = Table("pictures", *names, title=f"reach 2, {found[key]['backbone']}")
            for size, row in curve.items():
                table.add_row(str(size), *(f"{row[name]:.3f}" for name in names))
            made.append(table)
    if "corrections" in found:
        table = Table("named", "corrections", "change", "one-sided 95 % bound", title="reach 3")
        for kind, said in found["corrections"].items():
            for mark, (mean, bound) in said["points"].items():
                table.add_row(kind, str(mark), f"{mean:+.2%}", f"{bound:+.2%}")
        made.append(table)
    if "flood" in found:
        table = Table("10,000 wrong corrections", "right", "right and said", title="contained")
        for name, (one, two) in found["flood"].items():
            table.add_row(name, f"{one:+.2%}", f"{two:+.2%}")
        made.append(table)
    if "cost" in found:
        table = Table("reach 5", "milliseconds")
        for name, value in found["cost"].items():
            table.add_row(name, f"{value:.1%}" if name == "share" else f"{value:,.3f}")
        made.append(table)
    return made


def draw(path: Path, found: Mapping[str, Any]) -> None:
    """The curves of reaches 2 and 3."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [key for key in ("new", "untouched", "corrections") if key in found]
    if not panels:
        return
    figure = Figure(figsize=(5 * len(panels), 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for place, key in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), place)
        if key == "corrections":
            for kind, said in found[key].items():
                marks = [int(mark) for mark in said["points"]]
                axes.plot(marks, [100 * mean for mean, _ in said["points"].values()], marker="o", label=kind)
                axes.plot(marks, [100 * low for _, low in said["points"].values()], ls=":", color="grey")
            axes.axhline(-1, color="tab:red", lw=0.8)
            axes.set_xlabel("corrections")
            axes.set_ylabel("points, on untouched pictures")
        else:
            curve = found[key]["curve"]
            for name in ("memory", "retrained", "nearest"):
                if all(name in row for row in curve.values()):
                    axes.plot(
                        [int(size) for size in curve],
                        [row[name] for row in curve.values()],
                        marker="o",
                        label=name,
                    )
            axes.set_xscale("log")
            axes.set_xlabel("pictures of a new character")
            axes.set_ylabel("recognised of the others")
            axes.set_title(found[key]["backbone"][:40], fontsize=8)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    main()

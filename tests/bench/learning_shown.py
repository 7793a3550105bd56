"""The tables and the drawing of `make bench-learning`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

NEW = ("new", "untouched", "new, never seen")


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
    for key in NEW:
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
        table = Table("corrections", "calibration error", "its floor", "95 % of floors", title="honest")
        for mark, values in found["corrections"]["whatever is posted"]["calibration"].items():
            table.add_row(str(mark), *(f"{value:.3f}" for value in values))
        made.append(table)
    if "following" in found:
        said = found["following"]
        table = Table("an approval counts in another process", "seconds", title="within 2 seconds")
        for name in ("median", "worst"):
            table.add_row(f"{name} of {said['rounds']}", f"{said[name]:.2f}")
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

    panels = [key for key in (*NEW, "corrections") if key in found]
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

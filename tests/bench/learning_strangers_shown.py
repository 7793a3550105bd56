"""What `tests.bench.learning_strangers` finds, as tables and as a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

PLAIN = "maximum softmax"
PANELS = ("strangers", "strangers, untouched", "strangers, alone", "strangers, together")
DRAWN = (PLAIN, "seen strangers", "ViM", "all of these")


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Of what `strangers` and `elsewhere` found."""
    made = []
    for key in PANELS:
        if key not in found:
            continue
        said = found[key]
        title = f"reach 4, {said['backbone']}"
        columns = ("AUROC", "characters kept", "strangers let in", "named with certainty")
        table = Table("pictures of nobody", *columns, title=title)
        for name, each in said["methods"].items():
            low, high = each["interval"]
            table.add_row(
                name,
                f"{each['auroc']:.3f} ({low:.3f} to {high:.3f})",
                *(f"{each[one]:.1%}" for one in ("characters kept", "let in", "named with certainty")),
            )
        if said["methods"]:
            made.append(table)
        seen = "its backbone has seen them" if said["has seen whom is left out"] else "never seen"
        table = Table(f"characters left out ({seen})", "mean AUROC", "lowest", *columns[2:], title=title)
        for name, each in said["left out, mean"].items():
            lowest = min(one[name]["auroc"] for one in said["left out"].values())
            shares = (f"{each[one]:.1%}" for one in ("let in", "named with certainty"))
            table.add_row(name, f"{each['auroc']:.3f}", f"{lowest:.3f}", *shares)
        made.append(table)
        if said["calibration"]:
            made.append(Table("calibration error", *said["calibration"], title=title))
            made[-1].add_row("", *(f"{value:.4f}" for value in said["calibration"].values()))
    if "elsewhere" in found:
        table = Table("source", "pictures", "AUROC", "answered nobody", "named with certainty")
        for source, each in found["elsewhere"].items():
            shares = (f"{each[one]:.1%}" for one in ("answered nobody", "named with certainty"))
            table.add_row(source, str(each["pictures"]), f"{each['auroc']:.3f}", *shares)
        made.append(table)
    return made


def draw(path: Path, panels: Sequence[Mapping[str, Any]]) -> None:
    """The harder case: each character left out, by the plain head and by others."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wide = min(len(panels), 2)
    high = -(-len(panels) // wide)
    figure = Figure(figsize=(5.5 * wide, 4.2 * high), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for place, found in enumerate(panels, 1):
        axes = figure.add_subplot(high, wide, place)
        left = found["left out"]
        order = sorted(left, key=lambda slug: float(left[slug][PLAIN]["auroc"]))
        for name in DRAWN:
            values = [left[slug][name]["auroc"] for slug in order]
            label = "plain head, maximum softmax" if name == PLAIN else name
            axes.plot(values, range(len(order)), marker="o", ls="", label=label)
        axes.axvline(0.85, color="tab:red", lw=0.8)
        axes.axvline(0.5, color="grey", lw=0.8, ls=":")
        axes.set_yticks(range(len(order)), order, fontsize=7)
        axes.set_xlabel("AUROC, left out and shown as a stranger")
        axes.set_title(str(found["backbone"])[:40], fontsize=8)
        axes.grid(alpha=0.3)
        if place == 1:
            figure.legend(fontsize=7, loc="outside lower center", ncols=len(DRAWN))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})

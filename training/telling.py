"""What ``evaluate`` and ``gate`` print for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.evaluating import PRECISION, Report
from training.gating import Ruling


def tell_report(report: Report, drawn: Sequence[Path] = ()) -> None:
    """Every figure of a report, on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    left_out = [f"{report.damaged} do not decode"] if report.damaged else []
    if report.unknown:
        shown = ", ".join(f"{slug} ({count})" for slug, count in report.unknown.items())
        left_out.append(f"not known to it and left out: {shown}")
    console.print(
        f"{report.bundle} on {report.pictures} pictures, {report.strangers} of them of nobody"
        + (f"; {'; '.join(left_out)}" if left_out else ""),
        markup=False,
    )
    floor, high = report.calibration_floor
    table = Table(show_header=False)
    table.add_row("accuracy", _share(report.accuracy))
    table.add_row("macro F1", f"{report.macro_f1:.1%}")
    table.add_row(
        "calibration error",
        f"{report.calibration_error:.3f} (an honest model would show {floor:.3f}, and up to {high:.3f})",
    )
    table.add_row(f"can be answered with {PRECISION:.0%} right", f"{report.coverage:.1%}")
    table.add_row("said with certainty", _share(report.sure["how_often"]))
    table.add_row("… and right", _share(report.sure["right"]))
    table.add_row("characters not called nobody", _share(report.told["characters"]))
    if report.auroc is not None:
        table.add_row("strangers called nobody", _share(report.told["nobody"]))
        table.add_row("strangers told apart (AUROC)", f"{report.auroc:.3f}")
    else:
        table.add_row("strangers", "not measured: there are no pictures of nobody")
    if report.milliseconds:
        table.add_row(
            "milliseconds a picture",
            f"{report.milliseconds['median']:.0f}, 95 % below {report.milliseconds['p95']:.0f}",
        )
    console.print(table)
    recall = Table("recall of", "", title_justify="left")
    for slug, share in report.by_character.items():
        recall.add_row(escape(slug), _share(share))
    for source, share in report.by_source.items():
        if source and len(report.by_source) > 1:
            recall.add_row(escape(f"source {source}"), _share(share))
    console.print(recall)
    for path in drawn:
        console.print(str(path), markup=False)


def tell_ruling(ruling: Ruling, sheet: Path | None = None) -> None:
    """The verdict, what holds and what does not, on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("[green]promoted[/]" if ruling.promoted else "[red]refused[/]")
    for reason in sorted(ruling.reasons, key=lambda reason: reason.passed):
        sign = "[green]✓[/]" if reason.passed else "[red]✗[/]"
        console.print(f"{sign} {escape(reason.check)}: {escape(reason.sentence)}")
    if ruling.worse:
        where = f": {sheet}" if sheet is not None else ""
        console.print(
            f"{len(ruling.worse)} pictures that only the bundle in service had right{where}", markup=False
        )


def _share(share: Mapping[str, Any]) -> str:
    if share["share"] is None:
        return "–"
    low, high = share["interval"]
    return f"{share['share']:.1%} of {share['of']} ({low:.1%} to {high:.1%})"

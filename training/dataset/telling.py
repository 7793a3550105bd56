"""What ``whosthat dataset check`` says to a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.dataset.checking import SMALL, Checked
from training.pictures import SPLITS, Picture

SHOWN = 10
"""Lines of each kind; ``--json`` has all."""


def tell(found: Checked, console: Console) -> None:
    """Print counts, then everything that is wrong, the worst first."""
    table = Table(box=None, pad_edge=False)
    table.add_column("character")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for slug, counts in list(found.counts().items())[:50]:
        table.add_row(Text(slug), *(f"{counts[split]:,}" for split in SPLITS))
    if len(found.counts()) > 50:
        table.add_row(f"and {len(found.counts()) - 50:,} more")
    console.print(table)
    figures = found.to_json()
    side = figures["shorter_side"]
    lines = [f"{len(found.pictures):,} pictures; shorter side {side['least']} to {side['most']} pixels"]
    if side["small"]:
        lines.append(f"{side['small']:,} are smaller than {SMALL} pixels")
    lines += _listed(
        "do not decode", [f"{_file(found, p)}: {found.looks[p.path].trouble}" for p in found.damaged]
    )
    lines += _listed("are there under two labels", [_named(found, group) for group in found.twice])
    lines += _listed("have near copies in another part", [_named(found, group) for group in found.across])
    lines += _listed("have near copies in the same part", [_named(found, group) for group in found.inside])
    if found.judged is not None:
        lines += _listed(
            f"of {found.judged.pictures:,} may be labelled wrongly",
            [
                f"{_file(found, each.picture)}: {each.picture.slug} {each.own:.2f}, "
                f"looks like {each.looks_like} {each.other:.2f}"
                for each in found.suspects
            ],
        )
    for line in [*lines, *found.notes]:
        console.print(line, markup=False)


def _listed(what: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"    and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return [f"{len(lines):,} {what}", *(f"    {line}" for line in lines[:SHOWN]), *more]


def _file(found: Checked, picture: Picture) -> str:
    return picture.path.relative_to(found.folder).as_posix()


def _named(found: Checked, group: Sequence[Picture]) -> str:
    names = ", ".join(f"{_file(found, p)} ({p.slug}, {p.split})" for p in group[:4])
    return names + (f" and {len(group) - 4} more" if len(group) > 4 else "")

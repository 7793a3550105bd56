"""What every part of ``make bench`` gives: rows of one table, each beside a named peer in the same run."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Bench:
    """What a part is told: a ``folder`` of its own that is emptied afterwards, and how much to measure."""

    folder: Path
    screen: Console
    runs: int
    pictures: int


@dataclass(frozen=True)
class Row:
    """One figure: ours, the peer's if there is one, and the bound that it should keep.

    ``ours`` and ``peer`` are all the measurements, in ``unit``; ``more`` where more is better (a rate).
    """

    name: str
    ours: tuple[float, ...]
    unit: str
    peer: tuple[float, ...] = ()
    peer_name: str = ""
    bound: str = ""
    more: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better our median is than the peer's."""
        if not self.peer:
            return None
        ours, theirs = statistics.median(self.ours), statistics.median(self.peer)
        return ours / theirs if self.more else theirs / ours

    def to_json(self) -> dict[str, Any]:
        """Everything, with the medians and the ratio."""
        medians = {"median": statistics.median(self.ours)}
        if self.peer:
            medians["peer_median"] = statistics.median(self.peer)
        return asdict(self) | medians | {"ratio": self.ratio}


def table(rows: Sequence[Row]) -> Table:
    """The rows as a person reads them: medians, spread in brackets."""
    drawn = Table("figure", "whosthat", "peer", "ratio", "bound")
    for row in rows:
        ratio = f"{row.ratio:.1f}×" if row.ratio is not None else ""
        peer = f"{shown(row.peer, row.unit)} {row.peer_name}" if row.peer else ""
        drawn.add_row(row.name, shown(row.ours, row.unit), peer, ratio, row.bound)
    return drawn


def shown(values: Sequence[float], unit: str) -> str:
    """The median, and from where to where the values go."""
    digits = 1 if statistics.median(values) >= 1 else 3
    spread = f" ({min(values):.{digits}f}-{max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{statistics.median(values):.{digits}f} {unit}{spread}"


def environ(**more: str) -> dict[str, str]:
    """Ours without the project's own variables, and with no way to a hub."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("WHOSTHAT_", "DISCORD_"))
    }
    return {**kept, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONUNBUFFERED": "1", **more}

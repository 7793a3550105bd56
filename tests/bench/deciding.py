"""What a moderator's decision in the console costs."""

from __future__ import annotations

import asyncio

from tests.bench import console
from tests.bench.rows import Bench, Row


def rows(bench: Bench) -> list[Row]:
    """With a long queue of open cases."""
    decisions = tuple(asyncio.run(console.measure(bench.folder / "console")))
    return [
        Row(f"a decision costs, {console.CASES:,} open cases", decisions, "ms", bound="< 150 ms"),
        Row("… 95 of 100 less than", (console.p95(decisions),), "ms", bound="< 150 ms"),
    ]

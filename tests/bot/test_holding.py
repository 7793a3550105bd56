"""The event loop is never held: what `make bench` measures, at ten times its bound and with less to do."""

from __future__ import annotations

from pathlib import Path

from tests.bench.holding import LONGEST, measure
from tests.standins.bundles import tiny_bundle


async def test_nothing_holds_the_event_loop(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny")
    holds = await measure(tmp_path, cases=120, use=str(tmp_path / "tiny"), decisions=20)
    assert len(holds.cpu) > 1000
    assert max(holds.cpu) < 10 * LONGEST, sorted(holds.longest)[-3:]

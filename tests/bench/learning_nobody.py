"""Reach 4 whole: strangers, and whether *sure* keeps its word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.bench import learning_promises as promises
from tests.bench import learning_strangers_shown as shown
from tests.bench.learning_folds import Apart, left_out
from tests.bench.learning_material import Material, material
from tests.bench.learning_strangers import elsewhere, strangers


def reach(
    seen: Material,
    folder: Path,
    cache: Path,
    build: Path,
    others: Path | None,
    say: Callable[[str], None],
    apart: Apart = (),
) -> dict[str, Any]:
    """All figures, and ``bench-learning-strangers.png`` in ``build``.

    With a backbone that was fine-tuned, characters are left out over the wheel's as well.

    Args:
        others: pictures of nobody from other sources, see `elsewhere`.
        apart: backbones that have not seen who is left out, see `tests.bench.learning_folds`.
    """
    found: dict[str, Any] = {"sure": promises.told(seen)}
    wheel = material(folder, cache, untouched=True, say=say)
    found["sure, procedures"] = promises.procedures(wheel, build)
    found["strangers"] = strangers(seen, build, say)
    if found["strangers"]["has seen whom is left out"]:
        found["strangers, untouched"] = strangers(wheel, build, say)
    if apart:
        never = left_out(apart, build, say)
        found |= {f"strangers, {name}": each for name, each in never.items()}
    panels = [found[key] for key in shown.PANELS if key in found]
    shown.draw(build / "bench-learning-strangers.png", panels)
    if others is not None:
        found["elsewhere"] = elsewhere(seen, others, cache)
    return found


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Of what was found."""
    return [*shown.tables(found), *promises.tables(found)]

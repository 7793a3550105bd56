"""A retraining in words, as moderators read it in chat."""

from __future__ import annotations

from collections.abc import Callable

from bot.retraining.types import NotNow, Status
from bot.retraining.wording import not_now, report_lines
from bot.words import Words

CELLS = 20


def retraining_text(
    status: Status, w: Words, plain: Callable[[str], str], code: Callable[[str], str], refused: NotNow | None
) -> str:
    """Why nothing was done, if so; how far it is, with a bar, or how it ended, with what the gate asked.

    Args:
        plain: makes text that is not markup on the platform.
        code: sets the bar so that its cells are equally wide.
    """
    first, *reasons = report_lines(status, w)
    lines = [plain(not_now(refused, w))] if refused else []
    lines.append(plain(first))
    if status.at_work:
        lines.append(code(bar(status.fraction)))
    lines += [plain(each) for each in reasons]
    if status.worse:
        lines.append(plain(w("retrain-worse", count=len(status.worse))))
    return "\n".join(lines)


def bar(part: float) -> str:
    """How far it is, as cells."""
    full = round(part * CELLS)
    return "█" * full + "░" * (CELLS - full)

"""``whosthat retrain``: starting, watching and answering a retraining from a terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict

from bot.errors import BotError
from bot.exporting import OPERATOR
from bot.retraining.service import Retraining
from bot.retraining.types import NotNow, Phase, Status
from bot.retraining.wording import not_now, report_lines, status_text
from bot.settings import Settings
from bot.words import words

LOOK_SECONDS = 0.3
RESUME_LOOKS = 20
"""So many looks apart it is asked whether the process was killed."""

Show = Callable[[str, float], None]


async def start(settings: Settings) -> list[str]:
    """Begin; the lines to print.

    Raises:
        BotError: it cannot begin now; one sentence.
    """
    _done(await Retraining(settings).start(OPERATOR))
    return [words()("retrain-started")]


async def watch(settings: Settings, show: Show) -> tuple[list[str], bool]:
    """Show how far it is, beginning one if none is under way and none waits for its answer.

    Returns:
        the lines to print at the end, and whether it went well.

    Raises:
        BotError: it cannot begin now.
    """
    retraining, w = Retraining(settings), words()
    status = await retraining.status()
    if not status.at_work and status.phase is not Phase.ASKING:
        status = _done(await retraining.start(OPERATOR))
    looks = 0
    while status.at_work:
        show(status_text(status, w), status.fraction)
        await asyncio.sleep(LOOK_SECONDS)
        looks += 1
        if looks % RESUME_LOOKS == 0:
            await retraining.resume()
        status = await retraining.status()
    return lines_of(status), status.phase in (Phase.DONE, Phase.ASKING)


async def say(settings: Settings, as_json: bool) -> list[str]:
    """How far it is, or how the last one ended; the lines to print."""
    status = await Retraining(settings).status()
    return [json.dumps(asdict(status), default=str, ensure_ascii=False)] if as_json else lines_of(status)


async def cancel(settings: Settings) -> list[str]:
    """End what is under way; the lines to print.

    Raises:
        BotError: nothing is.
    """
    return lines_of(_done(await Retraining(settings).cancel(OPERATOR)))


async def decline(settings: Settings) -> list[str]:
    """Throw the new model away; the lines to print.

    Raises:
        BotError: none waits.
    """
    return lines_of(_done(await Retraining(settings).decline(OPERATOR)))


async def promote(settings: Settings, show: Show) -> tuple[list[str], bool]:
    """Let the new model serve, and wait until it does; as `watch`.

    Raises:
        BotError: none waits.
    """
    _done(await Retraining(settings).promote(OPERATOR))
    lines, well = await watch(settings, show)
    return lines, well


def lines_of(status: Status) -> list[str]:
    """All that is known, for a terminal."""
    w = words()
    lines = report_lines(status, w)
    lines += [f"  {each}" for each in status.worse] if status.phase is Phase.REFUSED else []
    return [*lines, w("retrain-answer")] if status.phase is Phase.ASKING else lines


def _done(outcome: Status | NotNow) -> Status:
    if isinstance(outcome, NotNow):
        raise BotError(not_now(outcome, words()))
    return outcome

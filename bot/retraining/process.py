"""The process that retrains: one at a time, at the lowest priority, going on where a killed one was.

It is started by `bot.retraining.service` with the settings as JSON on its standard input, belongs to nobody,
and tells how far it is through the disk alone (`bot.retraining.state`). The bot in service stays as it is
until the last step, and when anything fails.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from types import FrameType

from bot.errors import BotError
from bot.retraining.state import Disk
from bot.retraining.steps import STEPS, Cancelled, Run, TakenBack
from bot.retraining.types import AT_WORK, Phase
from bot.settings import Settings, given
from corrections.duties import RETRAINING, Duties
from corrections.engine import create_engine
from corrections.errors import LedgerError
from model.errors import ModelError

log = logging.getLogger(__name__)

TRIES = 3
"""So often a step is begun that never ends, because the process was killed."""
ANEW = 5
"""So often it begins anew because pictures are taken back meanwhile."""
PATIENCE = 10.0
"""Seconds to wait for whoever started it to let go."""
LOOK_SECONDS = 0.1


def main() -> int:
    """Do all that is left to do."""
    settings = given(json.load(sys.stdin))
    disk = Disk(settings.data_dir)
    os.umask(0o077)
    with suppress(OSError):
        os.nice(19)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _stop)
    with disk.alone(PATIENCE) as mine:
        if mine:
            with only_one(settings) as free:
                work(settings, disk, free=free)
    return 0


@contextmanager
def only_one(settings: Settings) -> Iterator[bool]:
    """Whether nobody else who shares the ledger retrains; if so, nobody does until the block ends.

    A ledger that does not answer is no reason: the step that needs it will say so.
    """
    with ExitStack() as stack:
        free = True
        with suppress(LedgerError):
            engine = create_engine(settings.database_url)
            runner = stack.enter_context(asyncio.Runner())
            stack.callback(lambda: runner.run(engine.dispose()))
            duties = Duties(engine)
            stack.callback(lambda: runner.run(duties.close()))
            free = runner.run(_taken(duties))
        yield free


async def _taken(duties: Duties) -> bool:
    """A server may take a moment to notice that whoever had it was killed."""
    for _ in range(round(PATIENCE / LOOK_SECONDS)):
        if await duties.mine(RETRAINING):
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


def work(settings: Settings, disk: Disk, *, free: bool = True) -> None:
    """Do step after step, as far as it goes; the caller is alone with the folder.

    Args:
        free: nobody else retrains from the same ledger. Letting a model serve that is made needs none of it.
    """
    state, anew = disk.read(), 0
    if state is None or state.phase not in AT_WORK:
        return
    run = Run(settings, disk, state)
    if not free and state.phase is not Phase.SWAPPING:
        _fail(run, BotError("another process retrains from the same ledger: wait until that is done"))
    while run.state.phase in AT_WORK:
        phase = run.state.phase
        try:
            if run.state.tries >= TRIES:
                raise BotError(f"it was killed {TRIES} times while it did that; is there enough memory?")
            run.to(replace(run.state, tries=run.state.tries + 1))
            run.tick()
            run.to(STEPS[phase](run))
            log.info("%s is done: %s", phase, run.state.phase)
        except Cancelled:
            run.to(run.state.at(Phase.CANCELLED))
        except TakenBack:
            anew += 1
            disk.clear()
            if anew > ANEW:
                _fail(run, BotError("pictures were taken back again and again meanwhile: try once more"))
            else:
                log.info("a picture was taken back: it begins anew")
                run.to(run.state.at(Phase.EXPORTING, snapshot="", items=0, candidate=""))
        except (BotError, LedgerError, ModelError) as error:
            _fail(run, error)
        except OSError as error:
            log.exception("%s failed", phase)
            _fail(run, BotError(f"{error.filename or 'the disk'}: {error.strerror or error}"))
        except Exception as error:
            log.exception("%s failed", phase)
            _fail(run, BotError(f"{type(error).__name__}: {error}"))
    disk.clear(candidate=run.state.phase is not Phase.ASKING)
    disk.cancel(False)


def _fail(run: Run, error: Exception) -> None:
    why = (str(error).strip().splitlines() or [type(error).__name__])[0]
    log.error("%s failed: %s", run.state.phase, why)
    run.to(run.state.at(Phase.FAILED, step=str(run.state.phase), why=why))


def _stop(number: int, frame: FrameType | None) -> None:
    """Told to stop: what is under way ends, and whoever starts it again goes on."""
    raise SystemExit(0)

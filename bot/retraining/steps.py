"""What a retraining does, one function a step; each blocks, and each can be done again from its beginning."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bot.errors import BotError
from bot.exporting import OPERATOR, open_ledger, policy_of
from bot.operators import models
from bot.retraining import children
from bot.retraining.state import Disk, State
from bot.retraining.types import CHECKS_SAID, OTHER_CHECK, Phase, Reason
from bot.settings import Settings
from corrections.errors import NotFound
from corrections.export.types import ExportQuery
from model.versions import Versions

log = logging.getLogger(__name__)

TRAIN, GATE = "training.cli", "training.cli_evaluate"
"""The modules that are run."""
WITHDRAWN_SECONDS = 30.0
"""How often it is asked whether somebody took a picture back that is being learned from."""
WRITE_SECONDS = 0.5
WORSE = 50
"""Pictures that got worse that are remembered."""


class RetrainingError(BotError):
    """A step that cannot be done, in one sentence."""


class Cancelled(Exception):  # not an error
    """Somebody wants it to end."""


class TakenBack(Exception):  # not an error
    """A picture that is being learned from was withdrawn: it begins anew."""


@dataclass
class Run:
    """One run of the process; ``state`` is what the disk says."""

    settings: Settings
    disk: Disk
    state: State
    _written: float = 0.0
    _asked: float = field(default_factory=time.monotonic)

    def to(self, state: State) -> None:
        """Remember that."""
        self.state = self.disk.write(state)

    def share(self, share: float) -> None:
        """How much of this phase is done; not written more often than anybody looks."""
        if time.monotonic() - self._written > WRITE_SECONDS:
            self._written = time.monotonic()
            self.to(replace(self.state, share=max(share, self.state.share)))

    def tick(self) -> None:
        """Raises Cancelled or TakenBack when it is time for that."""
        if self.disk.cancelled:
            raise Cancelled
        if self.state.snapshot and time.monotonic() - self._asked > WITHDRAWN_SECONDS:
            self._asked = time.monotonic()
            self.check_withdrawn()

    def check_withdrawn(self) -> None:
        """Raises TakenBack if somebody took back a picture of the snapshot."""
        if asyncio.run(_withdrawn(self.settings, self.state.snapshot)):
            raise TakenBack

    @property
    def versions(self) -> Versions:
        """Those of the settings."""
        return models.versions_of(self.settings)


async def _withdrawn(settings: Settings, snapshot: str) -> bool:
    async with open_ledger(settings) as ledger:
        try:
            return bool(await ledger.exports.withdrawn(OPERATOR, snapshot))
        except NotFound:  # the ledger was put back from a backup meanwhile
            return True


def export(run: Run) -> State:
    """Write what is approved and may be learned from.

    Raises:
        LedgerError: one sentence.
    """
    shutil.rmtree(run.disk.snapshot, ignore_errors=True)
    run.disk.work.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def work() -> State:
        async with open_ledger(run.settings) as ledger:
            done = await ledger.exports.export(
                run.disk.snapshot, ExportQuery(), policy_of(run.settings), "imagefolder", OPERATOR, tell
            )
        return run.state.at(Phase.TRAINING, snapshot=done.name, items=done.items)

    def tell(part: float) -> None:
        if run.disk.cancelled:
            raise Cancelled
        run.share(part)

    return asyncio.run(work())


def train(run: Run) -> State:
    """Make a candidate. What a killed training had done is found again by the training itself.

    Raises:
        RetrainingError: in the training's own sentence.
    """
    run.check_withdrawn()
    settings, disk = run.settings, run.disk
    shutil.rmtree(disk.candidate, ignore_errors=True)
    chosen = settings.training
    order = [TRAIN, "--data", str(disk.snapshot)]
    order += ["--data", chosen.pictures] if chosen.pictures else []
    order += ["--base", chosen.base or settings.model.use, "--recipe", chosen.recipe]
    order += ["--out", str(disk.candidate), "--models", str(settings.models_dir)]
    order += ["--cache", str(disk.work / "cache"), "--progress", "json"]
    order += [] if chosen.levels else ["--no-levels"]
    phases: list[str] = []

    def on_line(line: str) -> None:
        said = _object(line)
        if said is not None and said.get("of"):
            if said["what"] not in phases:
                phases.append(said["what"])
            # how many phases there will be nobody knows: each takes half of what is left
            part = min(1.0, said["done"] / said["of"])
            run.share(1 - 0.5 ** (len(phases) - 1) * (1 - part / 2))

    code, last = children.run(order, disk.log, on_line, run.tick)
    if code or not disk.candidate.is_dir():
        raise RetrainingError(_why("the training", code, last))
    return run.state.at(Phase.GATING, candidate=_id_of(disk.candidate))


def gate(run: Run) -> State:
    """Ask whether the candidate is good enough.

    Raises:
        RetrainingError: the gate could not say; in its own sentence.
    """
    run.check_withdrawn()
    settings, disk, chosen = run.settings, run.disk, run.settings.training
    current = _serving(settings)
    data = chosen.evaluation or chosen.pictures
    order = [GATE, "gate", str(disk.candidate), "--against", str(current)]
    order += ["--data", data, "--corrections", str(disk.snapshot)] if data else ["--data", str(disk.snapshot)]
    order += ["--backend", settings.worker.backend, "--threads", str(settings.worker.threads)]
    order += ["--models", str(settings.models_dir), "--json"]
    said: list[str] = []
    code, last = children.run(order, disk.log, said.append, run.tick)
    ruling = _object("\n".join(said)) or next((o for line in reversed(said) if (o := _object(line))), None)
    if ruling is None or "promoted" not in ruling or code not in (0, 1) or (code == 0) != ruling["promoted"]:
        raise RetrainingError(_why("the gate", code, last))
    models.keep_report(settings, run.state.candidate, ruling)
    with disk.log.open("a", encoding="utf-8") as file:
        file.write("\n".join(said) + "\n")
    found = {
        "reasons": tuple(_reason(each) for each in ruling.get("reasons", ())),
        "worse": tuple(Path(each).name for each in ruling.get("worse", ())[:WORSE]),
        "current": _id_of(current),
    }
    if not ruling["promoted"]:
        return run.state.at(Phase.REFUSED, **found)
    return run.state.at(Phase.SWAPPING if chosen.auto_promote else Phase.ASKING, **found)


def swap(run: Run) -> State:
    """Let the candidate serve.

    Raises:
        RetrainingError: it does not load, or another model serves than the one it was compared with.
        ModelError: it cannot be taken in.
    """
    settings, versions, state = run.settings, run.versions, run.state
    if versions.choice().now != state.candidate:  # else killed after it had chosen
        if _id_of(_serving(settings)) != state.current:
            raise RetrainingError(
                f"{state.candidate} was compared with {state.current}, and another model serves by now"
            )
        name = state.candidate if versions.folder_of(state.candidate) else str(run.disk.candidate)
        versions.choose(models.admit(settings, name, lambda what, part: run.tick()))
    taken = models.follow(versions, versions.choice())
    if taken.refused:
        raise RetrainingError(taken.refused)
    if versions.choice().now != state.candidate:
        raise RetrainingError(versions.choice().why or "another model was chosen meanwhile")
    for name in versions.names()[settings.training.kept_versions + 1 :]:
        versions.remove(name)
    return run.state.at(Phase.DONE)


STEPS: dict[Phase, Callable[[Run], State]] = {
    Phase.EXPORTING: export,
    Phase.TRAINING: train,
    Phase.GATING: gate,
    Phase.SWAPPING: swap,
}


def _serving(settings: Settings) -> Path:
    from model.classifier import find_bundle

    return find_bundle(models.versions_of(settings).serving(), models_dir=settings.models_dir)


def _id_of(folder: Path) -> str:
    from model.bundle import read_bundle

    return read_bundle(folder).info.id


def _reason(said: dict[str, Any]) -> Reason:
    check = str(said.get("check", ""))
    figures = said.get("figures", {})
    worse = tuple(str(each) for each in figures.get("worse", ()))
    return Reason(
        CHECKS_SAID.get(check, OTHER_CHECK),
        bool(said.get("passed")),
        str(said.get("sentence", "")),
        worse,
        figures,
    )


def _why(who: str, code: int, last: str) -> str:
    if code < 0:
        return f"{who} was killed by signal {-code}; is there enough memory?"
    return (
        last.removeprefix("whosthat: ")
        if code and last
        else f"{who} ended with exit status {code}, and made nothing"
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None

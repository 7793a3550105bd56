"""What is on the disk about a retraining, in ``data_dir/retraining``::

state.json   how far it is; written whole or not at all
lock         held by the process that works
cancel       somebody wants it to end
work/        the snapshot, the candidate, what training keeps for itself; gone when it is over
log.txt      what training and gate said, of the last run
told.json    how far the replies are edited
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.retraining.types import SAID, SHARES, Phase, Reason, Status
from model.versions import write_atomically

log = logging.getLogger(__name__)

FOLDER = "retraining"


@dataclass(frozen=True)
class State:
    """One retraining; see `Status` for what is not said here.

    ``share`` is of the phase. ``tries`` counts how often this phase was begun. ``before`` is the bundle that
    served when the new one took over, so that people are told once.
    """

    run: str
    phase: Phase = Phase.EXPORTING
    share: float = 0.0
    snapshot: str = ""
    items: int = 0
    candidate: str = ""
    current: str = ""
    reasons: tuple[Reason, ...] = ()
    worse: tuple[str, ...] = ()
    why: str = ""
    step: str = ""
    community: str = ""
    started_at: str = ""
    changed_at: str = ""
    tries: int = 0

    def at(self, phase: Phase, **changes: Any) -> State:
        """The same in another phase, from its beginning."""
        return replace(self, phase=phase, **{"share": 0.0, "tries": 0, **changes})

    def status(self) -> Status:
        """What everybody else sees."""
        begin, end = SHARES.get(self.phase, (1.0, 1.0))
        values: dict[str, str | int] = {
            "count": self.items,
            "bundle": self.candidate,
            "current": self.current,
        }
        if self.phase is Phase.FAILED:
            values |= {"step": self.step, "why": self.why}
        platform, colon, native = self.community.partition(":")
        return Status(
            phase=self.phase,
            key=SAID[self.phase],
            values=values,
            fraction=begin + (end - begin) * min(1.0, max(0.0, self.share)),
            items=self.items,
            candidate=self.candidate,
            current=self.current,
            reasons=self.reasons,
            worse=self.worse,
            why=self.why,
            community=(platform, native) if colon else None,
            started_at=_moment(self.started_at),
            changed_at=_moment(self.changed_at),
        )


class Disk:
    """The folder; everything blocks, shortly."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / FOLDER
        self.work = self.folder / "work"
        self.snapshot = self.work / "snapshot"
        self.candidate = self.work / "candidate"
        self.log = self.folder / "log.txt"

    def read(self) -> State | None:
        """How far it is; None when there never was one."""
        try:
            content = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            content["phase"] = Phase(content["phase"])
            content["reasons"] = tuple(
                Reason(
                    each["key"],
                    bool(each["passed"]),
                    each["sentence"],
                    tuple(each["worse"]),
                    dict(each.get("figures", {})),
                )
                for each in content["reasons"]
            )
            content["worse"] = tuple(content["worse"])
            return State(**content)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the state of the last retraining does not read: %s", error)
            return None

    def write(self, state: State) -> State:
        """Remember how far it is; as it was written.

        Raises:
            OSError: the disk does not take it.
        """
        state = replace(state, changed_at=datetime.now(UTC).isoformat(timespec="seconds"))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self.folder / "state.json", json.dumps(asdict(state), ensure_ascii=False) + "\n")
        return state

    @contextlib.contextmanager
    def alone(self, patience: float = 0.0) -> Iterator[bool]:
        """Whether nobody else works on it; if so, nobody does until the block ends."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        end = time.monotonic() + patience
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not (mine := _locked(descriptor)) and time.monotonic() < end:
                time.sleep(0.02)
            yield mine
        finally:
            os.close(descriptor)

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants it to end."""
        return (self.folder / "cancel").exists()

    def cancel(self, wanted: bool) -> None:
        """Say so, or take it back."""
        if wanted:
            (self.folder / "cancel").touch()
        else:
            (self.folder / "cancel").unlink(missing_ok=True)

    def clear(self, *, candidate: bool = True) -> None:
        """Remove the pictures and what was computed of them, and the candidate too if it is not needed."""
        for each in self.work.iterdir() if self.work.is_dir() else ():
            if candidate or each != self.candidate:
                shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)

    def told(self) -> dict[str, Any]:
        """How far the replies are edited: ``run``, ``cursor`` and whether that is ``over``."""
        with contextlib.suppress(OSError, ValueError):
            content = json.loads((self.folder / "told.json").read_text(encoding="utf-8"))
            if isinstance(content, dict):
                return content
        return {}

    def tell(self, run: str, cursor: int | None, over: bool, edited: int) -> None:
        """Remember how far they are.

        Raises:
            OSError: the disk does not take it.
        """
        said = {"run": run, "cursor": cursor, "over": over, "edited": edited}
        write_atomically(self.folder / "told.json", json.dumps(said))


def new_state(community: str) -> State:
    """A retraining that begins now."""
    now = datetime.now(UTC)
    return State(
        run=f"r-{now:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}",
        community=community,
        started_at=now.isoformat(timespec="seconds"),
    )


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

"""How a worker is started: `WorkerOptions`, and the command line that carries them to another process."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

SECRET = "WHOSTHAT_WORKER__SECRET"  # noqa: S105  # the variable's name
LONGEST_UNIX_PATH = 100  # bytes; the kernel takes 104 to 108


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Everything a worker needs to know.

    ``listen`` is ``unix:/short/path`` or ``tcp://HOST:PORT`` (port 0: any free one; empty: any free one on
    loopback, or a private socket under a supervisor); ``use``, ``backend``,
    ``models_dir`` and ``threads`` are those of `model.classifier.load_classifier`. ``level`` is one of
    `model.types.LEVELS`, or *auto*: the most exact that answers within ``target`` milliseconds, as measured
    (`model.choosing`); with ``measure`` that is done ``settled`` seconds after the start, unless
    others have the machine, which is when a run takes ``busy`` times its CPU time. ``queue`` requests are
    admitted at a time, ``per_key`` (0: half of them) for one fairness key, ``queue_bytes`` in all.
    ``batch`` pictures are looked at together at most, where that pays (`model.worker.batching`).
    ``follow``: ``use`` is what the setting says, and what was chosen over it in ``models_dir`` is looked
    with, now and whenever it changes (`model.worker.following`). ``sure_right`` and ``characters_kept``
    are those of `model.targets.aimed`. With ``cert`` and ``key`` (PEM files) it speaks TLS; who does not send
    ``secret`` is not answered. The secret is never on a command line, where everybody on the machine sees it.
    Times are in seconds.
    """

    listen: str = ""
    use: str = "builtin"
    backend: str = "auto"
    models_dir: Path = Path("models")
    threads: int = 0
    level: str = "exact"
    target: float = 100.0
    measure: bool = False
    settled: float = 3.0
    busy: float = 1.6
    queue: int = 128
    per_key: int = 0
    queue_bytes: int = 512 * 2**20
    batch: int = 64
    deadline: float = 30.0
    longest_deadline: float = 300.0
    decoders: int = 0
    decode_seconds: float = 10.0
    max_bytes: int = 20 * 2**20
    max_pixels: int = 64_000_000
    cache_entries: int = 4096
    cache_bytes: int = 64 * 2**20
    stop_seconds: float = 10.0
    json_log: bool = False
    exit_with_parent: bool = False
    follow: bool = False
    sure_right: float = 0.0
    characters_kept: float = 0.0
    cert: str = ""
    key: str = ""
    secret: str = field(default="", repr=False)

    @property
    def key_bound(self) -> int:
        """How many requests one fairness key may have at a time."""
        return self.per_key or max(1, self.queue // 2)

    def to_arguments(self) -> list[str]:
        """The command line that `parse` reads back."""
        line: list[str] = []
        for each in _flagged():
            value = getattr(self, each)
            flag = "--" + each.replace("_", "-")
            if isinstance(value, bool):
                line += [flag] if value else []
            else:
                line += [flag, str(value)]
        return line


def parse(arguments: Sequence[str]) -> WorkerOptions:
    """Read a command line; a wrong one ends the process with a usage line, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="python -m model.worker", description="Looks at pictures for a bot."
    )
    defaults = WorkerOptions()
    for each in _flagged():
        default = getattr(defaults, each)
        flag = "--" + each.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true")
        else:
            kind = Path if isinstance(default, Path) else type(default)
            parser.add_argument(flag, type=kind, default=default)
    return WorkerOptions(**vars(parser.parse_args(arguments)))


def _flagged() -> list[str]:
    return [each.name for each in fields(WorkerOptions) if each.name != "secret"]


def unix_path(address: str) -> str | None:
    """The path in ``unix:/path``; None for any other kind of address."""
    return address.removeprefix("unix:") if address.startswith("unix:") else None

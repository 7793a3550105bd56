"""How far a training is: a bar for a person, or lines of JSON for whatever started it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

SECONDS = 0.5
"""Between two lines of JSON at least."""


class Bars:
    """One bar for each phase. What it counts has been done; the time that it names is an estimate."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = RichProgress(*columns, console=console)

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def phase(self, what: str, of: int) -> Iterator[Callable[[int], None]]:
        """See `training.job.Progress`."""
        bar = self._bars.add_task(what, total=of)
        yield lambda done: self._bars.advance(bar, done)


class Lines:
    """``{"what": …, "done": …, "of": …}`` a line, and ``{"note": …}`` for what is said once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, line: str) -> None:
        """``{"note": …}``."""
        print(json.dumps({"note": line}), file=self._stream, flush=True)

    @contextmanager
    def phase(self, what: str, of: int) -> Iterator[Callable[[int], None]]:
        """See `training.job.Progress`."""
        done, last = 0, 0.0

        def tell() -> None:
            print(json.dumps({"what": what, "done": done, "of": of}), file=self._stream, flush=True)

        def step(more: int) -> None:
            nonlocal done, last
            done += more
            if time.monotonic() - last >= SECONDS or done >= of:
                last = time.monotonic()
                tell()

        tell()
        yield step

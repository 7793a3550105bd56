"""Programs that a retraining runs: watched line by line, and ended with all that they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from model.supervisor import environment

TICK_SECONDS = 0.2
KILL_SECONDS = 5.0
"""How long a program has to end by itself."""
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def run(
    arguments: Sequence[str], log: Path, on_line: Callable[[str], None], tick: Callable[[], None]
) -> tuple[int, str]:
    """Run a module of Python, and wait for it.

    Args:
        arguments: what comes after ``python -m``.
        log: what it says on standard error is added there.
        on_line: called with each line of its standard output.
        tick: called a few times a second; whatever it raises ends the program, with all that it started.

    Returns:
        its exit status, and the last line that it said on standard error.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    with log.open("ab") as said:
        began = said.tell()
        process = subprocess.Popen(  # noqa: S603  # our own modules
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment() | {"COLUMNS": "1000", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            text=True,
            errors="replace",
            process_group=0,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        while True:
            tick()
            with contextlib.suppress(queue.Empty):
                if (line := lines.get(timeout=TICK_SECONDS)) is None:
                    break
                on_line(line)
        code = process.wait()
    finally:
        end(process)
        reader.join(timeout=KILL_SECONDS)
    return code, _last_line(log, began)


def end(process: subprocess.Popen[str]) -> None:
    """End a program and all that is in its group, by force if need be."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        limit = time.monotonic() + KILL_SECONDS
        while process.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
    if process.stdout is not None:
        process.stdout.close()


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError, OSError):  # closed meanwhile
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _last_line(log: Path, began: int) -> str:
    with log.open("rb") as file:
        file.seek(began)
        said = [line.strip() for line in file.read()[-20_000:].decode(errors="replace").splitlines()]
    return next((line for line in reversed(said) if line), "")[:500]


def _die_with_parent() -> None:
    """In the child: be killed when this process is, however it goes."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)

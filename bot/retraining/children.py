"""Programs that a retraining runs: watched line by line, and ended with all that they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from model.supervisor import environment

TICK_SECONDS = 0.2
KILL_SECONDS = 5.0
"""How long a program has to end by itself."""
MOST_SAID = 1 << 20
"""Bytes of its standard error that are kept, the last ones."""
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def run(
    arguments: Sequence[str], log: Path, on_line: Callable[[str], None], tick: Callable[[], None]
) -> tuple[int, str]:
    """Run a module of Python, and wait for it.

    Args:
        arguments: what comes after ``python -P -m``.
        log: what it says on standard error is added there.
        on_line: called with each line of its standard output.
        tick: called a few times a second; whatever it raises ends the program, with all that it started.

    Returns:
        its exit status (negative: the signal that killed it), and the last line on its standard error.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    with tempfile.TemporaryFile(dir=log.parent) as said:
        process = subprocess.Popen(  # noqa: S603  # our own modules
            [sys.executable, "-P", "-m", *arguments],
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
        last = _kept(said, log)
    return code, last


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


def _kept(said: BinaryIO, log: Path) -> str:
    """Add what was said to the log; its last line."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - MOST_SAID))
    text = said.read()
    with log.open("ab") as file:
        file.write(text)
    lines = [line.strip() for line in text.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")[:500]


def _die_with_parent() -> None:
    """In the child: be killed when this process is, however it goes."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)

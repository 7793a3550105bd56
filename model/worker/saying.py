"""What a worker says: lines on stdout for whoever started it, see `model.worker.process`, and its log."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime

from model.tracing import Traced


def say(line: str) -> None:
    """One line on stdout."""
    with suppress(OSError, ValueError):  # nobody reads any more
        sys.stdout.write(line.replace("\n", " ") + "\n")
        sys.stdout.flush()


def say_progress(what: str, fraction: float) -> None:
    """What is being done, and how much of it is (0 to 1)."""
    say(f"progress {fraction:.3f} {what}")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if trace := getattr(record, "trace", ""):
            line["id"] = trace
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(*, json_lines: bool) -> None:
    """Text for people, or JSON for the supervisor."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(trace)s]: %(message)s")
    handler.setFormatter(_JsonLines() if json_lines else plain)
    handler.addFilter(Traced())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)

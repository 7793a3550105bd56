"""One id from a posted picture to its answer, in every line that any process logs of it.

The id is made where an event comes in, travels to the worker in a header (`model.worker.protocol.REQUEST_ID`)
and stands in a context variable meanwhile, which tasks inherit from the one that starts them.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")
_began: ContextVar[float] = ContextVar("request_began", default=0.0)
_OTHER = re.compile(r"[^0-9A-Za-z._-]")
LONGEST = 64


def current() -> str:
    """The id of what is being done here; empty where nothing is."""
    return _current.get()


def seconds() -> float:
    """How long ago it began here; 0 where nothing did."""
    began = _began.get()
    return time.perf_counter() - began if began else 0.0


def new() -> str:
    """An id that nobody has; it says nothing of whoever asked."""
    return uuid.uuid4().hex[:16]


def cleaned(id_: str) -> str:
    """An id from elsewhere as it may stand in a log; a new one when nothing of it may."""
    return _OTHER.sub("", id_)[:LONGEST] or new()


@contextmanager
def traced(id_: str = "") -> Iterator[str]:
    """Everything in the block has that id; without one, that of the block around it, or a new one."""
    if not id_ and (around := _current.get()):
        yield around
        return
    tokens = _current.set(id_ or new()), _began.set(time.perf_counter())
    try:
        yield _current.get()
    finally:
        _current.reset(tokens[0])
        _began.reset(tokens[1])


def trace(id_: str = "") -> str:
    """The rest of this task has that id, or a new one."""
    _current.set(id_ or new())
    _began.set(time.perf_counter())
    return _current.get()


class Traced(logging.Filter):
    """For a handler: gives every record its ``trace``, but for one of another process, which has it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        if not hasattr(record, "trace"):
            record.trace = _current.get()
        return True

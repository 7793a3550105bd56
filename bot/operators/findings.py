"""What a check finds: one line, with its mend in it when something is wrong."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from enum import Enum

import aiohttp

from bot.words import words


class State(Enum):
    """How a check ended."""

    OK = "ok"
    BAD = "bad"
    SKIPPED = "skipped"


MARKS = {State.OK: "✓", State.BAD: "✗", State.SKIPPED: "–"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    check: str
    state: State
    text: str

    def line(self) -> str:
        """For people."""
        return f"{MARKS[self.state]} {self.text}"

    def as_json(self) -> str:
        """For programs."""
        return json.dumps(
            {"check": self.check, "state": self.state.value, "text": self.text}, ensure_ascii=False
        )


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, text)


def bad(check: str, text: str) -> Finding:
    """Something is wrong, and ``text`` says how to mend it."""
    return Finding(check, State.BAD, text)


def skipped(check: str, text: str) -> Finding:
    """Nothing to check."""
    return Finding(check, State.SKIPPED, text)


def why_not(error: BaseException) -> str:
    """Why a server was not reached; its address, which may hold a token, is left out."""
    w = words()
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return w("doctor-why-slow")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return w("doctor-why-name")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return w("doctor-why-tls")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    status = getattr(error, "status", None)
    return w("doctor-why-status", status=status) if status else type(error).__name__

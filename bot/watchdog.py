"""Telling systemd that we are ready, and that the event loop still runs (sd_notify(3), Type=notify)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping


class Systemd:
    """Whoever started us, if it is systemd; otherwise nothing is told to anybody.

    Args:
        environ: where systemd says so, the process's own variables by default.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = environ.get("NOTIFY_SOCKET", "")
        ours = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        usec = environ.get("WATCHDOG_USEC", "")
        self.seconds = int(usec) / 1e6 / 3 if ours and usec.isdecimal() else 0.0
        """How often it wants to hear from us, three times as often to be sure; 0: not at all."""

    def tell(self, state: str) -> None:
        """Such as ``READY=1``."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), address)

    async def beat(self) -> None:
        """Say again and again that the event loop runs, until cancelled."""
        while self.seconds:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.seconds)

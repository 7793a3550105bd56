"""Who may ask a worker that others can reach: TLS, a shared secret, and where it may listen without one."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from model.errors import WorkerError
from model.worker.options import SECRET, WorkerOptions

log = logging.getLogger(__name__)

SHORTEST = 16
OPEN = frozenset({"/healthz"})
RENEWAL_SECONDS = 30.0
"""How often it is looked whether the certificate's files are others."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def secret_trouble(secret: str) -> str:
    """Why this cannot be a secret, as the end of a sentence; empty when it can."""
    if len(secret) < SHORTEST:
        return f"it has fewer than {SHORTEST} characters"
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        return "it may hold letters, digits and signs of ASCII only, and no spaces"
    return ""


def admission_of(secret: str) -> Middleware:
    """A middleware that answers only those who know the secret; everybody where there is none."""
    wanted = f"Bearer {secret}".encode()

    @web.middleware
    async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if secret and request.path not in OPEN:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, wanted):  # takes as long whatever is wrong with it
                body = {"reason": "secret", "detail": f"this worker answers those who send its {SECRET}"}
                return web.json_response(body, status=401, headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return admitted


async def check_reach(options: WorkerOptions, host: str) -> None:
    """See that nobody else can ask a worker that has no secret.

    Raises:
        WorkerError: it would listen beyond loopback without one, or the secret is none.
    """
    if options.secret and (trouble := secret_trouble(options.secret)):
        raise WorkerError(f"{SECRET} is no secret: {trouble}")
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    if all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found):
        return
    if not options.secret:
        raise WorkerError(
            f"a worker on {host} can be reached from other machines: set {SECRET} here and for the bots, "
            "or listen on 127.0.0.1"
        )
    if not options.cert:
        log.warning(
            "pictures and the secret travel unencrypted to %s: give --cert and --key, or let a proxy with "
            "TLS or a private network stand before it",
            host,
        )


@dataclass(slots=True)
class Certificate:
    """A worker's certificate; when its files are renewed, the next connection gets the new one."""

    cert: Path
    key: Path
    context: ssl.SSLContext
    stamp: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, options: WorkerOptions) -> Certificate | None:
        """That of the options; None when there is to be no TLS.

        Raises:
            WorkerError: it cannot be used.
        """
        if not options.cert and not options.key:
            return None
        if not options.cert or not options.key:
            raise WorkerError("--cert and --key belong together")
        cert, key = Path(options.cert), Path(options.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        _load(context, cert, key)
        return cls(cert, key, context, _stamp(cert, key))

    async def renew(self) -> None:
        """Follow the files until cancelled; a pair that does not fit together is not taken."""
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            self.look()

    def look(self) -> None:
        """Take the files if they are others than before."""
        with suppress(OSError):  # in the middle of being replaced
            if (stamp := _stamp(self.cert, self.key)) != self.stamp:
                self.stamp = stamp
                try:
                    _load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), self.cert, self.key)
                    _load(self.context, self.cert, self.key)
                    log.info("the certificate was renewed")
                except WorkerError as error:
                    log.error("the certificate stays what it was: %s", error)


def _load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    for file in (cert, key):
        if not os.access(file, os.R_OK):
            why = "is not there" if not file.exists() else "cannot be read by this user"
            raise WorkerError(f"{file} {why}")
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")  # nobody is there to type one
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or ""
        why = {
            "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
            "BAD_DECRYPT": "the key has a password; a worker needs one without",
        }.get(reason, "they are no certificate and key in PEM form")
        raise WorkerError(f"{cert} and {key} cannot be used: {why}") from None


def _stamp(*files: Path) -> tuple[tuple[int, int], ...]:
    return tuple((found.st_ino, found.st_mtime_ns) for found in (file.stat() for file in files))

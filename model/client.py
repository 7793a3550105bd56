"""Asks a worker, or one of several: `WorkerClient` is a `model.types.Eyes` over HTTP, see `model.link`."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from model import tracing
from model.asked import Asked
from model.errors import ModelError, WorkerError, WorkerGone, WorkerMisconfigured
from model.link import Away, Link
from model.reasons import Reason
from model.routes import Routes, key_of
from model.tries import Tries
from model.trust import beyond_this_machine, trust
from model.types import BundleInfo, Sight
from model.worker import protocol, reasons

T = TypeVar("T")

log = logging.getLogger(__name__)

_AGAIN = 2.0  # seconds; what is known takes no longer to say
_SHARE = 0.25  # of the time that there is, at most: there shall be enough left to send the picture
_LOADING = 600.0  # seconds; a swap may have to download and build the bundle first


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One worker as it is right now: what ``GET /readyz`` says, or ``trouble``, why it says nothing."""

    address: str
    status: Mapping[str, Any]
    trouble: WorkerError | None = None


class WorkerClient:
    """Asks the worker at one address, or one of several, over as many connections as it takes.

    What becomes of a request when a worker is away, dies, is full or has a fault: see `model.tries`.
    """

    def __init__(
        self,
        address: str | Sequence[str],
        *,
        deadline: float = 30.0,
        secret: str = "",
        ca_file: Path | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            address: ``http://host:port``, ``https://host:port``, ``unix:/path``, the bare path of a unix
                socket, or several of them.
            deadline: seconds that a request may take which names none.
            secret: what workers on other machines are told, so that they answer.
            ca_file: CAs that https workers are believed by, instead of the system's.

        Raises:
            WorkerMisconfigured: ``ca_file`` cannot be used.
        """
        addresses = [address] if isinstance(address, str) else list(dict.fromkeys(address))
        tls = trust(ca_file) if any(each.startswith("https:") for each in addresses) else None
        links = [Link(each, secret=secret, tls=tls) for each in addresses]
        self.address = ", ".join(link.address for link in links)
        self.deadline = deadline
        self._routes = Routes(links)
        self._tries = Tries(self._routes)
        for each in addresses:
            if secret and each.startswith("http:") and beyond_this_machine(each):
                log.warning("pictures and the secret travel unencrypted to %s", each)
        self._asked = Asked()
        self.restarts: Callable[[], int] = lambda: 0
        """How often the worker had to be started again, as far as whoever starts it tells."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._routes.close()

    @property
    def leading(self) -> str:
        """The model that most of several workers answer with; empty for one, or before the first answer."""
        return self._routes.leading if self._routes.several else ""

    @property
    def away(self) -> int:
        """How many of several workers are left alone, because they do not answer or refuse us."""
        return self._routes.away_now

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        """Look at one encoded picture, see `model.types.Eyes`.

        Raises:
            PictureError, WorkerBusy, DeadlinePassed, WorkerGone, WorkerError: see `model.errors`.
        """
        headers = {
            protocol.REQUEST_ID: tracing.current() or tracing.new(),
            protocol.FAIRNESS_KEY: _header_safe(fairness_key),
            "Content-Type": "application/octet-stream",
        }
        if keep:
            headers |= {protocol.KEEP: "1", "Accept": f"{protocol.APART}, application/json"}
        seconds = self.deadline if deadline is None else deadline
        began, tag = time.monotonic(), await self._asked.tag(picture)
        reply = await self._again(picture, tag, headers, seconds)
        if reply is None:
            left = seconds - (time.monotonic() - began)
            reply = await self._tries.ask("POST", "/v1/identify", picture, headers, left)
        sight = _read(protocol.sight_from_json, reply)
        self._asked.remember(tag, sight.sha256)
        return sight

    async def _again(
        self, picture: bytes, tag: bytes, headers: Mapping[str, str], seconds: float
    ) -> Mapping[str, Any] | None:
        """The reply to a picture that was asked about before, by its hash; None when it has to be sent."""
        if (sha256 := self._asked.sha256(tag)) is None:
            return None
        link = self._routes.choose(key_of(picture) if self._routes.several else b"")
        if link is None:
            return None
        headers = {**headers, protocol.SHA256: sha256}
        patience = min(seconds * _SHARE, _AGAIN)
        try:
            async with asyncio.timeout(patience):  # not the worker's own, which comes half a second later
                reply = await link.ask("POST", "/v1/identify", None, headers, patience, kept=True)
        except (Away, TimeoutError, ModelError):  # whatever it is, sending the picture will show it
            return None
        return None if reply == protocol.UNKNOWN else reply

    async def why(self, picture: bytes, *, character: str = "", deadline: float | None = None) -> Reason:
        """Explain one encoded picture, see `model.reasons.Explainer`.

        Raises:
            PictureError, WorkerBusy, DeadlinePassed, WorkerGone, WorkerError: see `model.errors`.
        """
        headers = {
            protocol.REQUEST_ID: tracing.current() or tracing.new(),
            reasons.CHARACTER: reasons.slug_to_header(character),
            "Content-Type": "application/octet-stream",
        }
        reply = await self._tries.ask(
            "POST", "/v1/why", picture, headers, self.deadline if deadline is None else deadline
        )
        return _read(reasons.reason_from_json, reply)

    async def sheet(self, pictures: Sequence[bytes], *, deadline: float | None = None) -> bytes:
        """Small versions of a few encoded pictures side by side, as one JPEG.

        Raises:
            PictureError, WorkerBusy, DeadlinePassed, WorkerGone, WorkerError: see `model.errors`.
        """
        headers = {
            protocol.REQUEST_ID: tracing.current() or tracing.new(),
            reasons.SIZES: reasons.sizes_to_header(pictures),
            "Content-Type": "application/octet-stream",
        }
        seconds = self.deadline if deadline is None else deadline
        reply = await self._tries.ask("POST", "/v1/sheet", b"".join(pictures), headers, seconds)
        return _read(reasons.sheet_from_json, reply)

    async def ready(self) -> bool:
        """Whether a worker can answer right now; never raises, never waits long."""
        return any(await asyncio.gather(*(link.ready(2.0) for link in self._routes.links)))

    async def status(self) -> Mapping[str, Any]:
        """Bundle, level, backend and counters, as ``GET /readyz`` tells them; of several, those of one."""
        status = await self._tries.ask("GET", "/readyz", None, {}, self.deadline)
        if self._routes.several:
            await self.survey()
            status = {**status, "bundle": self.leading or status["bundle"]}
        return status

    async def survey(self, seconds: float = 5.0) -> list[Surveyed]:
        """How every worker is, in the order of their addresses."""

        async def one(link: Link) -> Surveyed:
            try:
                return Surveyed(link.address, await link.ask("GET", "/readyz", None, {}, seconds, fresh=True))
            except Away as away:
                self._routes.away(link, away.gone)
                return Surveyed(link.address, {}, away.gone)
            except WorkerMisconfigured as error:
                self._routes.away(link, error)
                return Surveyed(link.address, {}, error)
            except (TimeoutError, ModelError):
                late = WorkerGone(f"the worker at {link.address} does not answer within {seconds:g} s")
                return Surveyed(link.address, {}, late)

        found = await asyncio.gather(*(one(link) for link in self._routes.links))
        for link, each in zip(self._routes.links, found, strict=True):
            if each.trouble is None:
                self._routes.answered(link)
        return found

    async def bundle(self) -> BundleInfo:
        """What the worker looks with; of several, what most of them do."""
        others = [link for link in self._routes.links if self.leading and link.bundle != self.leading]
        reply = await self._tries.ask("GET", "/v1/bundle", None, {}, self.deadline, others)
        return _read(protocol.info_from_json, reply)

    async def swap(self, use: str) -> BundleInfo:
        """Have it look with another bundle, or all of them, one after the other.

        Raises:
            BundleError: it cannot be loaded; the old one stays.
        """
        body = json.dumps({"use": use}).encode()
        headers = {"Content-Type": "application/json"}
        for link in self._routes.links:
            others = [each for each in self._routes.links if each is not link]
            reply = await self._tries.ask("POST", "/v1/bundle", body, headers, _LOADING, others)
        return _read(protocol.info_from_json, reply)


def _read(read: Callable[[Mapping[str, Any]], T], reply: Mapping[str, Any]) -> T:
    try:
        return read(reply)
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerGone("what answers at the worker's address speaks another protocol") from error


def _header_safe(key: str) -> str:
    """A fairness key as a header takes it, whatever characters a platform puts into names."""
    return key.encode("ascii", "backslashreplace").decode("ascii").replace("\r", "").replace("\n", "")[:256]

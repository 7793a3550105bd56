"""Fetching pictures from wherever a search says they are, politely and from public addresses alone.

Addresses are checked when the socket is about to be opened, and again after each redirect (see
`training.public_addresses`). A host is asked one thing at a time, with a pause between, and
what its robots.txt (RFC 9309) does not want read is not read. We say who we are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from urllib.robotparser import RobotFileParser

import aiohttp
from yarl import URL

from training.public_addresses import Allowed, NotPublic, PublicResolver, check_literal, is_public

AGENT = "whosthat"
USER_AGENT = f"{AGENT}/0.1 (collects pictures for a private data set; heeds robots.txt)"
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5, sock_read=10)
REDIRECTS = 3
ROBOTS_BYTES = 512 * 1024  # RFC 9309, section 2.5: a parser must take at least 500 KiB


class Refused(Exception):  # not an error: the next address is taken
    """A picture that is not fetched. ``lasting``: asking again would change nothing."""

    def __init__(self, reason: str, *, lasting: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting


class Fetcher:
    """``async with Fetcher() as fetcher: content = await fetcher.fetch(address)``.

    Args:
        max_bytes: more of one picture is not read.
        pause: seconds between two requests to one host.
        allowed: says of an IP address whether it may be connected to.
    """

    def __init__(self, *, max_bytes: int, pause: float = 1.0, allowed: Allowed = is_public) -> None:
        self._max_bytes = max_bytes
        self._pause = pause
        self._allowed = allowed
        self._session: aiohttp.ClientSession | None = None
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._last: dict[str, float] = {}
        self._robots: dict[str, RobotFileParser] = {}
        self.bytes_read = 0

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=PublicResolver(self._allowed), use_dns_cache=False)
        headers = {"User-Agent": USER_AGENT, "Accept": "image/*", "Accept-Encoding": "identity"}
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, address: str) -> bytes:
        """The bytes at an ``http`` or ``https`` address.

        Raises:
            Refused: not public, not wanted by robots.txt, gone, too large or too slow.
        """
        url = _parsed(address)
        for _ in range(REDIRECTS + 1):
            self._check(url)
            async with self._turns[url.authority]:
                if not (await self._rules(url)).can_fetch(AGENT, str(url)):
                    raise Refused("robots", lasting=True)
                async with self._asked(url) as response:
                    if response.status not in (301, 302, 303, 307, 308):
                        return await self._read(response, self._max_bytes)
                    url = _parsed(response.headers.get("Location", ""), url)
        raise Refused("redirects", lasting=True)

    async def _rules(self, url: URL) -> RobotFileParser:
        """What a host wants, asked once. No rules: all may be read. Out of order: nothing (section 2.3.1)."""
        known = self._robots.get(url.authority)
        if known is not None:
            return known
        rules = RobotFileParser()
        lines: list[str] = []
        place = url.origin() / "robots.txt"
        try:
            async with self._asked(place) as response:
                lines = (await self._read(response, ROBOTS_BYTES)).decode("utf-8", "replace").splitlines()
        except Refused as refused:
            if not refused.lasting:
                raise
        rules.parse(lines)
        self._robots[url.authority] = rules
        return rules

    @asynccontextmanager
    async def _asked(self, url: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, after the pause that its host is owed, with the network's errors turned into ours."""
        assert self._session is not None, "use it as a context"
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._last.get(url.authority, -1e9) + self._pause - loop.time()))
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                yield response
        except TimeoutError:
            raise Refused("slow", lasting=False) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, NotPublic):
                raise Refused("not-public", lasting=True) from None
            raise Refused("trouble", lasting=False) from None
        except NotPublic:
            raise Refused("not-public", lasting=True) from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise Refused("trouble", lasting=False) from None
        finally:
            self._last[url.authority] = loop.time()

    async def _read(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        if response.status == 429 or response.status >= 500:
            raise Refused("trouble", lasting=False)
        if response.status != 200:
            raise Refused("gone", lasting=True)
        if (response.content_length or 0) > max_bytes:
            raise Refused("too-many-bytes", lasting=True)
        body = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            body += chunk
            self.bytes_read += len(chunk)
            if len(body) > max_bytes:
                raise Refused("too-many-bytes", lasting=True)
        return bytes(body)

    def _check(self, url: URL) -> None:
        try:
            check_literal(url.host or "", self._allowed)
        except NotPublic:
            raise Refused("not-public", lasting=True) from None


def _parsed(address: str, base: URL | None = None) -> URL:
    try:
        url = URL(address, encoded=True)
        url = base.join(url) if base is not None else url
        fit = url.scheme in ("http", "https") and bool(url.host) and len(address) <= 4096
    except ValueError:
        fit = False
    if not fit:
        raise Refused("no-address", lasting=True)
    return url

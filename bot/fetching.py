"""Fetching pictures from addresses that strangers give.

Two doors: `fetch_from_hosts` for attachments (a list of hosts, no redirects), `fetch_public` for links that
a person typed (public addresses only, each redirect checked again). Addresses are checked when the socket is
about to be opened, not before, so that a name cannot change its mind in between (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from yarl import URL

from bot.errors import FetchError

TRIES = 3
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5, sock_read=10)
REDIRECTS = 3


class _Interrupted(FetchError):
    """The network's trouble, which may pass: fetching can be tried again."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet could mean."""
    ip = ipaddress.ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast


class _Checked(AbstractResolver):
    """Resolves names, but only to addresses that ``allowed`` lets through."""

    def __init__(self, allowed: Callable[[str], bool]) -> None:
        self._inner = ThreadedResolver()
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(self._allowed(each["host"]) for each in found):
            raise FetchError("link-refused", f"{host} is not a public address")
        return found

    async def close(self) -> None:
        await self._inner.close()


async def fetch_public(
    link: str, max_bytes: int, allowed: Callable[[str], bool] = is_public, trust: Any = None
) -> bytes:
    """Fetch a picture from a link that a person gave.

    Args:
        link: an ``http`` or ``https`` address.
        max_bytes: more is not read.
        allowed: says of an IP address whether it may be connected to.
        trust: an `ssl.SSLContext` other than the default one.

    Raises:
        FetchError: refused, gone, too large or too slow.
    """
    connector = aiohttp.TCPConnector(resolver=_Checked(allowed), use_dns_cache=False, ssl=trust or True)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        for _ in range(REDIRECTS + 1):
            _check_literal(link, allowed)
            async with _asked(session, link) as response:
                if response.status in (301, 302, 303, 307, 308):
                    location = response.headers.get("Location", "")
                    try:
                        link = str(URL(link).join(URL(location)))
                    except ValueError:
                        raise FetchError("link-refused", "it redirects to no address") from None
                    continue
                return await _read(response, max_bytes)
    raise FetchError("link-refused", "it redirects too often")


@retry(
    retry=retry_if_exception_type(_Interrupted),
    stop=stop_after_attempt(TRIES),
    wait=wait_random_exponential(multiplier=0.2, max=2),
    reraise=True,
)
async def fetch_from_hosts(
    session: aiohttp.ClientSession, link: str, hosts: Collection[str], max_bytes: int
) -> bytes:
    """Fetch an attachment from one of ``hosts`` (``name`` or ``name:port``), following nothing.

    What the network or the other side's own trouble interrupts is tried again, `TRIES` times in all.

    Raises:
        FetchError: refused, gone, too large or too slow.
    """
    try:
        url = URL(link)
    except ValueError:
        raise FetchError("link-refused", "not an address") from None
    host = url.host or ""
    if url.scheme not in ("http", "https") or not {host, f"{host}:{url.port}"} & set(hosts):
        raise FetchError("link-refused", f"{host} is not in discord.cdn_hosts")
    async with _asked(session, link) as response:
        if 300 <= response.status < 400:
            raise FetchError("link-refused", "an attachment that redirects")
        return await _read(response, max_bytes)


def _check_literal(link: str, allowed: Callable[[str], bool]) -> None:
    """aiohttp asks no resolver about an address that is written in digits, so it is checked here."""
    try:
        url = URL(link)
    except ValueError:
        raise FetchError("link-refused", "not an address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise FetchError("link-refused", "only http and https")
    try:
        literal = ipaddress.ip_address(url.host)
    except ValueError:
        return
    if not allowed(str(literal)):
        raise FetchError("link-refused", f"{literal} is not a public address")


class _asked:  # noqa: N801  # used like a function
    """``session.get`` without redirects, with its errors turned into ours."""

    def __init__(self, session: aiohttp.ClientSession, link: str) -> None:
        # `encoded`: what a link says is sent as it is, since signatures cover it.
        self._request = session.get(URL(link, encoded=True), allow_redirects=False)

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            return await self._request.__aenter__()
        except TimeoutError:
            raise FetchError("link-slow") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _Interrupted("link-gone", str(error)) from None

    async def __aexit__(self, *exc: Any) -> None:
        await self._request.__aexit__(*exc)


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if response.status >= 500:
        raise _Interrupted("link-gone", f"HTTP {response.status}")
    if response.status != 200:
        raise FetchError("link-gone", f"HTTP {response.status}")
    if (response.content_length or 0) > max_bytes:
        raise FetchError("too-many-bytes")
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > max_bytes:
                raise FetchError("too-many-bytes")
    except TimeoutError:
        raise FetchError("link-slow") from None
    except aiohttp.ClientError as error:
        raise _Interrupted("link-gone", str(error)) from None
    return bytes(body)

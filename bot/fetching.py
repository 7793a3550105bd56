"""Fetching pictures from addresses that strangers give.

Two doors: `fetch_from_hosts` for attachments (a list of hosts, no redirects), `fetch_public` for links that
a person typed (public addresses only, see `training.public_addresses`; each redirect checked again).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import aiohttp
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from yarl import URL

from bot.errors import FetchError
from training.public_addresses import Allowed, NotPublic, PublicResolver, check_literal, is_public

TRIES = 3
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5, sock_read=10)
REDIRECTS = 3


class _Interrupted(FetchError):
    """The network's trouble, which may pass: fetching can be tried again."""


async def fetch_public(link: str, max_bytes: int, allowed: Allowed = is_public, trust: Any = None) -> bytes:
    """Fetch a picture from a link that a person gave.

    Args:
        link: an ``http`` or ``https`` address.
        max_bytes: more is not read.
        allowed: says of an IP address whether it may be connected to.
        trust: an `ssl.SSLContext` other than the default one.

    Raises:
        FetchError: refused, gone, too large or too slow.
    """
    connector = aiohttp.TCPConnector(resolver=PublicResolver(allowed), use_dns_cache=False, ssl=trust or True)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        for _ in range(REDIRECTS + 1):
            _check_link(link, allowed)
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


def _check_link(link: str, allowed: Allowed) -> None:
    try:
        url = URL(link)
    except ValueError:
        raise FetchError("link-refused", "not an address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise FetchError("link-refused", "only http and https")
    try:
        check_literal(url.host, allowed)
    except NotPublic as error:
        raise FetchError("link-refused", str(error)) from None


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
        except NotPublic as error:
            raise FetchError("link-refused", str(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(getattr(error, "os_error", None), NotPublic):  # what a connector makes of it
                raise FetchError("link-refused", str(error)) from None
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

"""What may be connected to when a stranger says where: addresses that anybody on the internet could mean.

They are checked when the socket is about to be opened, not before, so that a name cannot change its mind in
between (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Allowed = Callable[[str], bool]
"""Says of an IP address whether it may be connected to."""


class NotPublic(OSError):
    """An address, or a name that stands for one, which is not connected to."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet could mean."""
    ip = ipaddress.ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast


def check_literal(host: str, allowed: Allowed) -> None:
    """aiohttp asks no resolver about an address that is written in digits: ask here.

    Raises:
        NotPublic: ``host`` is such an address, and not allowed. A name passes.
    """
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return
    if not allowed(str(literal)):
        raise NotPublic(f"{literal} is not a public address")


class PublicResolver(AbstractResolver):
    """Resolves names, but only to addresses that ``allowed`` lets through; others raise NotPublic."""

    def __init__(self, allowed: Allowed = is_public) -> None:
        self._inner = ThreadedResolver()
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of a name, if all of them may be connected to."""
        found = await self._inner.resolve(host, port, family)
        if not all(self._allowed(each["host"]) for each in found):
            raise NotPublic(f"{host} is not a public address")
        return found

    async def close(self) -> None:
        """Nothing is held."""
        await self._inner.close()

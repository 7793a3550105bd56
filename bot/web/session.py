"""Who somebody is on the page: a random id in a signed cookie, nothing else."""

from __future__ import annotations

import hmac
import re
import secrets

from aiohttp import web

COOKIE = "whosthat"
YEAR = 365 * 24 * 3600
_COOKIE = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})")


class Sessions:
    """Makes and checks the cookies.

    Args:
        secret: 32 bytes or more that stay the same over restarts; without it nobody can make a cookie.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the secret of the page's sessions must have 32 bytes")
        self._secret = secret

    def read(self, request: web.Request) -> str | None:
        """The id in the request's cookie; None when there is none or somebody else made it."""
        found = _COOKIE.fullmatch(request.cookies.get(COOKIE, ""))
        if found and hmac.compare_digest(self._signature(found[1]), found[2]):
            return found[1]
        return None

    def new(self) -> str:
        """An id that nobody has."""
        return secrets.token_hex(16)

    def remember(self, request: web.Request, response: web.StreamResponse, person: str) -> None:
        """Give the browser its cookie."""
        # Behind a proxy with TLS the request is plain; a lie here only makes the liar's own cookie stricter.
        https = request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
        response.set_cookie(
            COOKIE,
            f"{person}.{self._signature(person)}",
            max_age=YEAR,
            httponly=True,
            samesite="Lax",
            secure=https,
        )

    def _signature(self, person: str) -> str:
        return hmac.digest(self._secret, b"web session " + person.encode(), "sha256").hex()

"""Who is signed in to the console: a signed cookie that ends by itself, and a row that ends it everywhere.

The cookie is made with itsdangerous and says whose it is, which community it opens and which login began
it. That login's row in the ledger must still be there, so that signing out or forgetting the person ends a
session wherever its cookie was copied to.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from aiohttp import web
from itsdangerous import BadSignature, URLSafeTimedSerializer
from yarl import URL

from corrections.links import Link
from corrections.review.types import Moderator
from corrections.types import Person

COOKIE = "whosthat-console"
PATH = "/review"
OPERATOR: Person = ("whosthat", "operator")
"""Who decides with a link from the terminal, which is nobody's on any platform."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A moderator and the session they decide in."""

    moderator: Moderator
    session: str

    @property
    def operator(self) -> bool:
        """Whether all communities are theirs."""
        return self.moderator.community is None


def signed_in(link: Link) -> SignedIn:
    """Whom a redeemed link lets in."""
    return SignedIn(Moderator(link.person or OPERATOR, link.community), link.session)


class ConsoleSessions:
    """Makes and reads the cookies.

    Args:
        secret: 32 bytes or more, the same after a restart; the keys of these cookies are derived from it.
        hours: how long a session lasts, whatever is done in it.
        public_url: where a proxy shows the page; over TLS its cookies never travel without.
    """

    def __init__(self, secret: bytes, hours: int, public_url: str = "") -> None:
        if len(secret) < 32:
            raise ValueError("the secret of the console's sessions must have 32 bytes")
        self._seconds = hours * 3600
        self._over_tls = URL(public_url).host_port_subcomponent if public_url[:6] == "https:" else None
        self._serializer = URLSafeTimedSerializer(
            hmac.digest(secret, b"console-session", "sha256"),
            salt="whosthat-console",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def read(self, request: web.Request) -> SignedIn | None:
        """Who the cookie says it is; None without one, with one that is too old, or that we did not make."""
        try:
            person, community, session = self._serializer.loads(
                request.cookies.get(COOKIE, ""), max_age=self._seconds
            )
        except BadSignature:  # expired ones are a kind of it
            return None
        place = None if community is None else (str(community[0]), str(community[1]))
        return SignedIn(Moderator((str(person[0]), str(person[1])), place), str(session))

    def begin(self, request: web.Request, response: web.StreamResponse, who: SignedIn) -> None:
        """Give the browser its cookie."""
        value = self._serializer.dumps([who.moderator.person, who.moderator.community, who.session])
        # Behind a proxy with TLS the request is plain; a lie here only makes the liar's own cookie stricter.
        forwarded = request.headers.get("X-Forwarded-Proto", "") == "https"
        https = request.secure or forwarded or request.host == self._over_tls
        response.set_cookie(
            COOKIE,
            value if isinstance(value, str) else value.decode(),
            max_age=self._seconds,
            path=PATH,
            httponly=True,
            samesite="Strict",
            secure=https,
        )

    def end(self, response: web.StreamResponse) -> None:
        """Take the cookie away."""
        response.del_cookie(COOKIE, path=PATH, httponly=True, samesite="Strict")

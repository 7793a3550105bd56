"""What is refused before a handler sees it, and the headers that every response has."""

from __future__ import annotations

import ipaddress
import logging

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from bot.web import render

log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
FILES_BELOW = ("/static/", "/review/static/")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For ``on_response_prepare``."""
    response.headers.update(HEADERS)
    # "no-cache" lets the browser keep a file and ask whether it is still the same.
    response.headers.setdefault(
        hdrs.CACHE_CONTROL, "no-cache" if request.path.startswith(FILES_BELOW) else "no-store"
    )


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def from_elsewhere(request: web.Request) -> bool:
    """Whether another site's page made the browser send this (CSRF).

    The check of Go 1.25's ``http.CrossOriginProtection`` and of Datasette: browsers say in ``Sec-Fetch-Site``
    whose page it was, older ones in ``Origin``; what says neither is no browser and has no cookies to abuse.
    """
    if request.method in SAFE:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return False
    try:
        # A default port is written neither in an Origin nor in a Host.
        return URL(origin).host_port_subcomponent != request.host
    except ValueError:
        return True


def guard(host: str, public_url: str = "") -> Middleware:
    """Refuse requests from other sites; on loopback also ones under a name that is not ours.

    The second stops DNS rebinding: a stranger's domain that suddenly means 127.0.0.1 would make its own
    pages same-origin with ours. ``host`` is where we listen; ``public_url`` where a proxy on this machine
    shows us to others, whose name it hands on.
    """
    public = URL(public_url).host if public_url else None
    names = LOOPBACK_NAMES | {host, *([public] if public else [])} if is_loopback(host) else None

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if from_elsewhere(request) or not _is_named(request, names):
            raise web.HTTPForbidden
        return await handler(request)

    return middleware


def _is_named(request: web.Request, names: frozenset[str] | None) -> bool:
    if names is None:
        return True
    try:
        return URL.build(scheme="http", authority=request.host).host in names
    except ValueError:
        return False


SENTENCES = {403: "web-forbidden", 404: "web-not-found", 405: "web-wrong-way"}


@web.middleware
async def errors_in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong is one sentence in the page's own look."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        key = SENTENCES.get(error.status, "web-bad-request" if error.status < 500 else "error-trouble")
        response = render.sentence(request, key, error.status)
        if hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response
    except ConnectionError:
        return web.Response(status=400)  # nobody is there to read a sentence, and nothing is wrong here
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return render.sentence(request, "error-trouble", 500)

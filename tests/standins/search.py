"""An image search on loopback that answers as Bing's does, and the hosts of the pictures that it finds.

``/images/async`` is written after what ddgs reads: a block for each result, its facts as JSON in the
attribute ``m`` of a link.
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import unused_port

A_PAGE = 5


@dataclass
class StandinSearch:
    """``results``: addresses by search words, those that begin with ``/`` are ours. ``files``: what is there.

    ``asked`` holds path, time and user agent of every request; ``out_of_order`` makes the search refuse.
    """

    results: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    robots: str | None = None
    asked: list[tuple[str, float, str]] = field(default_factory=list)
    out_of_order: bool = False
    url: str = ""

    @property
    def page(self) -> str:
        return f"{self.url}/images/async"

    def paths(self, prefix: str = "/") -> list[str]:
        return [path for path, _, _ in self.asked if path.startswith(prefix)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StandinSearch]:
        """Serve on a free port of loopback until the block ends."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        port = unused_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        agent = request.headers.get("User-Agent", "")
        self.asked.append((request.path, asyncio.get_running_loop().time(), agent))
        if request.path == "/images/async":
            return self._results(request)
        if request.path == "/robots.txt":
            return web.Response(text=self.robots) if self.robots is not None else web.Response(status=404)
        if request.path in self.moved:
            return web.Response(status=302, headers={"Location": self.moved[request.path]})
        content = self.files.get(request.path)
        return web.Response(body=content) if content is not None else web.Response(status=404)

    def _results(self, request: web.Request) -> web.Response:
        if self.out_of_order:
            return web.Response(status=503)
        first = int(request.query["first"]) - 1
        start = first // int(request.query["count"]) * A_PAGE
        found = self.results.get(request.query["q"], [])[start : start + A_PAGE]
        blocks = []
        for number, address in enumerate(found):
            address = self.url + address if address.startswith("/") else address
            facts = {
                "murl": address,
                "purl": f"{self.url}/page/{number}",
                "turl": "",
                "t": f"picture {number}",
            }
            blocks.append(
                "<div><div class='imgpt'>"
                f"<a class='iusc' m='{html.escape(json.dumps(facts), quote=True)}' href='#'></a></div>"
                "<div class='infopt'><div class='lnkw'><a href='#'>somewhere</a></div></div></div>"
            )
        return web.Response(text=f"<html><body>{''.join(blocks)}</body></html>", content_type="text/html")

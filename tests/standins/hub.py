"""A small Hugging Face hub on loopback: as much of its API as downloading a model takes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import unused_port

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StandinHub:
    """Serves folders as models.

    ``models`` maps OWNER/NAME to a folder; ``asked`` holds the paths that were requested;
    ``broken`` makes every answer an error 500.
    """

    def __init__(self, models: dict[str, Path]) -> None:
        self.models = models
        self.asked: list[str] = []
        self.broken = False
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StandinHub]:
        """Serve on a free port of loopback until the block ends."""
        application = web.Application(middlewares=[self._note])
        application.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self._model)
        application.router.add_get("/api/models/{owner}/{name}", self._model)
        application.router.add_get("/api/models/{owner}/{name}/tree/{revision}", self._tree)
        application.router.add_get("/{owner}/{name}/resolve/{revision}/{file:.+}", self._file)
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        port = unused_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _note(self, request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.broken:
            return web.Response(status=500)
        return await handler(request)  # type: ignore[operator]

    def _folder(self, request: web.Request) -> Path:
        folder = self.models.get(f"{request.match_info['owner']}/{request.match_info['name']}")
        if folder is None:
            raise web.HTTPNotFound(headers={"X-Error-Code": "RepoNotFound"})
        if request.match_info.get("revision", "main") not in ("main", COMMIT):
            raise web.HTTPNotFound(headers={"X-Error-Code": "RevisionNotFound"})
        return folder

    async def _model(self, request: web.Request) -> web.Response:
        files = sorted(path.name for path in self._folder(request).iterdir())
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        return web.json_response(
            {
                "_id": "1",
                "id": name,
                "modelId": name,
                "sha": COMMIT,
                "private": False,
                "tags": [],
                "siblings": [{"rfilename": file} for file in files],
            }
        )

    async def _tree(self, request: web.Request) -> web.Response:
        paths = sorted(self._folder(request).iterdir())
        return web.json_response(
            [
                {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": _etag(path)}
                for path in paths
            ]
        )

    async def _file(self, request: web.Request) -> web.Response:
        path = self._folder(request) / request.match_info["file"]
        if not path.is_file():
            raise web.HTTPNotFound(headers={"X-Error-Code": "EntryNotFound"})
        return web.Response(
            body=path.read_bytes(),
            headers={"ETag": f'"{_etag(path)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"},
        )


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()

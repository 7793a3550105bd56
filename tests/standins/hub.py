"""A small Hugging Face hub on loopback: as much of its API as downloading and uploading a model takes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import unused_port

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StandinHub:
    """Serves folders as models.

    ``models`` maps OWNER/NAME to a folder; ``asked`` holds the paths that were requested;
    ``broken`` makes every answer an error 500. With ``uploads`` a folder, whoever sends ``token`` may make
    models in it; large files come as Git LFS does it, the rest in the commit. ``private`` says which of
    those were made so, ``tokens`` what was sent as one.
    """

    token = "hf_standin"

    def __init__(self, models: dict[str, Path], uploads: Path | None = None) -> None:
        self.models = models
        self.uploads = uploads
        self.private: dict[str, bool] = {}
        self.commits: list[str] = []
        self.tokens: set[str] = set()
        self._large: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.broken = False
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StandinHub]:
        """Serve on a free port of loopback until the block ends."""
        application = web.Application(middlewares=[self._note], client_max_size=1 << 28)
        application.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self._model)
        application.router.add_get("/api/models/{owner}/{name}", self._model)
        application.router.add_get("/api/models/{owner}/{name}/tree/{revision}", self._tree)
        application.router.add_get("/{owner}/{name}/resolve/{revision}/{file:.+}", self._file)
        application.router.add_post("/api/repos/create", self._create)
        application.router.add_post("/api/validate-yaml", self._valid)
        application.router.add_post("/api/models/{owner}/{name}/preupload/{revision}", self._modes)
        application.router.add_post("/{owner}/{name}.git/info/lfs/objects/batch", self._batch)
        application.router.add_put("/large/{oid}", self._put_large)
        application.router.add_post("/api/models/{owner}/{name}/commit/{revision}", self._commit)
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

    # -- uploads

    def _admit(self, request: web.Request) -> None:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.tokens.add(sent)
        if sent != self.token or self.uploads is None:
            raise web.HTTPUnauthorized(headers={"X-Error-Message": "Invalid username or password."})

    async def _create(self, request: web.Request) -> web.Response:
        self._admit(request)
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.models:
            return web.json_response(
                {"url": f"{self.url}/{name}", "error": "You already have it"}, status=409
            )
        assert self.uploads is not None
        self.models[name] = self.uploads / name.replace("/", "--")
        self.models[name].mkdir(parents=True)
        self.private[name] = asked.get("visibility") == "private" or bool(asked.get("private"))
        return web.json_response({"url": f"{self.url}/{name}", "name": name})

    async def _valid(self, request: web.Request) -> web.Response:
        return web.json_response({"errors": [], "warnings": []})

    async def _modes(self, request: web.Request) -> web.Response:
        self._admit(request)
        files = [
            {
                "path": each["path"],
                "uploadMode": "lfs" if each["path"].endswith((".onnx", ".safetensors")) else "regular",
                "shouldIgnore": False,
            }
            for each in (await request.json())["files"]
        ]
        return web.json_response({"files": files})

    async def _batch(self, request: web.Request) -> web.Response:
        self._admit(request)
        objects = [
            {
                "oid": each["oid"],
                "size": each["size"],
                "actions": {"upload": {"href": f"{self.url}/large/{each['oid']}"}},
            }
            for each in (await request.json())["objects"]
        ]
        return web.json_response({"transfer": "basic", "objects": objects})

    async def _put_large(self, request: web.Request) -> web.Response:
        content = await request.read()
        if hashlib.sha256(content).hexdigest() != request.match_info["oid"]:
            raise web.HTTPBadRequest
        self._large[request.match_info["oid"]] = content
        return web.Response()

    async def _commit(self, request: web.Request) -> web.Response:
        self._admit(request)
        folder = self._folder(request)
        for line in (await request.text()).splitlines():
            part = json.loads(line)
            value = part["value"]
            match part["key"]:
                case "header":
                    self.commits.append(value["summary"])
                case "file":
                    (folder / value["path"]).write_bytes(base64.b64decode(value["content"]))
                case "lfsFile":
                    (folder / value["path"]).write_bytes(self._large[value["oid"]])
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        return web.json_response(
            {"success": True, "commitOid": COMMIT, "commitUrl": f"{self.url}/{name}/commit/{COMMIT}"}
        )


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()

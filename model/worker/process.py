"""The life of a worker process: listen, warm up, say so, serve, finish what is in flight, leave nothing.

On stdout, one line each, for whoever started it::

    progress 0.42 building the embedded model
    ready unix:/tmp/whosthat-x/w
    failed BundleMissing there is no bundle in ./models/nobody

Logs go to stderr.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from model.choosing import Chooser
from model.errors import ModelError, WorkerError
from model.types import BundleInfo
from model.versions import Versions
from model.worker.ahead import Ahead, wish_of
from model.worker.engine import Engine
from model.worker.following import Follower
from model.worker.freeing import give_back
from model.worker.guard import Certificate, check_reach
from model.worker.measuring import Measuring
from model.worker.options import LONGEST_UNIX_PATH, WorkerOptions, unix_path
from model.worker.saying import log_to_stderr, say, say_progress
from model.worker.server import make_app

log = logging.getLogger(__name__)

FAILED = 3  # the exit status of a worker that could not start and has said why
BACKLOG = 1024  # connections that may wait to be taken, while the event loop is at something else


def run_worker(
    options: WorkerOptions, make_engine: Callable[..., Engine] = Engine, ahead: Ahead | None = None
) -> int:
    """Serve until SIGTERM, SIGINT or, if asked for, the end of stdin; returns the exit status.

    Args:
        ahead: the model, where loading it has begun.
    """
    log_to_stderr(json_lines=options.json_log)
    return asyncio.run(_Process(options, make_engine, ahead).run())


class _Process:
    def __init__(
        self, options: WorkerOptions, make_engine: Callable[..., Engine], ahead: Ahead | None
    ) -> None:
        self.options = options
        self._make_engine = make_engine
        self._ahead = ahead
        self.stopping = asyncio.Event()
        self.orphaned = False
        self._open = ExitStack()
        self._renewing: asyncio.Task[None] | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        if self._ahead is not None:
            chooser = self._ahead.chooser
            engine = self._make_engine(self.options, load=self._ahead.load, check=self._ahead.check)
        else:
            try:
                chooser = Chooser(wish_of(self.options), Path(self.options.models_dir))
            except ModelError as error:
                log.error("%s", error)
                say(f"failed {type(error).__name__} {error}")
                return FAILED
            engine = self._make_engine(self.options, load=chooser.load)
        runner = web.AppRunner(
            make_app(engine),
            handler_cancellation=True,  # nobody waits for the answer to a closed connection
            shutdown_timeout=self.options.stop_seconds,
            auto_decompress=False,  # raw bytes in: what is packed on the way is no picture
            access_log=None,
        )
        watch = asyncio.create_task(self._watch_parent()) if self.options.exit_with_parent else None
        stop = asyncio.create_task(self.stopping.wait())
        following: asyncio.Task[None] | None = None
        measuring: asyncio.Task[None] | None = None
        status = 0
        try:
            follower = self._follower(engine)
            await runner.setup()
            url = await self._listen(runner)  # whoever asks too early waits in the queue
            loading = asyncio.create_task(_warm(engine, self.options.use, follower))
            await asyncio.wait((loading, stop), return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                info = loading.result()
                gc.freeze()  # what is there by now stays: no later collection has to look through it
                gc.enable()
                say(f"ready {url}")
                give_back()
                log.info("ready with %s on %s", info.id, url)
                if follower is not None:
                    following = asyncio.create_task(follower.watch())
                if self.options.measure:
                    measure = Measuring(engine, chooser, self.options.settled, self.options.busy)
                    measuring = asyncio.create_task(measure.keep())
                await stop
            else:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)
        except ModelError as error:
            log.error("%s", error)
            say(f"failed {type(error).__name__} {error}")
            status = FAILED
        finally:
            log.info("stopping, %d in flight", len(engine.admission))
            if measuring is not None:  # first, so that nothing is loaded any more
                measuring.cancel()
                await asyncio.gather(measuring, return_exceptions=True)
            await runner.cleanup()
            self._unlink()
            await engine.close()
            self._open.close()
            for task in (watch, stop, following, self._renewing):
                if task is not None:
                    task.cancel()
        if engine.loading or (self._ahead is not None and self._ahead.loading):
            sys.stderr.flush()
            os._exit(status)
        return status

    def _follower(self, engine: Engine) -> Follower | None:
        if not self.options.follow:
            return None
        versions = Versions(Path(self.options.models_dir), self.options.use)
        try:
            return Follower(engine, versions, self._open.enter_context(versions.follow()))
        except OSError as error:
            raise WorkerError(
                f"{self.options.models_dir} cannot be written to: {error.strerror or error}"
            ) from error

    async def _listen(self, runner: web.AppRunner) -> str:
        path = unix_path(self.options.listen)
        try:
            if path is not None:
                if len(os.fsencode(path)) > LONGEST_UNIX_PATH:
                    raise WorkerError(f"the socket's path is longer than {LONGEST_UNIX_PATH} bytes: {path}")
                self._unlink()
                await web.UnixSite(runner, path, backlog=BACKLOG).start()
                os.chmod(path, 0o600)  # noqa: PTH101
                return f"unix:{path}"
            parts = urlsplit(self.options.listen or "tcp://127.0.0.1:0")
            try:
                port = parts.port
            except ValueError:  # no number, or none of a port
                port = None
            if parts.scheme not in ("tcp", "http") or not parts.hostname or port is None:
                raise WorkerError(
                    f"a worker listens on unix:/path or tcp://host:port, not on {self.options.listen!r}"
                )
            await check_reach(self.options, parts.hostname)
            certificate = Certificate.of(self.options)
            context = certificate.context if certificate else None
            await web.TCPSite(runner, parts.hostname, port, backlog=BACKLOG, ssl_context=context).start()
        except OSError as error:
            raise WorkerError(f"cannot listen on {self.options.listen}: {error.strerror or error}") from error
        if certificate is not None:
            self._renewing = asyncio.create_task(certificate.renew())
        host, port = runner.addresses[0][:2]
        scheme = "https" if certificate else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def _unlink(self) -> None:
        """Remove the socket, and the private folder around it when nobody is left to do it."""
        path = unix_path(self.options.listen)
        if path is None:
            return
        with suppress(OSError):
            if stat.S_ISSOCK(Path(path).lstat().st_mode):
                Path(path).unlink()
        if self.orphaned and Path(path).parent.name.startswith("whosthat-"):
            with suppress(OSError):
                Path(path).parent.rmdir()

    async def _watch_parent(self) -> None:
        """Stdin ends when whoever holds its other end does, even by kill -9."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        with suppress(OSError, ValueError):
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            while await reader.read(4096):
                pass
        self.orphaned = True
        self.stopping.set()


async def _warm(engine: Engine, use: str, follower: Follower | None) -> BundleInfo:
    decoders = asyncio.create_task(engine.start())
    try:
        return await (follower.start(say_progress) if follower else engine.load(use, say_progress))
    finally:
        await decoders

"""Keeps a worker process running beside a bot: starts it, forwards what it says, restarts it, stops it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from model.errors import ModelError, WorkerGone
from model.worker.options import LONGEST_UNIX_PATH, WorkerOptions

if TYPE_CHECKING:  # whoever starts a worker shall not import for half a second before that
    import tenacity

    from model.client import WorkerClient

log = logging.getLogger(__name__)
_worker_log = logging.getLogger("model.worker")

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is (0 to 1)."""

_STEADY = 60.0  # seconds; a worker that lived that long did not die of its start
_LOOP = 3  # so many deaths in a row are called a loop


class WorkerSupervisor:
    """``async with WorkerSupervisor(options) as supervisor: supervisor.client()``.

    With an empty ``listen`` the socket lies in a private folder of its own, which goes when the worker does.
    A worker that dies is started again, after pauses that grow to half a minute. It is never given up,
    because what is wrong with it may pass, but from the third death in a row on the log says so.
    """

    def __init__(
        self,
        options: WorkerOptions,
        *,
        progress: Progress | None = None,
        start_seconds: float = 300.0,
        pause: float = 0.1,
    ) -> None:
        self.options = options
        self.trouble = ""
        """Why there is no worker right now, in one sentence; empty while there is one."""
        self.restarts = 0
        self._progress = progress
        self._start_seconds = start_seconds
        self._pause = pause
        self._address = ""
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._said: deque[str] = deque(maxlen=5)
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the worker, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def client(self) -> WorkerClient:
        """A client that survives restarts."""
        if not self._address:
            raise WorkerGone("the worker was not started")
        from model.client import WorkerClient

        client = WorkerClient(self._address, deadline=self.options.deadline)
        client.restarts = lambda: self.restarts
        return client

    async def __aenter__(self) -> Self:
        """Start the worker and wait until it is ready.

        Raises:
            BundleError: its model cannot be loaded, in the worker's own sentence.
            WorkerGone: it does not start, or not in time.
        """
        try:
            self._choose_address()
            self._address = await self._start()
            if not self._address.startswith("unix:"):  # the same port again after a restart
                self.options = replace(self.options, listen="tcp://" + self._address.split("://", 1)[1])
        except BaseException:
            await self.close()
            raise
        self._watch = asyncio.create_task(self._keep_alive())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Have it finish what is in flight, then end it and remove its folder."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._end()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder = None

    def _choose_address(self) -> None:
        if self.options.listen:
            return
        listen = "tcp://127.0.0.1:0"
        if hasattr(socket, "AF_UNIX") and sys.platform != "win32":
            self._folder = _private_folder()
            listen = f"unix:{self._folder / 'w'}"
        self.options = replace(self.options, listen=listen)

    async def _start(self) -> str:
        """Start the process; returns its address once it is ready."""
        self._said.clear()
        options = replace(self.options, json_log=True, exit_with_parent=True)
        arguments = [sys.executable, "-m", "model.worker", *options.to_arguments()]
        self._process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=subprocess.PIPE,  # its end tells the worker that we are gone, however we went
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            limit=2**20,
            # Ctrl-C is for the bot, which stops the worker last
            process_group=None if sys.platform == "win32" else 0,
        )
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        process = self._process
        assert process.stdout and process.stderr
        self._readers = [
            asyncio.create_task(self._read_stdout(process.stdout, ready)),
            asyncio.create_task(self._read_stderr(process.stderr)),
        ]
        try:
            async with asyncio.timeout(self._start_seconds):
                return await ready
        except TimeoutError:
            await self._end()
            raise WorkerGone(f"the worker was not ready within {self._start_seconds:g} s") from None
        except ModelError:
            await self._end()
            raise

    async def _keep_alive(self) -> None:
        import tenacity

        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            assert self._process is not None
            since = loop.time()
            code = await self._process.wait()
            deaths = 1 if loop.time() - since > _STEADY else deaths + 1
            self.trouble = f"the worker died ({_manner(code)}); it is started again"
            log.error("%s", self.trouble)
            await self._end()
            if deaths >= _LOOP:
                log.error("the worker has died %d times in a row: %s", deaths, self._last_words())
                await asyncio.sleep(min(30.0, self._pause * 2**deaths))
            async for attempt in tenacity.AsyncRetrying(
                wait=tenacity.wait_exponential(multiplier=self._pause, max=30),
                retry=tenacity.retry_if_exception_type((ModelError, OSError)),
                before_sleep=self._note_failed_start,
            ):
                with attempt:
                    await self._start()
            self.restarts += 1
            self.trouble = ""
            log.info("the worker is back")

    def _note_failed_start(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.trouble = f"the worker does not start again: {error}"
        log.error("%s (attempt %d)", self.trouble, state.attempt_number)

    async def _read_stdout(self, stream: asyncio.StreamReader, ready: asyncio.Future[str]) -> None:
        async for raw in stream:
            word, _, rest = raw.decode("utf-8", "replace").strip().partition(" ")
            if word == "progress":
                fraction, _, what = rest.partition(" ")
                try:
                    if self._progress is not None:
                        self._progress(what, float(fraction))
                except Exception:  # a bar that cannot be drawn is no reason not to start
                    log.exception("the progress of the worker cannot be shown")
            elif word == "ready" and not ready.done():
                ready.set_result(rest)
            elif word == "failed" and not ready.done():
                from model.worker import protocol

                kind, _, sentence = rest.partition(" ")
                ready.set_exception(
                    protocol.bundle_error(kind, sentence)
                    if kind.startswith(("Bundle", "Backend"))
                    else WorkerGone(sentence)
                )
        if not ready.done():
            ready.set_exception(WorkerGone(f"the worker ended before it was ready: {self._last_words()}"))

    async def _read_stderr(self, stream: asyncio.StreamReader) -> None:
        async for raw in stream:
            text = raw.decode("utf-8", "replace").rstrip()
            try:
                line = json.loads(text)
                level = logging.getLevelNamesMapping().get(line["level"], logging.INFO)
                message = "\n".join(filter(None, (line["message"], line.get("traceback", ""))))
                trace = str(line.get("id", ""))
            except (ValueError, KeyError, TypeError):  # not from its log: a library, or the interpreter
                level, message, trace = logging.WARNING, text, ""
            if level >= logging.WARNING and message:
                self._said.append(message.splitlines()[-1])
            _worker_log.log(level, "%s", message, extra={"trace": trace})

    def _last_words(self) -> str:
        return self._said[-1] if self._said else "it said nothing"

    async def _end(self) -> None:
        """Stop the process, by force when it does not in time, and read what it still says."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(self.options.stop_seconds + 3):
                    await process.wait()
            except TimeoutError:
                log.warning("the worker did not stop in time and is killed")
                process.kill()
                await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        _, late = await asyncio.wait(self._readers, timeout=2)
        for reader in late:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._readers = []


def _private_folder() -> Path:
    """A new folder that only we can enter, with a path short enough for a socket in it."""
    for base in (None, "/tmp"):  # noqa: S108 - mkdtemp makes it private
        folder = Path(tempfile.mkdtemp(prefix="whosthat-", dir=base))
        if len(os.fsencode(folder / "w")) <= LONGEST_UNIX_PATH:
            return folder
        folder.rmdir()
    raise WorkerGone("there is no folder for temporary files with a path short enough for a socket")


def environment() -> dict[str, str]:
    """Ours, in which the worker finds this very package even when it is not installed.

    Without secrets: strangers' pictures are parsed there, and its command has what it needs of the settings.
    """
    environment = {name: value for name, value in os.environ.items() if not _secret(name)}
    root = Path(__file__).resolve().parents[1]
    if "site-packages" not in root.parts:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), environment.get("PYTHONPATH"))))
    return environment


def _secret(name: str) -> bool:
    """Tokens, and all settings: an address of a database may hold a password. The hub's is for downloads."""
    setting = name.startswith("WHOSTHAT_") and "__" in name
    return setting or (name.endswith("_TOKEN") and not name.startswith("HF_"))


def _manner(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"exit status {code}"

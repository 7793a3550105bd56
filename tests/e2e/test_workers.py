"""Workers elsewhere: several of them over TLS, one dying, and another model taking over one by one."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from model.client import WorkerClient
from model.errors import ModelError
from model.types import Sight
from tests.e2e.running import running_bot
from tests.e2e.test_watching import metrics, total
from tests.standins.bundles import tiny_bundle
from tests.standins.certificates import Authority
from tests.standins.drawings import drawing

SECRET = "a-secret-of-the-tests-own"
RIGHT = {"red": "iron-man", "blue": "captain-america", "green": "hulk"}
SECONDS = 120


@dataclass
class Elsewhere:
    """``whosthat worker`` as a person starts it on another machine."""

    folder: Path
    authority: Authority
    port: int = 0
    process: asyncio.subprocess.Process | None = None
    readers: list[asyncio.Task[None]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def start(self, bundle: Path) -> None:
        """Start it and wait until it is ready."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "config.toml").touch()
        pair = self.authority.sign("worker", "localhost")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("WHOSTHAT_")}
        self.process = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).with_name("whosthat"), "worker"),
            *("--listen", f"tcp://127.0.0.1:{self.port}", "--cert", pair.cert, "--key", pair.key),
            cwd=self.folder,
            env=kept
            | {
                "WHOSTHAT_MODEL__USE": str(bundle),
                "WHOSTHAT_WORKER__SECRET": SECRET,
                "WHOSTHAT_WORKER__DECODERS": "1",
                "WHOSTHAT_WORKER__THREADS": "1",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.readers.append(asyncio.create_task(self._read(self.process, ready)))
        async with asyncio.timeout(SECONDS):
            self.port = int((await ready).rpartition(":")[2])

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Future[str]) -> None:
        assert process.stdout
        async for raw in process.stdout:
            self.lines.append(raw.decode().rstrip())
            if self.lines[-1].startswith("ready ") and not ready.done():
                ready.set_result(self.lines[-1])
        if not ready.done():
            ready.set_exception(AssertionError("\n".join(self.lines)))

    async def end(self, number: signal.Signals) -> None:
        """Have it end, and wait until it has."""
        assert self.process
        if self.process.returncode is None:
            self.process.send_signal(number)
        await asyncio.wait_for(self.process.wait(), 30)


@asynccontextmanager
async def fleet(folder: Path, bundle: Path, count: int) -> AsyncIterator[tuple[list[Elsewhere], Authority]]:
    """So many workers that are ready."""
    authority = Authority(folder)
    async with AsyncExitStack() as stack:
        workers = []
        for number in range(count):
            worker = Elsewhere(folder / f"worker{number}", authority)
            stack.push_async_callback(worker.end, signal.SIGKILL)
            workers.append(worker)
            await worker.start(bundle)
        yield workers, authority
    said = "\n".join(line for worker in workers for line in worker.lines)
    assert SECRET not in said


class Posters:
    """Several people who post one picture after the other, each another one."""

    def __init__(self, client: WorkerClient, people: int = 6) -> None:
        self.answers: list[tuple[str, Sight]] = []
        self.errors: list[ModelError] = []
        self.changed = asyncio.Condition()
        self._client = client
        self._numbers = itertools.count()
        self._tasks = [asyncio.create_task(self._post()) for _ in range(people)]

    async def _post(self) -> None:
        while True:
            number = next(self._numbers)
            colour = list(RIGHT)[number % 3]
            size = (200 + number % 211, 200 + number // 211)
            try:
                sight = await self._client.look(drawing(colour, size=size), deadline=60)
                self.answers.append((colour, sight))
            except ModelError as error:
                self.errors.append(error)
            async with self.changed:
                self.changed.notify_all()

    async def more(self, count: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.answers) + count
        async with asyncio.timeout(SECONDS), self.changed:
            await self.changed.wait_for(lambda: len(self.answers) >= wanted)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def busy(client: WorkerClient, worker: Elsewhere) -> bool:
    """Whether a worker has looked at pictures."""
    (found,) = [each for each in await client.survey() if each.address == worker.url]
    return found.trouble is None and found.status["counters"]["cache misses"] > 0


async def test_one_of_three_workers_is_killed_under_load_and_comes_back(
    tmp_path: Path, bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "model.routes")
    async with fleet(tmp_path, bundle, 3) as (workers, authority):
        urls = [worker.url for worker in workers]
        async with WorkerClient(urls, secret=SECRET, ca_file=authority.file) as client:
            posters = Posters(client)
            await posters.more(30)
            assert [await busy(client, worker) for worker in workers] == [True] * 3  # they share
            await workers[1].end(signal.SIGKILL)
            await posters.more(60)
            assert workers[1].url in caplog.text
            await workers[1].start(bundle)
            async with asyncio.timeout(SECONDS):
                while not await busy(client, workers[1]):
                    await posters.more(6)
            await posters.stop()
            assert not posters.errors
            assert {(colour, sight.answer.character) for colour, sight in posters.answers} == {*RIGHT.items()}
            assert f"the worker at {workers[1].url} is back" in caplog.text
            # a picture goes where it was looked at, so that it is known there
            picture = drawing("red", size=(555, 333))
            assert [(await client.look(picture)).cached for _ in range(4)] == [False, True, True, True]


async def test_another_model_takes_over_worker_by_worker(
    tmp_path: Path, bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "model.routes")
    newer = tiny_bundle(tmp_path / "newer", name="newer", bias=100.0)
    async with fleet(tmp_path, bundle, 2) as (workers, authority):
        urls = [worker.url for worker in workers]
        async with WorkerClient(urls, secret=SECRET, ca_file=authority.file) as client:
            old = (await client.status())["bundle"]
            assert client.leading == old
            posters = Posters(client, people=3)
            for worker in workers:
                await posters.more(6)
                await worker.end(signal.SIGTERM)
                await worker.start(newer)
                async with asyncio.timeout(SECONDS):
                    while not await busy(client, worker):
                        await posters.more(3)
                if worker is workers[0]:
                    assert client.leading == old  # of equals the one that was there first
                    assert (await client.bundle()).id == old
            await posters.stop()
            assert not posters.errors
            new = (await client.status())["bundle"]
            assert new.startswith("newer")
            assert client.leading == (await client.bundle()).id == new
            for colour, sight in posters.answers:  # each answer says whose it is
                assert sight.answer.character == (RIGHT[colour] if sight.bundle == old else "iron-man")
            assert {*Counter(sight.bundle for _, sight in posters.answers)} == {old, new}
            assert "the workers do not look with the same model" in caplog.text
            assert f"all workers look with {new}" in caplog.text


async def test_a_bot_starts_with_one_of_two_workers_and_the_doctor_says_what_is_wrong(
    tmp_path: Path, bundle: Path
) -> None:
    async with fleet(tmp_path, bundle, 1) as ((worker,), authority):
        gone = "https://localhost:9"
        settings = {
            "WHOSTHAT_WORKER__URL": f"{gone},{worker.url}",
            "WHOSTHAT_WORKER__CA_FILE": str(authority.file),
            "WHOSTHAT_WORKER__SECRET": SECRET,
        }
        async with running_bot(tmp_path / "bot", bundle, **settings) as bot:
            assert worker.url in bot.output
            assert f"no worker listens at {gone}" in bot.output
            assert SECRET not in bot.output
            figures = await metrics(bot)
            assert total(figures, "whosthat_workers_away") == 1
            assert total(figures, "whosthat_part_up", part="worker") == 1
            assert ("whosthat_ledger_failures_total", (("platform", "web"),)) in figures
        for change, sentences in (
            ({}, (f"✗ Worker: no worker listens at {gone}.", f"✓ Worker: {worker.url} answers, with tiny")),
            (
                {"WHOSTHAT_WORKER__SECRET": "another-secret-than-that"},
                ("refuses our secret", "✗ Model: no worker in worker.url answered a picture: "),
            ),
        ):
            doctor = await asyncio.create_subprocess_exec(
                *(Path(sys.executable).with_name("whosthat"), "doctor"),
                cwd=tmp_path / "bot",
                env={**os.environ, **settings, **change, "WHOSTHAT_MODEL__USE": str(bundle)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
            said, _ = await asyncio.wait_for(doctor.communicate(), SECONDS)
            for sentence in sentences:
                assert sentence in said.decode()
            assert SECRET not in said.decode()

"""The real bot as a subprocess, the way an operator starts it, with its terminal readable."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.standins.discord import DiscordStandin
from tests.standins.telegram import TelegramStandin

START_SECONDS = 60
STOP_SECONDS = 20


@dataclass
class Bot:
    """One run of ``whosthat run``. ``lines`` is what it has printed so far, on both streams."""

    process: asyncio.subprocess.Process
    folder: Path
    lines: list[str] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _readers: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    async def line(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """Wait for a printed line that matches."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found[:] = [match for line in self.lines if (match := re.search(pattern, line))]
            return bool(found) or all(reader.done() for reader in self._readers)

        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(look)
        except TimeoutError:
            raise AssertionError(f"no line like {pattern!r} within {seconds} s:\n{self.output}") from None
        assert found, f"it ended without a line like {pattern!r}:\n{self.output}"
        return found[0]

    async def ready(self) -> None:
        """Wait until it says that it is."""
        await self.line(r"^Ready in ")

    async def url(self) -> str:
        """Where its page is."""
        return (await self.line(r"^Page: (http\S+)"))[1]

    def family(self) -> list[psutil.Process]:
        """It and every process below it."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def worker(self) -> psutil.Process:
        """Its worker process."""
        found = [each for each in self.family() if "model.worker" in each.cmdline()]
        assert found, f"no worker below {self.process.pid}:\n{self.output}"
        return found[0]

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and wait until it has."""
        self.process.send_signal(number)
        return await self.ended()

    async def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        await self.ended()

    async def ended(self) -> int:
        """Wait for its end; the exit status."""
        try:
            code = await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            raise AssertionError(f"it did not stop within {STOP_SECONDS} s:\n{self.output}") from None
        await asyncio.gather(*self._readers)
        return code

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask its SQLite file, as a look from outside."""
        with closing(sqlite3.connect(f"file:{self.folder}/data/whosthat.db?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while line := await stream.readline():
                self.lines.append(line.decode(errors="replace").rstrip())
                async with self._changed:
                    self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()


VOTES = """
    SELECT characters.slug FROM votes LEFT JOIN vote_labels ON vote_labels.vote_id = votes.id
    LEFT JOIN characters ON characters.id = vote_labels.character_id ORDER BY votes.id
"""


def discord_settings(standin: DiscordStandin, **more: str) -> dict[str, str]:
    """The variables that lead a bot to a stand-in instead of Discord."""
    return {
        "DISCORD_TOKEN": standin.token,
        "WHOSTHAT_DISCORD__API_BASE": standin.api_base,
        "WHOSTHAT_DISCORD__GATEWAY_URL": standin.gateway_url,
        "WHOSTHAT_DISCORD__CDN_HOSTS": standin.cdn_host,
        "WHOSTHAT_DISCORD__AUTO_CHANNELS": "all",
        **more,
    }


def telegram_settings(standin: TelegramStandin, **more: str) -> dict[str, str]:
    """The variables that lead a bot to a stand-in instead of Telegram."""
    return {"TELEGRAM_TOKEN": standin.token, "WHOSTHAT_TELEGRAM__API_BASE": standin.api_base, **more}


async def start_bot(folder: Path, bundle: Path, *, terminal: bool = False, **settings: str) -> Bot:
    """Start it in ``folder``, whose config.toml is empty; it is not waited for.

    ``terminal``: what it prints goes to a terminal, not to a pipe as under systemd.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").touch()
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WHOSTHAT_") and not name.endswith("_TOKEN")
    }
    environ |= {
        "WHOSTHAT_MODEL__USE": str(bundle),
        "WHOSTHAT_WEB__PORT": "0",
        "WHOSTHAT_WORKER__DECODERS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "default",
        "COLUMNS": "200",
        **settings,
    }
    ours, theirs = pty.openpty() if terminal else (None, None)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("whosthat"),
        "run",
        cwd=folder,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE if theirs is None else theirs,
        stderr=asyncio.subprocess.PIPE,
    )
    bot, streams = Bot(process, folder), [process.stdout, process.stderr]
    if ours is not None and theirs is not None:
        os.close(theirs)
        streams[0] = screen = asyncio.StreamReader()
        ends, file = asyncio.StreamReaderProtocol(screen), os.fdopen(ours, "rb")
        await asyncio.get_running_loop().connect_read_pipe(lambda: ends, file)
    bot._readers += [asyncio.create_task(bot._read(each)) for each in streams if each is not None]
    return bot


@asynccontextmanager
async def running_bot(
    folder: Path, bundle: Path, *, terminal: bool = False, **settings: str
) -> AsyncIterator[Bot]:
    """A bot that is ready, and is stopped at the end; what it leaves running fails the test."""
    bot = await start_bot(folder, bundle, terminal=terminal, **settings)
    try:
        await bot.ready()
        yield bot
    except BaseException:
        print(bot.output)  # pytest shows it beside the failure
        raise
    finally:
        if bot.process.returncode is None:
            family = bot.family()
            await bot.stop()
            left = [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
            for each in left:
                each.kill()
            assert not left, f"left running: {left}\n{bot.output}"


async def until(what: Callable[[], bool], seconds: float = 10) -> None:
    """Poll something that nobody announces, such as a process table or a file."""
    end = asyncio.get_running_loop().time() + seconds
    while not what():
        assert asyncio.get_running_loop().time() < end, "it did not come true in time"
        await asyncio.sleep(0.02)

"""A PostgreSQL server of our own: a temporary folder, a free port of loopback, ended by its number.

``with Server() as server: url = server.fresh()``. Where the tests run as root it runs as the user
``postgres``, for it refuses to run as root.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import asyncpg

from corrections.schema import upgrade
from tests.standins.certificates import Pair

SECONDS = 120.0
PASSWORD = "s%c/r:t @1"  # one that has to be quoted in an address
QUOTED = "s%25c%2Fr%3At%20%401"
TEMPLATE = "migrated"

_SETTINGS = {
    "fsync": "off",  # nothing outlives the tests, and a killed client loses nothing by it
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "max_connections": "100",
    "deadlock_timeout": "100ms",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


def binaries() -> Path | None:
    """The folder with initdb and postgres: Debian's newest, or the one of PATH; None when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).resolve().parent if there else None


class Server:
    """Use as a context manager; databases are made one by one from a migrated template.

    ``pair``: its certificate and key; whoever comes over the network without TLS is then sent away.
    ``settings`` are the server's own, in place of those that only tests can afford (``fsync="on"``).
    """

    def __init__(self, *, pair: Pair | None = None, **settings: str) -> None:
        self._settings = _SETTINGS | settings
        self._pair = pair
        folder = binaries()
        assert folder is not None, "see binaries"
        self._bin = folder
        # where all temporary folders are, unless a socket's path would be too long there
        self._home = Path(
            tempfile.mkdtemp(prefix="whosthat-pg-", dir=None if len(tempfile.gettempdir()) < 60 else "/tmp")
        )
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            user = _nobody()
            os.chown(self._home, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: asyncpg.Connection | None = None
        # The connection that makes databases lives in a thread with a loop of its own.
        self._thread = ThreadPoolExecutor(1)
        self._runner: asyncio.Runner | None = None
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        _running.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _running.remove(self)
        self.close()

    @property
    def pid(self) -> int:
        """Of the server, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def home(self) -> Path:
        """Its folder, in which its local socket is."""
        return self._home

    def url(self, database: str, user: str = "whosthat") -> str:
        """A database's address, with a password in it."""
        return f"postgresql+asyncpg://{user}:{QUOTED}@127.0.0.1:{self.port}/{database}"

    def fresh(self, template: str = TEMPLATE) -> str:
        """The address of a new database: with tables and nothing in them; or of *template0*, without any."""
        name = f"ledger{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')

    def execute(self, sql: str) -> None:
        """As the server's owner, outside of any transaction."""
        assert self._admin is not None
        self._run(self._admin.execute(sql))

    def close(self) -> None:
        """End the server and remove its folder."""
        if self._admin is not None:
            self._run(self._admin.close())
        if self._runner is not None:
            self._thread.submit(self._runner.close).result(SECONDS)
        self._thread.shutdown()
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # fast: whoever is connected is sent away
            try:
                self._process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def _start(self) -> None:
        data, words = self._home / "data", self._home / "password"
        words.write_text(PASSWORD)
        words.chmod(0o644)
        initdb = [
            self._bin / "initdb", "-D", data, "-U", "whosthat", "-E", "UTF8", "--locale=C.UTF-8",
            # Letters are sorted as in a dictionary, unlike in SQLite: nothing may rely on either.
            "--locale-provider=icu", "--icu-locale=en",
            "--auth=scram-sha-256", f"--pwfile={words}", "--no-sync",
        ]  # fmt: skip
        subprocess.run(initdb, check=True, capture_output=True, cwd=self._home, timeout=SECONDS, **self._as)
        if self._pair is not None:
            self._with_tls(data, self._pair)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        self._process = subprocess.Popen(
            [
                self._bin / "postgres", "-D", data, "-k", self._home, "-h", "127.0.0.1", "-p", str(self.port),
                *settings,
            ],
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_us,
            **self._as,
        )  # fmt: skip
        self._runner = self._thread.submit(asyncio.Runner).result()
        self._admin = self._run(self._connected())
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        self._run(upgrade(self.url(TEMPLATE)))

    def _with_tls(self, data: Path, pair: Pair) -> None:
        shutil.copyfile(pair.cert, data / "server.crt")
        shutil.copyfile(pair.key, data / "server.key")  # the names that it looks for
        (data / "server.key").chmod(0o600)
        (data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
        self._settings = self._settings | {"ssl": "on"}
        if "user" in self._as:
            os.chown(data / "server.key", self._as["user"], self._as["group"])

    async def _connected(self) -> asyncpg.Connection:
        end = time.monotonic() + SECONDS
        while True:
            assert self._process is not None and self._process.poll() is None, "the server ended at its start"
            try:
                return await asyncpg.connect(
                    host="127.0.0.1", port=self.port, user="whosthat", password=PASSWORD, database="postgres"
                )
            except (OSError, asyncpg.CannotConnectNowError):
                assert time.monotonic() < end, "the server does not answer"
                await asyncio.sleep(0.05)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._runner is not None
        return self._thread.submit(self._runner.run, work).result(SECONDS)


def _end_with_us() -> None:
    """In the server's process: when the tests are killed, end fast (Linux: prctl, PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def _nobody() -> pwd.struct_passwd:
    """The user that Debian's package brings, or one that every system has."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


_running: list[Server] = []


def running() -> Server:
    """The server of this process, for what no fixture reaches."""
    return _running[-1]

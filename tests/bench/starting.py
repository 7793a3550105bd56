"""How long it takes to be ready, how much memory that needs at most, and a newcomer's first start.

Memory is the sum over a process and its children of their proportional set sizes (PSS): of a page that
several share each has its part, so that nothing is counted twice, as it is in the sum of the resident sets
that stands beside it. It is sampled from the start until some pictures have been answered: what a library
maps, it loads when it is used. Ready is what says so itself; the first answer comes after it.
"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.progress import track

from model.client import WorkerClient
from model.prepared import ABOUT
from tests.bench.peer import NAME, made
from tests.bench.rows import ROOT, Bench, Row, environ
from tests.bench.vit import NAME as LARGE
from tests.bench.vit import vit
from tests.standins.drawings import drawing

BIN = Path(sys.executable).parent
PICTURES = 3
"""Answers that are waited for in every start."""
SAMPLED = 0.02
"""Seconds between two looks at the memory."""
PREPARED = 120.0
"""Seconds that the first start of a worker may take until it has prepared a form."""


@dataclass(frozen=True)
class Start:
    """One start: seconds until it says ready and until its first answer; MiB at most, PSS and RSS."""

    ready: float
    answer: float
    pss: float
    rss: float


def rows(bench: Bench) -> list[Row]:
    """Starts take turns with the peer's: the embedded model beside its size, ViT-B/16 beside itself."""
    picture = bench.folder / "picture.jpg"
    picture.write_bytes(drawing("red", size=(1280, 960), kind="JPEG"))
    peer, bot, data = made(bench.folder / "peer"), bench.folder / "bot", bench.folder / "data"
    bot.mkdir()
    large, models = vit(bench.folder / "vit"), data / "models"
    begun = time.monotonic()
    start_bot(bot, data, picture)
    first = time.monotonic() - begun
    _prepare(["builtin", "exact"], models)
    for level in ("exact", "fast", "turbo"):
        _prepare([str(large), level], models)
    kinds: dict[str, Callable[[], Start]] = {
        "bot": lambda: start_bot(bot, data, picture),
        "worker": lambda: start_worker("builtin", "exact", models, picture),
        "small": lambda: start_peer(peer, picture),
        "large": lambda: start_peer(large, picture),
        **{
            level: lambda level=level: start_worker(str(large), level, models, picture)  # type: ignore[misc]
            for level in ("exact", "fast", "turbo")
        },
    }
    found: dict[str, list[Start]] = {kind: [] for kind in kinds}
    for _ in track(range(bench.runs), "starting", console=bench.screen, transient=True):
        for kind, start in kinds.items():
            found[kind].append(start())
    table = [Row("first start until the first answer, the model prepared", (first,), "s")]
    for kind, name, peer_kind in (
        ("worker", "worker", "small"),
        ("bot", "whole bot", "small"),
        ("exact", f"worker, {LARGE} exact", "large"),
        ("fast", f"worker, {LARGE} fast", "large"),
        ("turbo", f"worker, {LARGE} turbo", "large"),
    ):
        for figure, unit, bound, what in (
            ("ready", "s", "≥ 8×", "start to ready"),
            ("answer", "s", "", "start to first answer"),
            ("pss", "MiB", "≥ 2.5×", "peak memory (PSS)"),
            ("rss", "MiB", "", "peak memory (RSS, shared pages counted again)"),
        ):
            ours, theirs = (tuple(getattr(each, figure) for each in found[one]) for one in (kind, peer_kind))
            table.append(Row(f"{name}: {what}", ours, unit, theirs, NAME, bound))
    return table


def installing(bench: Bench) -> list[Row]:
    """A newcomer: download, install, first start, each by itself."""
    clone, wheels = bench.folder / "clone", bench.folder / "wheels"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    python = getattr(sys, "_base_executable", sys.executable)
    begun = time.monotonic()
    for name in ("run.txt", "backbone.txt"):
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
        subprocess.run([*pip, "-r", str(clone / "requirements" / name)], check=True, env=environ())
    downloading = time.monotonic() - begun
    size = sum(file.stat().st_size for file in wheels.iterdir()) / 1e6
    begun = time.monotonic()

    def ended(_: subprocess.Popen[str]) -> float:
        return time.monotonic()

    variables = environ()
    variables["PIP_FIND_LINKS"] = f"{wheels} {variables.get('PIP_FIND_LINKS', '')}"
    subprocess.run(["make", f"PYTHON={python}", "setup"], cwd=clone, check=True, env=variables)
    started(
        [str(clone / ".venv/bin/whosthat"), "run"], "Ready in ", clone, environ(WHOSTHAT_WEB__PORT="0"), ended
    )
    ready = time.monotonic() - begun
    return [
        Row("download for a first start", (size,), "MB", bound="< 500"),
        Row("… in", (downloading,), "s"),
        Row("downloads' end to ready", (ready,), "s", bound="< 180"),
    ]


def until_line(process: subprocess.Popen[str], begins: str) -> None:
    """Read what a process prints up to a line."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith(begins):
            return
    raise SystemExit(f"it ended without saying {begins!r}")


def memory_of(pid: int) -> float:
    """Resident MiB of a process and its children."""
    me = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (me, *me.children(recursive=True))) / 2**20


def start_worker(use: str, level: str, models: Path, picture: Path) -> Start:
    """The worker alone, as a bot elsewhere would have it."""
    socket = models.parent / "w"
    command = [sys.executable, "-m", "model.worker", "--use", use, "--level", level, "--decoders", "2"]
    command += ["--models-dir", str(models), "--listen", f"unix:{socket}", "--cache-entries", "0"]
    return started(command, "ready", ROOT, installed(), lambda process: _ask(f"unix:{socket}", picture))


def start_bot(folder: Path, data: Path, picture: Path) -> Start:
    """The whole bot, without a token."""
    variables = installed(WHOSTHAT_WEB__PORT="0", WHOSTHAT_DATA_DIR=str(data), WHOSTHAT_LOG__LEVEL="warning")
    variables |= {"WHOSTHAT_WORKER__LEVEL": "exact", "WHOSTHAT_WORKER__CACHE_ENTRIES": "0"}

    def ask(process: subprocess.Popen[str]) -> float:
        for child in psutil.Process(process.pid).children():
            line = child.cmdline()
            if "--listen" in line:
                return _ask(line[line.index("--listen") + 1], picture)
        raise SystemExit("the bot has no worker")

    return started([str(BIN / "whosthat"), "run"], "Ready in ", folder, variables, ask)


def start_peer(folder: Path, picture: Path) -> Start:
    """The pipeline in a process of its own."""

    def ask(process: subprocess.Popen[str]) -> float:
        assert process.stdin
        assert process.stdout
        first = 0.0
        for _ in range(PICTURES):
            process.stdin.write(f"{picture}\n")
            process.stdin.flush()
            process.stdout.readline()
            first = first or time.monotonic()
        return first

    command = [sys.executable, "-m", "tests.bench.peer", str(folder)]
    return started(command, "ready", ROOT, installed(), ask)


def installed(**more: str) -> dict[str, str]:
    """As a user starts it: with the bytecode of our own modules kept, as pip keeps that of all others."""
    variables = environ(**more)
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def started(
    command: list[str],
    begins: str,
    folder: Path,
    variables: dict[str, str],
    ask: Callable[[subprocess.Popen[str]], float],
) -> Start:
    """Start it, have it answer, end it.

    Args:
        begins: what the line begins with that says that it is ready.
        ask: has it answer; returns when the first answer was there, on the monotonic clock.
    """
    begun = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        watch = Watch(process.pid)
        until_line(process, begins)
        ready = time.monotonic()
        answer = ask(process)
        watch.end()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    return Start(ready - begun, answer - begun, watch.pss, watch.rss)


class Watch:
    """The most memory that a process and its children have together, looked at all the time."""

    def __init__(self, pid: int) -> None:
        self.pss = self.rss = 0.0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look once more, and no longer."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            last = self._ended.wait(SAMPLED)
            found = _memory(self._pid)
            self.rss, self.pss = max(self.rss, found[0]), max(self.pss, found[1])
            if last:
                return


def _memory(pid: int) -> tuple[float, float]:
    """MiB of RSS and PSS, of a process and its children."""
    totals = [0.0, 0.0]
    try:
        me = psutil.Process(pid)
        family = (me, *me.children(recursive=True))
    except psutil.Error:
        return 0.0, 0.0
    for each in family:
        try:
            text = Path(f"/proc/{each.pid}/smaps_rollup").read_text()
        except OSError:  # it has ended
            continue
        for place, name in enumerate(("Rss", "Pss")):
            number = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
            totals[place] += int(number[1]) / 1024 if number else 0.0
    return totals[0], totals[1]


def _ask(address: str, picture: Path) -> float:
    async def ask() -> float:
        first = 0.0
        async with WorkerClient(address) as client:
            for _ in range(PICTURES):
                await client.look(picture.read_bytes())
                first = first or time.monotonic()
        return first

    return asyncio.run(ask())


def _prepare(which: list[str], models: Path) -> None:
    """Have a worker prepare a form, as it does soon after its first start."""
    use, level = which
    before = _forms(models)
    command = [sys.executable, "-m", "model.worker", "--use", use, "--level", level, "--threads", "1"]
    command += ["--models-dir", str(models), "--measure", "--settled", "0", "--busy", "1e9"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=installed(), **pipes) as process:  # type: ignore[call-overload]
        end = time.monotonic() + PREPARED
        while _forms(models) == before and not (use == "builtin" and before) and time.monotonic() < end:
            time.sleep(0.1)
        process.terminate()
        process.wait(timeout=60)


def _forms(models: Path) -> set[Path]:
    """What has been prepared, without what is still being written."""
    return {path for path in models.glob(f"prepared/*/{ABOUT}") if not path.parent.name.startswith(".")}

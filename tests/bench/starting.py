"""How long it takes to be ready, how much memory that needs, and a newcomer's first start."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from rich.progress import track

from tests.bench.peer import NAME, made
from tests.bench.rows import ROOT, Bench, Row, environ

BIN = Path(sys.executable).parent


def rows(bench: Bench) -> list[Row]:
    """Starts take turns with the peer's."""
    peer, bot, data = made(bench.folder / "peer"), bench.folder / "bot", bench.folder / "data"
    bot.mkdir()
    first, _ = _start_bot(bot, data)
    ours, theirs = [], []
    for _ in track(range(bench.runs), "starting", console=bench.screen, transient=True):
        ours.append(_start_bot(bot, data))
        theirs.append(_start_peer(peer))
    seconds = [tuple(each[0] for each in side) for side in (ours, theirs)]
    memory = [tuple(each[1] for each in side) for side in (ours, theirs)]
    return [
        Row("first start, the model prepared", (first,), "s"),
        Row("second start to ready", seconds[0], "s", seconds[1], NAME, "< 5 s"),
        Row("memory when ready, all processes", memory[0], "MiB", memory[1], NAME),
    ]


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
    variables = environ()
    variables["PIP_FIND_LINKS"] = f"{wheels} {variables.get('PIP_FIND_LINKS', '')}"
    subprocess.run(["make", f"PYTHON={python}", "setup"], cwd=clone, check=True, env=variables)
    _start([str(clone / ".venv/bin/whosthat"), "run"], "Ready in ", clone, environ(WHOSTHAT_WEB__PORT="0"))
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


def _start_bot(folder: Path, data: Path) -> tuple[float, float]:
    """Seconds until ready and MiB of one start."""
    variables = environ(WHOSTHAT_WEB__PORT="0", WHOSTHAT_DATA_DIR=str(data), WHOSTHAT_LOG__LEVEL="warning")
    return _start([str(BIN / "whosthat"), "run"], "Ready in ", folder, variables)


def _start_peer(folder: Path) -> tuple[float, float]:
    return _start([sys.executable, "-m", "tests.bench.peer", str(folder)], "ready", ROOT, environ())


def _start(command: list[str], begins: str, folder: Path, variables: dict[str, str]) -> tuple[float, float]:
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
        until_line(process, begins)
        seconds, memory = time.monotonic() - begun, memory_of(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    return seconds, memory

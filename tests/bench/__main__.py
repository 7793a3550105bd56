"""``make bench``: how long it takes to be ready and to answer, beside a named peer in the same run.

The peer is ``transformers.pipeline("image-classification")``, see `tests.bench.peer`. Runs take turns,
medians are shown with their spread, and the figures are written as JSON beside the table. ``--install`` also
measures a newcomer's first start in a fresh clone, downloads included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bench import console
from tests.standins.drawings import drawing

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Row:
    """One figure: ours, the peer's if there is one, and the bound that it should keep."""

    name: str
    ours: tuple[float, ...]
    unit: str
    peer: tuple[float, ...] = ()
    bound: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the peer's median ours is better (smaller)."""
        return statistics.median(self.peer) / statistics.median(self.ours) if self.peer else None


def _until_line(process: subprocess.Popen[str], begins: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if line.startswith(begins):
            return
    raise SystemExit(f"it ended without saying {begins!r}")


def _memory(pid: int) -> float:
    """Resident MiB of a process and its children."""
    me = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (me, *me.children(recursive=True))) / 2**20


def _environ(**more: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("WHOSTHAT_", "DISCORD_"))
    }
    return {**kept, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONUNBUFFERED": "1", **more}


def _start_bot(folder: Path, data: Path) -> tuple[float, float]:
    """Seconds until ready and MiB of one start."""
    environ = _environ(WHOSTHAT_WEB__PORT="0", WHOSTHAT_DATA_DIR=str(data), WHOSTHAT_LOG__LEVEL="warning")
    return _start([str(BIN / "whosthat"), "run"], "Ready in ", folder, environ)


def _start_peer(folder: Path) -> tuple[float, float]:
    return _start([sys.executable, "-m", "tests.bench.peer", str(folder)], "ready", ROOT, _environ())


def _start(command: list[str], begins: str, folder: Path, environ: dict[str, str]) -> tuple[float, float]:
    begun = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        _until_line(process, begins)
        seconds, memory = time.monotonic() - begun, _memory(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    return seconds, memory


async def _answers(models: Path, peer_folder: Path, pictures: Iterable[Path]) -> Row:
    """Picture to answer: through the real worker and its socket, and through the pipeline, in turns."""
    async with AsyncExitStack() as stack:
        options = WorkerOptions(use="builtin", models_dir=models, decoders=2, cache_entries=0)
        worker = await stack.enter_async_context(WorkerSupervisor(options))
        client = worker.client()
        stack.push_async_callback(client.close)
        peer = subprocess.Popen(  # noqa: ASYNC220  # nothing else runs on this loop
            [sys.executable, "-m", "tests.bench.peer", str(peer_folder)],
            cwd=ROOT,
            env=_environ(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(lambda: peer.communicate(timeout=30))
        _until_line(peer, "ready")
        assert peer.stdin
        assert peer.stdout
        ours, theirs = [], []
        for picture in pictures:
            data = picture.read_bytes()
            begun = time.perf_counter()
            await client.look(data)
            ours.append(1000 * (time.perf_counter() - begun))
            peer.stdin.write(f"{picture}\n")
            peer.stdin.flush()
            theirs.append(float(peer.stdout.readline()))
    skip = min(3, len(ours) // 4)  # both warm up
    return Row("picture to answer, one by one", tuple(ours[skip:]), "ms", tuple(theirs[skip:]))


def _installation(folder: Path) -> list[Row]:
    """A newcomer: download, install, first start, each by itself."""
    clone, wheels = folder / "clone", folder / "wheels"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    python = getattr(sys, "_base_executable", sys.executable)
    begun = time.monotonic()
    for name in ("run.txt", "backbone.txt"):
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
        subprocess.run([*pip, "-r", str(clone / "requirements" / name)], check=True, env=_environ())
    downloading = time.monotonic() - begun
    size = sum(file.stat().st_size for file in wheels.iterdir()) / 1e6
    begun = time.monotonic()
    environ = _environ(PIP_FIND_LINKS=f"{wheels} {os.environ.get('PIP_FIND_LINKS', '')}")
    subprocess.run(["make", f"PYTHON={python}", "setup"], cwd=clone, check=True, env=environ)
    environ = _environ(WHOSTHAT_WEB__PORT="0", PATH=os.environ["PATH"])
    _start([str(clone / ".venv/bin/whosthat"), "run"], "Ready in ", clone, environ)
    ready = time.monotonic() - begun
    return [
        Row("download for a first start", (size,), "MB", bound="< 500"),
        Row("… in", (downloading,), "s"),
        Row("downloads' end to ready", (ready,), "s", bound="< 180"),
    ]


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--install", action="store_true", help="measure a newcomer's first start as well")
    parser.add_argument("--runs", type=int, default=5, help="starts of each kind")
    parser.add_argument("--pictures", type=int, default=40, help="pictures that both answer")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    arguments = parser.parse_args()
    screen = Console()
    folder = Path(tempfile.mkdtemp(prefix="whosthat-bench-"))
    try:
        rows = _measure(folder, arguments, screen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("figure", "whosthat", "pipeline", "ratio", "bound")
    for row in rows:
        ratio = f"{row.ratio:.1f}×" if row.ratio else ""
        peer = _shown(row.peer, row.unit) if row.peer else ""
        table.add_row(row.name, _shown(row.ours, row.unit), peer, ratio, row.bound)
    screen.print(table)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps([asdict(row) | {"ratio": row.ratio} for row in rows], indent=1))


def _shown(values: tuple[float, ...], unit: str) -> str:
    spread = f" ({min(values):.1f}-{max(values):.1f})" if len(values) > 1 else ""
    return f"{statistics.median(values):.1f} {unit}{spread}"


def _measure(folder: Path, arguments: argparse.Namespace, screen: Console) -> list[Row]:
    peer, bot, data = folder / "peer", folder / "bot", folder / "data"
    bot.mkdir()
    subprocess.run(
        [sys.executable, "-m", "tests.bench.peer", "--make", str(peer)], cwd=ROOT, check=True, env=_environ()
    )
    rows = _installation(folder) if arguments.install else []
    first, _ = _start_bot(bot, data)
    rows.append(Row("first start, the model prepared", (first,), "s"))
    ours, theirs = [], []
    for _ in track(range(arguments.runs), "starting", console=screen, transient=True):
        ours.append(_start_bot(bot, data))
        theirs.append(_start_peer(peer))
    seconds = [tuple(each[0] for each in side) for side in (ours, theirs)]
    memory = [tuple(each[1] for each in side) for side in (ours, theirs)]
    rows.append(Row("second start to ready", seconds[0], "s", seconds[1], "< 5 s"))
    rows.append(Row("memory when ready, all processes", memory[0], "MiB", memory[1]))
    pictures = []
    for seed in range(arguments.pictures):
        pictures.append(folder / f"{seed}.jpg")
        pictures[-1].write_bytes(drawing("red", seed=seed, size=(1280, 960), kind="JPEG"))
    shown = track(pictures, "asking", console=screen, transient=True)
    rows.append(asyncio.run(_answers(data / "models", peer, shown)))
    decisions = tuple(asyncio.run(console.measure(folder / "console")))
    rows.append(Row(f"a decision costs, {console.CASES:,} open cases", decisions, "ms", bound="< 150 ms"))
    rows.append(Row("… 95 of 100 less than", (console.p95(decisions),), "ms", bound="< 150 ms"))
    return rows


if __name__ == "__main__":
    main()

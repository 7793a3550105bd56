"""The self-benchmark of a real worker: what it chooses, that it is kept, and what it does about damage."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from model.bundle import MANIFEST, read_json, sha256_of, write_json
from model.choosing import FILE
from model.client import WorkerClient
from model.types import Calibration
from model.worker.options import WorkerOptions
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

SECONDS = 90
MEASURED = "measured in"


def admit(folder: Path, level: str, graph: Path) -> None:
    """Add a level to a bundle: another graph, with figures that are good enough."""
    path = folder / f"model.{level}.onnx"
    path.write_bytes(graph.read_bytes())
    figures = {"pictures": 100, "top1_agreement": 1.0, "accuracy_loss": 0.0, "embedding_cosine": 1.0}
    figures |= {"calibration_error": 0.0, "calibration_error_exact": 0.0}
    figures |= {"neighbour_right": 1.0, "neighbour_right_exact": 1.0}
    entry = figures | {
        "level": level,
        "calibration": asdict(Calibration()),
        "size": path.stat().st_size,
        "sha256": sha256_of(path),
    }
    manifest = read_json(folder / MANIFEST)
    write_json(folder / MANIFEST, manifest | {"compiled": {path.name: entry}})


@pytest.fixture
def options(tmp_path: Path) -> WorkerOptions:
    """A worker with a bundle whose exact form takes longer than it may, and whose fast one does not."""
    tiny_bundle(tmp_path / "quick")
    tiny_bundle(tmp_path / "slow", name="slow", slow=700)
    admit(tmp_path / "slow", "fast", tmp_path / "quick" / "model.onnx")
    return WorkerOptions(
        use=str(tmp_path / "slow"),
        models_dir=tmp_path / "models",
        decoders=1,
        level="auto",
        target=30.0,
        measure=True,
        settled=0.0,
        busy=1e9,  # tests share a machine with others
    )


@dataclass
class Running:
    """A worker, and what it has logged."""

    process: asyncio.subprocess.Process
    client: WorkerClient
    lines: list[str]

    async def line(self, part: str) -> str:
        """Wait for a line of the log."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = [line for line in self.lines if part in line]
            if found:
                return found[0]
            await asyncio.sleep(0.02)
        raise AssertionError(f"no line with {part!r}: {self.lines}")

    async def level(self, wanted: str) -> dict[str, Any]:
        """Wait until it looks at this level; what /readyz says then."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            status = dict(await self.client.status())
            if status["level"] == wanted:
                return status
            await asyncio.sleep(0.05)
        raise AssertionError(f"it is not {wanted}: {self.lines}")


@asynccontextmanager
async def running(options: WorkerOptions) -> AsyncIterator[Running]:
    options.models_dir.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model.worker", *options.to_arguments()),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout
    assert process.stderr
    lines: list[str] = []

    async def read(stream: asyncio.StreamReader) -> None:
        async for raw in stream:
            lines.append(raw.decode().rstrip())

    readers = [asyncio.create_task(read(process.stderr))]
    try:
        async with asyncio.timeout(SECONDS):
            async for raw in process.stdout:
                if raw.startswith(b"failed "):
                    lines.append(raw.decode())
                if raw.startswith((b"ready ", b"failed ")):
                    break
        async with WorkerClient(raw.decode().split(" ", 1)[1].strip()) as client:
            yield Running(process, client, lines)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(20):
            await process.wait()
        await asyncio.gather(*readers)


async def test_it_is_ready_first_then_measured_and_the_choice_is_used_at_the_next_start(
    options: WorkerOptions,
) -> None:
    async with running(options) as worker:
        chosen = await worker.line(MEASURED)
        assert "chosen: fast with onnx and" in chosen
        assert "the most exact one within the 30 ms that were asked for" in chosen
        order = [
            next(n for n, line in enumerate(worker.lines) if part in line) for part in ("ready", MEASURED)
        ]
        assert order == sorted(order)
        status = await worker.level("fast")
        assert status["backend"] == "onnx"
        assert status["threads"] >= 1
        assert (await worker.client.look(drawing("green"))).level == "fast"
    kept = json.loads((options.models_dir / FILE).read_text())
    assert len(kept["choices"]) == 1
    async with running(options) as worker:
        assert (await worker.client.status())["level"] == "fast"
        assert (await worker.client.look(drawing("green"))).answer.character == "hulk"
        await asyncio.sleep(0.5)
        assert not [line for line in worker.lines if MEASURED in line]


async def test_a_damaged_file_of_choices_is_measured_anew(options: WorkerOptions) -> None:
    options.models_dir.mkdir()
    (options.models_dir / FILE).write_text('{"edition": 1, "choi')
    async with running(options) as worker:
        assert (await worker.client.status())["level"] in ("exact", "fast")
        await worker.line("does not read: it is measured again")
        await worker.level("fast")
    json.loads((options.models_dir / FILE).read_text())


async def test_a_level_damaged_on_disk_is_refused_and_pictures_are_answered_exact(
    options: WorkerOptions, tmp_path: Path
) -> None:
    async with running(options) as worker:
        await worker.level("fast")
    file = tmp_path / "slow" / "model.fast.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    async with running(options) as worker:
        await worker.line("the level fast is refused, pictures are looked at exact")
        assert (await worker.client.look(drawing("green"))).level == "exact"
        assert (await worker.client.status())["level"] == "exact"
        await asyncio.sleep(0.5)
        assert len([line for line in worker.lines if " ERROR " in line]) == 1


async def test_a_level_that_does_not_exist_is_one_sentence(options: WorkerOptions) -> None:
    async with running(replace(options, level="warp")) as worker:
        assert await worker.line(
            "failed BundleError there is no level 'warp'; worker.level is auto or one of"
        )
        assert not [line for line in worker.lines if "Traceback" in line]


async def test_a_new_bundle_is_measured_too(options: WorkerOptions, tmp_path: Path) -> None:
    async with running(replace(options, target=1e6)) as worker:
        await worker.line(MEASURED)
        await worker.client.swap(str(tmp_path / "quick"))
        end = time.monotonic() + SECONDS
        while sum(MEASURED in line for line in worker.lines) < 2:
            assert time.monotonic() < end, "\n".join(worker.lines)
            await asyncio.sleep(0.05)
        assert (await worker.client.bundle()).id.startswith("tiny-")


async def test_pictures_are_answered_while_it_measures(options: WorkerOptions) -> None:
    async with running(options) as worker:
        seed = 0
        while not [line for line in worker.lines if MEASURED in line]:
            seed += 1
            assert (await worker.client.look(drawing("green", seed=seed))).answer.character == "hulk"
            await asyncio.sleep(0.2)
            assert seed < 5000
        assert not [line for line in worker.lines if "ERROR" in line or "WARNING" in line]

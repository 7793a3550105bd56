"""Picture to answer: through the real worker and its socket, and through the pipeline, in turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from rich.progress import track

from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bench.peer import NAME, Pipeline, made
from tests.bench.rows import Bench, Row
from tests.standins.drawings import drawing


def rows(bench: Bench) -> list[Row]:
    """One picture after another."""
    peer = made(bench.folder / "peer")
    pictures = []
    for seed in range(bench.pictures):
        pictures.append(bench.folder / f"{seed}.jpg")
        pictures[-1].write_bytes(drawing("red", seed=seed, size=(1280, 960), kind="JPEG"))
    told = track(pictures, "asking", console=bench.screen, transient=True)
    return [asyncio.run(_answers(bench.folder / "models", peer, told))]


async def _answers(models: Path, peer_folder: Path, pictures: Iterable[Path]) -> Row:
    async with AsyncExitStack() as stack:
        options = WorkerOptions(use="builtin", models_dir=models, decoders=2, cache_entries=0)
        worker = await stack.enter_async_context(WorkerSupervisor(options))
        client = worker.client()
        stack.push_async_callback(client.close)
        peer = stack.enter_context(Pipeline(peer_folder))
        ours, theirs = [], []
        for picture in pictures:
            data = picture.read_bytes()
            begun = time.perf_counter()
            await client.look(data)
            ours.append(1000 * (time.perf_counter() - begun))
            theirs.append(peer.milliseconds(picture))
    skip = min(3, len(ours) // 4)  # both warm up
    return Row("picture to answer, one by one", tuple(ours[skip:]), "ms", tuple(theirs[skip:]), NAME)

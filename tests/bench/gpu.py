"""On a GPU: pictures a second in full batches, waiting at low load, and the share of what the card can do.

A ViT-B/16 of random weights. *Looking alone* is the classifier without a worker, its pixels at hand, two
batches under way: what the card does when nothing keeps it waiting. *Picture to answer* is JPEG bytes in and
answers out through the real worker, with so many clients that its batches fill, beside
``transformers.pipeline(device=0)`` over the same files in batches of 64, in single and in half precision, in
turns. *At low load* is one picture every tenth of a second on either side. The card's peak is one large
product of matrices in the same precision, measured beside.

Without a card the part says so and gives no rows; ``measured`` does everything on the CPU as well, which is
how the tests know that it works.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from model.classifier import has_gpu
from model.levels.forms import Form
from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bench.console import p95
from tests.bench.levels import VIT_B, multiplications
from tests.bench.posting import posting, process
from tests.bench.rows import ROOT, Bench, Row, environ
from tests.bench.vit import NAME, vit
from tests.standins.drawings import drawing

PRECISIONS = {"exact": "float32", "fast": "bfloat16"}
"""What the pipeline computes in beside each level; the card's own half precision may be another."""


@dataclass(frozen=True)
class Scale:
    """How much is measured: in a batch, seconds, the side of matrices, clients, lone pictures."""

    batch: int = 64
    learning: float = 15.0
    turn: float = 8.0
    side: int = 8192
    clients: int = 320
    lone: int = 60
    pause: float = 0.1
    size: tuple[int, int] = (1280, 960)


def rows(bench: Bench) -> list[Row]:
    """Nothing without a card."""
    if not has_gpu():
        bench.screen.print("gpu: there is no GPU here, or no torch that knows it; nothing is measured")
        return []
    return measured(bench, vit(bench.folder / "vit"), multiplications(VIT_B, Form()))


def measured(
    bench: Bench,
    folder: Path,
    needed: float,
    *,
    levels: Sequence[str] = ("exact", "fast"),
    device: str = "cuda:0",
    scale: Scale | None = None,
) -> list[Row]:
    """Everything, on whatever device.

    Args:
        folder: a bundle that is also a folder of transformers.
        needed: multiplications for a picture.
    """
    scale = scale or Scale()
    pictures = bench.folder / "gpu-pictures"
    pictures.mkdir()
    for seed in range(max(bench.pictures, scale.batch)):
        (pictures / f"{seed:04}.jpg").write_bytes(drawing("red", seed=seed, size=scale.size, kind="JPEG"))
    found = []
    for level in levels:
        alone = looking_alone(folder, level, device, scale, bench.runs)
        share = 100 * needed / alone["peak"]
        said = f"{NAME}, {level} ({alone['precision']}, {alone['runner']})"
        rate = tuple(alone["rates"])
        found.append(Row(f"{said}, looking alone, batches of {scale.batch}", rate, "/s", more=True))
        found.append(Row("… of the card's peak", tuple(share * each for each in rate), "%", more=True))
        found.append(Row("… one picture, looking alone", tuple(alone["one"]), "ms"))
        told = asyncio.run(_answering(bench, folder, pictures, level, device, scale))
        name = f"{NAME}, {level}, picture to answer, {scale.clients} clients"
        for precision, theirs in told.pipelines.items():
            peer = f"pipeline, {precision}, batches of {scale.batch}"
            found.append(Row(name, tuple(told.rates), "/s", tuple(theirs), peer, more=True))
        found.append(Row("… of the card's peak", tuple(share * each for each in told.rates), "%", more=True))
        lone = f"{NAME}, {level}, one every {1000 * scale.pause:.0f} ms, 95 % wait less than"
        peer = f"pipeline, {PRECISIONS[level]}"
        found.append(Row(lone, tuple(told.lone), "ms", tuple(told.lone_pipeline), peer))
    return found


def looking_alone(folder: Path, level: str, device: str, scale: Scale, runs: int) -> dict[str, Any]:
    """In a process of its own: rates, milliseconds of one picture, and the card's peak (`main`)."""
    asked = [str(folder), level, device, str(scale.batch), str(scale.side), str(runs)]
    line = [sys.executable, "-m", "tests.bench.gpu", *asked]
    done = subprocess.run(line, cwd=ROOT, env=environ(), check=True, text=True, stdout=subprocess.PIPE)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@dataclass
class Told:
    """Of both sides: answers a second, by precision of the pipeline's; milliseconds at low load."""

    rates: list[float]
    pipelines: dict[str, list[float]]
    lone: list[float]
    lone_pipeline: list[float]


async def _answering(
    bench: Bench, folder: Path, pictures: Path, level: str, device: str, scale: Scale
) -> Told:
    files = sorted(pictures.iterdir())
    bodies = [file.read_bytes() for file in files]
    many = [str(files[n % len(files)]) for n in range(4 * scale.batch)]
    room = 2 * scale.clients
    options = WorkerOptions(
        use=str(folder),
        backend="torch",
        level=level,
        models_dir=bench.folder / "models",
        batch=scale.batch,
        queue=room,
        per_key=room,
        cache_entries=0,
    )
    told = Told([], {}, [], [])
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(WorkerSupervisor(options))
        path = worker.options.listen.removeprefix("unix:")
        connector = aiohttp.UnixConnector(path, limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession("http://worker", connector=connector))
        peers = {}
        for precision in dict.fromkeys(("float32", PRECISIONS[level])):
            command = ("tests.bench.gpu_peer", str(folder), device, precision, str(scale.batch))
            peers[precision] = stack.enter_context(process(*command))
            told.pipelines[precision] = []
        for turn in range(bench.runs + 1):
            seconds = scale.turn if turn else scale.learning
            taken = await posting(
                session, "/v1/identify", scale.clients, seconds, lambda n: bodies[n % len(bodies)]
            )
            if turn:  # the first is for all to warm up
                told.rates.append(taken.rate)
            for precision, peer in peers.items():
                milliseconds = await _asked(peer, many)
                if turn:
                    told.pipelines[precision].append(1000 * len(many) / milliseconds)
            waits, theirs = [], []
            for number in range(scale.lone):
                await asyncio.sleep(scale.pause)
                waits.append(await _posted(session, bodies[number % len(bodies)]))
                await asyncio.sleep(scale.pause)
                theirs.append(await _asked(peers[PRECISIONS[level]], [str(files[number % len(files)])]))
            if turn:
                told.lone.append(p95(waits))
                told.lone_pipeline.append(p95(theirs))
    return told


async def _posted(session: aiohttp.ClientSession, body: bytes) -> float:
    begun = time.perf_counter()
    async with session.post("/v1/identify", data=body) as reply:
        await reply.read()
        if reply.status != 200:
            raise SystemExit(f"HTTP {reply.status} from the worker")
    return 1000 * (time.perf_counter() - begun)


async def _asked(peer: subprocess.Popen[str], files: Sequence[str]) -> float:
    """Milliseconds of the pipeline, by its own clock."""
    assert peer.stdin and peer.stdout
    peer.stdin.write(json.dumps(list(files)) + "\n")
    peer.stdin.flush()
    return float(await asyncio.to_thread(peer.stdout.readline))


def main(folder: Path, level: str, device: str, batch: int, side: int, runs: int) -> None:
    """Measure the classifier alone, and print one line of JSON."""
    import torch

    from model.backends.torch import Plan, load_torch
    from model.backends.torch.classifier import plan_of
    from model.backends.torch.proving import probes
    from model.bundle import read_bundle

    where = torch.device(device)
    plan = plan_of(level)
    if where.type == "cpu":
        plan = Plan(where, level, torch.float32, depth=2, buckets=(1, batch))
    bundle = read_bundle(folder)
    classifier = load_torch(bundle, plan=plan)
    pixels = list(probes(bundle.preprocess.height, bundle.preprocess.width, 2 * batch))
    halves, count = (pixels[:batch], pixels[batch:]), 24 if where.type == "cuda" else 4
    rates, one = [], []
    for turn in range(runs + 1):
        begun = time.perf_counter()
        under = classifier.begin(halves[0])
        for number in range(count):  # one is looked at while the next is put together and copied
            ahead = classifier.begin(halves[number % 2])
            under.result()
            under = ahead
        under.result()
        rate = (count + 1) * batch / (time.perf_counter() - begun)
        lone = []
        for number in range(20):
            begun = time.perf_counter()
            classifier.begin(pixels[number % len(pixels) :][:1]).result()
            lone.append(1000 * (time.perf_counter() - begun))
        if turn:
            rates.append(rate)
            one.append(sorted(lone)[len(lone) // 2])
    told = {"rates": rates, "one": one, "peak": peak(where, plan.dtype, side)}
    told |= {"precision": str(plan.dtype).removeprefix("torch."), "runner": classifier.runner.name}
    print(json.dumps(told | {"on": classifier.on, "batch": classifier.batch}))


def peak(device: Any, dtype: Any, side: int, times: int = 10) -> float:
    """Multiplications a second of one large product of matrices."""
    import torch

    one = torch.randn(side, side, device=device, dtype=dtype)
    other = torch.randn(side, side, device=device, dtype=dtype)
    seconds = []
    for _ in range(times):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        begun = time.perf_counter()
        product = one @ other
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - begun)
        del product
    return side**3 / min(seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:4], *(int(each) for each in sys.argv[4:]))

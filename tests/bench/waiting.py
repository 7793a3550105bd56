"""How long those who post at once wait, and how much of what the model could do is done.

*8 posters*: the embedded model through the real worker and its socket, and `transformers.pipeline` in an
executor of the bot, in turns; distinct pictures, no cache.

*32 clients*: a stub that takes 20 ms whatever the batch, in our worker and in LitServe, in turns. The ideal
is one full batch every 20 ms: with batches of at most 16 (half of the clients, so that one half can be on its
way while the other is looked at) 800 a second, with batches of 8 400, one by one 50. No picture is decoded on
either side: what is measured is the way from the socket to the model and back. Our worker begins at a batch
of one and finds out that more pay; that is given a few seconds before anything is counted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import tempfile
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import aiohttp

from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bench import litserve_peer, pipeline_peer
from tests.bench.console import p95
from tests.bench.peer import made
from tests.bench.posting import posting, process, stub_worker, until_answered
from tests.bench.rows import Bench, Row
from tests.standins.drawings import drawing

POSTERS, CLIENTS = 8, 32
STUB = 20.0  # milliseconds
BATCHES = (16, 8)
LEARNING, TURN = 8.0, 4.0  # seconds
PICTURE = b"not decoded" + bytes(30_000)


def rows(bench: Bench) -> list[Row]:
    """Posters first, then clients of the stub."""
    found = [asyncio.run(_posters(bench))]
    for batch in (*BATCHES, 1):
        found += asyncio.run(_clients(bench, batch))
    return found


async def _posters(bench: Bench) -> Row:
    folder = bench.folder / "pictures"
    folder.mkdir()
    for seed in range(bench.pictures):
        (folder / f"{seed}.jpg").write_bytes(drawing("red", seed=seed, size=(1280, 960), kind="JPEG"))
    pictures = [file.read_bytes() for file in sorted(folder.iterdir())]
    options = WorkerOptions(use="builtin", models_dir=bench.folder / "models", decoders=2, cache_entries=0)
    ours, theirs = list[float](), list[float]()
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(WorkerSupervisor(options))
        peer = stack.enter_context(
            process("tests.bench.pipeline_peer", str(made(bench.folder / "peer")), str(folder), str(POSTERS))
        )
        assert peer.stdin
        assert peer.stdout
        session = await stack.enter_async_context(_session(worker.options.listen.removeprefix("unix:")))
        for turn in range(bench.runs + 1):
            taken = await posting(
                session, "/v1/identify", POSTERS, TURN, lambda n: pictures[n % len(pictures)]
            )
            peer.stdin.write(f"{TURN}\n")
            peer.stdin.flush()
            answered = json.loads(await asyncio.to_thread(peer.stdout.readline))
            if turn:  # the first is for both to warm up
                ours.append(p95(taken.milliseconds))
                theirs.append(p95(answered))
    name = f"{POSTERS} posters at once, 95 % wait less than"
    return Row(name, tuple(ours), "ms", tuple(theirs), pipeline_peer.NAME, "≥ 3×")


async def _clients(bench: Bench, batch: int) -> list[Row]:
    ideal = batch * 1000 / STUB
    ours, theirs, waits, their_waits = [list[float]() for _ in range(4)]
    with ExitStack() as stack:
        # a socket's path is short
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-")))
        flags = ("--blind", "--batch", str(batch), "--cache-entries", "0", "--per-key", "128")
        _, path = stack.enter_context(stub_worker(folder, STUB, *flags))
        port = _free_port()
        command = ("tests.bench.litserve_peer", str(STUB), str(batch), str(port))
        stack.enter_context(process(*command, until=False))
        async with _session(path) as worker, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as litserve:
            headers = {"Content-Type": "application/json"}
            litserve.headers.update(headers)
            same = json.dumps({"image": base64.b64encode(PICTURE).decode()}).encode()
            await until_answered(litserve, "/predict", same)
            for turn in range(bench.runs + 1):
                seconds = TURN if turn else LEARNING
                taken = await posting(worker, "/v1/identify", CLIENTS, seconds, lambda n: PICTURE + b"%d" % n)
                answered = await posting(litserve, "/predict", CLIENTS, TURN, lambda _: same)
                if turn:
                    ours.append(taken.rate)
                    theirs.append(answered.rate)
                    waits.append(p95(taken.milliseconds))
                    their_waits.append(p95(answered.milliseconds))
    each = f"batches of {batch}" if batch > 1 else "one by one"
    name = f"{CLIENTS} clients, {STUB:.0f} ms, {each}"
    bound = f"≥ {0.95 * ideal:.0f} of {ideal:.0f}" + (", ≥ 2×" if batch == BATCHES[0] else "")
    return [
        Row(name, tuple(ours), "/s", tuple(theirs), litserve_peer.NAME, bound, more=True),
        Row("… 95 % wait less than", tuple(waits), "ms", tuple(their_waits), litserve_peer.NAME),
    ]


def _session(path: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession("http://worker", connector=aiohttp.UnixConnector(path, limit=0))


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])

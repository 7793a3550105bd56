"""What the way through Ray costs on one machine: one replica beside the same worker without Ray, in turns.

A model of a few nodes, and one that takes a while; distinct drawings of 320 x 240, no cache, one client and
eight. The last rows set what one would build of Ray's own parts (`tests.bench.serve_batch`) beside the same
worker, so that both ways onto Ray have one measure.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import statistics
import time
from dataclasses import replace
from pathlib import Path

import aiohttp

from model.cluster.plan import ClusterOptions, serve_config
from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bench.rows import Bench, Row
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing
from tests.standins.ray_cluster import RayCluster

CLIENTS = 8
TURN = 3.0  # seconds
MODELS = {"quick": 0, "slow": 100}
"""Rounds of `tiny_bundle`: 0.2 ms each on an idle core."""
PEER = "the same worker without Ray"


def rows(bench: Bench) -> list[Row]:
    """For each model and way: eight clients, and one."""
    return asyncio.run(_rows(bench))


async def _rows(bench: Bench) -> list[Row]:
    found = list[Row]()
    pictures = [drawing("red", seed=seed, kind="JPEG") for seed in range(60)]
    with RayCluster() as cluster:
        for name, rounds in MODELS.items():
            use = tiny_bundle(bench.folder / name, name=name, slow=rounds)
            options = WorkerOptions(
                use=str(use), models_dir=bench.folder, decoders=1, threads=1, cache_entries=0
            )
            own = replace(options, listen=f"tcp://127.0.0.1:{_port()}")
            async with WorkerSupervisor(own) as supervisor:
                theirs = supervisor.options.listen.replace("tcp://", "http://")
                for way, config in _ways(options, use).items():
                    if why := await cluster.deploy(config):
                        raise RuntimeError(why)
                    port = config["http_options"]["port"]
                    found += await _turns(
                        bench, f"{way}, {name} model", f"http://127.0.0.1:{port}", theirs, pictures
                    )
    return found


def _ways(options: WorkerOptions, use: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    ours = serve_config(options, ClusterOptions(cpus=0.5), host="127.0.0.1", port=_RAY_PORT)
    parts = ours | {
        "applications": [
            {
                "name": "parts",
                "route_prefix": "/",
                "import_path": "tests.bench.serve_batch:build",
                "args": {"use": str(use)},
            }
        ]
    }
    return {"--engine ray": ours, "Ray's own parts": parts}


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


_RAY_PORT = 8790  # the proxies keep the port that they began with


async def _turns(bench: Bench, name: str, ours: str, theirs: str, pictures: list[bytes]) -> list[Row]:
    taken: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for turn in range(bench.runs + 1):
        for url, clients in itertools.product((ours, theirs), (CLIENTS, 1)):
            measured = await _posting(url, clients, pictures)
            if turn:  # the first is for both to warm up
                taken.setdefault((url, clients), []).append(measured)

    def of(url: str, clients: int, which: int) -> tuple[float, ...]:
        return tuple(each[which] for each in taken[url, clients])

    return [
        Row(
            f"{name}: {CLIENTS} clients", of(ours, CLIENTS, 0), "/s", of(theirs, CLIENTS, 0), PEER, more=True
        ),
        Row(f"{name}: alone", of(ours, 1, 1), "ms", of(theirs, 1, 1), PEER),
    ]


async def _posting(url: str, clients: int, pictures: list[bytes]) -> tuple[float, float]:
    """Pictures a second, and the median milliseconds of one."""
    numbers = itertools.count()
    end = time.perf_counter() + TURN
    waits = list[float]()

    async with aiohttp.ClientSession() as session:

        async def ask() -> None:
            while (began := time.perf_counter()) < end:
                picture = pictures[next(numbers) % len(pictures)]
                async with session.post(f"{url}/v1/identify", data=picture) as response:
                    await response.read()
                    assert response.status == 200, response.status
                waits.append((time.perf_counter() - began) * 1000)

        began = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(clients)))
        seconds = time.perf_counter() - began
    return len(waits) / seconds, statistics.median(waits)

"""The worker on a real Ray cluster on loopback: the contract of any worker, and what only a cluster has.

Its parts without Ray are in `test_cluster_parts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ipaddress
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from model.bundle import read_bundle
from model.client import WorkerClient
from model.cluster.plan import APP, DEPLOYMENT, ClusterOptions, serve_config
from model.errors import BundleError, ModelError
from model.types import Sight
from model.worker.options import WorkerOptions
from tests.model.worker_contract import Serving, WorkerContract, fresh, until
from tests.standins.bundles import tiny_bundle
from tests.standins.ray_cluster import RayCluster

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SECONDS = 240.0
"""For a replica to come, on a machine that has other things to do."""
ONE = ClusterOptions(cpus=0.5, health_seconds=3600)
TWO = replace(ONE, least=2, most=2, health_seconds=2)  # which is how Ray finds out that one is dead


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    if importlib.util.find_spec("ray") is None:
        missing = "Ray is not installed here: pip install 'whosthat[ray]'"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with RayCluster() as running:
        yield running
    assert running.left == []
    assert not running.folder.exists()


@pytest.fixture(scope="module")
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(folder / "quick")
    tiny_bundle(folder / "biased", name="biased", bias=100.0)
    return folder


@pytest.fixture(scope="module")
def quick(bundles: Path) -> WorkerOptions:
    return WorkerOptions(use=str(bundles / "quick"), models_dir=bundles, decoders=1, threads=1)


def config_of(options: WorkerOptions, cluster: ClusterOptions, port: int) -> dict[str, Any]:
    return serve_config(options, cluster, host="127.0.0.1", port=port)


async def deployed(cluster: RayCluster, config: dict[str, Any], use: str) -> str:
    """The address, once all that answers there looks with this bundle."""
    assert await cluster.deploy(config) == ""
    url = f"http://127.0.0.1:{config['http_options']['port']}"
    wanted = read_bundle(Path(use)).info.id
    async with WorkerClient(url) as client:

        async def looks() -> bool:
            with contextlib.suppress(ModelError):
                return {(await client.bundle()).id for _ in range(6)} == {wanted}
            return False

        await until(looks, SECONDS)
    return url


class TestRay(WorkerContract):
    """The contract, kept by one replica on Ray."""

    @pytest.fixture
    def serving(self, cluster: RayCluster, port: int) -> Serving:
        @contextlib.asynccontextmanager
        async def serving(options: WorkerOptions) -> AsyncIterator[str]:
            yield await deployed(cluster, config_of(options, ONE, port), options.use)

        return serving


async def test_who_does_not_belong_to_it_gets_into_nothing(
    cluster: RayCluster, quick: WorkerOptions, port: int
) -> None:
    await deployed(cluster, config_of(quick, ONE, port), quick.use)
    everywhere: set[int] = set()
    count = 0
    for process in cluster.processes():
        with contextlib.suppress(psutil.Error):
            for each in process.net_connections("inet"):
                if each.status == psutil.CONN_LISTEN:
                    count += 1
                    here = ipaddress.ip_address(each.laddr.ip)
                    if not (getattr(here, "ipv4_mapped", None) or here).is_loopback:
                        everywhere.add(each.laddr.port)
    assert count > 3
    # all of Ray is on loopback but a port of each replica, which is for other replicas and wants the token
    assert len(everywhere) <= len(cluster.workers())
    refused = await asyncio.to_thread(_calls, everywhere)
    assert refused == ["UNAUTHENTICATED"] * len(everywhere)


def _calls(ports: set[int]) -> list[str]:
    """What comes of calling a replica without a token."""
    import grpc

    said = []
    for port in ports:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                channel.unary_unary("/ray.serve.ASGIService/HandleRequest")(b"", timeout=30)
                said.append("answered")
            except grpc.RpcError as error:
                said.append(error.code().name)
    return said


async def test_a_worker_that_dies_with_pictures_in_flight_answers_them_all_the_same(
    cluster: RayCluster, quick: WorkerOptions, port: int
) -> None:
    url = await deployed(cluster, config_of(quick, ONE, port), quick.use)
    async with WorkerClient(url, deadline=SECONDS) as client:
        (worker,) = cluster.workers()
        asking = [asyncio.create_task(client.look(fresh("green"))) for _ in range(6)]
        await asyncio.sleep(0)
        worker.kill()
        assert {each.answer.character for each in await asyncio.gather(*asking)} == {"hulk"}
        (again,) = cluster.workers()
        assert again.pid != worker.pid


async def test_every_replica_changes_its_bundle_and_so_does_one_that_comes_later(
    cluster: RayCluster, quick: WorkerOptions, port: int, bundles: Path
) -> None:
    url = await deployed(cluster, config_of(quick, TWO, port), quick.use)
    await until(lambda: len(cluster.workers()) == 2, SECONDS)
    async with WorkerClient(url, deadline=SECONDS) as client:
        before = (await client.bundle()).id
        seen: list[Sight] = []
        stop = asyncio.Event()

        async def ask() -> None:
            while not stop.is_set():
                seen.append(await client.look(fresh("green")))

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        await until(lambda: len(seen) > 10, SECONDS)
        after = (await client.swap(str(bundles / "biased"))).id
        swapped = len(seen)
        await until(lambda: len(seen) > swapped + 20, SECONDS)
        with pytest.raises(BundleError):
            await client.swap(str(bundles / "nothing here"))
        # a replica dies with its worker: who asked it is answered, and its successor is up to date
        first = cluster.workers()[0]
        died = first.parent()
        assert died is not None
        died.kill()
        await until(lambda: len(cluster.workers()) == 2 and first not in cluster.workers(), SECONDS)
        stop.set()
        await asyncio.gather(*asking)
        assert {(await client.look(fresh("green"))).bundle for _ in range(20)} == {after}
    assert {one.bundle for one in seen} == {before, after}
    assert {one.bundle for one in seen[swapped + 4 :]} == {after}
    for one in seen:
        assert one.answer.character == ("hulk" if one.bundle == before else "iron-man")


async def test_more_replicas_come_when_there_is_more_to_do(
    cluster: RayCluster, bundles: Path, port: int
) -> None:
    slow = tiny_bundle(bundles / "slow", name="slow", slow=700)
    options = WorkerOptions(use=str(slow), models_dir=bundles, decoders=1, threads=1)
    config = config_of(options, replace(ONE, most=2, ongoing=1), port)
    (deployment,) = config["applications"][0]["deployments"]
    deployment["autoscaling_config"] |= {"upscale_delay_s": 0.5, "metrics_interval_s": 0.5}
    url = await deployed(cluster, config, options.use)
    stop = asyncio.Event()
    async with WorkerClient(url, deadline=SECONDS) as client:

        async def ask() -> None:
            while not stop.is_set():
                await client.look(fresh())

        asking = [asyncio.create_task(ask()) for _ in range(6)]
        await until(lambda: len(cluster.workers()) == 2, SECONDS)
        stop.set()
        await asyncio.gather(*asking)


async def test_what_cannot_be_deployed_is_one_sentence(
    cluster: RayCluster, quick: WorkerOptions, port: int, bundles: Path
) -> None:
    config = config_of(replace(quick, use=str(bundles / "nothing here"), queue=17), ONE, port)
    (deployment,) = config["applications"][0]["deployments"]
    why = await cluster.deploy(config | {"applications": [config["applications"][0]]})
    assert "there is no model folder" in why
    assert "Traceback" not in why
    assert (config["applications"][0]["name"], deployment["name"]) == (APP, DEPLOYMENT)


def in_the_docs() -> dict[str, Any]:
    """The configuration of docs/cluster.md."""
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    config: dict[str, Any] = yaml.safe_load(block)
    return config


async def test_what_the_docs_deploy_works_where_there_is_no_gpu(
    cluster: RayCluster, bundles: Path, port: int
) -> None:
    config = in_the_docs()
    (application,) = config["applications"]
    (deployment,) = application["deployments"]
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    application["args"] |= {"models_dir": str(bundles), "backend": "auto", "decoders": 1}
    deployment["ray_actor_options"] = {"num_cpus": 0.5, "num_gpus": 0}
    use = str(bundles / "biased")
    deployment["user_config"]["use"] = use
    url = await deployed(cluster, config, use)
    async with WorkerClient(url, deadline=SECONDS) as client:
        assert (await client.look(fresh("green"))).answer.character == "iron-man"
    # another model, as the page says: the file is changed and deployed again
    (worker,) = cluster.workers()
    deployment["user_config"]["use"] = str(bundles / "quick")
    await deployed(cluster, config, str(bundles / "quick"))
    assert cluster.workers() == [worker]

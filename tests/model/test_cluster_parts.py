"""The parts of a replica, without Ray: what is deployed, what is passed on, and what is refused."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.cluster.launching import environment, run_on_ray
from model.cluster.plan import ROOM, ClusterOptions, arguments, deployment, serve_config, worker_options
from model.cluster.replica import Replica, probe
from model.decode import DecodeLimits, decode
from model.errors import BundleMissing, WorkerError
from model.preprocess import Preprocess
from model.worker.options import SECRET, WorkerOptions
from tests.command import whosthat
from tests.model.worker_contract import until
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

ROOT = Path(__file__).parents[2]
LOOPBACK = ("127.0.0.1", 4711)


async def asked(
    replica: Replica,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    client: tuple[str, int] = LOOPBACK,
    pieces: int = 1,
    seconds: float = 120,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """One request as Ray makes it; status, JSON and headers."""
    size = -(-len(body) // pieces) or 1
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    messages = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]
    said: list[Any] = []

    async def receive() -> Any:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": client,
    }
    await asyncio.wait_for(replica.answer(scope, receive, send), seconds)
    start, end = said
    return (
        start["status"],
        json.loads(end["body"]),
        {name.decode(): value.decode() for name, value in start["headers"]},
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(folder / "quick")
    tiny_bundle(folder / "biased", name="biased", bias=100.0)
    return folder


@pytest.fixture
async def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
async def replica(bundles: Path, told: list[tuple[str, str]]) -> AsyncIterator[Replica]:
    async def spread(use: str, before: str) -> None:
        told.append((use, before))

    options = WorkerOptions(models_dir=bundles, decoders=1, threads=1, max_bytes=2**20)
    started = Replica(options, spread)
    await started.adopt(str(bundles / "quick"))
    yield started
    await started.close()


async def test_a_replica_passes_on_and_changes_its_bundle(
    replica: Replica, bundles: Path, told: list[tuple[str, str]]
) -> None:
    status, reply, _ = await asked(replica, "POST", "/v1/identify", drawing("green"), pieces=7)
    assert (status, reply["character"]) == (200, "hulk")
    status, reply, _ = await asked(replica, "POST", "/v1/identify", bytes(2**21), pieces=9)
    assert (status, reply["reason"]) == (413, "too-many-bytes")
    await replica.healthy()
    use = str(bundles / "biased")
    as_json = {"Content-Type": "application/json"}
    body = json.dumps({"use": use}).encode()
    # from another machine, through a proxy, from a page in a browser: all refused
    for headers, client in (
        (as_json, ("192.0.2.7", 1)),
        (as_json | {"X-Forwarded-For": "192.0.2.7"}, LOOPBACK),
        (as_json | {"Origin": "http://evil.example"}, LOOPBACK),
    ):
        status, reply, _ = await asked(replica, "POST", "/v1/bundle", body, headers, client)
        assert (status, reply["reason"]) == (403, "forbidden")
    missing = json.dumps({"use": str(bundles / "nothing here")}).encode()
    status, reply, _ = await asked(replica, "POST", "/v1/bundle", missing, as_json)
    assert (status, reply["kind"]) == (409, "BundleMissing")
    with pytest.raises(BundleMissing):
        await replica.adopt(str(bundles / "nothing here"))
    assert told == []
    status, reply, _ = await asked(replica, "POST", "/v1/bundle", body, as_json)
    assert (status, told) == (200, [(use, str(bundles / "quick"))])
    status, reply, _ = await asked(replica, "POST", "/v1/identify", drawing("green"))
    assert (status, reply["character"]) == (200, "iron-man")


async def test_a_picture_that_kills_the_worker_is_tried_once_more_and_no_oftener(bundles: Path) -> None:
    async def spread(use: str, before: str) -> None:
        raise AssertionError

    slow = tiny_bundle(bundles / "slow", name="slow", slow=3000)
    replica = Replica(WorkerOptions(models_dir=bundles, decoders=1, threads=1), spread)
    await replica.adopt(str(slow))
    supervisor = replica._supervisor
    assert supervisor is not None

    async def kill(after: int) -> None:
        """The worker that was started again so many times, as soon as it is up."""
        await until(lambda: supervisor.restarts == after and supervisor.pid, 120)
        os.kill(supervisor.pid or 0, signal.SIGKILL)

    try:
        asking = asyncio.create_task(asked(replica, "POST", "/v1/identify", drawing(seed=1), seconds=240))
        await asyncio.sleep(0)
        for number in range(2):
            await kill(number)
        status, reply, _ = await asking
        assert (status, reply["reason"], supervisor.restarts) == (500, "worker-gone", 1)
        assert "twice" in reply["detail"]
        status, reply, _ = await asked(replica, "POST", "/v1/identify", drawing(seed=1))
        assert (status, reply.get("reason")) in ((200, None), (503, "warming"))
    finally:
        await replica.close()


async def test_who_does_not_know_the_secret_is_not_answered(bundles: Path) -> None:
    async def spread(use: str, before: str) -> None:
        raise AssertionError

    secret = "a secret of the tests' own".replace(" ", "-")
    replica = Replica(WorkerOptions(models_dir=bundles, decoders=1, threads=1), spread, secret=secret)
    await replica.adopt(str(bundles / "quick"))
    try:
        for given in ({}, {"Authorization": "Bearer another-one-of-16"}):
            status, reply, headers = await asked(replica, "GET", "/readyz", headers=given)
            assert (status, reply["reason"], headers["www-authenticate"]) == (401, "secret", "Bearer")
            assert SECRET in reply["detail"]
        assert (await asked(replica, "GET", "/healthz"))[0] == 200
        known = {"Authorization": f"Bearer {secret}"}
        assert (await asked(replica, "GET", "/readyz", headers=known))[0] == 200
        await replica.healthy()
    finally:
        await replica.close()


def test_probes_are_pictures_and_all_different() -> None:
    how = Preprocess(height=4, width=4)
    for number in (1, 2, 300, 70_000):
        decoded = decode(probe(number), DecodeLimits(), how, False)
        assert (decoded.width, decoded.height) == (16, 16)
    assert len({probe(number) for number in range(600)}) == 600


def test_what_is_deployed_follows_the_options() -> None:
    worker = WorkerOptions(
        use="hub:a/b",
        models_dir=Path("here"),
        queue=7,
        decode_seconds=3.0,
        secret="x" * 16,
        cert="c",
        key="k",
    )
    config = serve_config(worker, ClusterOptions(least=2, most=5, gpus=1.0), host="127.0.0.1", port=8787)
    (application,) = config["applications"]
    assert "x" * 16 not in json.dumps(config)
    assert worker_options(application["args"]) == replace(worker, use="builtin", secret="", cert="", key="")
    (one,) = application["deployments"]
    assert one["user_config"] == {"use": "hub:a/b"}
    assert one["autoscaling_config"]["min_replicas"] == 2
    assert one["autoscaling_config"]["max_replicas"] == 5
    assert one["max_ongoing_requests"] > worker.queue  # it is the worker that refuses
    assert one["ray_actor_options"] == {"num_cpus": 1.0, "num_gpus": 1.0}
    # before there is another replica, the batches of this one fill
    assert one["autoscaling_config"]["target_ongoing_requests"] >= 2 * worker.batch
    assert deployment(worker, ClusterOptions())["autoscaling_config"]["target_ongoing_requests"] < 8
    assert arguments(WorkerOptions()) == {}
    for wrong in ({"colour": 1}, {"queue": "many"}, {"use": "builtin"}, {"secret": "x"}, {"follow": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            worker_options(wrong)


def test_a_cluster_of_our_own_keeps_to_itself() -> None:
    said = environment(ClusterOptions(), {})
    assert said["RAY_USAGE_STATS_ENABLED"] == "0"
    assert len(said["RAY_AUTH_TOKEN"]) == 64
    assert said["RAY_AUTH_TOKEN"] != environment(ClusterOptions(), {})["RAY_AUTH_TOKEN"]
    assert environment(ClusterOptions(address="auto"), {}) == {"RAY_USAGE_STATS_ENABLED": "0"}
    assert "RAY_AUTH_MODE" not in environment(ClusterOptions(), {"RAY_AUTH_TOKEN_PATH": "/x"})


@pytest.mark.parametrize("listen", ["unix:/tmp/w", "nonsense", "tcp://127.0.0.1:x"])
def test_where_it_cannot_listen_is_said(listen: str) -> None:
    with pytest.raises(WorkerError, match="tcp://host:port"):
        run_on_ray(WorkerOptions(listen=listen), ClusterOptions())


def test_without_a_secret_nobody_else_is_let_in() -> None:
    with pytest.raises(WorkerError, match=SECRET):
        run_on_ray(WorkerOptions(listen="tcp://0.0.0.0:8787"), ClusterOptions())


def test_what_the_docs_deploy_is_what_ray_and_the_worker_read() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    config = yaml.safe_load(block)
    ours = serve_config(WorkerOptions(), ClusterOptions(gpus=1), host="10.0.0.1", port=8787)
    (application,), (said,) = config["applications"], ours["applications"]
    (deployment_,), (ours_,) = application["deployments"], said["deployments"]
    for name in ("name", "route_prefix", "import_path", "runtime_env", "logging_config"):
        assert application[name] == said[name]
    assert deployment_["name"] == ours_["name"]
    assert set(deployment_) <= set(ours_)
    assert set(deployment_["autoscaling_config"]) <= set(ours_["autoscaling_config"])
    assert deployment_["autoscaling_config"]["target_ongoing_requests"] == ClusterOptions(gpus=1).busy
    options = worker_options(application["args"])
    assert options.backend == "torch"
    assert deployment_["max_ongoing_requests"] == ROOM * options.queue
    asked_for = deployment_["ray_actor_options"]
    assert asked_for["num_gpus"] == 1
    assert asked_for["num_cpus"] > options.decoders
    # the resources are those of the GPU machine of the page, and the head has none of them
    (head,) = re.findall(r"ray start --head.*", text)
    (other,) = re.findall(r"ray start --address 10.*", text)
    assert config["http_options"]["host"] in head
    assert "--num-gpus 0" in head
    assert "--num-gpus 1" in other
    assert int(re.findall(r"--num-cpus (\d+)", other)[0]) >= asked_for["num_cpus"]
    found = importlib.util.find_spec("ray")
    if found is None:
        missing = "Ray is not installed here: pip install 'whosthat[ray]'"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    code = (
        "import json, sys; from ray.serve.schema import ServeDeploySchema; "
        "from ray._common.utils import import_attr; "
        "config = ServeDeploySchema(**json.load(sys.stdin)); (one,) = config.applications; "
        "print(import_attr(one.import_path).__name__, [each.name for each in one.deployments])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(config), capture_output=True, text=True, cwd=ROOT
    )
    assert ran.stdout.strip() == "build ['Worker']", ran.stderr


async def test_the_command_prints_what_it_would_deploy(tmp_path: Path) -> None:
    said = await whosthat(
        tmp_path,
        *("worker", "--engine", "ray", "--show"),
        WHOSTHAT_CLUSTER__GPUS="0.5",
        WHOSTHAT_CLUSTER__MOST="3",
        WHOSTHAT_WORKER__QUEUE="9",
    )
    (application,) = yaml.safe_load(said.out)["applications"]
    assert worker_options(application["args"]).queue == 9
    (one,) = application["deployments"]
    assert one["ray_actor_options"]["num_gpus"] == 0.5
    assert one["autoscaling_config"]["max_replicas"] == 3
    refused = await whosthat(tmp_path, "worker", "--engine", "ray", "--listen", "unix:/tmp/x")
    assert "tcp://host:port" in refused.sentence

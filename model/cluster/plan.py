"""What is deployed, as the mapping that Ray's own ``serve deploy`` reads. No Ray in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model.worker.options import WorkerOptions

APP = "whosthat"
DEPLOYMENT = "Worker"
IMPORT_PATH = "model.cluster.app:build"
VARIABLES = {"RAY_USE_UVLOOP": "0"}
"""What a replica's process needs: its worker is a child of an event loop, as asyncio's own has them."""
ROOM = 4
"""Requests that Ray may send to a replica for each one that its worker admits: it is the worker that refuses,
in the protocol's own words, and a queue of Ray's before it would not count against anybody's deadline."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How many replicas, and what each of them takes.

    ``address`` is that of a running cluster (``auto``, ``HOST:PORT``); empty: one on this machine, on
    loopback, that ends with whoever started it. ``ongoing`` is how many pictures are under way in one replica
    before another one is started (0: as many as keep it busy, see `busy`); one that has had nothing to do for
    ``idle_seconds`` goes again. Every ``health_seconds`` each is asked about a picture. Times are in seconds.
    """

    address: str = ""
    least: int = 1
    most: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    ongoing: int = 0
    idle_seconds: float = 300.0
    health_seconds: float = 10.0

    @property
    def busy(self) -> int:
        """Pictures under way that keep one replica busy: its batches fill before there is another.

        On a GPU a batch of 64 is on the device while the next one is decoded; on a CPU, where batches do not
        pay, one picture is looked at while the next ones are decoded.
        """
        return self.ongoing or (128 if self.gpus else 4)


def serve_config(
    worker: WorkerOptions, cluster: ClusterOptions, *, host: str, port: int, every_node: bool = True
) -> dict[str, Any]:
    """What Ray's ``ServeDeploySchema`` takes, and what ``serve deploy`` reads as YAML.

    Args:
        worker: of every replica; ``listen`` and ``use`` are not among its arguments: a replica chooses its
            own socket, and what it looks with may be changed while it runs. ``cert`` and ``key`` are the
            proxies'; the secret is in the environment of every node, and never in a configuration, which
            everybody may read who reaches the cluster.
        host: where Ray's proxies listen.
        port: the same.
        every_node: a proxy on every node that has a replica; else only on the head node.
    """
    tls = {"ssl_certfile": worker.cert, "ssl_keyfile": worker.key} if worker.cert else {}
    return {
        "proxy_location": "EveryNode" if every_node else "HeadOnly",
        "http_options": {"host": host, "port": port, **tls},
        "applications": [
            {
                "name": APP,
                "route_prefix": "/",
                "import_path": IMPORT_PATH,
                "args": arguments(worker),
                "runtime_env": {"env_vars": dict(VARIABLES)},
                "logging_config": {"enable_access_log": False},  # the worker has a line for each picture
                "deployments": [deployment(worker, cluster)],
            }
        ],
    }


def deployment(worker: WorkerOptions, cluster: ClusterOptions) -> dict[str, Any]:
    """The one deployment: what a replica takes, and when there is another."""
    return {
        "name": DEPLOYMENT,
        "user_config": {"use": worker.use},
        "max_ongoing_requests": ROOM * worker.queue,
        "max_queued_requests": -1,
        "autoscaling_config": {
            "min_replicas": cluster.least,
            "initial_replicas": cluster.least,
            "max_replicas": max(cluster.least, cluster.most),
            "target_ongoing_requests": cluster.busy,
            "upscale_delay_s": 10.0,
            "downscale_delay_s": cluster.idle_seconds,
        },
        "health_check_period_s": cluster.health_seconds,
        "health_check_timeout_s": 30.0,
        "graceful_shutdown_wait_loop_s": 0.2,
        "graceful_shutdown_timeout_s": worker.deadline + worker.stop_seconds,
        "ray_actor_options": {"num_cpus": cluster.cpus, "num_gpus": cluster.gpus},
    }


_NOT_ARGUMENTS = frozenset(
    {"listen", "use", "exit_with_parent", "json_log", "stop_seconds", "cert", "key", "secret"}
)


def arguments(worker: WorkerOptions) -> dict[str, Any]:
    """What of a worker's options differs from the defaults, as JSON."""
    default = WorkerOptions()
    said = {
        each.name: getattr(worker, each.name)
        for each in fields(WorkerOptions)
        if each.name not in _NOT_ARGUMENTS and getattr(worker, each.name) != getattr(default, each.name)
    }
    return {name: str(value) if isinstance(value, Path) else value for name, value in said.items()}


def worker_options(said: Mapping[str, Any]) -> WorkerOptions:
    """The other way round.

    Raises:
        ValueError: there is no such option, in one sentence.
    """
    known = {each.name for each in fields(WorkerOptions)} - _NOT_ARGUMENTS
    if unknown := sorted(set(said) - known):
        raise ValueError(
            f"a worker on a cluster has no argument {unknown[0]!r}; it has {', '.join(sorted(known))}"
        )
    default = WorkerOptions()
    return WorkerOptions(
        **{name: _as(type(getattr(default, name)), name, value) for name, value in said.items()}
    )


def _as(kind: type, name: str, value: Any) -> Any:
    if issubclass(kind, Path) and isinstance(value, str):
        return Path(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"the argument {name!r} is {value!r}, which is no {kind.__name__}")
    return value

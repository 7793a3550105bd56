"""``whosthat worker --engine ray``: deploys the worker to a cluster, or to one of its own on this machine."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model.cluster.plan import APP, ClusterOptions, serve_config
from model.errors import BackendMissing, WorkerError
from model.worker.guard import check_reach
from model.worker.options import SECRET, WorkerOptions

log = logging.getLogger(__name__)

_STORE = 100 * 2**20  # bytes of shared memory: pictures do not travel through it
_START_SECONDS = 900.0
_LOOK_SECONDS = 0.2
_TRIES = 3  # on a busy machine Ray's own half minute for a start may not do
_LOOPBACK = "127.0.0.1"
_NO_RAY = "Ray is not installed here: pip install 'whosthat[ray]'"
_LONGEST_FOLDER = 45  # bytes; Ray adds some sixty, and the kernel takes 107 for a socket


def run_on_ray(worker: WorkerOptions, cluster: ClusterOptions) -> int:
    """Deploy, say ``ready URL`` on stdout, and take it down again at SIGTERM or SIGINT.

    With an ``address`` only the application is taken down; without one, the cluster too.

    Raises:
        ModelError: it cannot be deployed, in one sentence.
    """
    host, port = _where(worker.listen)
    asyncio.run(check_reach(worker, host))
    if worker.secret:  # the processes of our own cluster inherit it; on another one it is set on the nodes
        os.environ[SECRET] = worker.secret
    os.environ.update(environment(cluster, os.environ))  # Ray reads it when it is imported
    ray, serve = _imported()
    stop = threading.Event()
    folder = private_folder()
    try:
        connect(ray, cluster, folder)
        for number in (signal.SIGTERM, signal.SIGINT):  # after Ray, which has handlers of its own
            signal.signal(number, lambda *_: stop.set())
        config = serve_config(worker, cluster, host=host, port=port)
        try:
            deploy(serve, config)
            if running(serve, stop):
                _say(f"ready {'https' if worker.cert else 'http'}://{_bracketed(host)}:{port}")
                stop.wait()
        finally:
            serve.delete(APP) if cluster.address else serve.shutdown()
    finally:
        ended(ray, folder)
    return 0


def shown(worker: WorkerOptions, cluster: ClusterOptions) -> str:
    """What `run_on_ray` would deploy, as the YAML that ``serve deploy`` takes.

    Raises:
        ModelError: it cannot be said, in one sentence.
    """
    host, port = _where(worker.listen)
    try:
        yaml = importlib.import_module("yaml")  # Ray brings it
    except ImportError:
        raise BackendMissing(_NO_RAY) from None
    text: str = yaml.safe_dump(serve_config(worker, cluster, host=host, port=port), sort_keys=False)
    return text


def _imported() -> tuple[Any, Any]:
    try:
        return importlib.import_module("ray"), importlib.import_module("ray.serve")
    except ImportError:
        raise BackendMissing(_NO_RAY) from None


def environment(cluster: ClusterOptions, now: Mapping[str, str]) -> dict[str, str]:
    """What Ray finds in its environment, and what it would do otherwise in brackets.

    Usage statistics are off (it sends them). Where the cluster is our own, all of it listens on loopback (it
    takes an address that other machines reach, even where it was told loopback), and has a token that only
    its own processes know (it keeps one in the home folder), and what it runs is no less urgent than other
    processes (it is, by 15). What the operator has set is left alone.
    """
    said = {"RAY_USAGE_STATS_ENABLED": "0"}
    if not cluster.address:
        said["RAY_worker_niceness"] = "0"
        said["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # off Linux this is how Ray asks to stay on loopback
        if not any(name.startswith("RAY_AUTH_") for name in now):
            said |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {name: value for name, value in said.items() if name not in now}


def private_folder() -> Path:
    """For Ray's sockets and logs, with a path that leaves room for both; it goes when the cluster does."""
    folder = tempfile.mkdtemp(prefix="whosthat-ray-")
    if len(folder) > _LONGEST_FOLDER:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="whosthat-ray-", dir="/tmp")
    return Path(folder)


def connect(ray: Any, cluster: ClusterOptions, folder: Path, cpus: int | None = None) -> None:
    """Join a cluster, or start our own with its files in a folder and so many CPUs (None: all there are).

    Raises:
        WorkerError: there is none.
    """
    for left in reversed(range(1 if cluster.address else _TRIES)):
        try:
            if cluster.address:
                ray.init(address=cluster.address, log_to_driver=False)
            else:
                ray.init(
                    num_cpus=cpus,
                    include_dashboard=False,
                    log_to_driver=True,
                    object_store_memory=_STORE,
                    _node_ip_address=_LOOPBACK,
                    _temp_dir=str(folder),
                )
            return
        except Exception as error:  # Ray raises what it likes, and Exception itself for a start that is slow
            ray.shutdown()
            if not left:
                where = f"the cluster at {cluster.address}" if cluster.address else "a cluster here"
                raise WorkerError(f"Ray does not get {where} to work: {_sentence(str(error))}") from error


def ended(ray: Any, folder: Path) -> None:
    """Leave the cluster; our own ends, and nothing of it stays."""
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def deploy(serve: Any, config: dict[str, Any]) -> None:
    """Have Ray bring about what a configuration says; it is under way when this returns."""
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeDeploySchema

    serve.start(proxy_location=config["proxy_location"], http_options=config["http_options"])
    client: Any = _get_global_client()
    client.deploy_apps(ServeDeploySchema(**config))


def running(serve: Any, stop: threading.Event, app: str = APP) -> bool:
    """Wait for every replica; False when told to stop meanwhile.

    Raises:
        WorkerError: they do not come.
    """
    end = time.monotonic() + _START_SECONDS
    while not stop.is_set():
        said = serve.status().applications.get(app)
        status = said.status.value if said is not None else ""
        if status == "RUNNING":
            return True
        if status in ("DEPLOY_FAILED", "UNHEALTHY"):
            details = [each.message for each in said.deployments.values() if each.message] or [said.message]
            raise WorkerError(f"Ray does not get the worker to run: {_sentence(details[0])}")
        if time.monotonic() > end:
            raise WorkerError(f"the worker was not ready on Ray within {_START_SECONDS:g} s")
        stop.wait(_LOOK_SECONDS)
    return False


def _where(listen: str) -> tuple[str, int]:
    parts = urlsplit(listen)
    try:
        port = parts.port
    except ValueError:  # no number, or none of a port
        port = None
    if parts.scheme not in ("tcp", "http") or not parts.hostname or port is None:
        raise WorkerError(f"on Ray a worker listens on tcp://host:port, not on {listen!r}")
    if port == 0:  # Ray's proxies want to know
        with socket.create_server((parts.hostname, 0)) as free:
            port = int(free.getsockname()[1])
    return parts.hostname, port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _sentence(said: str) -> str:
    """The last line of what may be a traceback."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

"""What Ray imports: ``import_path: model.cluster.app:build``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ray import serve
from ray.serve.context import _get_global_client
from ray.serve.schema import ServeDeploySchema

from model.cluster.forwarding import Receive, Scope, Send, lifespan
from model.cluster.plan import ClusterOptions, deployment, worker_options
from model.cluster.replica import Replica
from model.errors import BundleError, ModelError
from model.worker.guard import check_reach
from model.worker.options import SECRET

log = logging.getLogger(__name__)

_SPREAD_SECONDS = 600.0


def build(arguments: Mapping[str, Any]) -> serve.Application:
    """The application, from the ``args`` of its configuration.

    Args:
        arguments: fields of `model.worker.options.WorkerOptions`, see `model.cluster.plan.worker_options`.

    Raises:
        ValueError: there is no such argument.
    """
    worker = worker_options(arguments)
    options = deployment(worker, ClusterOptions())
    made: Any = serve.deployment(Worker)
    application: serve.Application = made.options(**options).bind(dict(arguments))
    return application


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """The replica of this process; Ray makes it before it sends anything but the lifespan."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        held: Any = serve.get_replica_context().servable_object
        await held.replica.answer(scope, receive, send)


def _application() -> Any:
    return _asgi  # called where the replica runs, so that nothing is pickled


@serve.ingress(_application)
class Worker:
    """What Ray knows of a replica; all else is `model.cluster.replica.Replica`."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(plain)
        logging.getLogger("model").handlers = [handler]
        logging.getLogger("model").setLevel(logging.INFO)
        self._options = replace(worker_options(arguments), secret=os.environ.get(SECRET, ""))
        self.replica = Replica(worker_options(arguments), _spread, secret=self._options.secret)

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Ray calls this once at the start, and whenever ``user_config`` is another: replica by replica.

        A replica that looks with something already keeps it when the new bundle cannot be loaded: a replica
        less would serve nobody. The log says so, and so does the ``bundle`` of every answer.
        """
        use = str(user_config["use"])
        if not self.replica.use:
            client: Any = _get_global_client()
            await check_reach(self._options, client.http_config.host)
        try:
            await self.replica.adopt(use)
        except ModelError as error:
            if not self.replica.use:
                raise
            log.error("%s is not looked with, but still %s: %s", use, self.replica.use, error)

    async def adopt(self, use: str) -> str:
        """The same, said by another replica: why it cannot be, or nothing."""
        try:
            await self.replica.adopt(use)
        except ModelError as error:
            return str(error) or type(error).__name__
        return ""

    async def check_health(self) -> None:
        """Ray replaces a replica that raises here three times in a row."""
        await self.replica.healthy()

    async def __del__(self) -> None:
        """Ray awaits this once nothing is under way any more."""
        await self.replica.close()


async def _spread(use: str, before: str) -> None:
    """Have every replica look with another bundle, and those that come later.

    Raises:
        BundleError: one of them cannot; all look with the old one again.
    """
    context = serve.get_replica_context()
    everybody = serve.get_deployment_handle(context.deployment, context.app_name)
    try:
        said = await everybody.broadcast("adopt", use).results_async(timeout_s=_SPREAD_SECONDS)
        if refusals := [each for each in said if each]:
            raise BundleError(f"{len(refusals)} of {len(said)} replicas cannot load it: {refusals[0]}")
        await asyncio.to_thread(_note, context.app_name, context.deployment, use)
    except Exception as error:
        await everybody.broadcast("adopt", before).results_async(timeout_s=_SPREAD_SECONDS)
        if isinstance(error, BundleError):
            raise
        log.exception("the replicas could not be told")
        raise BundleError(f"the other replicas could not be told: {type(error).__name__}") from error


def _note(app: str, name: str, use: str) -> None:
    """Write it into the configuration that Ray keeps, as ``serve deploy`` with a changed file would."""
    client: Any = _get_global_client()
    details = client.get_serve_details()["applications"]
    configs = {
        each: dict(said["deployed_app_config"])
        for each, said in details.items()
        if said.get("deployed_app_config")
    }
    if app not in configs:
        log.warning("deployed without a configuration: replicas that start later look with the first bundle")
        return
    deployments = [dict(each) for each in configs[app].get("deployments", [])]
    ours = next((each for each in deployments if each["name"] == name), None)
    if ours is None:
        deployments.append(ours := {"name": name})
    ours["user_config"] = dict(ours.get("user_config") or {}) | {"use": use}
    configs[app]["deployments"] = deployments
    client.deploy_apps(ServeDeploySchema(applications=list(configs.values())))

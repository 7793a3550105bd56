"""``whosthat worker``: what looks at pictures, alone, for bots on this machine or elsewhere."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot.cli_support import Config, fail, read_settings

if TYPE_CHECKING:
    from bot.settings import Settings
    from model.worker.options import WorkerOptions


class Engine(StrEnum):
    """What runs a worker."""

    OWN = "own"
    RAY = "ray"


def register(app: typer.Typer) -> None:
    """Add the command to ``whosthat``."""
    app.command()(worker)


def worker(
    listen: Annotated[
        str,
        typer.Option(
            help="Where: tcp://HOST:PORT or unix:/PATH. Beyond this machine (tcp://0.0.0.0:9000) it wants a "
            "secret of its own in WHOSTHAT_WORKER__SECRET, which the bots must know as well."
        ),
    ] = "tcp://127.0.0.1:8787",
    cert: Annotated[
        Path | None,
        typer.Option(
            help="Speak TLS with this certificate (PEM, with its chain); renewed files are followed."
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The certificate's private key (PEM, no password).")
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="What runs it: a process of our own, or Ray Serve as [cluster] of config.toml says."
        ),
    ] = Engine.OWN,
    show: Annotated[
        bool, typer.Option("--show", help="With --engine ray: print what Ray would deploy, for serve deploy.")
    ] = False,
    config: Config = None,
) -> None:
    """Run only what looks at pictures, for bots elsewhere that name it in worker.url.

    Model, threads, queue and limits are those of config.toml here. See docs/workers.md and docs/cluster.md.
    """
    from bot.app import following
    from model.worker.options import SECRET
    from model.worker.process import run_worker

    settings = read_settings(config)
    os.environ.pop(SECRET, None)  # no child needs it
    options = replace(
        following(settings),
        listen=listen,
        cert=str(cert or ""),
        key=str(key or ""),
        secret=settings.worker.secret.get_secret_value(),
    )
    if engine is Engine.RAY:
        _on_ray(settings, options, show)
    sys.exit(run_worker(options))


def _on_ray(settings: Settings, options: WorkerOptions, show: bool) -> NoReturn:
    from model.cluster.launching import run_on_ray, shown
    from model.cluster.plan import ClusterOptions
    from model.errors import ModelError

    chosen = settings.cluster
    cluster = ClusterOptions(
        chosen.address,
        chosen.least,
        chosen.most,
        chosen.cpus,
        chosen.gpus,
        chosen.ongoing,
        chosen.idle_seconds,
    )
    try:
        if show:
            typer.echo(shown(options, cluster), nl=False)
            sys.exit(0)
        sys.exit(run_on_ray(options, cluster))
    except ModelError as error:
        fail(error)

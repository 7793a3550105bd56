"""``whosthat worker``: what looks at pictures, alone, for bots on this machine or elsewhere."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_support import Config, read_settings


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
    config: Config = None,
) -> None:
    """Run only what looks at pictures, for bots elsewhere that name it in worker.url.

    Model, threads, queue and limits are those of config.toml here. See docs/workers.md.
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
    sys.exit(run_worker(options))

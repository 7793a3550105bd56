"""``whosthat worker``: what looks at pictures, alone, for bots on this machine or elsewhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from bot.cli_support import Config, read_settings


def register(app: typer.Typer) -> None:
    """Add the command to ``whosthat``."""
    app.command()(worker)


def worker(
    listen: Annotated[
        str, typer.Option(help="unix:/PATH or tcp://HOST:PORT; anybody who reaches it may ask.")
    ] = "tcp://127.0.0.1:8787",
    config: Config = None,
) -> None:
    """Run only what looks at pictures, for bots elsewhere (worker.url)."""
    from bot.app import following
    from model.worker.process import run_worker

    sys.exit(run_worker(replace(following(read_settings(config)), listen=listen)))

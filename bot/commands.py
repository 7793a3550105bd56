"""The commands that a person types."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot import cli_bench, cli_console, cli_corrections, cli_models, cli_operators, cli_worker
from bot.cli_support import Bar, Config, read_settings, run_main
from training import cli_evaluate
from training.cli import app as training_app
from training.cli_dataset import app as dataset_app

app = typer.Typer(
    name="whosthat",
    help="Names Marvel film characters in pictures, and learns from whoever knows better.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(training_app, name="train", help="Make a new model out of a folder of pictures.")
app.add_typer(dataset_app, name="dataset")
cli_operators.register(app)
cli_corrections.register(app)
cli_console.register(app)
cli_models.register(app)
cli_worker.register(app)
cli_bench.register(app)
cli_evaluate.register(app, lambda config: _in_service(config))


AGAIN = "_WHOSTHAT_AGAIN"
"""Says to a start that it follows a stepping aside, and may have to wait for the folder."""
AGAIN_SECONDS = 300.0


def _in_service(config: Path | None) -> tuple[str, Path]:
    """What serves, and where models are kept: what a candidate is compared with."""
    from bot.operators.models import versions_of

    settings = read_settings(config)
    logging.getLogger().setLevel(logging.WARNING)
    return versions_of(settings).serving(), settings.models_dir


@app.command()
def run(config: Config = None) -> None:
    """Start the bot, its page and its worker; Ctrl-C stops everything."""
    from bot.app import serve

    settings = read_settings(config)
    os.umask(0o077)  # what is kept is the operator's alone
    console = Console(highlight=False, soft_wrap=True)
    with Bar(console) as progress:
        patience = AGAIN_SECONDS if os.environ.pop(AGAIN, "") else 0.0
        again = run_main(serve(settings, lambda line: console.print(line, markup=False), progress, patience))
    if again:
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, {**os.environ, AGAIN: "1"})  # noqa: S606  # ourselves


@app.command()
def identify(
    pictures: Annotated[list[str], typer.Argument(metavar="PATH|URL…", help="Files or public addresses.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
) -> None:
    """Say who is in pictures, without any chat."""
    from bot.identify import identify_all

    settings = read_settings(config)
    logging.getLogger().setLevel(logging.WARNING)  # somebody waits for one line, not for a diary
    console = Console(stderr=True, highlight=False)
    with Bar(console) as progress:
        sys.exit(run_main(identify_all(settings, pictures, as_json, progress)))

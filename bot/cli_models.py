"""``whosthat models``: versions of the model and which one serves. ``whosthat retrain``: a new one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli_support import Bar, Config, fail, read_settings
from bot.errors import BotError
from bot.settings import Settings
from model.errors import ModelError

app = typer.Typer(no_args_is_help=True, add_completion=False)

Progress = Callable[[str, float], None]


def register(program: typer.Typer) -> None:
    """Add the group and the command to the program."""
    program.add_typer(app, name="models", help="Versions of the model, and which one serves.")


@app.callback()
def models() -> None:
    """Versions of the model, and which one serves."""


@app.command("list")
def list_(config: Config = None) -> None:
    """Say which versions are there, how good they are, and which one serves."""
    from bot.operators import models

    settings = _quiet(config)
    _say(lambda progress: models.listed(settings))


@app.command()
def use(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="A version, a folder, builtin, or hub:OWNER/NAME.")
    ],
    config: Config = None,
) -> None:
    """Check a model completely and let it serve; the running bot loses no request over it."""
    from bot.operators import models

    settings = _quiet(config)
    _say(lambda progress: models.use(settings, name, progress))


@app.command()
def rollback(config: Config = None) -> None:
    """Let the model serve that served before."""
    from bot.operators import models

    settings = _quiet(config)
    _say(lambda progress: models.rollback(settings))


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A version; the one that serves if none.")
    ] = "",
    config: Config = None,
) -> None:
    """Print a version's card, and what the gate said of it."""
    from bot.operators import models

    settings = _quiet(config)
    _say(lambda progress: models.shown(settings, name))


@app.command()
def push(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A version.")],
    to: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The model on the hub.")],
    public: Annotated[
        bool,
        typer.Option("--public", help="A model that is made shows to everybody, not to its owner alone."),
    ] = False,
    config: Config = None,
) -> None:
    """Upload a version with its card to the Hugging Face hub; the token comes from HF_TOKEN."""
    from bot.operators import models

    settings = _quiet(config)
    _say(lambda progress: models.push(settings, name, to, public, progress))


def _quiet(config: Path | None) -> Settings:
    settings = read_settings(config)
    logging.getLogger().setLevel(logging.WARNING)  # somebody waits for one line, not for a diary
    return settings


def _say(work: Callable[[Progress], list[str]]) -> None:
    try:
        with Bar(Console(stderr=True, highlight=False)) as show:
            lines = work(show)
    except (BotError, ModelError) as error:
        fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    for line in lines:
        typer.echo(line)

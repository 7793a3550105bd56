"""The commands that a person types."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from bot import logs
from bot.errors import BotError
from bot.settings import Settings, load
from bot.words import words
from corrections.errors import LedgerError
from model.errors import ModelError
from training.cli import app as training_app

app = typer.Typer(
    name="whosthat",
    help="Names Marvel film characters in pictures, and learns from whoever knows better.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(training_app, name="train", help="Make a new model out of a folder of pictures.")

T = TypeVar("T")
Config = Annotated[Path | None, typer.Option("--config", help="Another settings file than config.toml.")]


@app.command()
def run(config: Config = None) -> None:
    """Start the bot, its page and its worker; Ctrl-C stops everything."""
    from bot.app import serve

    settings = _settings(config)
    os.umask(0o077)  # what is kept is the operator's alone
    console = Console(highlight=False, soft_wrap=True)
    with _bar(console) as progress:
        _run(serve(settings, lambda line: console.print(line, markup=False), progress))


@app.command()
def identify(
    pictures: Annotated[list[str], typer.Argument(metavar="PATH|URL…", help="Files or public addresses.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
) -> None:
    """Say who is in pictures, without any chat."""
    from bot.identify import identify_all

    settings = _settings(config)
    logging.getLogger().setLevel(logging.WARNING)  # somebody waits for one line, not for a diary
    console = Console(stderr=True, highlight=False)
    with _bar(console) as progress:
        sys.exit(_run(identify_all(settings, pictures, as_json, progress)))


@app.command()
def worker(
    listen: Annotated[
        str, typer.Option(help="unix:/PATH or tcp://HOST:PORT; anybody who reaches it may ask.")
    ] = "tcp://127.0.0.1:8787",
    config: Config = None,
) -> None:
    """Run only what looks at pictures, for bots elsewhere (worker.url)."""
    from bot.app import worker_options
    from model.worker.process import run_worker

    sys.exit(run_worker(replace(worker_options(_settings(config)), listen=listen)))


def _settings(config: Path | None) -> Settings:
    try:
        settings = load(config)
    except BotError as error:
        _fail(error)
    secrets = [settings.discord.token.get_secret_value(), settings.telegram.token.get_secret_value()]
    logs.set_up(settings.log.level, settings.log.as_json, secrets)
    return settings


def _run(main: Coroutine[None, None, T]) -> T:
    try:
        return asyncio.run(main)
    except (BotError, LedgerError, ModelError) as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"whosthat: {error}", err=True)
    sys.exit(1)


class _bar:  # noqa: N801  # used like a function
    """A progress bar that appears when there is something to wait for."""

    def __init__(self, console: Console) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
        self._progress = Progress(*columns, console=console, transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Callable[[str, float], None]:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._end()

    def _show(self, what: str, fraction: float) -> None:
        if fraction >= 1 or not self._progress.console.is_terminal:
            self._end()
            return
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task(words()("run-preparing"), total=1.0)
        self._progress.update(self._task, completed=fraction)

    def _end(self) -> None:
        if self._task is not None:
            self._task = None
            self._progress.stop()


def main() -> None:
    """Entry point of ``whosthat``."""
    app()

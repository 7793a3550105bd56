"""What the commands share: settings, a sentence and an exit status for what goes wrong, a progress bar."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
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

T = TypeVar("T")
Config = Annotated[Path | None, typer.Option("--config", help="Another settings file than config.toml.")]


def read_settings(config: Path | None) -> Settings:
    """The settings, and the log set up as they say; a sentence and exit status 1 when one is wrong."""
    try:
        settings = load(config)
    except BotError as error:
        fail(error)
    logs.set_up(settings.log.level, settings.log.as_json, secrets_of(settings))
    return settings


def secrets_of(settings: Settings) -> list[str]:
    """What must never be printed."""
    held = settings.discord.token, settings.telegram.token, settings.metrics.token, settings.worker.secret
    every = [each.get_secret_value() for each in held]
    if settings.database.url:
        from corrections.engine import secrets_in

        every += secrets_in(settings.database.url)
    return [secret for secret in every if secret]


def run_main(main: Coroutine[None, None, T]) -> T:
    """Run a command; a sentence and exit status 1 for what goes wrong, 130 for Ctrl-C."""
    try:
        return asyncio.run(main)
    except (BotError, LedgerError, ModelError) as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)


def fail(error: Exception) -> NoReturn:
    """Say in one sentence what is wrong, and end with exit status 1."""
    typer.echo(f"whosthat: {error}", err=True)
    sys.exit(1)


class Bar:
    """A progress bar that appears when there is something to wait for."""

    def __init__(self, console: Console, key: str = "run-preparing") -> None:
        self._key = key
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
            self._task = self._progress.add_task(words()(self._key), total=1.0)
        self._progress.update(self._task, completed=fraction)

    def _end(self) -> None:
        if self._task is not None:
            self._task = None
            self._progress.stop()

"""``whosthat models``: versions of the model and which one serves. ``whosthat retrain``: a new one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress

from bot.cli_support import Bar, Config, fail, read_settings, run_main
from bot.errors import BotError
from bot.settings import Settings
from model.errors import ModelError

app = typer.Typer(no_args_is_help=True, add_completion=False)

Progress = Callable[[str, float], None]


def register(program: typer.Typer) -> None:
    """Add the group and the command to the program."""
    program.add_typer(app, name="models", help="Versions of the model, and which one serves.")
    program.command()(retrain)


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


def retrain(
    watch: Annotated[
        bool, typer.Option("--watch", help="Show how far it is; begins one if none is.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Say how far it is, or how the last ended.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End what is under way.")] = False,
    promote: Annotated[bool, typer.Option("--promote", help="Let the new model serve.")] = False,
    decline: Annotated[bool, typer.Option("--decline", help="Throw the new model away.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --status: one JSON object.")] = False,
    config: Config = None,
) -> None:
    """Begin a retraining: export, train, compare, ask; the bot goes on answering all the time."""
    from bot.operators import retrain as work
    from bot.words import words

    settings = _quiet(config)
    if watch + status + cancel + promote + decline > 1:
        fail(BotError(words()("retrain-one-option")))
    with StatusBar(Console(stderr=True, highlight=False)) as show:
        well = True
        if watch or promote:
            lines, well = run_main((work.watch if watch else work.promote)(settings, show))
        elif status:
            lines = run_main(work.say(settings, as_json))
        else:
            lines = run_main((work.cancel if cancel else work.decline if decline else work.start)(settings))
    for line in lines:
        typer.echo(line)
    if not well:
        raise typer.Exit(1)


class StatusBar:
    """A bar with a sentence that changes; nothing where there is no terminal."""

    def __init__(self, console: Console) -> None:
        columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")
        self._progress = RichProgress(*columns, console=console, transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._progress.stop()

    def _show(self, what: str, fraction: float) -> None:
        if not self._progress.console.is_terminal:
            return
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=1.0)
        self._progress.update(self._task, completed=fraction, description=escape(what))


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

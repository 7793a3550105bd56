"""The commands of an operator: doctor, backup, restore, db."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli_support import Bar, Config, fail, read_settings
from bot.settings import Settings
from corrections.errors import LedgerError


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(doctor)
    app.command()(backup)
    app.command()(restore)
    database = typer.Typer(no_args_is_help=True, add_completion=False)
    database.command()(upgrade)
    database.command()(current)
    database.command()(copy)
    app.add_typer(database, name="db", help="The tables of the ledger.")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
) -> None:
    """Check everything that the bot needs, one line each; exit status 1 when something is wrong."""
    from bot.operators.doctor import examine

    sys.exit(examine(config, as_json))


def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write, such as whosthat.tar.gz.")],
    config: Config = None,
) -> None:
    """Save ledger, pictures and key in one file; the bot may run meanwhile."""
    from bot.operators.keeping import make_backup

    settings = _quiet(config)
    _say(lambda progress: make_backup(settings, file, progress), "backup-under-way")


def restore(
    file: Annotated[Path, typer.Argument(help="An archive that whosthat backup has written.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also where there is a ledger already, which is kept beside.")
    ] = False,
    config: Config = None,
) -> None:
    """Put a backup back; a running bot steps aside for a moment and starts again."""
    from bot.operators.keeping import put_back

    settings = _quiet(config)
    _say(lambda progress: put_back(settings, file, force, progress), "restore-under-way")


def upgrade(config: Config = None) -> None:
    """Bring the tables to this version; a copy of the old file is kept beside."""
    from bot.operators import keeping

    settings = _quiet(config)
    _say(lambda progress: keeping.upgrade(settings), "db-under-way")


def current(config: Config = None) -> None:
    """Say which revision the tables have."""
    from bot.operators import keeping

    settings = _quiet(config)
    _say(lambda progress: keeping.current(settings), "db-under-way")


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Such as sqlite:///data/whosthat.db.")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="Such as postgresql://USER@HOST/DATABASE, with nothing in it.")
    ],
    config: Config = None,
) -> None:
    """Copy a ledger into another, empty database; the bot has to be stopped meanwhile."""
    from bot.operators import keeping

    settings = _quiet(config)
    _say(lambda progress: keeping.copy(settings, source, target, progress), "db-copying")


def _quiet(config: Path | None) -> Settings:
    settings = read_settings(config)
    logging.getLogger().setLevel(logging.WARNING)  # somebody waits for one line, not for a diary
    return settings


def _say(work: Callable[[Callable[[float], None]], list[str]], key: str) -> None:
    console = Console(stderr=True, highlight=False)
    try:
        with Bar(console, key) as show:
            lines = work(lambda part: show("", part))
    except LedgerError as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    for line in lines:
        typer.echo(line)

"""``whosthat corrections``: what leaves the ledger, what comes into it, and what is swept away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from bot.cli_support import Bar, Config, fail, read_settings, run_main
from bot.errors import BotError
from bot.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False)


def register(program: typer.Typer) -> None:
    """Add the group to the program."""
    program.add_typer(app, name="corrections", help="What people taught: export, import, and what goes.")


class Form(StrEnum):
    """How an export is laid out."""

    IMAGEFOLDER = "imagefolder"
    CSV = "csv"
    PARQUET = "parquet"


Place = Annotated[str, typer.Option("--community", metavar="PLATFORM:ID", help="One community alone.")]


@app.callback()
def corrections() -> None:
    """What people taught: export, import, and what goes."""


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A folder that is not there yet, or a file NAME.zip.")],
    community: Place = "",
    since: Annotated[
        str, typer.Option(metavar="DAY", help="Decided since then: 2026-01-31, or 7d for seven days.")
    ] = "",
    character: Annotated[str, typer.Option(metavar="NAME", help="Pictures of this character alone.")] = "",
    form: Annotated[Form, typer.Option("--format", help="How it is laid out.")] = Form.IMAGEFOLDER,
    name_communities: Annotated[
        bool, typer.Option("--name-communities", help="Write communities' ids instead of keyed hashes.")
    ] = False,
    config: Config = None,
) -> None:
    """Write approved pictures whose posters agree, as a frozen snapshot; the bot may run meanwhile."""
    from bot import exporting
    from corrections.export.types import ExportQuery

    settings = _quiet(config)
    try:
        query = ExportQuery(
            exporting.community_of(community) if community else None,
            exporting.since_of(since, datetime.now(UTC)) if since else None,
            character or None,
            name_communities,
        )
    except BotError as error:
        fail(error)
    _say(lambda progress: exporting.export(settings, out, query, form.value, progress), "export-under-way")


@app.command("import")
def import_(
    place: Annotated[
        Path, typer.Argument(metavar="DIR|ZIP", help="A folder a character, or metadata.jsonl.")
    ],
    community: Annotated[
        str, typer.Option("--community", metavar="PLATFORM:ID", help="Where the pictures belong.")
    ],
    approved: Annotated[bool, typer.Option("--approved", help="They count as they are called.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Moderators are to review them.")] = False,
    consent: Annotated[
        bool, typer.Option("--consent", help="You may let them be learned from, and do.")
    ] = False,
    propose: Annotated[bool, typer.Option("--propose", help="Propose names that nobody knows.")] = False,
    config: Config = None,
) -> None:
    """Take in pictures that you have; cut short, it goes on where it was; the bot may run meanwhile."""
    from bot import exporting
    from bot.importing import import_pictures
    from bot.words import words

    settings = _quiet(config)
    try:
        if approved == queue:
            raise BotError(words()("import-either"))
        where = exporting.community_of(community)
    except BotError as error:
        fail(error)
    manner: Literal["approved", "queue"] = "approved" if approved else "queue"
    _say(
        lambda progress: import_pictures(settings, place, where, manner, consent, propose, progress),
        "import-under-way",
    )


@app.command()
def snapshots(config: Config = None) -> None:
    """List what was exported, the newest first."""
    from bot import exporting

    settings = _quiet(config)
    _say(lambda progress: exporting.snapshots(settings), "export-under-way")


@app.command()
def withdrawn(
    name: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="Such as s-3f9a0c1d2e.")],
    config: Config = None,
) -> None:
    """List the files of a snapshot that must be left out from now on, one a line."""
    from bot import exporting

    settings = _quiet(config)
    _say(lambda progress: exporting.withdrawn(settings, name), "export-under-way")


@app.command()
def sweep(config: Config = None) -> None:
    """Let pictures go whose time is over, as the running bot does every hour."""
    from bot.operators.sweeping import sweep_now

    settings = _quiet(config)
    _say(lambda progress: sweep_now(settings), "sweep-under-way")


def _quiet(config: Path | None) -> Settings:
    settings = read_settings(config)
    logging.getLogger().setLevel(logging.WARNING)  # somebody waits for one line, not for a diary
    return settings


def _say(work: Callable[[Callable[[float], None]], Coroutine[None, None, list[str]]], key: str) -> None:
    with Bar(Console(stderr=True, highlight=False), key) as show:
        lines = run_main(work(lambda part: show("", part)))
    for line in lines:
        typer.echo(line)

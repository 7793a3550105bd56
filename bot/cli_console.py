"""``whosthat console``: a link that lets whoever holds it into the console as operator, once."""

from __future__ import annotations

import logging

import typer

from bot.cli_support import Config, read_settings, run_main


def register(program: typer.Typer) -> None:
    """Add the command to the program."""
    program.command()(console)


def console(config: Config = None) -> None:
    """Print a link to the moderators' console that works once; the bot may run meanwhile."""
    from bot.console_link import link_line

    settings = read_settings(config)
    logging.getLogger().setLevel(logging.WARNING)  # somebody waits for one line, not for a diary
    typer.echo(run_main(link_line(settings)))

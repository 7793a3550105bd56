"""``whosthat doctor``: every check in a line, and how to mend what is wrong."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import typer

from bot import logs
from bot.cli_support import secrets_of
from bot.errors import BotError
from bot.operators import machine
from bot.operators.clock import clock
from bot.operators.discord_check import discord_checks
from bot.operators.findings import Finding, State, bad, ok
from bot.operators.telegram_check import telegram_checks
from bot.settings import Settings, load
from bot.words import words

NETWORK_SECONDS = 10


def examine(config: Path | None, as_json: bool) -> int:
    """Check everything and print it line by line; 1 when something is wrong, else 0."""
    w = words()
    secrets: list[str] = []

    def tell(finding: Finding) -> bool:
        line = finding.as_json() if as_json else finding.line()
        for secret in secrets:
            line = line.replace(secret, w("doctor-secret"))
        typer.echo(line)
        return finding.state is not State.BAD

    try:
        settings = load(config)
    except BotError as error:
        tell(bad("settings", w("doctor-settings-bad", why=str(error))))
        return 1
    secrets = secrets_of(settings)
    logs.set_up(settings.log.level, settings.log.as_json, secrets)
    logging.disable()  # what is wrong is said in the lines
    os.umask(0o077)  # a model that is made ready for the check is kept
    file = config or Path("config.toml")
    well = tell(
        ok(
            "settings",
            w("doctor-settings-ok", file=str(file)) if file.is_file() else w("doctor-settings-none"),
        )
    )

    async def everything() -> bool:
        each = [tell(finding) async for finding in checks(settings)]
        return all(each)

    return 0 if asyncio.run(everything()) and well else 1


async def checks(settings: Settings) -> AsyncIterator[Finding]:
    """Every check after that of the settings, in the order in which they are read."""
    yield machine.folder(settings)
    about, found = await machine.database(settings)
    yield machine.disk(settings, found.picture_bytes if found else 0)
    yield about
    yield await machine.key(settings, found)
    for finding in await machine.workers(settings):
        yield finding
    yield await machine.model(settings)
    chosen = found.chosen if found else {}
    timeout = aiohttp.ClientTimeout(total=NETWORK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        yield await clock(settings, session)
        for finding in await discord_checks(settings, chosen):
            yield finding
        for finding in await telegram_checks(settings, session, chosen):
            yield finding

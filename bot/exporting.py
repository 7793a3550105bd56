"""``whosthat corrections export``, ``snapshots`` and ``withdrawn``: the ledger's own, with settings in and
words out. They work while the bot runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from bot.errors import BotError
from bot.settings import Settings
from bot.words import Words, words
from corrections.export.types import Counts, ExportQuery, Format, Policy, Progress
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from corrections.types import Community

OPERATOR = Moderator(("whosthat", "operator"))
"""Whoever may type commands on this machine."""


def policy_of(settings: Settings) -> Policy:
    """The operator's settings, as an export wants them."""
    return Policy(settings.discord.allow_training, settings.export.validation, settings.export.test)


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """The ledger, beside a running bot or alone."""
    ledger = await Ledger.open(
        settings.database_url,
        data_dir=settings.data_dir,
        proposals_per_day=settings.limits.proposals_per_day,
        busy_timeout=30.0,
    )
    try:
        yield ledger
    finally:
        await ledger.close()


def community_of(text: str) -> Community:
    """A community as an operator writes it, ``platform:id``.

    Raises:
        BotError: it is written otherwise.
    """
    platform, colon, native = text.partition(":")
    if not colon or not platform or not native:
        raise BotError(words()("corrections-bad-community", text=_shown(text)))
    return platform.lower(), native


def since_of(text: str, now: datetime) -> datetime:
    """A day, or so many days or weeks before today; both begin at midnight UTC.

    Raises:
        BotError: it is neither.
    """
    if (ago := re.fullmatch(r"(\d{1,4})([dw])", text.strip().lower())) is not None:
        days = int(ago[1]) * (7 if ago[2] == "w" else 1)
        return datetime.combine(now.astimezone(UTC).date() - timedelta(days=days), time(), UTC)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BotError(words()("corrections-bad-since", text=_shown(text))) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def export(
    settings: Settings, out: Path, query: ExportQuery, form: Format, progress: Progress
) -> list[str]:
    """Write a snapshot: into a folder, or into one file when its name ends with .zip; the lines to print.

    Raises:
        corrections.errors.LedgerError: one sentence; nothing is left at ``out``.
    """
    w = words()
    async with open_ledger(settings) as ledger:
        write = ledger.exports.archive if out.suffix.lower() == ".zip" else ledger.exports.export
        done = await write(out, query, policy_of(settings), form, OPERATOR, progress)
    shares = {split: done.counts.by_split.get(split, 0) for split in ("train", "validation", "test")}
    lines = [
        w("export-done", count=done.items, place=str(out), snapshot=done.name),
        w("export-splits", **shares),
    ]
    return lines + held_lines(done.counts, w)


def held_lines(counts: Counts, w: Words) -> list[str]:
    """Why pictures were held back, a line a reason."""
    reasons = {
        "export-held-consent": counts.held_no_consent,
        "export-held-discord": counts.held_discord,
        "export-held-gone": counts.held_gone,
        "export-held-disputed": counts.held_disputed,
        "export-held-refused": counts.held_refused,
        "export-held-test": counts.near_test,
    }
    return [w(key, count=count) for key, count in reasons.items() if count]


async def snapshots(settings: Settings) -> list[str]:
    """Every snapshot, the newest first; the lines to print."""
    w = words()
    async with open_ledger(settings) as ledger:
        found = await ledger.exports.snapshots(OPERATOR)
    lines = [
        w(
            "export-snapshot",
            snapshot=each.name,
            at=f"{each.at:%Y-%m-%d %H:%M}",
            count=each.items,
            format=each.format,
            community=":".join(each.community) if each.community else w("export-every-community"),
        )
        + (f" {w('export-snapshot-withdrawn', count=each.withdrawn)}" if each.withdrawn else "")
        for each in found
    ]
    return lines or [w("export-no-snapshots")]


async def withdrawn(settings: Settings, name: str) -> list[str]:
    """The files of a snapshot to be left out from now on, one a line.

    Raises:
        corrections.errors.NotFound: there is no such snapshot.
    """
    async with open_ledger(settings) as ledger:
        return await ledger.exports.withdrawn(OPERATOR, name)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:80]

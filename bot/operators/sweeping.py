"""Letting pictures go whose time is over: every hour in the bot, and by ``whosthat corrections sweep``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.exporting import open_ledger
from bot.settings import Settings
from bot.words import words
from corrections.ledger import Ledger
from corrections.types import Swept


async def sweep(ledger: Ledger, settings: Settings) -> Swept:
    """Remove what the settings say is not to be kept any longer.

    Raises:
        corrections.errors.LedgerError: one sentence.
    """
    keep = settings.retention
    return await ledger.sweep(
        datetime.now(UTC),
        keep_unvoted=timedelta(hours=keep.unvoted_hours),
        keep_unconsented=timedelta(days=keep.unconsented_days),
        disk_cap_bytes=int(keep.disk_gibibytes * (1 << 30)),
    )


async def sweep_now(settings: Settings) -> list[str]:
    """The same from a terminal, beside a running bot or alone; the lines to print.

    Raises:
        corrections.errors.LedgerError: one sentence.
    """
    async with open_ledger(settings) as ledger:
        swept = await sweep(ledger, settings)
    return [words()("sweep-done", count=swept.count, mebibytes=f"{swept.bytes / (1 << 20):.1f}")]

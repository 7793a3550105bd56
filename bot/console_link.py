"""The operator's way into the console: a link from the terminal, or from the start of the bot."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.errors import BotError
from bot.settings import Settings
from bot.web.guard import is_loopback
from bot.words import words
from corrections.ledger import Ledger


async def link_line(settings: Settings) -> str:
    """What ``whosthat console`` prints; it works beside a running bot, since both have the same ledger.

    Raises:
        BotError: there is no page to sign in to, or nobody knows where it is; one sentence.
        corrections.errors.LedgerError: the ledger cannot be opened.
    """
    base = base_of(settings)
    ledger = await Ledger.open(
        settings.database_url,
        data_dir=settings.data_dir,
        proposals_per_day=settings.limits.proposals_per_day,
        busy_timeout=30.0,
    )
    try:
        url = await operator_link(ledger, base, settings.review.link_minutes)
    finally:
        await ledger.close()
    return words()("console-link", url=url, minutes=settings.review.link_minutes)


async def operator_link(ledger: Ledger, base: str, minutes: int) -> str:
    """A new link for the operator below ``base``, which is where the page is reached."""
    token = await ledger.links.make("login", datetime.now(UTC), minutes)
    return f"{base}/review/login?token={token}"


def base_of(settings: Settings) -> str:
    """Where the page of these settings is reached, without a slash at its end.

    Raises:
        BotError: nowhere, or only the running bot knows.
    """
    web, w = settings.web, words()
    if not web.enabled:
        raise BotError(w("console-page-off"))
    if web.public_url:
        return web.public_url.rstrip("/")
    if not is_loopback(web.host):
        raise BotError(w("console-no-address"))
    if not web.port:
        raise BotError(w("console-port-any"))
    return f"http://{f'[{web.host}]' if ':' in web.host else web.host}:{web.port}"

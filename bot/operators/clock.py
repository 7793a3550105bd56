"""The check of the clock, against the server that the bot talks to."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import yarl

from bot.operators.findings import Finding, bad, ok, skipped, why_not
from bot.settings import Settings
from bot.words import words

DISCORD_API, TELEGRAM_API = "https://discord.com/api/v10", "https://api.telegram.org"
MOST_SECONDS = 60


async def clock(settings: Settings, session: aiohttp.ClientSession) -> Finding:
    """Compare with the Date header of the platform that there is a token for."""
    w = words()
    if settings.discord.token.get_secret_value():
        address = (settings.discord.api_base or DISCORD_API).rstrip("/") + "/gateway"
    elif settings.telegram.token.get_secret_value():
        address = (settings.telegram.api_base or TELEGRAM_API).rstrip("/") + "/"
    else:
        return skipped("clock", w("doctor-clock-none"))
    host = yarl.URL(address).host or ""
    try:
        async with session.get(address, allow_redirects=False) as answer:
            theirs = parsedate_to_datetime(answer.headers["Date"])
    except KeyError:
        return skipped("clock", w("doctor-clock-silent", host=host))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return skipped("clock", w("doctor-clock-unknown", host=host, why=why_not(error)))
    skew = round((datetime.now(UTC) - theirs).total_seconds())
    values: dict[str, str | int] = {"seconds": abs(skew), "host": host}
    if abs(skew) > MOST_SECONDS:
        return bad("clock", w("doctor-clock-bad", **values))
    return ok("clock", w("doctor-clock-ok", **values))

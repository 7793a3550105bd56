"""The checks of Telegram: token, privacy mode, webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import yarl

from bot.operators.clock import TELEGRAM_API
from bot.operators.findings import Finding, bad, ok, skipped, why_not
from bot.settings import Settings
from bot.words import Words, words
from corrections.types import Community, CommunitySettings


class _RefusedError(Exception):
    """Telegram does not know the token."""


async def telegram_checks(
    settings: Settings, session: aiohttp.ClientSession, chosen: Mapping[Community, CommunitySettings]
) -> list[Finding]:
    """All that can be asked by the token; ``chosen`` is what communities have set up."""
    w, token = words(), settings.telegram.token.get_secret_value()
    if not token:
        return [skipped("telegram", w("doctor-telegram-none"))]
    base = f"{(settings.telegram.api_base or TELEGRAM_API).rstrip('/')}/bot{token}"
    try:
        me = await _ask(session, f"{base}/getMe")
        hook = await _ask(session, f"{base}/getWebhookInfo")
    except _RefusedError:
        return [bad("telegram", w("doctor-telegram-refused"))]
    except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
        return [bad("telegram", w("doctor-telegram-away", why=why_not(error)))]
    accepted = ok("telegram", w("doctor-telegram-ok", bot=f"@{me.get('username', '')}"))
    return [accepted, _privacy(me, chosen, w), _webhook(hook, settings, w)]


async def _ask(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    async with session.get(address) as answer:
        if answer.status in (401, 404):
            raise _RefusedError
        answer.raise_for_status()
        result: dict[str, Any] = (await answer.json())["result"]
        return result


def _privacy(me: dict[str, Any], chosen: Mapping[Community, CommunitySettings], w: Words) -> Finding:
    if me.get("can_read_all_group_messages"):
        return ok("telegram-privacy", w("doctor-telegram-privacy-off"))
    watching = sum(platform == "telegram" and bool(each.watched) for (platform, _), each in chosen.items())
    if watching:
        return bad("telegram-privacy", w("doctor-telegram-privacy-bad", count=watching))
    return skipped("telegram-privacy", w("doctor-telegram-privacy-on"))


def _webhook(hook: dict[str, Any], settings: Settings, w: Words) -> Finding:
    address = str(hook.get("url", ""))
    host = yarl.URL(address).host or ""  # the rest of it may be a secret
    if settings.telegram.mode == "polling":
        if address:
            return bad("telegram-webhook", w("doctor-telegram-webhook-left", host=host))
        return ok("telegram-webhook", w("doctor-telegram-polling"))
    if not address:
        return bad("telegram-webhook", w("doctor-telegram-webhook-none"))
    wanted = settings.telegram.webhook_url or address
    if address != wanted:
        return bad(
            "telegram-webhook",
            w("doctor-telegram-webhook-other", host=host, wanted=yarl.URL(wanted).host or ""),
        )
    if trouble := str(hook.get("last_error_message", "")):
        return bad("telegram-webhook", w("doctor-telegram-webhook-trouble", host=host, why=trouble))
    return ok("telegram-webhook", w("doctor-telegram-webhook-ok", host=host))

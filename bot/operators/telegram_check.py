"""The checks of Telegram: token, privacy mode and rights in the groups that want every picture, webhook."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import aiohttp
import yarl

from bot.operators.clock import TELEGRAM_API
from bot.operators.findings import Finding, bad, ok, skipped, why_not
from bot.settings import Settings
from bot.words import Words, words
from corrections.types import Community, CommunitySettings

LATELY = 60 * 60
"""Seconds for which a webhook's last trouble is taken for one that lasts; Telegram never forgets it."""


class _RefusedError(Exception):
    """Telegram does not know the token."""


class _Bot(Enum):
    """What the bot is in a group."""

    ADMIN = auto()
    MEMBER = auto()
    MUTE = auto()
    GONE = auto()


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
        groups = [await _bot_in(session, base, me["id"], each) for each in _watched(chosen)]
    except _RefusedError:
        return [bad("telegram", w("doctor-telegram-refused"))]
    except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
        return [bad("telegram", w("doctor-telegram-away", why=why_not(error)))]
    accepted = ok("telegram", w("doctor-telegram-ok", bot=f"@{me.get('username', '')}"))
    return [accepted, _privacy(me, groups, w), *_rights(groups, w), _webhook(hook, settings, w)]


async def _ask(session: aiohttp.ClientSession, address: str, **about: str | int) -> dict[str, Any]:
    async with session.get(address, params=about) as answer:
        if answer.status in (401, 404):
            raise _RefusedError
        answer.raise_for_status()
        result: dict[str, Any] = (await answer.json())["result"]
        return result


def _watched(chosen: Mapping[Community, CommunitySettings]) -> list[str]:
    """The groups and channels whose admins want every picture answered."""
    return sorted(
        native for (platform, native), each in chosen.items() if platform == "telegram" and each.watched
    )


async def _bot_in(session: aiohttp.ClientSession, base: str, bot: int, chat: str) -> _Bot:
    try:
        member = await _ask(session, f"{base}/getChatMember", chat_id=chat, user_id=bot)
    except aiohttp.ClientResponseError as error:
        if error.status in (400, 403):  # no such chat any more, or thrown out
            return _Bot.GONE
        raise
    match member["status"]:
        case "creator" | "administrator":  # the right to post is one of channels only
            return _Bot.ADMIN if member.get("can_post_messages", True) else _Bot.MUTE
        case "member":
            return _Bot.MEMBER
        case "restricted" if member.get("is_member", True):
            return _Bot.MEMBER if member.get("can_send_messages", True) else _Bot.MUTE
    return _Bot.GONE


def _privacy(me: dict[str, Any], groups: list[_Bot], w: Words) -> Finding:
    if me.get("can_read_all_group_messages"):
        return ok("telegram-privacy", w("doctor-telegram-privacy-off"))
    if deaf := groups.count(_Bot.MEMBER):
        return bad("telegram-privacy", w("doctor-telegram-privacy-bad", count=deaf))
    if admin := groups.count(_Bot.ADMIN):  # an admin gets every message, whatever the mode
        return ok("telegram-privacy", w("doctor-telegram-privacy-admin", count=admin))
    return skipped("telegram-privacy", w("doctor-telegram-privacy-on"))


def _rights(groups: list[_Bot], w: Words) -> list[Finding]:
    mute, gone = groups.count(_Bot.MUTE), groups.count(_Bot.GONE)
    return [
        *([bad("telegram-rights", w("doctor-telegram-mute", count=mute))] if mute else []),
        *([skipped("telegram-groups", w("doctor-telegram-gone", count=gone))] if gone else []),
    ]


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
        ago = time.time() - hook.get("last_error_date", time.time())
        if ago < LATELY:
            return bad("telegram-webhook", w("doctor-telegram-webhook-trouble", host=host, why=trouble))
        was = w("doctor-telegram-webhook-was", host=host, why=trouble, count=int(ago // LATELY))
        return ok("telegram-webhook", was)
    return ok("telegram-webhook", w("doctor-telegram-webhook-ok", host=host))

"""Reading what the console's browser sent: numbers, names, filters. Whatever is odd is a bad request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args
from urllib.parse import urlencode

from aiohttp import web

from bot.web.upload import well_formed
from corrections.review.types import Filter, Labels, Reason, Status
from corrections.types import Community

STATUSES = get_args(Status)
REASONS = get_args(Reason)
NOBODY = "nobody"
MOST_LABELS = 12
MOST_CASES = 200
"""Cases that one form may name."""


async def fields(request: web.Request) -> Mapping[str, str]:
    """The texts of a form, one of each name."""
    with well_formed():
        sent = await request.post()
    return {key: value for key, value in sent.items() if isinstance(value, str)}


async def many(request: web.Request, name: str) -> list[str]:
    """All texts of that name in a form."""
    with well_formed():
        sent = await request.post()
    found = [value for value in sent.getall(name, []) if isinstance(value, str)]
    if len(found) > MOST_CASES:
        raise web.HTTPBadRequest
    return found


def number(text: str) -> int:
    """An id or a revision."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise web.HTTPBadRequest
    return int(text)


def labels(text: str) -> Labels:
    """``nobody``, or slugs with commas between."""
    slugs = () if text == NOBODY else tuple(sorted(set(text.split(","))))
    if len(slugs) > MOST_LABELS or not all(0 < len(each) <= 64 for each in slugs):
        raise web.HTTPBadRequest
    return slugs


def as_text(who: Labels) -> str:
    """What `labels` reads."""
    return ",".join(who) or NOBODY


def chosen(query: Mapping[str, str], operator: bool) -> Filter:
    """The filter in an address; what makes no sense in it is as if it were not there."""
    status, reason = query.get("status", ""), query.get("reason", "")
    agreed = {"yes": True, "no": False}.get(query.get("agreed", ""))
    wanted = Filter(character=query.get("character", "")[:64] or None, agreed=agreed)
    if status in STATUSES:
        wanted = replace(wanted, status=status)  # type: ignore[arg-type]  # looked up in the line above
    if reason in REASONS:
        wanted = replace(wanted, reason=reason)  # type: ignore[arg-type]
    if operator:
        wanted = replace(wanted, community=community(query.get("community", "")))
    return wanted


def community(text: str) -> Community | None:
    """``platform:id``; None for anything else."""
    platform, colon, native = text[:200].partition(":")
    return (platform, native) if colon and platform and native else None


def address(wanted: Filter) -> str:
    """The filter as `chosen` reads it, with its question mark; empty for none."""
    parts = {
        "status": "" if wanted.status == "open" else wanted.status,
        "character": wanted.character or "",
        "reason": wanted.reason or "",
        "agreed": {True: "yes", False: "no", None: ""}[wanted.agreed],
        "community": ":".join(wanted.community) if wanted.community else "",
    }
    said = urlencode({key: value for key, value in parts.items() if value})
    return f"?{said}" if said else ""

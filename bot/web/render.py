"""HTML, a fragment of it, or JSON: what the desk said, as the request wants it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

import aiohttp_jinja2
from aiohttp import hdrs, web
from markupsafe import Markup, escape

from bot import wording, wording_memory, wording_privacy
from bot.desk.types import Allowed, Choice, Refused, TakenBack, Thanks
from bot.desk.why import Because
from bot.web.view import View, as_json, jpeg, reason_of
from bot.wording_why import why_heat, why_nearest, why_title
from bot.words import FALLBACK, Words, languages, words

HOURS = web.AppKey("hours", int)
MAX_BYTES = web.AppKey("max_bytes", int)

STATUS = {
    "error-empty": 415,
    "error-not-a-picture": 415,
    "error-too-many-bytes": 413,
    "error-too-many-pixels": 413,
    "error-busy": 503,
    "error-too-late": 504,
    "error-worker-gone": 503,
    "error-trouble": 500,
    "error-ledger": 503,
    "error-person-limit": 429,
    "error-community-limit": 429,
    "error-proposals": 429,
    "error-prediction-gone": 404,
    "error-not-yours": 403,
    "error-not-poster": 403,
    "error-forgotten": 410,
    "why-busy": 503,
    "why-erased": 410,
    "undo-nothing": 409,
}
"""HTTP's word for a refusal; what is not here is 422."""


def spoken(request: web.Request) -> Words:
    """The words of the first language in ``Accept-Language`` that has a catalogue."""
    wanted = []
    for part in request.headers.get(hdrs.ACCEPT_LANGUAGE, "")[:500].split(","):
        found = re.fullmatch(
            r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.\d*)?)\s*)?", part
        )
        if found and (weight := float(found[2] or 1)) > 0:
            wanted.append((-weight, found[1].casefold()))
    for _, tag in sorted(wanted, key=lambda each: each[0]):
        exact = [each for each in languages() if each.casefold() == tag]
        near = [each for each in languages() if each.split("-")[0] == tag.split("-")[0]]
        if exact or near:
            return words((exact or near)[0])
    return words(FALLBACK)


def wants_json(request: web.Request) -> bool:
    """Whether a script asks."""
    accept = request.headers.get(hdrs.ACCEPT, "")
    return "application/json" in accept and "text/html" not in accept


def wants_fragment(request: web.Request) -> bool:
    """Whether htmx asks, which puts the answer into the page that is already there."""
    return request.headers.get("HX-Request") == "true"


def start(request: web.Request) -> web.Response:
    """The page, empty."""
    return _html(request, "page.html", 200)


def view(request: web.Request, shown: View) -> web.Response:
    """One answer with everything that can be done about it."""
    status, headers = _status(shown.said)
    if wants_json(request):
        return web.json_response(as_json(shown, spoken(request)), status=status, headers=headers)
    w = spoken(request)
    context = {
        "view": shown,
        "headline": _rich(wording.headline(shown.answer, w, _bold)),
        "tallied": _rich(wording.tallied(shown.answer.tally, w, _bold)),
        "said": _rich(wording.said(shown.said, w, _bold)) if shown.said else "",
        "why": _why(shown.because, w),
        "answered_by": wording_memory.answered_by(shown.answer, w),
    }
    template = "answer.html" if wants_fragment(request) else "page.html"
    return _html(request, template, status, context, headers)


def privacy(
    request: web.Request,
    standing: str,
    *,
    chosen: bool = False,
    forgotten: tuple[int, int] | None = None,
    refused: Refused | None = None,
) -> web.Response:
    """What somebody's pictures may be used for, and what was just decided about it.

    Args:
        standing: what holds.
        chosen: it was chosen just now.
        forgotten: they were: how many pictures and votes went.
        refused: nothing was written.
    """
    w = spoken(request)
    status, _ = _status(refused)
    done = "" if forgotten is None else wording_privacy.forgotten_text(*forgotten, w)
    done = wording.refusal(refused, w) if refused else done
    if wants_json(request):
        if refused:
            return web.json_response({"error": done, "reason": reason_of(refused.key)}, status=status)
        fields: dict[str, Any] = {"standing": standing}
        if forgotten is not None:
            fields |= {"pictures": forgotten[0], "votes": forgotten[1], "sentence": done}
        return web.json_response(fields)
    context = {
        "standing": standing,
        "choices": wording_privacy.privacy_buttons(standing, w),
        "holds": wording_privacy.STANDINGS[standing][0],
        "chosen": chosen,
        "done": done,
        "refused": refused is not None,
    }
    return _html(request, "privacy.html", status, context)


def refusal(request: web.Request, refused: Refused) -> web.Response:
    """One sentence, where there is no answer to show with it."""
    status, headers = _status(refused)
    return sentence(request, refused.key, status, refused.values, headers)


def sentence(
    request: web.Request,
    key: str,
    status: int,
    values: Mapping[str, str | int | float] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """One sentence of the catalogue in the page's own look."""
    text = spoken(request)(key, **(values or {}))
    if wants_json(request):
        return web.json_response({"error": text, "reason": reason_of(key)}, status=status, headers=headers)
    template = "sentence.html" if wants_fragment(request) else "page.html"
    return _html(request, template, status, {"sentence": text}, headers)


def options(request: web.Request, choices: tuple[Choice, ...]) -> web.Response:
    """What the type-ahead shows."""
    if wants_json(request):
        return web.json_response([{"character": each.slug, "name": each.name} for each in choices])
    return _html(request, "options.html", 200, {"choices": choices})


def _html(
    request: web.Request,
    template: str,
    status: int,
    context: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    w = spoken(request)
    everything = {
        "w": w,
        "token": secrets.token_hex(16),
        "hours": request.app[HOURS],
        "max_bytes": request.app[MAX_BYTES],
        "mebibytes": max(1, request.app[MAX_BYTES] >> 20),
        "fragment": wants_fragment(request),
        "view": None,
        "sentence": "",
        **(context or {}),
    }
    text = aiohttp_jinja2.render_string(template, request, everything)
    response = web.Response(text=text, content_type="text/html", status=status, headers=headers)
    response.headers[hdrs.VARY] = "Accept, Accept-Language, Cookie, HX-Request"
    response.headers[hdrs.CONTENT_LANGUAGE] = w.language
    return response


def _status(said: Thanks | TakenBack | Allowed | Refused | None) -> tuple[int, dict[str, str]]:
    if not isinstance(said, Refused):
        return 200, {}
    wait = said.values.get("seconds")
    return STATUS.get(said.key, 422), {hdrs.RETRY_AFTER: str(wait)} if wait else {}


def _why(because: Because | None, w: Words) -> dict[str, Markup | str]:
    """The sentences and pictures of *Why?*, each empty when it was not asked or there is none."""
    if because is None:
        return {}
    return {
        "title": _rich(why_title(because, w, _bold)),
        "heat": _rich(why_heat(because, w, _bold)),
        "nearest": _rich(why_nearest(because, w, _bold)),
        "picture": jpeg(because.picture),
        "sheet": jpeg(because.sheet) if because.sheet else "",
    }


_OPEN, _CLOSE = "\ue000", "\ue001"


def _bold(name: str) -> str:
    # Marked with characters that no name may have, since the whole sentence is escaped afterwards.
    return f"{_OPEN}{name.replace(_OPEN, '').replace(_CLOSE, '')}{_CLOSE}"


def _rich(text: str) -> Markup:
    safe = str(escape(text)).replace(_OPEN, "<strong>").replace(_CLOSE, "</strong>")
    return Markup(safe)  # noqa: S704  # escaped in the line above

"""The console's pages: templates, words in the reader's language, and sentences for what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp_jinja2
from aiohttp import hdrs, web

from bot.desk.moderation import Moderation
from bot.desk.types import Refused
from bot.web import render
from bot.web.console.session import SignedIn

SIGNED_IN = web.RequestKey("signed-in", SignedIn)
MODERATION = web.AppKey("moderation", Moderation)

STATUS = {
    "web-not-found": 404,
    "error-not-found": 404,
    "error-stale": 409,
    "retrain-not-allowed": 403,
    "error-ledger": 503,
    "error-busy": 503,
}
"""HTTP's word for what the moderation refuses; what is not here is 422."""


def page(
    request: web.Request,
    template: str,
    context: Mapping[str, Any] | None = None,
    status: int = 200,
) -> web.Response:
    """One page, or a part of one, in the reader's language."""
    w = render.spoken(request)
    signed = request.get(SIGNED_IN)
    training = request.app[MODERATION].training
    trains = signed is not None and training is not None and training.may(signed.moderator)
    everything = {"w": w, "signed": signed, "trains": trains, "here": request.path, **(context or {})}
    text = aiohttp_jinja2.render_string(f"console/{template}", request, everything)
    response = web.Response(text=text, content_type="text/html", status=status)
    response.headers[hdrs.VARY] = "Accept, Accept-Language, Cookie, HX-Request"
    response.headers[hdrs.CONTENT_LANGUAGE] = w.language
    return response


def refusal(request: web.Request, refused: Refused) -> web.Response:
    """One sentence, in the console's look; for a script one line of it."""
    status = STATUS.get(refused.key, 422)
    # What does not exist and what is another community's are one and the same, to the last byte.
    key = "web-not-found" if status == 404 else refused.key
    sentence = render.spoken(request)(key, **({} if status == 404 else refused.values))
    template = "line.html" if render.wants_fragment(request) else "sentence.html"
    return page(request, template, {"sentence": sentence}, status)


def to(place: str) -> web.HTTPSeeOther:
    """Go on there, with GET: so that reloading sends nothing twice."""
    return web.HTTPSeeOther(place)

"""Training: how far a retraining is, what the gate said of the new model, and the moderator's yes or no."""

from __future__ import annotations

from aiohttp import web

from bot.desk.desk import Desk
from bot.desk.training import Training, offered, run_of
from bot.desk.types import Refused
from bot.ids import TRAIN_VERBS, TrainSlot
from bot.retraining.types import NotNow, Phase
from bot.retraining.wording import reason_text, status_text
from bot.web import render
from bot.web.console import forms, html

PAGE = "/review/training"
AGAIN_MILLISECONDS = 2000
VERBS = {name: verb for verb, name in TRAIN_VERBS.items() if name != "look"}


class TrainingPage:
    """The handlers, for the operator and for moderators of communities in ``training.communities``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """The addresses for who is signed in."""
        return [web.get(PAGE, self.now), web.post(PAGE, self.do)]

    def _training(self, request: web.Request) -> Training | Refused:
        return self._desk.moderation.trainer(request[html.SIGNED_IN].moderator, "training")

    async def now(self, request: web.Request) -> web.Response:
        """``GET /review/training``: how it is; for a script the part that changes."""
        training = self._training(request)
        if isinstance(training, Refused):
            return html.refusal(request, training)
        return await self._page(request, training)

    async def do(self, request: web.Request) -> web.Response:
        """``POST /review/training``: ``do`` (start, cancel, use, drop), ``run`` (of which retraining)."""
        training, sent = self._training(request), await forms.fields(request)
        if isinstance(training, Refused):
            return html.refusal(request, training)
        moderator = request[html.SIGNED_IN].moderator
        if sent.get("do") == "start":
            outcome = await training.start(moderator)
        elif verb := VERBS.get(sent.get("do", "")):
            outcome = await training.press(moderator, TrainSlot(verb, sent.get("run", "")[:8]))
        else:
            raise web.HTTPBadRequest
        if isinstance(outcome, NotNow):
            return await self._page(request, training, outcome)
        raise html.to(PAGE)

    async def _page(
        self, request: web.Request, training: Training, refused: NotNow | None = None
    ) -> web.Response:
        status, w = await training.status(), render.spoken(request)
        verbs = {slot.verb for slot in offered(status)}
        context = {
            "status": status,
            "sentence": status_text(status, w),
            "reasons": [
                (each.passed, reason_text(each, w)) for each in sorted(status.reasons, key=lambda r: r.passed)
            ],
            "offered": {name for name, verb in VERBS.items() if verb in verbs},
            "may_start": not status.at_work and status.phase is not Phase.ASKING,
            "run": run_of(status),
            "serving": await training.serving(),
            "again": AGAIN_MILLISECONDS,
            "refused": w(refused.key, **refused.values) if refused else "",
        }
        template = "training-now.html" if render.wants_fragment(request) else "training.html"
        return html.page(request, template, context, 409 if refused else 200)

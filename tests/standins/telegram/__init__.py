"""Telegram's Bot API on loopback, so that a real bot can be driven end to end.

    async with TelegramStandin(privacy=True) as telegram:
        ann = telegram.user("Ann", language_code="en")
        fans = telegram.group("Fans")
        fans.add(ann)
        ...  # start a bot with telegram.api_base and telegram.token
        await telegram.wait_ready()
        sent = await ann.send_photo(telegram.private(ann), png)
        reply = await telegram.wait_reply(to=sent)
        wrong = await ann.press(reply, "Wrong")
        assert (await wrong.answer()).text == ""
        assert telegram.violations == []

Modules: `server` the stand-in, `api` its HTTP face, `params` what a call says, `methods`, `asking` and
`account` the Bot API's methods, `updates` polling and webhook, `traffic` log, limits and failures, `people`
and `chats` what persons do, `watching` and `snapshots` what tests see, `world` the state, `privacy` who sees
what, `media` the files, `entities` and `keyboards` what text and buttons may be, `spec` the checks against
the official description.
"""

from ..discord.cdn import Behaviour, Cut, Fail, Hang, Slow
from ..discord.waiting import StandinTimeout
from .asking import CallbackAnswer, InlineAnswer, InlineResult, Pressed
from .chats import Chat
from .people import User
from .server import TelegramStandin
from .snapshots import Button, MessageSnapshot
from .traffic import ApiRequest, Limits

__all__ = [
    "ApiRequest",
    "Behaviour",
    "Button",
    "CallbackAnswer",
    "Chat",
    "Cut",
    "Fail",
    "Hang",
    "InlineAnswer",
    "InlineResult",
    "Limits",
    "MessageSnapshot",
    "Pressed",
    "Slow",
    "StandinTimeout",
    "TelegramStandin",
    "User",
]

"""The stand-in itself: starts the server, owns the world, and is what a test holds in its hand."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from aiohttp import web

from ..discord.waiting import Changes
from .account import Account
from .api import Api
from .asking import InlineAnswer, Pressed, Questions
from .chats import Chat
from .people import User
from .snapshots import MessageSnapshot
from .spec import Checker
from .traffic import Failure, Hold, Limits, Traffic
from .updates import Update, Updates
from .watching import Watcher
from .world import Person, World

LOOPBACK = "127.0.0.1"


class TelegramStandin(Watcher):
    """Telegram's Bot API on loopback for one bot.

    Args:
        privacy: privacy mode as BotFather sets it; see `tests.standins.telegram.privacy`.
        mentions: deliver plain @mentions in groups in spite of privacy mode.
        enforce_limits: answer 429 beyond Telegram's flood limits; True for the real ones.
        inline: whether the bot may be asked inline; ``inline_feedback``: whether it hears what was chosen.
    """

    def __init__(
        self,
        *,
        privacy: bool = True,
        mentions: bool = False,
        enforce_limits: bool | Limits = False,
        inline: bool = True,
        inline_feedback: bool = True,
        can_join_groups: bool = True,
    ) -> None:
        self._changes = Changes()
        self.bot_id = 7_000_000_000 + secrets.randbelow(10**8)
        self.bot_username = "whosthat_test_bot"
        self.token = f"{self.bot_id}:{secrets.token_urlsafe(27)[:35]}"
        bot = Person(self.bot_id, "Who's that?", self.bot_username, None, is_bot=True)
        self.world = World(self._changes, bot, privacy=privacy, mentions=mentions)
        self.files = self.world.files
        limits = Limits() if enforce_limits is True else enforce_limits or None
        self.traffic = Traffic(limits)
        checker = Checker()
        self.violations = checker.violations
        self.updates = Updates(self._changes, checker.update)
        self.world.emit = self.updates.add
        self.questions = Questions(self._changes)
        self.inline_feedback = inline_feedback
        self._inline = inline
        self._account = Account(self.world, can_join_groups=can_join_groups, supports_inline=inline)
        self._api = Api(
            self.world,
            self._changes,
            self.traffic,
            self.updates,
            self.questions,
            self._account,
            checker,
            self.token,
        )
        self._runner: web.AppRunner | None = None
        self.api_base = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(self._api.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        self.api_base = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        for hold in self.traffic.holds:
            hold.release()
        self.files.close()
        await self.updates.close()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls ``base_url``."""
        return f"{self.api_base}/bot"

    @property
    def base_file_url(self) -> str:
        return f"{self.api_base}/file/bot"

    # -- the people and the chats

    def user(self, name: str, *, language_code: str | None = "en") -> User:
        """Somebody with an account; None: their client says no language."""
        return User(self.world.person(name, language_code).id, name, language_code, self)

    def known(self, user_id: int) -> User:
        person = self.world.people[user_id]
        return User(person.id, person.first_name, person.language_code, self)

    def private(self, user: User) -> Chat:
        """The private chat of somebody with the bot; the bot may write there once they have written."""
        return Chat(user.id, user.name, self)

    def group(self, name: str, *, topics: bool = False, basic: bool = False, with_bot: bool = True) -> Chat:
        """A supergroup (``basic``: a basic group, which can migrate) with an owner and the bot in it."""
        made = self.world.chat("group" if basic else "supergroup", name, forum=topics)
        made.bot = "member" if with_bot else "left"
        owner = self.world.person(f"owner of {name}", "en")
        made.members[owner.id] = "creator"
        return Chat(made.id, name, self)

    def channel(self, name: str) -> Chat:
        """A channel with the bot as an admin, as bots are in channels."""
        made = self.world.chat("channel", name)
        made.bot = "administrator"
        made.members[self.world.person(f"owner of {name}", "en").id] = "creator"
        return Chat(made.id, name, self)

    # -- asking inline

    async def ask_inline(
        self, user: User, query: str, offset: str, *, timeout: float, old: bool
    ) -> InlineAnswer:
        assert self._inline, "the bot is not asked inline: BotFather's /setinline is off"
        id_ = self.questions.ask(query, old=old)
        payload = {"id": id_, "from": user.payload(), "query": query, "offset": offset, "chat_type": "sender"}
        self.world.emit("inline_query", payload)
        return await self.wait_until(
            lambda: self.questions.inline[id_].answer, timeout=timeout, what=f"offers for {query!r}"
        )

    # -- trouble

    def update_of(self, event: Update | MessageSnapshot | Pressed) -> Update:
        """The newest update that told the bot of a message or a press."""
        if isinstance(event, dict):
            return event
        for update in reversed(self.updates.all):
            for kind, told in update.items():
                if isinstance(event, Pressed) and kind == "callback_query" and told["id"] == event.id:
                    return update
                if isinstance(event, MessageSnapshot) and kind != "update_id" and _about(told, event):
                    return update
        raise AssertionError("the bot was never told of that")

    async def redeliver(self, event: Update | MessageSnapshot | Pressed) -> None:
        """Deliver the same update, with the same ``update_id``, once more."""
        self.updates.again(self.update_of(event))

    async def post_webhook(
        self, event: Update | MessageSnapshot | Pressed, *, secret: str | None = None
    ) -> int:
        """Post an update to the webhook with another secret ("": none); the HTTP status."""
        return await self.updates.post(self.update_of(event), secret=secret)

    async def pile_up(
        self,
        count: int,
        chat: Chat | None = None,
        user: User | None = None,
        *,
        pictures: Sequence[bytes] = (),
        age: float = 0,
    ) -> list[MessageSnapshot]:
        """``count`` messages that wait for a bot that is away: texts, or ``pictures`` in turn."""
        user = user or self.user("Patience")
        chat = chat or self.private(user)
        if pictures:
            return [
                await user.send_photo(chat, pictures[number % len(pictures)], age=age)
                for number in range(count)
            ]
        return [await user.send_text(chat, f"message {number}", age=age) for number in range(count)]

    def drop_connections(self) -> int:
        """Cut every connection of the bot, also the one on which it polls; how many there were."""
        return self._api.drop()

    def fail_next(
        self, method: str, status: int = 429, *, retry_after: int = 1, times: int = 1, lost: bool = False
    ) -> None:
        """Answer the next calls of ``method`` (or a pattern, "send*") with an error; ``lost``: after they
        took effect, in the words of a proxy. Status 0 hangs up without an answer."""
        self.traffic.failures.append(Failure(method, status, times, retry_after, lost))

    def hold(self, method: str) -> AbstractContextManager[Hold]:
        """Matching calls wait until the end of the block (or ``release()``); ``held`` counts them."""
        return self.traffic.hold(method)


def _about(told: dict[str, Any], message: MessageSnapshot) -> bool:
    return told.get("message_id") == message.id and told["chat"]["id"] == message.chat_id

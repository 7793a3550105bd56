"""The same conversation with every adapter: what a test says is platform-free, the sockets are real."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import aiohttp

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.discord_adapter.adapter import DiscordAdapter
from bot.settings import Settings, load
from bot.telegram_adapter.adapter import TelegramAdapter
from bot.web.app import WebAdapter
from bot.wording_privacy import STANDINGS
from bot.words import words
from corrections.ledger import Ledger
from model.reasons import Explainer
from model.types import Eyes
from tests.standins.discord import DiscordStandin, Interaction
from tests.standins.discord.people import Channel, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.page import SECRET, TableEyes
from tests.standins.telegram import Button, Chat, TelegramStandin
from tests.standins.telegram import MessageSnapshot as TelegramMessage
from tests.standins.telegram import User as TelegramUser


@dataclass(frozen=True)
class Answered:
    """What was said about a picture; ``prediction`` is 0 when it was refused."""

    text: str
    prediction: int = 0
    handle: Any = None


@dataclass(frozen=True)
class Found:
    """What a typed name led to."""

    text: str
    names: tuple[str, ...] = ()
    may_add: bool = False
    handle: Any = None


class Conversation(Protocol):
    """One person talking with the bot on one platform."""

    async def ask(self, picture: bytes) -> Answered: ...
    async def ask_twice(self, picture: bytes) -> list[Answered]: ...
    async def right(self, answer: Answered) -> str: ...
    async def choices(self, answer: Answered) -> list[str]: ...
    async def pick(self, answer: Answered, name: str) -> str: ...
    async def type(self, answer: Answered, text: str) -> Found: ...
    async def pick_found(self, answer: Answered, found: Found, name: str) -> str: ...
    async def add(self, answer: Answered, found: Found) -> str: ...
    async def undo(self, answer: Answered) -> str: ...

    async def is_asked(self, answer: Answered) -> bool:
        """Whether the answer, as it can be seen now, asks its poster if it may be learned from."""
        ...

    async def allow(self, answer: Answered) -> str:
        """Press *May I learn from this?*, as it stood there when it was answered; what is said to that."""
        ...

    async def privacy(self) -> str:
        """What ``/privacy`` says."""
        ...

    async def choose(self, standing: str) -> str:
        """Choose one of the four on ``/privacy``; what it says then."""
        ...

    async def forget(self) -> str:
        """``/forgetme`` and yes; what is said when it is done."""
        ...


@dataclass(frozen=True)
class Shown:
    """A case as somebody sees it who may review, or the sentence that they read instead (``case`` is 0).

    ``names`` are those that can be chosen of who it is; ``picture``: one is shown.
    """

    text: str
    case: int = 0
    picture: bool = False
    names: tuple[str, ...] = ()
    handle: Any = None


class Reviewing(Protocol):
    """Somebody who calls ``/review`` on one platform; a moderator or not."""

    async def review(self) -> Shown: ...

    async def decide(self, shown: Shown, what: str) -> Shown:
        """Press "approve", "nobody", "reject", "skip" or "undo" below it; what is shown then."""
        ...

    async def it_is(self, shown: Shown, name: str) -> Shown:
        """Choose one of ``shown.names``."""
        ...

    async def find(self, shown: Shown, text: str) -> Shown:
        """Search by a typed name: the next case when it is clear who is meant, else the same with names."""
        ...


NOBODY = "Nobody on the list"


class DiscordConversation:
    """A member of a server; every channel is watched, and pictures are asked about by mention."""

    def __init__(
        self, discord: DiscordStandin, channel: Channel, user: User, busy: Callable[[], bool]
    ) -> None:
        self._discord, self._channel, self._user, self._busy = discord, channel, user, busy
        self._whisper: dict[int, MessageSnapshot] = {}

    async def ask(self, picture: bytes) -> Answered:
        posted = await self._post(picture)
        return _read(await self._discord.wait_reply(to=posted))

    async def ask_twice(self, picture: bytes) -> list[Answered]:
        before = len(self._discord.replies(self._channel))
        posted = await self._post(picture)
        await self._discord.redeliver(posted)
        await self._discord.wait_reply(to=posted)
        await self._discord.redeliver(posted)
        await self._discord.settle()
        return [_read(each) for each in self._discord.replies(self._channel)[before:]]

    async def _post(self, picture: bytes) -> int:
        return await self._user.post(self._channel, mention_bot=True, files=[("picture.png", picture)])

    async def right(self, answer: Answered) -> str:
        return await self._click(answer, answer.handle, f"v1:right:{answer.prediction}:")

    async def choices(self, answer: Answered) -> list[str]:
        await self._click(answer, answer.handle, f"v1:wrong:{answer.prediction}:")
        labels = [button.label for button in self._whisper[answer.prediction].buttons]
        return [label for label in labels if not label.startswith("Someone else")]

    async def pick(self, answer: Answered, name: str) -> str:
        await self.choices(answer)
        return await self._click(answer, self._whisper[answer.prediction], name)

    async def type(self, answer: Answered, text: str) -> Found:
        await self.choices(answer)
        opened = await self._user.click(self._whisper[answer.prediction], "Someone else…")
        sent = await self._user.submit_modal(await opened.response(), {"text": text})
        message = (await sent.response()).message
        self._whisper[answer.prediction] = message
        names = tuple(b.label for b in message.buttons if b.custom_id.startswith("v1:is:"))
        adds = [b for b in message.buttons if b.custom_id.startswith("v1:new:")]
        return Found(message.content, names, bool(adds), adds[0].custom_id if adds else None)

    async def pick_found(self, answer: Answered, found: Found, name: str) -> str:
        return await self._click(answer, self._whisper[answer.prediction], name)

    async def add(self, answer: Answered, found: Found) -> str:
        return await self._click(answer, self._whisper[answer.prediction], found.handle)

    async def undo(self, answer: Answered) -> str:
        return await self._click(answer, self._whisper[answer.prediction], "Undo")

    async def is_asked(self, answer: Answered) -> bool:
        await self._discord.settle(busy=self._busy)
        shown = self._discord.message(answer.handle)
        return shown is not None and any(b.custom_id.startswith("v1:learn:") for b in shown.buttons)

    async def allow(self, answer: Answered) -> str:
        learn = [b for b in answer.handle.buttons if b.custom_id.startswith("v1:learn:")]
        assert learn, "it does not ask"
        return await self._said(await self._user.click(answer.handle, learn[0].custom_id))

    async def privacy(self) -> str:
        return await self._said(await self._user.slash(self._channel, "privacy"))

    async def choose(self, standing: str) -> str:
        opened = await (await self._user.slash(self._channel, "privacy")).response()
        return await self._said(await self._user.click(opened.message, f"v1:privacy:0:{standing}"))

    async def forget(self) -> str:
        asked = await (await self._user.slash(self._channel, "forgetme")).response()
        said = await self._said(await self._user.click(asked.message, "v1:forget:0:yes"))
        await self._discord.settle(busy=self._busy)
        return said

    async def _said(self, interaction: Interaction) -> str:
        await interaction.response()
        message = await interaction.original()
        assert message.ephemeral
        return message.content.replace("**", "")

    async def _click(self, answer: Answered, message: MessageSnapshot, button: str) -> str:
        response = await (await self._user.click(message, button)).response()
        assert response.message.ephemeral
        self._whisper[answer.prediction] = response.message
        return response.message.content.replace("**", "")


def _read(reply: MessageSnapshot) -> Answered:
    ids = [re.fullmatch(r"v1:right:(\d+):", button.custom_id) for button in reply.buttons]
    found = [int(each[1]) for each in ids if each]
    return Answered(reply.content.replace("**", ""), found[0] if found else 0, reply)


class DiscordReviewing:
    """A member of a server who calls ``/review``."""

    VERBS: ClassVar = {"approve": "a", "nobody": "n", "reject": "r", "skip": "s", "undo": "u"}

    def __init__(self, channel: Channel, user: User) -> None:
        self._channel, self._user = channel, user

    async def review(self) -> Shown:
        return await self._read(await self._user.slash(self._channel, "review"))

    async def decide(self, shown: Shown, what: str) -> Shown:
        ids = [b.custom_id for b in shown.handle.buttons]
        button = next(i for i in ids if re.fullmatch(rf"v1:case:\d+:\d+\.{self.VERBS[what]}(\..*)?", i))
        return await self._read(await self._user.click(shown.handle, button))

    async def it_is(self, shown: Shown, name: str) -> Shown:
        (select,) = shown.handle.selects
        values = [each.value for each in select.options if each.label == name]
        return await self._read(await self._user.select(shown.handle, select.custom_id, values))

    async def find(self, shown: Shown, text: str) -> Shown:
        form = await (await self._user.click(shown.handle, "Search…")).response()
        return await self._read(await self._user.submit_modal(form, {"text": text}))

    async def _read(self, interaction: Interaction) -> Shown:
        await interaction.response()
        message = await interaction.original()
        assert message.ephemeral
        cases = [re.match(r"v1:case:([1-9]\d*):", b.custom_id) for b in message.buttons]
        found = [int(each[1]) for each in cases if each]
        names = tuple(option.label for select in message.selects for option in select.options)
        text = message.content.replace("**", "")
        return Shown(text, found[0] if found else 0, bool(message.attachments), names, message)


class TelegramConversation:
    """A member of a group in privacy mode, where pictures are asked about by ``/whois`` in their caption."""

    def __init__(
        self, telegram: TelegramStandin, group: Chat, user: TelegramUser, busy: Callable[[], bool]
    ) -> None:
        self._telegram, self._group, self._user, self._busy = telegram, group, user, busy
        self._private = telegram.private(user)

    async def ask(self, picture: bytes) -> Answered:
        return _read_board(await self._telegram.wait_reply(to=await self._post(picture)))

    async def ask_twice(self, picture: bytes) -> list[Answered]:
        before = len(self._telegram.replies(self._group))
        posted = await self._post(picture)
        await self._telegram.redeliver(posted)
        await self._telegram.wait_reply(to=posted)
        await self._telegram.redeliver(posted)
        await self._telegram.settle()
        return [_read_board(each) for each in self._telegram.replies(self._group)[before:]]

    async def _post(self, picture: bytes) -> TelegramMessage:
        return await self._user.send_photo(self._group, picture, f"/whois@{self._telegram.bot_username}")

    async def right(self, answer: Answered) -> str:
        return await self._press(answer.handle, f"v1:right:{answer.prediction}:")

    async def choices(self, answer: Answered) -> list[str]:
        assert await self._press(answer.handle, f"v1:wrong:{answer.prediction}:") == ""
        shown = await self._having(answer.handle, f"v1:is:{answer.prediction}:")
        return [each.label for each in shown.buttons if each.data.startswith("v1:is:")]

    async def pick(self, answer: Answered, name: str) -> str:
        await self.choices(answer)
        return await self._press(answer.handle, name)

    async def type(self, answer: Answered, text: str) -> Found:
        await self.choices(answer)
        before = len(self._telegram.replies(self._group))
        assert await self._press(answer.handle, "Someone else…") == ""
        question = (await self._telegram.wait_messages(self._group, before + 1))[-1]
        assert "Reply to this message" in question.text
        said = await self._telegram.wait_reply(
            to=await self._user.send_text(self._group, text, reply_to=question)
        )
        names = tuple(each.label for each in said.buttons if each.data.startswith("v1:is:"))
        adds = [each.data for each in said.buttons if each.data.startswith("v1:new:")]
        return Found(said.text, names, bool(adds), (said, *adds))

    async def pick_found(self, answer: Answered, found: Found, name: str) -> str:
        return await self._press(found.handle[0], name)

    async def add(self, answer: Answered, found: Found) -> str:
        return await self._press(*found.handle)

    async def undo(self, answer: Answered) -> str:
        await self._having(answer.handle, f"v1:undo:{answer.prediction}:")
        return await self._press(answer.handle, "Undo")

    async def is_asked(self, answer: Answered) -> bool:
        await self._telegram.settle(busy=self._busy)
        shown = self._telegram.message(answer.handle)
        return shown is not None and any(b.data.startswith("v1:learn:") for b in shown.buttons)

    async def allow(self, answer: Answered) -> str:
        learn = [b.data for b in answer.handle.buttons if b.data.startswith("v1:learn:")]
        assert learn, "it does not ask"
        said = await (await self._user.press_forged(answer.handle, learn[0])).answer()
        assert said.show_alert
        return said.text

    async def privacy(self) -> str:
        return (await self._told("/privacy")).text

    async def choose(self, standing: str) -> str:
        opened = await self._told("/privacy")
        assert await self._press(opened, f"v1:privacy:0:{standing}")
        return (await self._telegram.wait_edit(opened)).text

    async def forget(self) -> str:
        asked = await self._told("/forgetme")
        assert await self._press(asked, "v1:forget:0:yes") == ""
        said = await self._telegram.wait_edit(asked)
        await self._telegram.settle(busy=self._busy)
        return said.text

    async def _told(self, text: str) -> TelegramMessage:
        return await self._telegram.wait_reply(to=await self._user.send_text(self._private, text))

    async def _having(self, message: TelegramMessage, data: str) -> TelegramMessage:
        def shown() -> TelegramMessage | None:
            now = self._telegram.message(message)
            return now if now and any(each.data.startswith(data) for each in now.buttons) else None

        return await self._telegram.wait_until(shown, what=f"a button {data}")

    async def _press(self, message: TelegramMessage, button: str) -> str:
        return (await (await self._user.press(message, button)).answer()).text


class TelegramReviewing:
    """A member of a group who calls ``/review`` there and goes on in the private chat."""

    VERBS: ClassVar = {"approve": "a", "nobody": "n", "reject": "r", "skip": "s", "undo": "u"}

    def __init__(
        self, telegram: TelegramStandin, group: Chat, user: TelegramUser, busy: Callable[[], bool]
    ) -> None:
        self._telegram, self._group, self._user, self._busy = telegram, group, user, busy
        self._private = telegram.private(user)

    async def review(self) -> Shown:
        command = await self._user.send_text(self._group, f"/review@{self._telegram.bot_username}")
        led = await self._telegram.wait_reply(to=command)
        assert not led.photo, "in the group nothing is shown"
        if not led.buttons:
            return Shown(led.text)
        argument = led.buttons[0].url.rpartition("?start=")[2]
        await self._user.start(self._private, argument)
        return await self._read()

    async def decide(self, shown: Shown, what: str) -> Shown:
        ids = [each.data for each in shown.handle.buttons]
        pattern = rf"v1:case:\d+:\d+\.{self.VERBS[what]}(\..*)?"
        return await self._press(shown, next(each for each in ids if re.fullmatch(pattern, each)))

    async def it_is(self, shown: Shown, name: str) -> Shown:
        buttons = [each.data for each in self._names(shown.handle) if each.label == name]
        if not buttons:
            opened = await self._opened(shown.handle)
            buttons = [each.data for each in self._names(opened) if each.label == name]
        return await self._press(shown, buttons[0])

    async def find(self, shown: Shown, text: str) -> Shown:
        opened = await self._opened(shown.handle)
        before = len(self._telegram.replies(self._private))
        assert await self._said(opened, "Search…") == ""
        question = (await self._telegram.wait_messages(self._private, before + 1))[-1]
        await self._user.send_text(self._private, text, reply_to=question)
        return await self._read(shown.case)

    async def _opened(self, message: TelegramMessage) -> TelegramMessage:
        page = re.sub(r"\.\w+(\.[\w-]+)?$", ".o.0", message.buttons[0].data)
        assert await (await self._user.press_forged(message, page)).answer()
        await self._telegram.settle(busy=self._busy)
        opened = self._telegram.message(message)
        assert opened is not None
        return opened

    def _names(self, message: TelegramMessage) -> list[Button]:
        return [each for each in message.buttons if re.search(r":\d+\.i\.", each.data)]

    async def _press(self, shown: Shown, data: str) -> Shown:
        said = await (await self._user.press_forged(shown.handle, data)).answer()
        now = await self._read(shown.case)
        return Shown(f"{said.text}\n{now.text}", now.case, now.picture, now.names, now.handle)

    async def _said(self, message: TelegramMessage, button: str) -> str:
        return (await (await self._user.press(message, button)).answer()).text

    async def _read(self, case: int = 0) -> Shown:
        """The last thing that the bot shows; its names are on the page behind *It is…*."""
        await self._telegram.settle(busy=self._busy)
        message = self._telegram.replies(self._private)[-1]
        cases = [re.match(r"v1:case:([1-9]\d*):", each.data) for each in message.buttons]
        found = [int(each[1]) for each in cases if each]
        names = self._names(message)
        if found and not names:
            names = self._names(await self._opened(message))
            await self._said(message, "‹ Back")
            await self._telegram.settle(busy=self._busy)
            message = self._telegram.message(message)
            assert message is not None
        labels = tuple(each.label for each in names)
        return Shown(message.text, found[0] if found else 0, message.photo, labels, message)


def _read_board(reply: TelegramMessage) -> Answered:
    ids = [re.fullmatch(r"v1:right:(\d+):", button.data) for button in reply.buttons]
    found = [int(each[1]) for each in ids if each]
    return Answered(reply.text, found[0] if found else 0, reply)


class WebConversation:
    """A browser with its own cookies, asking for JSON."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack = url, stack
        self._session: aiohttp.ClientSession | None = None

    async def _browser(self) -> aiohttp.ClientSession:
        if self._session is None:
            jar = aiohttp.CookieJar(unsafe=True)
            session = aiohttp.ClientSession(self._url, cookie_jar=jar, headers={"Accept": "application/json"})
            self._session = await self._stack.enter_async_context(session)
        return self._session

    async def _post(self, path: str, data: Any) -> dict[str, Any]:
        session = await self._browser()
        async with session.post(path, data=data) as response:
            said = await response.json()
            return {"sentence": said.get("error", ""), **said}

    async def ask(self, picture: bytes) -> Answered:
        said = await self._post("/ask", picture)
        return Answered(said["sentence"], said.get("prediction", 0), said)

    async def ask_twice(self, picture: bytes) -> list[Answered]:
        def form() -> aiohttp.FormData:
            data = aiohttp.FormData({"token": "ab" * 16})
            data.add_field("picture", picture, filename="x.png")
            return data

        first = await self._post("/ask", form())  # with a cookie from here on
        both = await asyncio.gather(*(self._post("/ask", form()) for _ in range(2)))
        all_three = [first, *both]
        return [Answered(*each) for each in {(each["sentence"], each["prediction"]) for each in all_three}]

    async def right(self, answer: Answered) -> str:
        return await self._say("/right", answer)

    async def choices(self, answer: Answered) -> list[str]:
        return [each["name"] for each in answer.handle["ranked"][1:]] + [NOBODY]

    async def pick(self, answer: Answered, name: str) -> str:
        slugs = {each["name"]: each["character"] for each in answer.handle["ranked"]} | {NOBODY: "nobody"}
        return await self._say("/correct", answer, slug=slugs[name])

    async def type(self, answer: Answered, text: str) -> Found:
        said = await self._post("/name", {"prediction": answer.prediction, "q": text})
        names = tuple(each["name"] for each in said.get("choices", ()))
        return Found(said["sentence"], names, bool(said.get("proposal")), said)

    async def pick_found(self, answer: Answered, found: Found, name: str) -> str:
        slugs = {each["name"]: each["character"] for each in found.handle["choices"]}
        return await self._say("/correct", answer, slug=slugs[name])

    async def add(self, answer: Answered, found: Found) -> str:
        return await self._say("/new", answer, q=found.handle["proposal"])

    async def undo(self, answer: Answered) -> str:
        return await self._say("/undo", answer)

    async def is_asked(self, answer: Answered) -> bool:
        looked = await self._post("/name", {"prediction": answer.prediction, "q": "Thor"})
        return bool(looked.get("may_ask"))

    async def allow(self, answer: Answered) -> str:
        return await self._say("/learn", answer)

    async def privacy(self) -> str:
        return await self._standing(None)

    async def choose(self, standing: str) -> str:
        return await self._standing({"standing": standing})

    async def _standing(self, chosen: dict[str, str] | None) -> str:
        session = await self._browser()
        method = "GET" if chosen is None else "POST"
        async with session.request(method, "/privacy", data=chosen) as response:
            return words()(STANDINGS[(await response.json())["standing"]][0])

    async def forget(self) -> str:
        return str((await self._post("/forget", {"sure": "yes"}))["sentence"])

    async def _say(self, path: str, answer: Answered, **fields: str) -> str:
        said = await self._post(path, {"prediction": answer.prediction, **fields})
        return str(said["sentence"])


@dataclass(frozen=True)
class Place:
    """One platform with the bot on it: `talk` with it, and look into its ledger.

    ``moderator`` may review here, ``passer_by`` may not.
    """

    talk: Conversation
    other: Conversation
    eyes: TableEyes
    ledger: Ledger
    settings: Settings
    moderator: Reviewing | None = None
    passer_by: Reviewing | None = None


@asynccontextmanager
async def place(
    platform: str,
    folder: Path,
    eyes: Eyes | None = None,
    explainer: Explainer | None = None,
    **variables: str,
) -> AsyncIterator[Place]:
    """The real adapter, desk and ledger of one platform, and two people talking with it."""
    async with AsyncExitStack() as stack:
        environ = {"WHOSTHAT_WEB__PORT": "0", "WHOSTHAT_DATA_DIR": str(folder / "data")}
        environ |= {f"WHOSTHAT_{key.upper()}": value for key, value in variables.items()}
        table = TableEyes()
        standin = await stack.enter_async_context(DiscordStandin()) if platform == "discord" else None
        if standin:
            environ |= {
                "DISCORD_TOKEN": standin.token,
                "WHOSTHAT_DISCORD__API_BASE": standin.api_base,
                "WHOSTHAT_DISCORD__GATEWAY_URL": standin.gateway_url,
                "WHOSTHAT_DISCORD__CDN_HOSTS": standin.cdn_host,
            }
        telegram = await stack.enter_async_context(TelegramStandin()) if platform == "telegram" else None
        if telegram:
            environ |= {"TELEGRAM_TOKEN": telegram.token, "WHOSTHAT_TELEGRAM__API_BASE": telegram.api_base}
        settings = load(environ=environ, folder=folder)
        ledger = await Ledger.open(settings.database_url, settings.data_dir)
        stack.push_async_callback(ledger.close)
        limits = RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute)
        desk = Desk(
            eyes or table,
            ledger,
            limits,
            caps={"mebibytes": 20, "megapixels": 64},
            discord_training=settings.discord.allow_training,
        )
        if explainer is not None:
            desk.explain_with(explainer)
        if standin:
            adapter = await stack.enter_async_context(DiscordAdapter(desk, settings, lambda line: None))
            await standin.wait_ready()
            guild = standin.guild("Fans")
            channel = guild.text_channel("pictures")
            ann, bob = (
                DiscordConversation(standin, channel, guild.member(name), lambda: adapter.busy)
                for name in ("ann", "bob")
            )
            boss = guild.member("mia", roles=[guild.role("bosses", "manage_guild")])
            reviewing = [DiscordReviewing(channel, each) for each in (boss, guild.member("cleo"))]
            yield Place(ann, bob, table, ledger, settings, *reviewing)
            assert standin.violations == []
            assert all(not message.pings for message in standin.replies(channel))
        elif telegram:
            bot = await stack.enter_async_context(TelegramAdapter(desk, settings, lambda line: None))
            await telegram.wait_ready()
            group = telegram.group("Fans")
            people = [telegram.user(name) for name in ("ann", "bob")]
            for user in people:
                group.add(user)
            one, other = (
                TelegramConversation(telegram, group, user, lambda: bool(bot.busy)) for user in people
            )
            mia, cleo = telegram.user("mia"), telegram.user("cleo")
            group.add(mia, admin=True)
            group.add(cleo)
            boards = (
                TelegramReviewing(telegram, group, user, lambda: bool(bot.busy)) for user in (mia, cleo)
            )
            yield Place(one, other, table, ledger, settings, *boards)
            assert telegram.violations == []
            assert all(message.silent for message in telegram.replies(group))
        else:
            web = await stack.enter_async_context(WebAdapter(desk, settings, SECRET))
            yield Place(
                WebConversation(web.url, stack), WebConversation(web.url, stack), table, ledger, settings
            )

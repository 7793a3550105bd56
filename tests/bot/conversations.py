"""The same conversation with every adapter: what a test says is platform-free, the sockets are real."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.discord_adapter.adapter import DiscordAdapter
from bot.settings import Settings, load
from bot.web.app import WebAdapter
from corrections.ledger import Ledger
from model.types import Eyes
from tests.standins.discord import DiscordStandin
from tests.standins.discord.people import Channel, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.page import SECRET, TableEyes


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


NOBODY = "Nobody on the list"


class DiscordConversation:
    """A member of a server; every channel is watched, and pictures are asked about by mention."""

    def __init__(self, discord: DiscordStandin, channel: Channel, user: User) -> None:
        self._discord, self._channel, self._user = discord, channel, user
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

    async def _click(self, answer: Answered, message: MessageSnapshot, button: str) -> str:
        response = await (await self._user.click(message, button)).response()
        assert response.message.ephemeral
        self._whisper[answer.prediction] = response.message
        return response.message.content.replace("**", "")


def _read(reply: MessageSnapshot) -> Answered:
    ids = [re.fullmatch(r"v1:right:(\d+):", button.custom_id) for button in reply.buttons]
    found = [int(each[1]) for each in ids if each]
    return Answered(reply.content.replace("**", ""), found[0] if found else 0, reply)


class WebConversation:
    """A browser with its own cookies, asking for JSON."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack = url, stack
        self._session: aiohttp.ClientSession | None = None

    async def _post(self, path: str, data: Any) -> dict[str, Any]:
        if self._session is None:
            jar = aiohttp.CookieJar(unsafe=True)
            session = aiohttp.ClientSession(self._url, cookie_jar=jar, headers={"Accept": "application/json"})
            self._session = await self._stack.enter_async_context(session)
        async with self._session.post(path, data=data) as response:
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

    async def _say(self, path: str, answer: Answered, **fields: str) -> str:
        said = await self._post(path, {"prediction": answer.prediction, **fields})
        return str(said["sentence"])


@dataclass(frozen=True)
class Place:
    """One platform with the bot on it: `talk` with it, and look into its ledger."""

    talk: Conversation
    other: Conversation
    eyes: TableEyes
    ledger: Ledger
    settings: Settings


@asynccontextmanager
async def place(
    platform: str, folder: Path, eyes: Eyes | None = None, **variables: str
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
        settings = load(environ=environ, folder=folder)
        ledger = await Ledger.open(settings.database_url, settings.data_dir)
        stack.push_async_callback(ledger.close)
        limits = RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute)
        desk = Desk(eyes or table, ledger, limits, caps={"mebibytes": 20, "megapixels": 64})
        if standin:
            await stack.enter_async_context(DiscordAdapter(desk, settings, lambda line: None))
            await standin.wait_ready()
            guild = standin.guild("Fans")
            channel = guild.text_channel("pictures")
            ann, bob = (DiscordConversation(standin, channel, guild.member(name)) for name in ("ann", "bob"))
            yield Place(ann, bob, table, ledger, settings)
            assert standin.violations == []
            assert all(not message.pings for message in standin.replies(channel))
        else:
            web = await stack.enter_async_context(WebAdapter(desk, settings, SECRET))
            yield Place(
                WebConversation(web.url, stack), WebConversation(web.url, stack), table, ledger, settings
            )

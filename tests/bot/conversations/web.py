"""Somebody at the page, as a script that asks for JSON."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from bot.wording_privacy import STANDINGS
from bot.words import words
from tests.bot.conversations.spoken import NOBODY, Answered, Found


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

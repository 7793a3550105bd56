"""Members of a Discord server: one who posts pictures, and one who reviews."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from tests.bot.conversations.spoken import Answered, Found, Shown
from tests.standins.discord import DiscordStandin, Interaction
from tests.standins.discord.people import Channel, User
from tests.standins.discord.snapshots import MessageSnapshot


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

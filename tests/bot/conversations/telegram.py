"""Members of a Telegram group: one who posts pictures, and one who reviews."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from tests.bot.conversations.spoken import Answered, Found, Shown
from tests.standins.telegram import Button, Chat, MessageSnapshot, TelegramStandin, User


class TelegramConversation:
    """A member of a group in privacy mode, where pictures are asked about by ``/whois`` in their caption."""

    def __init__(self, telegram: TelegramStandin, group: Chat, user: User, busy: Callable[[], bool]) -> None:
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

    async def _post(self, picture: bytes) -> MessageSnapshot:
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

    async def _told(self, text: str) -> MessageSnapshot:
        return await self._telegram.wait_reply(to=await self._user.send_text(self._private, text))

    async def _having(self, message: MessageSnapshot, data: str) -> MessageSnapshot:
        def shown() -> MessageSnapshot | None:
            now = self._telegram.message(message)
            return now if now and any(each.data.startswith(data) for each in now.buttons) else None

        return await self._telegram.wait_until(shown, what=f"a button {data}")

    async def _press(self, message: MessageSnapshot, button: str) -> str:
        return (await (await self._user.press(message, button)).answer()).text


class TelegramReviewing:
    """A member of a group who calls ``/review`` there and goes on in the private chat."""

    VERBS: ClassVar = {"approve": "a", "nobody": "n", "reject": "r", "skip": "s", "undo": "u"}

    def __init__(self, telegram: TelegramStandin, group: Chat, user: User, busy: Callable[[], bool]) -> None:
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

    async def _opened(self, message: MessageSnapshot) -> MessageSnapshot:
        page = re.sub(r"\.\w+(\.[\w-]+)?$", ".o.0", message.buttons[0].data)
        assert await (await self._user.press_forged(message, page)).answer()
        await self._telegram.settle(busy=self._busy)
        opened = self._telegram.message(message)
        assert opened is not None
        return opened

    def _names(self, message: MessageSnapshot) -> list[Button]:
        return [each for each in message.buttons if re.search(r":\d+\.i\.", each.data)]

    async def _press(self, shown: Shown, data: str) -> Shown:
        said = await (await self._user.press_forged(shown.handle, data)).answer()
        now = await self._read(shown.case)
        return Shown(f"{said.text}\n{now.text}", now.case, now.picture, now.names, now.handle)

    async def _said(self, message: MessageSnapshot, button: str) -> str:
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


def _read_board(reply: MessageSnapshot) -> Answered:
    ids = [re.fullmatch(r"v1:right:(\d+):", button.data) for button in reply.buttons]
    found = [int(each[1]) for each in ids if each]
    return Answered(reply.text, found[0] if found else 0, reply)

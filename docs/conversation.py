"""Remakes conversation.md: ``python docs/conversation.py`` from the project's folder.

The real adapters, desk and ledger talk with people of the suite's own Discord, Telegram and page, over real
sockets; what is written down is what those people would read. Only the model is a table of answers by colour.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import unicodedata
from contextlib import AsyncExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import aiohttp  # noqa: E402

from bot.desk.desk import Desk  # noqa: E402
from bot.desk.limits import RateLimits  # noqa: E402
from bot.desk.types import Person  # noqa: E402
from bot.discord_adapter.adapter import DiscordAdapter  # noqa: E402
from bot.settings import load  # noqa: E402
from bot.telegram_adapter.adapter import TelegramAdapter  # noqa: E402
from bot.words import Words, words  # noqa: E402
from corrections.ledger import Ledger  # noqa: E402
from corrections.types import Address  # noqa: E402
from tests.standins import discord as discords  # noqa: E402
from tests.standins import telegram as telegrams  # noqa: E402
from tests.standins.drawings import drawing  # noqa: E402
from tests.standins.page import TableEyes, page_served  # noqa: E402

LANGUAGES = {"en": ("Ann", "en-GB", "en", "spidey"), "zh-CN": ("小安", "zh-CN", "zh-hans", "zhizhu")}
"""A person, what their Discord and their Telegram call their language, and how they write Spider-Man."""
MODERATORS = {"en": "Mia", "zh-CN": "小米"}
BOT = "whosthat"


class Transcript:
    """What is read, line by line; who speaks stands in front."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def does(self, who: str, what: str) -> None:
        """Somebody does something."""
        self.lines += ["", f"{who}: {what}"] if self.lines else [f"{who}: {what}"]

    def says(self, text: str, rows: list[list[str]] | None = None, to: str = "") -> None:
        """The bot says something, with buttons below."""
        seen = "".join(each for each in text if unicodedata.category(each) != "Cf")  # what is not shown
        first, *rest = seen.splitlines() or [""]
        start = f"{BOT}{f' → {to}' if to else ''}: "
        self.lines.append(start + first)
        self.lines += ["    " + line for line in rest]
        for row in rows or []:
            self.lines.append("    " + " ".join(f"[ {label} ]" for label in row))

    def __str__(self) -> str:
        return "```text\n" + "\n".join(self.lines) + "\n```"


async def opened(stack: AsyncExitStack, **variables: str) -> tuple[Desk, Ledger, dict[str, str], Path]:
    """A desk over a ledger in a folder of its own."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    environ = {"WHOSTHAT_DATA_DIR": str(folder / "data"), **variables}
    settings = load(environ=environ, folder=folder)
    ledger = await Ledger.open(settings.database_url, settings.data_dir)
    stack.push_async_callback(ledger.close)
    desk = Desk(
        TableEyes(),
        ledger,
        RateLimits(1000, 1000),
        caps={"mebibytes": 20, "megapixels": 64},
        discord_training=settings.discord.allow_training,
    )
    return desk, ledger, environ, folder


async def on_discord(language: str) -> Transcript:
    """A server: somebody mentions the bot beside a picture, corrects it, and takes that back."""
    name, locale, _, typed = LANGUAGES[language]
    w, log = words(language), Transcript()
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(discords.DiscordStandin())
        desk, _, environ, folder = await opened(
            stack,
            DISCORD_TOKEN=standin.token,
            WHOSTHAT_DISCORD__API_BASE=standin.api_base,
            WHOSTHAT_DISCORD__GATEWAY_URL=standin.gateway_url,
            WHOSTHAT_DISCORD__CDN_HOSTS=standin.cdn_host,
        )
        settings = load(environ=environ, folder=folder)
        await stack.enter_async_context(DiscordAdapter(desk, settings, lambda line: None))
        await standin.wait_ready()
        guild = standin.guild("Fans", locale=locale)
        channel, person = guild.text_channel("pictures"), guild.member(name, locale=locale)
        home = Address("discord", str(guild.id), str(channel.id), "0")
        await desk.change_settings(Person("discord", str(person.id)), home, language=language)

        async def post(colour: str) -> discords.MessageSnapshot:
            file = f"{colour}.png"
            posted = await person.post(channel, mention_bot=True, files=[(file, drawing(colour))])
            log.does(name, f"@{BOT} [{file}]")
            reply = await standin.wait_reply(to=posted)
            log.says(reply.text, [[each.label for each in reply.buttons]])
            return reply

        async def click(message: discords.MessageSnapshot, label: str) -> discords.MessageSnapshot:
            log.does(name, f"( {label} )")
            response = await (await person.click(message, label)).response()
            if response.modal:
                log.says(
                    response.modal.title, [[each.label + ": " + typed for each in response.modal.inputs]]
                )
                sent = await person.submit_modal(response, {"text": typed})
                response = await sent.response()
            shown = response.message
            assert shown is not None
            log.says(shown.text, [[each.label for each in shown.buttons]] if shown.buttons else [], to=name)
            return shown

        await click(await post("red"), w("button-right"))
        shown = await click(await post("orange"), w("button-wrong"))
        shown = await click(shown, w("button-someone-else"))
        shown = await click(shown, next(each.label for each in shown.buttons))
        await click(shown, w("button-undo"))
        await post("grey")
    return log


async def reviewed_on_discord(language: str) -> Transcript:
    """Where the operator allows it: a poster agrees, people correct, and a moderator decides."""
    name, locale, _, typed = LANGUAGES[language]
    mia = MODERATORS[language]
    w, log = words(language), Transcript()
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(discords.DiscordStandin())
        desk, _, environ, folder = await opened(
            stack,
            DISCORD_TOKEN=standin.token,
            WHOSTHAT_DISCORD__API_BASE=standin.api_base,
            WHOSTHAT_DISCORD__GATEWAY_URL=standin.gateway_url,
            WHOSTHAT_DISCORD__CDN_HOSTS=standin.cdn_host,
            WHOSTHAT_DISCORD__ALLOW_TRAINING="true",
        )
        settings = load(environ=environ, folder=folder)
        await stack.enter_async_context(DiscordAdapter(desk, settings, lambda line: None))
        await standin.wait_ready()
        guild = standin.guild("Fans", locale=locale)
        channel, person = guild.text_channel("pictures"), guild.member(name, locale=locale)
        moderator = guild.member(mia, locale=locale, roles=[guild.role("mods", "manage_guild")])
        home = Address("discord", str(guild.id), str(channel.id), "0")
        await desk.change_settings(Person("discord", str(person.id)), home, language=language)

        async def read(sent: discords.Interaction, to: str) -> discords.MessageSnapshot:
            await sent.response()
            shown = await sent.original()
            rows = [[each.label for each in shown.buttons]] if shown.buttons else []
            choices = [f"{each.placeholder} {each.options[0].label}, …" for each in shown.selects]
            pictures = [f"[{each.filename}]" for each in shown.attachments]
            text = "\n".join([*shown.text.splitlines(), *pictures])
            log.says(text, [*rows, choices] if choices else rows, to=to)
            return shown

        async def click(who: discords.User, message: discords.MessageSnapshot, label: str) -> Any:
            log.does(who.name, f"( {label} )")
            return await read(await who.click(message, label), who.name)

        async def call(who: discords.User, command: str) -> discords.MessageSnapshot:
            log.does(who.name, f"/{command}")
            return await read(await who.slash(channel, command), who.name)

        for seed, colour in enumerate(("red", "orange")):
            log.does(name, f"@{BOT} [{colour}.png]")
            file = (f"{colour}.png", drawing(colour, seed=seed))
            posted = await person.post(channel, mention_bot=True, files=[file])
            reply = await standin.wait_reply(to=posted)
            log.says(reply.text, [[each.label for each in reply.buttons]])
            if colour == "red":
                await click(person, reply, w("button-learn"))
            await click(person, reply, w("button-right"))
        case = await call(moderator, "review")
        case = await click(moderator, case, case.buttons[0].label)
        form = await (await moderator.click(case, w("review-search"))).response()
        assert form.modal is not None
        log.does(mia, f"( {w('review-search')} ) {typed}")
        done = await read(await moderator.submit_modal(form, {"text": typed}), mia)
        await call(moderator, "stats")
        panel = await call(person, "privacy")
        await click(person, panel, w("privacy-button-never"))
        await click(person, await call(person, "forgetme"), w("forget-button"))
        assert done.ephemeral
    return log


async def on_telegram(language: str) -> Transcript:
    """A private chat: a photo, a correction by search, an album, and the search that works in any chat."""
    name, _, code, typed = LANGUAGES[language]
    w, log = words(language), Transcript()
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(telegrams.TelegramStandin())
        desk, _, environ, folder = await opened(
            stack, TELEGRAM_TOKEN=standin.token, WHOSTHAT_TELEGRAM__API_BASE=standin.api_base
        )
        settings = load(environ=environ, folder=folder)
        await stack.enter_async_context(TelegramAdapter(desk, settings, lambda line: None))
        await standin.wait_ready()
        person = standin.user(name, language_code=code)
        chat = standin.private(person)
        log.does(name, "/start")
        started = await person.start(chat)
        log.says((await standin.wait_messages(chat, 1))[0].text)
        assert started.id

        async def reply(message: telegrams.MessageSnapshot) -> telegrams.MessageSnapshot:
            answer = await standin.wait_reply(to=message)
            await standin.settle()
            answer = standin.message(answer) or answer
            log.says(answer.text, answer.rows)
            return answer

        async def press(message: telegrams.MessageSnapshot, label: str) -> None:
            log.does(name, f"( {label} )")
            noted = await (await person.press(message, label)).answer()
            if noted.text:
                log.says(noted.text, to=name)

        async def has(message: telegrams.MessageSnapshot, label: str) -> None:
            def there() -> telegrams.MessageSnapshot | None:
                now = standin.message(message)
                return now if now and any(label in row for row in now.rows) else None

            changed = await standin.wait_until(there, what=label)
            log.says(changed.text, changed.rows)

        log.does(name, "[photo]")
        first = await reply(await person.send_photo(chat, drawing("orange")))
        await press(first, w("button-wrong"))
        await has(first, w("button-someone-else"))
        before = len(standin.replies(chat))
        await press(first, w("button-someone-else"))
        question = (await standin.wait_messages(chat, before + 1))[-1]
        log.says(question.text)
        log.does(name, typed)
        found = await reply(await person.send_text(chat, typed, reply_to=question))
        await press(found, found.rows[0][0])
        await has(first, w("button-undo"))
        log.does(name, "[album: 3 photos]" if language == "en" else "[相册：3 张照片]")
        album = await person.send_album(chat, [drawing(each) for each in ("red", "green", "grey")])
        await reply(album[0])
        log.does(name, f"@{standin.bot_username} {typed}")
        offers = await person.inline(typed)
        log.says("\n".join(f"{each.title} ({each.description})" for each in offers.results))
    return log


async def reviewed_on_telegram(language: str) -> Transcript:
    """A group: a poster agrees, people correct, and an admin decides, alone with the bot."""
    name, _, code, typed = LANGUAGES[language]
    mia = MODERATORS[language]
    w, log = words(language), Transcript()
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(telegrams.TelegramStandin())
        desk, _, environ, folder = await opened(
            stack, TELEGRAM_TOKEN=standin.token, WHOSTHAT_TELEGRAM__API_BASE=standin.api_base
        )
        settings = load(environ=environ, folder=folder)
        bot = await stack.enter_async_context(TelegramAdapter(desk, settings, lambda line: None))
        await standin.wait_ready()
        group = standin.group("Fans" if language == "en" else "影迷")
        person, admin = (standin.user(each, language_code=code) for each in (name, mia))
        group.add(person)
        group.add(admin, admin=True)

        def tell(shown: telegrams.MessageSnapshot, to: str = "") -> telegrams.MessageSnapshot:
            photo = ["[photo]" if language == "en" else "[图片]"] if shown.photo else []
            log.says("\n".join([*photo, shown.text]), shown.rows, to=to)
            return shown

        async def press(who: telegrams.User, message: telegrams.MessageSnapshot, label: str) -> Any:
            log.does(who.name, f"( {label} )")
            noted = await (await who.press(message, label)).answer()
            if noted.text:
                log.says(noted.text, to=who.name)
            await standin.settle(busy=lambda: bool(bot.busy))
            return standin.message(message)

        async def write(who: telegrams.User, text: str, **more: Any) -> telegrams.MessageSnapshot:
            log.does(who.name, text)
            return await standin.wait_reply(to=await who.send_text(standin.private(who), text, **more))

        for seed, colour in enumerate(("red", "orange")):
            command = f"/whois@{standin.bot_username}"
            log.does(name, f"[photo] {command}" if language == "en" else f"[图片] {command}")
            sent = await person.send_photo(group, drawing(colour, seed=seed), command)
            answer = tell(await standin.wait_reply(to=sent))
            if colour == "red":
                tell(await press(person, answer, w("button-learn")))
            await press(person, answer, w("button-right"))
        log.does(mia, f"/review@{standin.bot_username}")
        asked = await admin.send_text(group, f"/review@{standin.bot_username}")
        led = tell(await standin.wait_reply(to=asked))
        log.does(mia, f"( {led.buttons[0].label} )")
        argument = led.buttons[0].url.rpartition("=")[2]
        begun = await admin.start(standin.private(admin), argument)
        case = tell(await standin.wait_reply(to=begun), to=mia)
        case = tell(await press(admin, case, case.rows[0][0]), to=mia)
        case = tell(await press(admin, case, w("review-is")), to=mia)
        await press(admin, case, w("review-search"))
        question = tell(standin.replies(standin.private(admin))[-1], to=mia)
        log.does(mia, typed)
        await admin.send_text(standin.private(admin), typed, reply_to=question)
        await standin.settle(busy=lambda: bool(bot.busy))
        found = tell(standin.replies(standin.private(admin))[-1], to=mia)
        if language != "en":  # it was not clear who is meant
            await press(admin, found, found.rows[0][0])
            tell(standin.replies(standin.private(admin))[-1], to=mia)
        tell(await write(admin, "/stats"), to=mia)
        tell(await write(person, "/privacy"), to=name)
        sure = tell(await write(person, "/forgetme"), to=name)
        tell(await press(person, sure, w("forget-button")), to=name)
    return log


class _Read(HTMLParser):
    """The answer on the page as somebody reads it: lines, and buttons in brackets."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.buttons: list[str] = []
        self._in: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h2", "h3", "li", "p", "button", "label"):
            self._in.append("")
        elif tag == "input" and ("id", "q") in attrs:
            self.lines[-1] += f" ______ ({dict(attrs).get('placeholder')})"

    def handle_data(self, data: str) -> None:
        if self._in:
            self._in[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h2", "h3", "li", "p", "button", "label") and self._in:
            text = " ".join(self._in.pop().split())
            if text:
                (self.buttons if tag == "button" else self.lines).append(text)


async def on_the_page(language: str) -> Transcript:
    """A browser without scripts, so that everything which can be said is on the page at once."""
    name, locale, _, typed = LANGUAGES[language]
    log = Transcript()
    w, jar = words(language), aiohttp.CookieJar(unsafe=True)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        page = await stack.enter_async_context(page_served(Path(folder)))
        speaks = {"Accept-Language": locale, "HX-Request": "true"}
        browser = await stack.enter_async_context(
            aiohttp.ClientSession(page.url, cookie_jar=jar, headers=speaks)
        )

        async def send(path: str, data: object, what: str) -> None:
            log.does(name, what)
            async with browser.post(path, data=data) as response:
                read = _Read()
                read.feed(await response.text())
            lines = [line for line in read.lines if "ms." not in line and "毫秒" not in line]
            log.says("\n".join(lines), [read.buttons] if read.buttons else [])

        await send("/ask", drawing("orange"), "[orange.png]")
        await send("/name", {"prediction": "1", "q": typed}, typed)
        await send("/correct", {"prediction": "1", "slug": "spider-man"}, f"( {chosen(w)} )")
        await send("/undo", {"prediction": "1"}, f"( {w('button-undo')} )")
        await send("/ask", b"hello", "[notes.txt]")
    return log


def chosen(w: Words) -> str:
    """Spider-Man, as that language calls him."""
    return {"en": "Spider-Man", "zh-CN": "蜘蛛侠"}[w.language]


def page() -> str:
    """The whole of conversation.md."""
    parts = [
        "# What it looks like",
        "Conversations as people read them, made by [conversation.py](conversation.py) with the real adapters"
        " over the suite's own Discord, Telegram and page. `[ … ]` is a button, `( … )` a click on it, and"
        f" `{BOT} → Ann` is seen by Ann alone. The pictures are the tests' drawings, told apart by colour.",
    ]
    for title, talk in (
        ("Discord", on_discord),
        ("Discord, reviewed", reviewed_on_discord),
        ("Telegram", on_telegram),
        ("Telegram, reviewed", reviewed_on_telegram),
        ("The page", on_the_page),
    ):
        parts.append(f"## {title}")
        for language, label in (("en", "English"), ("zh-CN", "简体中文")):
            parts += [f"### {title}: {label}", str(asyncio.run(talk(language)))]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    (HERE / "conversation.md").write_text(page(), encoding="utf-8")

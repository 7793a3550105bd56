"""The stand-in against unmodified python-telegram-bot: what our bot will rely on, shown with a small one."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from PIL import Image
from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputTextMessageContent,
    Message,
    ReplyParameters,
    Update,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
)
from telegram.ext import (
    AIORateLimiter,
    Application,
    CallbackQueryHandler,
    CommandHandler,
    InlineQueryHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from .drawings import drawing
from .telegram import Chat, Cut, Fail, Limits, StandinTimeout, TelegramStandin, User
from .telegram.entities import parsed, part
from .telegram.errors import ApiError
from .telegram.spec import TelegramSpec

pytestmark = pytest.mark.timeout(60)
PICTURES = filters.PHOTO | filters.Document.ALL | filters.Sticker.ALL | filters.ANIMATION | filters.VIDEO


class SmallBot:
    """Answers pictures with a keyboard, presses with an edit, ``/whois`` about what it replies to."""

    def __init__(self, server: TelegramStandin, *, token: str = "", **limiter: Any) -> None:
        self.updates: list[Update] = []
        self.errors: list[BaseException] = []
        builder = Application.builder().token(token or server.token).base_url(server.base_url)
        builder = builder.base_file_url(server.base_file_url).concurrent_updates(True)
        self.app: Any = builder.rate_limiter(AIORateLimiter(**{"max_retries": 3, **limiter})).build()
        self.bot = self.app.bot
        self.app.add_handler(TypeHandler(Update, self.seen), group=-1)
        self.app.add_handler(CommandHandler("whois", self.whois, filters=filters.UpdateType.MESSAGE))
        self.app.add_handler(MessageHandler(filters.UpdateType.MESSAGE & PICTURES, self.picture))
        self.app.add_handler(CallbackQueryHandler(self.pressed))
        self.app.add_handler(InlineQueryHandler(self.asked))
        self.app.add_error_handler(self.failed)

    @property
    def messages(self) -> list[Message]:
        return [u.message for u in self.updates if u.message]

    async def seen(self, update: Update, context: Any) -> None:
        self.updates.append(update)

    async def failed(self, update: object, context: Any) -> None:
        self.errors.append(context.error)

    async def picture(self, update: Update, context: Any) -> None:
        message = update.message
        assert message is not None
        if message.media_group_id and message.caption is None:
            return
        chosen: Any = message.photo[-1] if message.photo else message.effective_attachment
        if not message.photo and not str(getattr(chosen, "mime_type", "")).startswith("image/"):
            chosen = chosen.thumbnail or chosen
        data = bytes(await (await chosen.get_file()).download_as_bytearray())
        with Image.open(io.BytesIO(data)) as image:
            said = f"<b>{image.format}</b> of {image.width} &amp; {image.height}"
        rows = [[InlineKeyboardButton("Right", callback_data="v1:right:1:0")]]
        rows += [[InlineKeyboardButton("Wrong", callback_data="v1:wrong:1:0")]]
        await message.reply_html(said, do_quote=True, reply_markup=InlineKeyboardMarkup(rows))

    async def whois(self, update: Update, context: Any) -> None:
        message = update.message
        assert message is not None
        target = message.reply_to_message
        photo = bool(target and target.photo) or bool(message.photo)
        await message.reply_text("a picture" if photo else "no picture", do_quote=True)

    async def pressed(self, update: Update, context: Any) -> None:
        query = update.callback_query
        assert query is not None
        if query.data == "silence":
            return
        await query.answer("thanks", show_alert=query.data == "v1:right:1:0")
        await query.edit_message_text(f"you said {query.data}")

    async def asked(self, update: Update, context: Any) -> None:
        query = update.inline_query
        assert query is not None
        names = [n for n in ("Loki", "Thor", "Thanos") if n.lower().startswith(query.query.lower())]
        start = int(query.offset or 0)
        offers = [
            InlineQueryResultArticle(n.lower(), n, InputTextMessageContent(f"It is {n}."))
            for n in names[start:]
        ]
        await query.answer(offers[:2], next_offset=str(start + 2) if len(offers) > 2 else "", cache_time=0)


@pytest.fixture(autouse=True)
def times_as_timedelta(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-telegram-bot warns of the old way on every 429 otherwise."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def standin() -> AsyncIterator[TelegramStandin]:
    async with TelegramStandin(privacy=True) as server:
        yield server
        assert server.violations == []


@asynccontextmanager
async def running(server: TelegramStandin, *, port: int = 0, **limiter: Any) -> AsyncIterator[SmallBot]:
    """A small bot that polls; with a port, one that has a webhook there."""
    small = SmallBot(server, **limiter)
    await small.app.initialize()
    await small.app.start()
    if port:
        url = f"http://127.0.0.1:{port}/hook"
        hook = {"listen": "127.0.0.1", "port": port, "url_path": "hook", "webhook_url": url}
        await small.app.updater.start_webhook(
            **hook, secret_token="a-secret", allowed_updates=Update.ALL_TYPES
        )
    else:
        await small.app.updater.start_polling(timeout=10, error_callback=small.errors.append)
    try:
        await server.wait_ready()
        yield small
    finally:
        await small.app.updater.stop()
        await small.app.stop()
        await small.app.shutdown()


@asynccontextmanager
async def calling(server: TelegramStandin, **options: Any) -> AsyncIterator[Any]:
    """The bare bot, which only calls."""
    small = SmallBot(server, **options)
    async with small.bot:
        yield small.bot


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def member(server: TelegramStandin, group: Chat, name: str = "Ann") -> User:
    user = server.user(name)
    group.add(user)
    return user


@pytest.mark.parametrize("webhook", [False, True])
async def test_a_photo_a_reply_a_press(standin: TelegramStandin, webhook: bool) -> None:
    ann = standin.user("Ann", language_code="zh-hans")
    async with running(standin, port=free_port() if webhook else 0) as small:
        sent = await ann.send_photo(standin.private(ann), drawing(size=(1600, 1200)), "who?")
        reply = await standin.wait_reply(to=sent)
        assert (reply.text, reply.rows) == ("JPEG of 1280 & 960", [["Right"], ["Wrong"]])
        assert reply.entities == (("bold", 0, 4),)
        sizes = small.messages[0].photo
        assert [(p.width, p.height) for p in sizes] == [(90, 68), (320, 240), (800, 600), (1280, 960)]
        assert len({p.file_id for p in sizes}) == len({p.file_unique_id for p in sizes}) == 4
        pressed = await ann.press(reply, "Right")
        assert ((await pressed.answer()).text, (await pressed.answer()).show_alert) == ("thanks", True)
        edited = await standin.wait_edit(reply)
        assert (edited.text, edited.rows, edited.edits) == ("you said v1:right:1:0", [], 1)
        with pytest.raises(AssertionError, match="0 buttons"):
            await ann.press(reply, "Right")
        await standin.settle()
        query = small.updates[1].callback_query
        assert query is not None
        assert query.from_user.language_code == "zh-hans"
        assert query.message is not None
        assert query.message.reply_to_message.photo[-1].width == 1280  # type: ignore[attr-defined]
        assert small.errors == []
        assert bool(standin.posts) is webhook


async def test_everything_that_can_hold_a_picture(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    chat = standin.private(ann)
    async with running(standin) as small:
        sent = [
            await ann.send_document(chat, "thor.png", drawing(), "image/png"),
            await ann.send_document(chat, "t.txt", b"no", "text/plain", thumbnail=drawing(size=(64, 64))),
            await ann.send_sticker(chat, drawing()),
            await ann.send_sticker(chat, drawing(), "animated"),
            await ann.send_sticker(chat, drawing(), "video"),
            await ann.send_animation(chat, drawing()),
            await ann.send_video(chat, drawing()),
            await ann.forward(await ann.send_photo(chat, drawing()), chat),
        ]
        said = [(await standin.wait_reply(to=each)).text for each in sent]
        assert said == ["PNG of 320 & 240", "JPEG of 64 & 64", *["JPEG of 320 & 240"] * 6]
        kinds = [(m.sticker.is_animated, m.sticker.is_video) for m in small.messages if m.sticker]
        assert kinds == [(False, False), (True, False), (False, True)]
        (forwarded,) = [m for m in small.messages if m.forward_origin]
        assert forwarded.forward_origin is not None
        assert forwarded.forward_origin.type == "user"
        clip = next(m for m in small.messages if m.animation)
        assert clip.document is not None
        assert clip.animation is not None
        data = bytes(await (await clip.animation.get_file()).download_as_bytearray())
        assert data[4:8] == b"ftyp"


async def test_an_album_comes_as_one_update_each(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    async with running(standin) as small:
        sent = await ann.send_album(standin.private(ann), [drawing(seed=n) for n in range(3)], "all three")
        await standin.wait_reply(to=sent[0])
        await standin.settle()
        assert len({m.media_group_id for m in small.messages}) == 1
        assert [m.caption for m in small.messages] == ["all three", None, None]
        assert [r.reply_to for r in standin.replies(standin.private(ann))] == [sent[0].id]


async def test_privacy_mode_shows_only_what_is_meant_for_the_bot(standin: TelegramStandin) -> None:
    group = standin.group("Fans")
    ann = member(standin, group)
    name = f"@{standin.bot_username}"
    async with running(standin) as small:
        photo = await ann.send_photo(group, drawing(), f"{name} who is it?")
        await ann.send_text(group, f"{name} hello")
        asked = await ann.send_text(group, f"/whois{name}", reply_to=photo)
        answer = await standin.wait_reply(to=asked)
        assert answer.text == "a picture"
        to_bot = await ann.send_text(group, "thank you", reply_to=answer)
        to_meant = await ann.send_text(group, "what a question", reply_to=asked)
        general = await ann.send_text(group, "/whois")
        group.other_bot_speaks()
        await ann.send_text(group, "/whois")
        await ann.send_text(group, "/whois@another_bot")
        await standin.settle()
        assert [m.message_id for m in small.messages] == [asked.id, to_bot.id, to_meant.id, general.id]
        group.promote_bot()
        plain = await ann.send_photo(group, drawing())
        await standin.wait_reply(to=plain)
        change = next(u.my_chat_member for u in small.updates if u.my_chat_member)
        assert change.new_chat_member.status == "administrator"


async def test_without_privacy_mode_and_with_mentions(standin: TelegramStandin) -> None:
    for options in ({"privacy": False}, {"mentions": True}):
        async with TelegramStandin(**options) as server:
            group = server.group("Fans")
            ann = member(server, group)
            async with running(server) as small:
                assert small.bot.bot.can_read_all_group_messages is ("privacy" in options)
                await server.wait_reply(
                    to=await ann.send_photo(group, drawing(), f"@{server.bot_username} who is it?")
                )
                await ann.send_text(group, "by the way")
                await server.settle()
                assert len(small.messages) == (2 if "privacy" in options else 1)
            assert server.violations == []


async def test_a_stuck_spinner_old_and_forged_presses(standin: TelegramStandin) -> None:
    ann, bob = standin.user("Ann"), standin.user("Bob")
    group = standin.group("Fans")
    group.add(ann)
    async with running(standin) as small:
        sent = await ann.send_photo(group, drawing(), f"/whois@{standin.bot_username}")
        reply = await standin.wait_reply(to=sent)
        with pytest.raises(StandinTimeout, match="spinner"):
            await (await bob.press_forged(reply, "silence")).answer(timeout=0.3)
        assert [p.data for p in standin.spinners] == ["silence"]
        old = await bob.press_forged(reply, "v1:wrong:1:0", old=True)
        await standin.settle()
        assert old.answers == []
        assert isinstance(small.errors[0], BadRequest)
        assert small.errors[0].message == (
            "Query is too old and response timeout expired or query id is invalid"
        )
        assert await small.bot.delete_message(group.id, reply.id)
        late = await bob.press_forged(reply, "x")
        assert (await late.answer()).text == "thanks"
        await standin.settle()
        last = small.updates[-1].callback_query
        assert last is not None
        assert last.message is not None
        assert not last.message.is_accessible


async def test_flood_limits_are_real_and_obeyed() -> None:
    async with TelegramStandin(enforce_limits=True) as server:
        ann = server.user("Ann")
        chat = server.private(ann)
        async with running(server):
            sent = [await ann.send_photo(chat, drawing(seed=n)) for n in range(2)]
            for each in sent:
                await server.wait_reply(to=each)
            calls = server.calls("sendMessage")
            assert [c.status for c in calls] == [200, 429, 200]
            assert calls[1].description == "Too Many Requests: retry after 1"
            assert calls[2].at - calls[1].at >= 1
    assert server.violations == []


async def test_limits_can_be_smaller_and_lie_by_group() -> None:
    limits = Limits(chat=(9, 1.0), group=(3, 60.0), overall=(5, 60.0))
    async with TelegramStandin(enforce_limits=limits) as server, calling(server, max_retries=0) as bot:
        group, ann = server.group("Fans"), server.user("Ann")
        await ann.start(server.private(ann))
        sent = [await bot.send_message(group.id, str(n)) for n in range(2)]
        await sent[0].edit_text("an edit counts too")
        with pytest.raises(RetryAfter) as wait:
            await bot.send_message(group.id, "too much")
        assert 55 < wait.value.retry_after.total_seconds() <= 60  # type: ignore[union-attr]
        for _ in range(2):
            await bot.send_message(ann.id, "elsewhere it is quiet")
        with pytest.raises(RetryAfter):
            await bot.send_message(ann.id, "but not everywhere")


async def test_failures_lost_answers_holds_and_dropped_connections(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    chat = standin.private(ann)
    async with running(standin) as small:
        standin.fail_next("send*", 429, retry_after=1)
        await standin.wait_reply(to=await ann.send_photo(chat, drawing()))
        first, second = standin.calls("sendMessage")
        assert (first.status, second.status) == (429, 200)
        assert second.at - first.at >= 1
        standin.fail_next("sendMessage", 502, lost=True)
        lost = await standin.wait_reply(to=await ann.send_photo(chat, drawing()))
        await standin.settle()
        assert [type(e) for e in small.errors] == [NetworkError]
        assert standin.message(lost) is not None
        with standin.hold("sendMessage") as hold:
            held = await ann.send_photo(chat, drawing())
            await standin.wait_until(lambda: hold.held == 1, what="the held call")
            assert [m.reply_to for m in standin.replies(chat)].count(held.id) == 0
        await standin.wait_reply(to=held)
        standin.files.behave("photos", Fail(503, times=1))
        await ann.send_photo(chat, drawing())
        await standin.wait_until(lambda: len(small.errors) == 2, what="the failed download")
        standin.files.behave("photos", Cut(100))
        await ann.send_photo(chat, drawing())
        await standin.wait_until(lambda: len(small.errors) == 3, what="the download cut off")
        standin.files.behave("photos", None)
        await standin.settle()
        assert standin.drop_connections() > 0
        standin.fail_next("getUpdates", 502, lost=True)
        await standin.wait_reply(to=await ann.send_photo(chat, drawing()), timeout=15)
        await standin.settle()
        assert len({u.update_id for u in small.updates}) == len(small.updates) == 6


async def test_two_pollers_are_one_too_many(standin: TelegramStandin) -> None:
    async with running(standin) as small:
        async with calling(standin) as other:
            assert await other.get_updates(timeout=0) == ()
            await standin.wait_until(
                lambda: any(isinstance(e, Conflict) for e in small.errors), what="the conflict"
            )
        assert str(small.errors[0]) == (
            "Conflict: terminated by other getUpdates request; "
            "make sure that only one bot instance is running"
        )
        await small.bot.set_webhook("http://127.0.0.1:9/hook")
        with pytest.raises(Conflict, match="webhook is active"):
            await small.bot.get_updates()
        await small.bot.delete_webhook()
        with pytest.raises(BadRequest, match="https url must be provided"):
            await small.bot.set_webhook("ftp://127.0.0.1/hook")
        await standin.wait_until(lambda: standin.updates.polling, timeout=15, what="polling again")


async def test_a_webhook_is_guarded_by_its_secret(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    async with running(standin, port=free_port()) as small:
        sent = await ann.send_text(standin.private(ann), "hello")
        await standin.settle()
        for secret in ("wrong", ""):
            assert await standin.post_webhook(sent, secret=secret) == 403
        assert await standin.post_webhook(sent) == 200
        await standin.settle()
        assert [m.text for m in small.messages] == ["hello", "hello"]
        info = await small.bot.get_webhook_info()
        assert info.last_error_message is not None
        assert info.last_error_message.startswith("Wrong response from the webhook: 403 ")
        assert info.pending_update_count == 0


async def test_a_webhook_that_is_away_gets_everything_later(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    port = free_port()
    async with calling(standin) as bot:
        await bot.set_webhook(f"http://127.0.0.1:{port}/hook", secret_token="a-secret")
        sent = await ann.send_photo(standin.private(ann), drawing())
        await standin.wait_until(lambda: len(standin.posts) >= 2, what="two tries")
        assert {p.status for p in standin.posts} == {0}
    async with running(standin, port=port):
        await standin.wait_reply(to=sent)


async def test_where_the_bot_may_not_write(standin: TelegramStandin) -> None:
    ann, bob = standin.user("Ann"), standin.user("Bob")
    basic, group = standin.group("Fans", basic=True), standin.group("More fans")
    await ann.start(standin.private(ann))
    async with calling(standin) as bot:
        for chat, error, words in (
            (bob.id, Forbidden, "can't initiate conversation with a user"),
            (-5, BadRequest, "Chat not found"),
        ):
            with pytest.raises(error, match=words):
                await bot.send_message(chat, "hi")
        ann.block_bot()
        with pytest.raises(Forbidden, match="bot was blocked by the user"):
            await bot.send_message(ann.id, "hi")
        ann.unblock_bot()
        await bot.send_message(ann.id, "hi")
        new = basic.migrate()
        with pytest.raises(ChatMigrated) as moved:
            await bot.send_message(basic.id, "hi")
        assert moved.value.new_chat_id == new.id
        await bot.send_message(new.id, "hi")
        group.kick_bot()
        with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
            await bot.send_message(group.id, "hi")
        group.add_bot()
        group.mute_bot()
        with pytest.raises(BadRequest, match="Not enough rights"):
            await bot.send_message(group.id, "hi")
        group.mute_bot(False)
        await bot.leave_chat(group.id)
        with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
            await bot.send_message(group.id, "hi")
        updates = await bot.get_updates(timeout=0)
        changes = [u.my_chat_member.new_chat_member.status for u in updates if u.my_chat_member]
        assert changes == ["kicked", "member", "kicked", "member", "left"]
        service = [u.message for u in updates if u.message and u.message.migrate_to_chat_id]
        assert [m.migrate_to_chat_id for m in service] == [new.id]


async def test_wrong_tokens_and_a_bot_that_logged_out(standin: TelegramStandin) -> None:
    for token, status in ((f"{standin.bot_id}:{'x' * 35}", 401), ("not-a-token", 404)):
        with pytest.raises(InvalidToken):
            async with calling(standin, token=token):
                pass
        assert standin.requests[-1].status == status
    async with calling(standin) as bot:
        await bot.log_out()
        with pytest.raises(BadRequest, match="Logged out"):
            await bot.get_me()


async def test_files_are_too_big_or_unknown(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    chat = standin.private(ann)
    async with calling(standin) as bot:
        await ann.send_document(chat, "big.png", drawing(), "image/png", size=20 * 2**20 + 1)
        await ann.send_document(chat, "lie.jpg", b"this is no JPEG", "image/jpeg")
        big, lie = (u.message.document for u in await bot.get_updates(timeout=0))
        with pytest.raises(BadRequest, match="File is too big"):
            await bot.get_file(big.file_id)
        with pytest.raises(BadRequest, match="Invalid file_id"):
            await bot.get_file("nothing")
        assert lie.mime_type == "image/jpeg"
        assert bytes(await (await bot.get_file(lie.file_id)).download_as_bytearray()) == b"this is no JPEG"
        assert standin.files.downloads[0].status == 200


async def test_the_same_update_can_come_twice(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    async with running(standin) as small:
        sent = await ann.send_photo(standin.private(ann), drawing())
        reply = await standin.wait_reply(to=sent)
        await standin.settle()
        await standin.redeliver(sent)
        await standin.settle()
        pressed = await ann.press(reply, "Wrong")
        await pressed.answer()
        await standin.settle()
        await standin.redeliver(pressed)
        await standin.settle()
        first, second = sorted({u.update_id for u in small.updates})
        assert [u.update_id for u in small.updates] == [first, first, second, second]
        assert len(pressed.answers) == 2
        assert standin.answers_to(sent)[0].id == reply.id
        assert len(standin.answers_to(sent)) == 2


async def test_thousands_that_waited_arrive_in_order(standin: TelegramStandin) -> None:
    await standin.pile_up(2000, age=7200)
    async with running(standin) as small:
        await standin.settle(timeout=20)
        ids = [u.update_id for u in small.updates]
        assert len(ids) == len(set(ids)) == 2000
        assert ids == sorted(ids)
        assert {m.text for m in small.messages} == {f"message {n}" for n in range(2000)}
        assert len(standin.calls("getUpdates")) >= 20


async def test_getting_updates_by_hand(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    chat = standin.private(ann)
    async with calling(standin) as bot:
        await standin.pile_up(5, chat, ann)
        assert len(await bot.get_updates(timeout=0, limit=2)) == 2
        *_, third = await bot.get_updates(timeout=0, limit=3)
        assert (await bot.get_updates(timeout=0))[2] == third
        left = await bot.get_updates(offset=third.update_id + 1, timeout=0)
        assert [u.message.text for u in left] == ["message 3", "message 4"]
        (last,) = await bot.get_updates(offset=-1, timeout=0)
        assert last == left[1]
        await bot.delete_webhook(drop_pending_updates=True)
        assert await bot.get_updates(timeout=0, allowed_updates=["callback_query"]) == ()
        sent = await ann.send_text(chat, "unasked for")
        waiting = asyncio.create_task(bot.get_updates(timeout=10))
        await standin.wait_until(lambda: standin.updates.polling, what="the long poll")
        pressed = await ann.press_forged(sent, "x")
        (update,) = await waiting
        assert update.callback_query.id == pressed.id
        with pytest.raises(AssertionError, match="never told"):
            await standin.redeliver(sent)


async def test_forwards_say_where_they_come_from(standin: TelegramStandin) -> None:
    ann, bob = standin.user("Ann"), standin.user("Bob")
    chat, group, channel = standin.private(ann), standin.group("Fans"), standin.channel("News")
    group.add(bob, anonymous=True)
    async with calling(standin) as bot:
        for message in (
            await ann.send_photo(chat, drawing(), "mine"),
            channel.post("news", drawing()),
            await bob.send_photo(group, drawing(), "as the group"),
        ):
            await ann.forward(message, chat)
        await ann.forward(await ann.send_sticker(chat, drawing()), chat, hidden=True)
        origins = [u.message.forward_origin for u in await bot.get_updates(timeout=0) if u.message]
        assert [o.type for o in origins if o] == ["user", "channel", "chat", "hidden_user"]


@pytest.mark.parametrize(
    ("marked", "text", "kinds"),
    [
        ("<b>x <i>y</i></b>", "x y", ["bold", "italic"]),
        ("a &amp; b &nbsp; &#33;", "a & b &nbsp; !", []),
        ('<a href="https://example.org/">x</a> ', "x", ["text_link"]),
        ("<blockquote expandable>钢铁侠 🦾</blockquote>", "钢铁侠 🦾", ["expandable_blockquote"]),
        (
            "<code>/whois</code> /whois @somebody",
            "/whois /whois @somebody",
            ["code", "bot_command", "mention"],
        ),
        ('<span class="tg-spoiler">x</span>', "x", ["spoiler"]),
    ],
)
def test_html_is_read_as_telegram_reads_it(marked: str, text: str, kinds: list[str]) -> None:
    plain, entities = parsed(marked, "HTML")
    assert (plain, [e["type"] for e in entities]) == (text, kinds)
    if kinds:
        assert part(plain, entities[0]) in plain
        assert entities[0]["length"] <= len(plain.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("marked", "wrong"),
    [
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("é<3", 'Unsupported start tag "3" at byte offset 2'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_html_that_telegram_does_not_read(marked: str, wrong: str) -> None:
    with pytest.raises(ApiError) as refused:
        parsed(marked, "HTML")
    assert refused.value.description == f"Bad Request: can't parse entities: {wrong}"


async def test_topics_replies_and_threads(standin: TelegramStandin) -> None:
    group, plain = standin.group("Fans", topics=True), standin.group("Plain")
    ann = member(standin, group)
    plain.add(ann)
    thread = group.topic("Marvel")
    async with calling(standin) as bot:
        asked = await ann.send_text(group, f"/whois@{standin.bot_username}", thread=thread)
        *_, update = await bot.get_updates(timeout=0)
        assert update.message.is_topic_message
        assert update.message.message_thread_id == thread
        assert update.message.reply_to_message.forum_topic_created.name == "Marvel"
        reply = await update.message.reply_text("there", do_quote=True)
        assert (reply.message_thread_id, reply.reply_to_message.message_id) == (thread, asked.id)
        with pytest.raises(BadRequest, match="Message thread not found"):
            await bot.send_message(group.id, "hi", message_thread_id=999)
        await ann.delete(asked)
        with pytest.raises(BadRequest, match="Message to be replied not found"):
            await bot.send_message(group.id, "hi", reply_parameters=ReplyParameters(asked.id))
        lenient = ReplyParameters(asked.id, allow_sending_without_reply=True)
        assert (await bot.send_message(group.id, "hi", reply_parameters=lenient)).reply_to_message is None
        # a reply in a group without topics carries a thread too
        first = await ann.send_text(plain, "/whois")
        await ann.send_text(plain, "/whois", reply_to=first)
        *_, update = await bot.get_updates(timeout=0)
        assert update.message.message_thread_id == first.id
        assert not update.message.is_topic_message


async def test_edits_deletions_channels_and_anonymous_admins(standin: TelegramStandin) -> None:
    group, channel = standin.group("Fans"), standin.channel("News")
    ann, bob = member(standin, group), standin.user("Bob")
    group.add(bob, anonymous=True)
    name = f"/whois@{standin.bot_username}"
    async with running(standin) as small:
        sent = await ann.send_text(group, name)
        await standin.wait_reply(to=sent)
        await ann.edit(sent, f"{name} again")
        await ann.delete(sent)
        hidden = await bob.send_text(group, name)
        await standin.wait_reply(to=hidden)
        post = channel.post("news", drawing())
        copied = channel.auto_forward(post, group)
        await ann.send_text(group, name, mention=bob)
        await standin.settle()
        kinds = [next(k for k in u.to_dict() if k != "update_id") for u in small.updates]
        assert kinds == ["message", "edited_message", "message", "channel_post"]
        anonymous = small.messages[1]
        assert anonymous.from_user is not None
        assert anonymous.sender_chat is not None
        assert (anonymous.from_user.id, anonymous.sender_chat.id) == (1087968824, group.id)
        assert copied.payload["is_automatic_forward"]
        admins = await small.bot.get_chat_administrators(group.id)
        assert {a.user.first_name for a in admins} == {"Bob", "owner of Fans"}
        assert (await small.bot.get_chat_member(group.id, ann.id)).status == "member"
        assert (await small.bot.get_chat(group.id)).title == "Fans"


async def test_what_telegram_refuses_in_messages(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    sent = await ann.start(standin.private(ann))
    async with calling(standin) as bot:
        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data="é" * 32)]])
        made = await bot.send_message(ann.id, "a <b>bold</b> é&lt;", parse_mode="HTML", reply_markup=keyboard)
        assert made.text_html == "a <b>bold</b> é&lt;"
        too_long = [[InlineKeyboardButton("x", callback_data="é" * 32 + "x")]]
        refusals: list[tuple[str, dict[str, Any]]] = [
            ("Message text is empty", {"text": " "}),
            ("Message is too long", {"text": "x" * 4097}),
            ("Button_data_invalid", {"text": "x", "reply_markup": InlineKeyboardMarkup(too_long)}),
            ('Unsupported start tag "p" at byte offset 3', {"text": "é <p>", "parse_mode": "HTML"}),
            ('Can\'t find end tag corresponding to start tag "b"', {"text": "<b>x", "parse_mode": "HTML"}),
            ('expected "</b>", found "</i>"', {"text": "<b>x</i>", "parse_mode": "HTML"}),
        ]
        for words, call in refusals:
            with pytest.raises(BadRequest) as refused:
                await bot.send_message(ann.id, **call)
            assert words.lower() in refused.value.message.lower()
        with pytest.raises(BadRequest, match="Message is not modified: specified new message content"):
            await made.edit_text("a <b>bold</b> é&lt;", parse_mode="HTML", reply_markup=keyboard)
        await made.edit_reply_markup(None)
        with pytest.raises(BadRequest, match="Message is not modified"):
            await made.edit_reply_markup(None)
        with pytest.raises(BadRequest, match="Message can't be edited"):
            await bot.edit_message_text("x", ann.id, sent.id)
        await made.delete()
        with pytest.raises(BadRequest, match="Message to edit not found"):
            await made.edit_text("x")
        with pytest.raises(BadRequest, match="Message to delete not found"):
            await made.delete()
        with pytest.raises(BadRequest, match="Query is too old"):
            await bot.answer_callback_query("1")
        photo = await bot.send_photo(ann.id, drawing(), caption="this one", disable_notification=True)
        assert standin.replies(standin.private(ann))[-1].silent
        assert len(photo.photo) == 2
        with pytest.raises(BadRequest, match="There is no text in the message to edit"):
            await photo.edit_text("x")
        await photo.edit_caption("that one")
        await photo.set_reaction("👍")
        await bot.send_chat_action(ann.id, "typing")
        with pytest.raises(BadRequest, match="Image_process_failed"):
            await bot.send_photo(ann.id, b"no picture")


async def test_inline_search_with_pages(standin: TelegramStandin) -> None:
    ann = standin.user("Ann")
    group = standin.group("Fans")
    group.add(ann)
    async with running(standin) as small:
        answer = await ann.inline("")
        assert [r.title for r in answer.results] == ["Loki", "Thor"]
        assert (answer.next_offset, answer.cache_time) == ("2", 0)
        more = await ann.inline("", answer.next_offset)
        assert [(r.id, r.text) for r in more.results] == [("thanos", "It is Thanos.")]
        chosen = await ann.choose(more, "Thanos", group)
        assert chosen.payload["via_bot"]["id"] == standin.bot_id
        await standin.settle()
        assert small.messages[-1].text == "It is Thanos."
        assert any(u.chosen_inline_result for u in small.updates)
        with pytest.raises(StandinTimeout, match="offers"):
            await ann.inline("", old=True, timeout=0.2)


async def test_commands_by_language_and_scope(standin: TelegramStandin) -> None:
    async with calling(standin) as bot:
        await bot.set_my_commands([("whois", "Who is it?")])
        await bot.set_my_commands([("whois", "这是谁?")], language_code="zh")
        await bot.set_my_description("Names characters", language_code="en")
        assert {k: v[0]["description"] for k, v in standin.commands.items()} == {
            ("default", ""): "Who is it?",
            ("default", "zh"): "这是谁?",
        }
        assert (await bot.get_my_commands(language_code="zh"))[0].description == "这是谁?"
        assert (await bot.get_my_description("en")).description == "Names characters"
        with pytest.raises(BadRequest, match="Bot_command_invalid"):
            await bot.set_my_commands([("Who", "x")])


async def test_every_call_and_payload_is_checked() -> None:
    if TelegramSpec.at_hand() is None:
        pytest.skip("WHOSTHAT_SPECS is not set")
    async with TelegramStandin() as server:
        ann = server.user("Ann")
        await ann.start(server.private(ann))
        async with aiohttp.ClientSession(f"{server.base_url}{server.token}/") as http:
            sent = {"chat_id": ann.id, "text": "x", "colour": "red"}
            for method, body, status in (
                ("sendmessage", sent, 200),
                ("setMyCommands", {"commands": [{"command": "x"}]}, 400),
                ("sendPoll", {"chat_id": ann.id, "question": "?", "options": []}, 501),
                ("sendLove", {}, 404),
            ):
                async with http.post(method, json=body) as answer:
                    assert answer.status == status
        server.world.emit("message", {"message_id": "1", "chat": server.private(ann).state.payload()})
        assert server.violations == [
            "sendMessage: no field 'colour'",
            "setMyCommands.commands[0]: 'description' is missing",
            "sendPoll: the stand-in cannot do this",
            "sendLove: no such method",
            "Update.message.message_id: '1' is no Integer",
            "Update.message: 'date' is missing",
        ]

"""Hard days on Telegram: kills, floods, strangers, people who leave, a downtime."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from pathlib import Path

import aiohttp

from tests.e2e.running import VOTES, running_bot, start_bot, telegram_settings, until
from tests.e2e.telegram_scene import scene, toast
from tests.standins.drawings import drawing
from tests.standins.telegram import TelegramStandin


async def test_keyboards_and_questions_work_after_kill_and_restart(tmp_path: Path, bundle: Path) -> None:
    async with TelegramStandin() as telegram:
        ann, settings = telegram.user("Ann"), telegram_settings(telegram)
        chat = telegram.private(ann)
        bot = await start_bot(tmp_path, bundle, **settings)
        await telegram.wait_ready()
        sent = await ann.send_photo(chat, drawing("orange"))
        reply = await telegram.wait_reply(to=sent)
        await toast(await ann.press(reply, f"v1:wrong:{reply.buttons[0].data.split(':')[2]}:"))
        await telegram.wait_edit(reply)
        await toast(await ann.press(reply, "Someone else…"))
        question = (await telegram.wait_messages(chat, 2))[-1]
        family = bot.family()
        await bot.kill()
        await until(lambda: not any(each.is_running() for each in family))
        early = await ann.send_photo(chat, drawing("green"))
        async with running_bot(tmp_path, bundle, **settings) as bot:
            assert "Hulk" in (await telegram.wait_reply(to=early)).text
            found = await telegram.wait_reply(to=await ann.send_text(chat, "spidey", reply_to=question))
            assert found.buttons[0].label == "Spider-Man"
            assert "Spider-Man" in await toast(await ann.press(found, "Spider-Man"))
            assert await toast(await ann.press(reply, "Right")) == "Changed: you say Iron Man now."
            await telegram.redeliver(sent)  # before the kill it was answered
            await telegram.settle()
            assert [slug for (slug,) in bot.rows(VOTES)] == ["iron-man"]
            assert len(telegram.answers_to(sent)) == 1
        assert telegram.violations == []
        assert telegram.spinners == []


async def test_trouble_is_waited_out_and_nobody_who_left_is_missed(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        reply = await s.ask("red")
        for data in (
            "v1:drop:1:",
            "v1:right:999999:",
            "v1:is:1:no-such-hero",
            "v1:set:0:watched=all",
            "x" * 64,
        ):
            said = await toast(await s.ann.press_forged(reply, data))
            assert said.startswith(("I do not know that button", "That picture is not here")), data
        s.telegram.fail_next("sendMessage", 429, retry_after=1)
        s.telegram.fail_next("getFile", 502)
        s.telegram.fail_next("answerCallbackQuery", 0)
        s.telegram.fail_next("getUpdates", 500)
        assert "Hulk" in (await s.ask("green")).text
        await toast(await s.ann.press(reply, "Right"))
        late = await s.ann.press(reply, "Wrong", old=True)
        await s.shows(reply, "Someone else…")
        s.telegram.questions.presses.pop(late.id)  # nobody waits for that one any more
        bob = s.telegram.user("Bob")
        theirs = s.telegram.private(bob)
        with s.telegram.hold("getFile") as held:
            await bob.send_photo(theirs, drawing("blue"))
            gone = await s.ann.send_photo(s.group, drawing("blue", seed=1), "/whois")
            await s.telegram.wait_until(lambda: held.held == 2)
            bob.block_bot()
            s.group.kick_bot()
        assert "Thanos" in (await s.ask("purple")).text
        assert s.telegram.replies(theirs) == s.telegram.answers_to(gone) == []
        # another program with the same token is said once, and outlived
        async with asyncio.TaskGroup() as group:
            other = group.create_task(_poll_too(s.telegram))
            await s.bot.line("^Telegram: another program takes updates with the same token")
            other.cancel()
        assert "Hulk" in (await s.ask("green", seed=1)).text


async def _poll_too(telegram: TelegramStandin) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{telegram.base_url}{telegram.token}/getUpdates?timeout=1") as answer:
                await answer.read()


async def test_a_wrong_token_is_one_sentence_and_the_page_goes_on(tmp_path: Path, bundle: Path) -> None:
    async with TelegramStandin() as telegram:
        settings = telegram_settings(telegram) | {"TELEGRAM_TOKEN": f"123:{'x' * 35}"}
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await bot.line(r"^Telegram: off, the token was refused")
            assert (await bot.url()).startswith("http://127.0.0.1:")
        assert "Traceback" not in bot.output
        assert "x" * 35 not in bot.output


async def test_updates_by_webhook_with_its_secret(tmp_path: Path, bundle: Path) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hook = {
        "WHOSTHAT_TELEGRAM__MODE": "webhook",
        "WHOSTHAT_TELEGRAM__WEBHOOK_URL": f"http://127.0.0.1:{port}/telegram/hook",
        "WHOSTHAT_TELEGRAM__WEBHOOK_PORT": str(port),
    }
    async with scene(tmp_path, bundle, **hook) as s:
        await s.bot.line(r"^Telegram: updates come to http://127\.0\.0\.1")
        sent = await s.ann.send_photo(s.private, drawing("red"))
        reply = await s.telegram.wait_reply(to=sent)
        assert "Thank you" in await toast(await s.ann.press(reply, "Right"))
        for wrong in ("", "guess", "\xe9"):
            assert await s.telegram.post_webhook(sent, secret=wrong) == 403
        assert await s.telegram.post_webhook(sent) == 200
        album = await s.ann.send_album(s.private, [drawing("green"), drawing("blue")])
        assert "Picture 2" in (await s.telegram.wait_reply(to=album[0])).text
        await s.telegram.settle()
        assert len(s.telegram.answers_to(sent)) == 1


async def test_two_thousand_updates_after_a_downtime(tmp_path: Path, bundle: Path) -> None:
    async with TelegramStandin() as telegram:
        ann, settings = telegram.user("Ann"), telegram_settings(telegram)
        chat = telegram.private(ann)
        async with running_bot(tmp_path, bundle, **settings):
            await telegram.wait_ready()
            reply = await telegram.wait_reply(to=await ann.send_photo(chat, drawing("red")))
        await telegram.pile_up(190, chat, ann, pictures=[drawing("green")], age=3600)
        await telegram.pile_up(1500, chat, ann)
        pictures = await telegram.pile_up(290, chat, ann, pictures=[drawing("green"), drawing("blue")])
        presses = [await ann.press(reply, "Right", old=True) for _ in range(9)]
        bob = telegram.user("Bob")
        asked = await bob.send_photo(telegram.private(bob), drawing("purple"))
        clicked = await ann.press(reply, "Right")
        async with running_bot(tmp_path, bundle, **settings) as bot:
            async with asyncio.timeout(20):  # twenty requests, each of which clicks are waited for
                assert "You have said so already" in (await clicked.answer(timeout=20)).text
                assert "Thanos" in (await telegram.wait_reply(to=asked, timeout=20)).text
            # Twenty pictures a minute are looked at, and Ann is told so once.
            await telegram.wait_until(
                lambda: sum(bool(telegram.answers_to(each)) for each in pictures) >= 21, timeout=60
            )
            assert all(len(telegram.answers_to(each)) <= 1 for each in pictures)
            assert [slug for (slug,) in bot.rows(VOTES)] == ["iron-man"]
            assert "Traceback" not in bot.output
        assert all(not each.answers for each in presses)
        assert telegram.violations == []

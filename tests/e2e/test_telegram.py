"""The real bot against Telegram's stand-in: what people do and what they read."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.telegram_scene import scene, toast
from tests.standins.drawings import drawing
from tests.standins.telegram import MessageSnapshot


async def test_photo_answer_wrong_pick_and_it_is_stored(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await s.bot.line(r"^Telegram: on as @whosthat_test_bot$")
        reply = await s.ask("red")
        assert "That is Iron Man, 99% sure." in reply.text
        assert "██████████ Iron Man 99%" in reply.text
        assert reply.rows[:-1] == [["Right", "Wrong", "Why?"]]
        assert await toast(await s.ann.press(reply, "Wrong")) == ""
        opened = await s.shows(reply, "Someone else…")
        assert opened.rows[0] == ["Right", "Wrong", "Why?"]
        assert await toast(await s.ann.press(reply, "Spider-Man")) == "Thank you, noted: Spider-Man."
        assert s.votes() == ["spider-man"]
        closed = await s.shows(reply, "Wrong · 1")
        assert closed.rows[:-1] == [["Right", "Wrong · 1", "Undo", "Why?"]]
        assert closed.text == reply.text
        assert await toast(await s.ann.press(reply, "Undo")) == "Taken back."
        assert s.votes() == []


async def test_every_kind_of_picture(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        wait, chat = s.telegram.wait_reply, s.private
        album = await s.ann.send_album(chat, [drawing(each) for each in ("red", "green", "grey")])
        answer = await wait(to=album[0])
        assert "Picture 1: That is Iron Man" in answer.text
        assert "Picture 2: That is Hulk" in answer.text
        assert "Picture 3: Nobody I know." in answer.text
        assert answer.rows[1] == ["2 · Right", "2 · Wrong", "2 · Why?"]
        assert len(s.telegram.replies(chat)) == 1
        file = await s.ann.send_document(chat, "a.png", drawing("blue"), "image/png")
        assert "Captain America" in (await wait(to=file)).text
        lying = await s.ann.send_document(chat, "a.jpg", b"I am no JPEG" * 50, "image/jpeg")
        assert (await wait(to=lying)).text.startswith("That is not a picture I can read")
        large = await s.ann.send_document(chat, "a.png", drawing("blue"), "image/png", size=21 << 20)
        assert (await wait(to=large)).text == "That file is too large: 20 MB is all I take."
        for kind in ("static", "animated", "video"):
            sticker = await s.ann.send_sticker(chat, drawing("green", seed=len(kind)), kind)
            assert "Hulk" in (await wait(to=sticker)).text, kind
        gif = await s.ann.send_animation(chat, drawing("purple"))
        assert "Thanos" in (await wait(to=gif)).text
        video = await s.ann.send_video(chat, drawing("purple", seed=1), size=500 << 20)
        assert "Thanos" in (await wait(to=video)).text
        forwarded = await s.ann.forward(file, chat, hidden=True)
        assert "Captain America" in (await wait(to=forwarded)).text


async def test_a_group_in_privacy_mode(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await s.bot.line("privacy mode is on")
        bob = s.telegram.user("Bob")
        s.group.add(bob)
        posted = await bob.send_photo(s.group, drawing("red"))
        asked = await s.ann.send_text(s.group, "/whois", reply_to=posted)
        reply = await s.telegram.wait_reply(to=posted)
        assert "Iron Man" in reply.text
        assert reply.silent
        again = await s.ann.send_text(s.group, "/whois@whosthat_test_bot", reply_to=posted)
        pointed = await s.telegram.wait_reply(to=reply)
        assert pointed.text == f"I have answered that picture already: https://t.me/c/{_short(reply)}"
        assert s.telegram.answers_to(asked) == s.telegram.answers_to(again) == []
        below = await bob.send_photo(s.group, drawing("green"), reply_to=reply)
        assert "Hulk" in (await s.telegram.wait_reply(to=below)).text
        captioned = await s.whois("grey")
        assert "Nobody I know." in captioned.text
        empty = await s.ann.send_text(s.group, "/whois")
        assert "no picture" in (await s.telegram.wait_reply(to=empty)).text
        # everybody's clicks are votes of their own, and no keyboard is taken from anybody
        await toast(await s.ann.press(reply, "Wrong"))
        await s.shows(reply, "Someone else…")
        assert await toast(await bob.press(reply, "Right")) == "Thank you, noted: Iron Man it is."
        still = await s.shows(reply, "Right · 1")
        assert "Someone else…" in str(still.rows)
        await toast(await s.ann.press(reply, "Spider-Man"))
        assert (await s.shows(reply, "Wrong · 1")).rows[:-1] == [["Right · 1", "Wrong · 1", "Undo", "Why?"]]
        assert s.votes() == ["iron-man", "spider-man"]
        nothing = await toast(await s.telegram.user("Eve").press(reply, "Undo"))
        assert nothing == "There is nothing to take back."


def _short(message: MessageSnapshot) -> str:
    return f"{str(message.chat_id).removeprefix('-100')}/{message.id}"


async def test_setup_topics_and_a_group_that_moves(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, {"privacy": False}) as s:
        boss = s.group.owner
        refused = await s.telegram.wait_reply(to=await s.ann.send_text(s.group, "/setup"))
        assert refused.text == "Only admins of this group can choose how I behave here."
        assert refused.rows == []
        panel = await s.telegram.wait_reply(to=await boss.send_text(s.group, "/setup"))
        assert await toast(await s.ann.press(panel, "Every picture")) == refused.text
        unasked = await s.ann.send_photo(s.group, drawing("red", seed=9))
        assert await toast(await boss.press(panel, "Every picture")) == "Noted."
        await s.shows(panel, "✓ Every picture")
        posted = await s.ann.send_photo(s.group, drawing("red"))
        assert "Iron Man" in (await s.telegram.wait_reply(to=posted)).text
        assert s.telegram.answers_to(unasked) == []
        await toast(await boss.press(panel, "Chinese (中文)"))
        await s.shows(panel, "✓ Chinese (中文)")

        forum = s.telegram.group("Topics", topics=True)
        forum.add(s.ann)
        topic = forum.topic("Pictures")
        inside = await s.ann.send_photo(forum, drawing("green"), "/whois", thread=topic)
        reply = await s.telegram.wait_reply(to=inside)
        assert reply.thread == topic
        assert "Thank you" in await toast(await s.ann.press(reply, "Right"))

        small = s.telegram.group("Small", basic=True)
        small.add(s.ann)
        panel = await s.telegram.wait_reply(to=await small.owner.send_text(small, "/setup"))
        await toast(await small.owner.press(panel, "Every picture"))
        with s.telegram.hold("getFile") as held:
            late = await s.ann.send_photo(small, drawing("blue"))
            await s.telegram.wait_until(lambda: held.held > 0)
            large = small.migrate()
        moved = (await s.telegram.wait_messages(large))[0]
        assert "Captain America" in moved.text
        assert "Thank you" in await toast(await s.ann.press(moved, "Right"))
        assert s.telegram.answers_to(late) == []
        unasked = await s.ann.send_photo(large, drawing("purple"))
        assert "Thanos" in (await s.telegram.wait_reply(to=unasked)).text
        assert s.votes() == ["hulk", "captain-america"]


async def test_somebody_who_reads_chinese_is_answered_in_chinese(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, language="zh-hans") as s:
        reply = await s.ask("red")
        assert "钢铁侠" in reply.text
        assert "Iron Man" not in reply.text
        right, wrong, _ = reply.rows[0]
        assert "谢谢" in await toast(await s.ann.press(reply, right))
        await s.shows(reply, f"{right} · 1")
        await toast(await s.ann.press(reply, wrong))
        assert "蜘蛛侠" in str((await s.shows(reply, "蜘蛛侠")).rows)
        helped = await s.telegram.wait_reply(to=await s.ann.start(s.private))
        assert "漫威" in helped.text
        commands = s.telegram.commands
        assert [each["command"] for each in commands["all_chat_administrators", "zh"]][-1] == "setup"
        assert "图" in commands["default", "zh"][0]["description"]
        assert commands["default", ""][0]["description"].startswith("Who is in this picture?")

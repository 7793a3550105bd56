"""The real bot against Discord's stand-in: more ways to ask, servers that choose, commands, bad input."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e.running import discord_settings, running_bot, until
from tests.e2e.test_discord import Scene, scene
from tests.standins.discord import DiscordStandin, Slow
from tests.standins.discord.people import Channel, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing

SYNC = "/applications/{application_id}/commands"
MESSAGES = "/channels/{channel_id}/messages"
UNWATCHED = {"WHOSTHAT_DISCORD__AUTO_CHANNELS": "[]"}
POSTERS = "SELECT count(DISTINCT person_id) FROM posts"


async def post_old(s: Scene, colour: str, *, seed: int = 0, who: User | None = None) -> int:
    """A picture from three days ago."""
    files = [("picture.png", drawing(colour, seed=seed))]
    then = datetime.now(UTC) - timedelta(days=3, seconds=-seed)
    return await (who or s.ann).post(s.channel, files=files, timestamp=then)


async def test_a_magnifying_glass_asks_about_an_older_picture(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **UNWATCHED) as s:
        bob, cleo, robot = s.guild.member("bob"), s.guild.member("cleo"), s.guild.member("robot", bot=True)
        words, posted = await s.ann.post(s.channel, "just words"), await post_old(s, "red")
        await bob.react(posted, "👍")
        await robot.react(posted, "🔎")
        await bob.react(words, "🔎")
        await s.discord.settle()
        assert s.discord.replies(s.channel) == []

        await bob.react(posted, "🔎")
        await bob.react(posted, "🔎", again=True)
        reply = await s.discord.wait_reply(to=posted)
        assert "**Iron Man**" in reply.content
        await s.discord.settle()
        assert len(s.discord.replies(s.channel)) == 1

        await cleo.react(posted, "🔍")  # whoever asks reads where the answer is, the first one does
        pointer = (await s.discord.wait_messages(s.channel, 2))[1]
        assert "answered that picture already" in pointer.content
        assert str(reply.id) in pointer.content
        await s.ann.react(posted, "🔎")
        await s.discord.settle()
        assert len(s.discord.replies(s.channel)) == 2

        private = s.discord.dm(s.ann)
        sent = await s.ann.post(private, files=[("a.txt", b"words")], announce=False)
        await s.ann.react(sent, "🔎")
        sent = await s.ann.post(private, files=[("a.png", drawing("green"))], announce=False)
        await s.ann.react(sent, "🔎")
        assert "**Hulk**" in (await s.discord.wait_reply(to=sent)).content
        closed = s.guild.text_channel("closed")
        files = [("a.png", drawing("blue"))]
        earlier = await s.ann.post(closed, files=files, announce=False)
        closed.deny_bot("read_message_history")
        for who in (bob, cleo):
            await who.react(earlier, "🔎")
        asked = await s.ann.post(closed, mention_bot=True, files=files)
        said = [each.content for each in await s.discord.wait_messages(closed, 2)]
        assert sum("I may not read older messages" in each for each in said) == 1
        assert sum("**Captain America**" in each for each in said) == 1  # said, though not as a reply
        assert asked in s.discord.world.messages[closed.id]

        await s.ann.delete(posted)  # the answer goes with the picture, whoever asked
        await s.discord.wait_deleted(reply)


async def test_reacting_counts_against_whoever_reacts(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **UNWATCHED, WHOSTHAT_LIMITS__PERSON_PER_MINUTE="2") as s:
        bob = s.guild.member("bob")
        posted = [await post_old(s, "red", seed=seed) for seed in range(4)]
        for each in posted:
            await bob.react(each, "🔎")
        said = [each.content for each in await s.discord.wait_messages(s.channel, 3)]
        assert sum("**Iron Man**" in each for each in said) == 2
        assert sum("That is a lot of pictures" in each for each in said) == 1
        await s.discord.settle()
        assert len(s.discord.replies(s.channel)) == 3  # being told once is enough
        asked = await s.ann.post(s.channel, mention_bot=True, files=[("a.png", drawing("green"))])
        assert "**Hulk**" in (await s.discord.wait_reply(to=asked)).content  # ann has not asked yet
        assert s.bot.rows(POSTERS) == [(1,)]  # all are ann's pictures


async def test_a_reply_that_mentions_asks_about_what_it_replies_to(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **UNWATCHED) as s:
        bob = s.guild.member("bob")
        posted = await post_old(s, "blue")
        ping = await bob.post(s.channel, "nice one", reply_to=posted)
        asked = await bob.post(s.channel, "who is that?", reply_to=posted, mention_bot=True)
        reply = await s.discord.wait_reply(to=asked)
        assert "**Captain America**" in reply.content
        again = await s.ann.post(s.channel, reply_to=posted, mention_bot=True)
        assert str(reply.id) in (await s.discord.wait_reply(to=again)).content
        right = await (await bob.click(reply, "Right")).response()
        assert "Thank you" in right.message.content
        assert s.bot.rows(POSTERS) == [(1,)]

        wordy = await bob.post(s.channel, reply_to=ping, mention_bot=True)
        assert "no picture" in (await s.discord.wait_reply(to=wordy)).content
        gone = await post_old(s, "green")
        late = await bob.post(s.channel, reply_to=gone, mention_bot=True, announce=False)
        await s.ann.delete(gone)
        await s.discord.redeliver(late)
        assert "is gone" in (await s.discord.wait_reply(to=late)).content

        forwarded = await bob.forward(await post_old(s, "purple"), s.discord.dm(bob))
        assert "**Thanos**" in (await s.discord.wait_reply(to=forwarded)).content
        menu = await bob.message_command(s.channel, "Who is this?", await bob.forward(posted, s.channel))
        assert "**Captain America**" in (await menu.original()).content


async def test_what_discord_hides_is_said_to_be_hidden(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, message_content=False) as s:
        bob, boss = (
            s.guild.member("bob"),
            s.guild.member("boss", roles=[s.guild.role("boss", "manage_guild")]),
        )
        posted = await post_old(s, "red")
        await bob.react(posted, "🔎")
        assert "Apps → “Who is this?”" in (await s.discord.wait_reply(to=posted)).content
        await bob.react(await post_old(s, "green", seed=1), "🔎")
        asked = await bob.post(s.channel, reply_to=posted, mention_bot=True)
        assert "does not show me that message" in (await s.discord.wait_reply(to=asked)).content
        assert len(s.discord.replies(s.channel)) == 2  # the second reaction was not told again
        menu = await bob.message_command(s.channel, "Who is this?", posted)
        assert "**Iron Man**" in (await menu.original()).content
        opened = await (await boss.slash(s.channel, "setup")).response()
        assert "switch on the message-content intent" in opened.message.content


async def test_undo_mycorrections_and_about(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        nothing = await (await s.ann.slash(s.channel, "undo")).response()
        assert nothing.ephemeral
        assert "nothing to take back" in nothing.message.content
        empty = await (await s.ann.slash(s.channel, "mycorrections")).response()
        assert "not said anything" in empty.message.content
        about = (await (await s.ann.slash(s.channel, "about")).response()).message.content
        assert "fictional characters only" in about
        assert "Developer-Policy" in about
        assert "24 hours" in about

        replies = [await s.ask("red", seed=seed) for seed in range(7)]
        for reply in replies:
            await (await s.ann.click(reply, "Right")).response()
        wrong = await (await s.ann.click(replies[-1], "Wrong")).response()
        await (await s.ann.click(wrong.message, "Nobody on the list")).response()
        assert s.votes() == ["iron-man"] * 6 + [None]
        about = (await (await s.ann.slash(s.channel, "about")).response()).message.content
        assert "the model tiny" in about

        listed = (await (await s.ann.slash(s.channel, "mycorrections")).response()).message
        lines = listed.content.splitlines()
        assert lines[1].startswith("1. You said nobody on the list, I had said **Iron Man** · <t:")
        assert f"https://discord.com/channels/{s.guild.id}/{s.channel.id}/" in lines[1]
        assert [b.label for b in listed.buttons] == [*(f"Undo {n}" for n in range(1, 6)), "Older"]
        assert all(len(b.custom_id.encode()) <= 64 for b in listed.buttons)
        older = (await (await s.ann.click(listed, "Older")).response()).message
        assert [b.label for b in older.buttons] == ["Undo 1", "Undo 2", "Newest"]
        less = (await (await s.ann.click(older, "Undo 2")).response()).message
        assert less.content.startswith("Taken back.")
        assert [b.label for b in less.buttons] == ["Undo 1", "Newest"]
        shown = await s.discord.wait_edit(replies[0], edits=2)
        assert [b.label for b in shown.buttons] == ["Right", "Wrong", "Why?"]
        newest = (await (await s.ann.click(less, "Newest")).response()).message
        assert newest.content.splitlines()[1] == lines[1]

        called = await s.ann.slash(s.channel, "undo")
        undone = await called.response()
        assert "what you said before holds again: **Iron Man**" in undone.message.content
        await s.discord.redeliver(called)
        await s.discord.settle()
        assert s.votes() == ["iron-man"] * 6  # a second delivery undid nothing more
        await s.ann.delete(s.discord.resolve(replies[-1]).id)
        others = await (await s.guild.member("bob").slash(s.channel, "mycorrections")).response()
        assert "not said anything" in others.message.content


async def choose(s: Scene, who: User, panel: MessageSnapshot, slot: str, *values: str) -> MessageSnapshot:
    """Use one control of the panel; the panel as it is then."""
    custom_id = f"v1:set:0:{slot}"
    sent = await (who.select(panel, custom_id, values) if values else who.click(panel, custom_id))
    answer = await sent.response()
    assert answer.kind == "update"
    return answer.message


async def is_left_alone(s: Scene, channel: Channel, colour: str, seed: int) -> bool:
    posted = await s.ann.post(channel, files=[("a.png", drawing(colour, seed=seed))])
    asked = await s.ann.post(channel, mention_bot=True, files=[("b.png", drawing("green", seed=seed))])
    await s.discord.wait_reply(to=asked)
    if colour == "grey":  # it was looked at, so what is said of it depends on the model's speed too
        await until(lambda: s.bot.rows("SELECT count(*) FROM predictions WHERE verdict = 'nobody'") == [(1,)])
    await s.discord.settle()
    return all(each.reference != posted for each in s.discord.replies(channel))


async def answer_in(s: Scene, channel: Channel, colour: str, seed: int) -> MessageSnapshot:
    posted = await s.ann.post(channel, files=[("a.png", drawing(colour, seed=seed))])
    return await s.discord.wait_reply(to=posted)


async def test_a_server_sets_itself_up_in_chat(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **UNWATCHED) as s:
        mods, manage = s.guild.role("mods"), s.guild.role("boss", "manage_guild")
        boss, other = s.guild.member("boss", roles=[manage]), s.guild.text_channel("other")
        answer = await (await s.ann.slash(s.channel, "setup")).response()
        assert answer.ephemeral
        assert "Only those who may manage this server" in answer.message.content
        await s.bot.line("may not manage a server")
        private = await (await boss.slash(s.discord.dm(boss), "setup")).response()
        assert "Settings are for servers" in private.message.content

        opened = await (await boss.slash(s.channel, "setup")).response()
        assert opened.ephemeral
        panel = opened.message
        assert "answered in: no channel (as the operator set it)" in panel.content
        assert "in a minute: 20 (as the operator set it)" in panel.content
        assert await is_left_alone(s, s.channel, "red", 1)
        panel = await choose(s, boss, panel, "channels", str(s.channel.id))
        assert f"answered in: <#{s.channel.id}> (chosen here)" in panel.content
        assert "**Iron Man**" in (await answer_in(s, s.channel, "red", 2)).content
        assert await is_left_alone(s, other, "red", 3)
        assert await is_left_alone(s, s.channel, "grey", 4)
        panel = await choose(s, boss, panel, "chatty")
        assert "I say so (chosen here)" in panel.content
        assert "Nobody I know." in (await answer_in(s, s.channel, "grey", 5)).content
        panel = await choose(s, boss, panel, "watch-all")
        assert "**Iron Man**" in (await answer_in(s, other, "red", 6)).content
        panel = await choose(s, boss, panel, "roles", str(mods))
        assert f"<@&{mods}>" in panel.content
        panel = await choose(s, boss, panel, "language", "zh-CN")
        assert "Chinese (中文) (chosen here)" in panel.content
        assert "钢铁侠" in (await s.ask("red", seed=7)).content
        panel = await choose(s, boss, panel, "limit", "1")
        bob = s.guild.member("bob")
        assert "钢铁侠" in (await s.discord.wait_reply(to=await s.post("red", seed=8, who=bob))).content
        told = await s.discord.wait_reply(to=await s.post("red", seed=9, who=bob))
        assert told.buttons == ()
        other.deny_bot("send_messages")
        panel = await choose(s, boss, panel, "channels", str(other.id))
        assert f"not allowed to read or write in <#{other.id}>" in panel.content
        panel = await choose(s, boss, panel, "watch-operator")
        assert "no channel (as the operator set it)" in panel.content

        stolen = await (await s.ann.forge(told, "v1:set:0:watch-none")).response()
        assert "do not know that button" in stolen.message.content
        s.discord.world.remove_member_role(s.guild.id, boss.id, manage)
        late = await (await boss.click(panel, "v1:set:0:watch-none")).response()
        assert "Only those who may manage this server" in late.message.content
        decided = s.bot.rows("SELECT count(*) FROM decisions WHERE action = 'settings'")
        assert decided == [(8,)]
        stored = s.bot.rows("SELECT watched, chatty, person_per_minute FROM community_settings")
        assert stored == [(None, 1, 1)]


async def test_two_languages_at_once(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        mei = s.guild.member("mei", locale="zh-CN")
        whois = await mei.slash(s.channel, "whois", {"picture": ("a.png", drawing("red"))})
        answer = await whois.original()
        assert "钢铁侠" in answer.content
        labels = [button.label for button in answer.buttons]
        thanks = await (await s.ann.click(answer, labels[0])).response()
        assert "Thank you, noted: **Iron Man** it is." in thanks.message.content
        shown = await s.discord.wait_edit(answer, edits=2)  # one filled the answer in, one counts
        assert [button.label for button in shown.buttons] == [f"{labels[0]} · 1", *labels[1:]]
        other = s.guild.text_channel("other")
        forwarded = await s.ann.forward(await s.post("green"), other)
        assert "**Hulk**" in (await s.discord.wait_reply(to=forwarded)).content
        for command in ("help", "about", "mycorrections", "undo", "setup"):
            said = await (await mei.slash(s.channel, command)).response()
            assert any("\u4e00" <= letter <= "\u9fff" for letter in said.message.content), command
        known = {each["name"]: each for each in s.discord.registered_commands}
        assert known["undo"]["description_localizations"]["zh-CN"] == "撤回你最后说的那一次"
        assert known["Who is this?"]["name_localizations"]["zh-CN"] == "这是谁？"
        assert known["whois"]["options"][0]["description_localizations"]["zh-CN"] == "要看的图片"
        assert known["setup"]["default_member_permissions"] == 1 << 5


async def test_commands_are_written_only_when_they_changed(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        discord.fail_next("GET", SYNC, status=503)
        settings = discord_settings(discord)
        async with running_bot(tmp_path, bundle, **settings):
            await discord.wait_ready()
            await discord.wait_command("about", channel, timeout=20)
        reads = len(discord.calls("GET", SYNC))
        async with running_bot(tmp_path, bundle, **settings):
            await discord.wait_ready(identifies=2)
            await discord.wait_until(lambda: len(discord.calls("GET", SYNC)) == reads + 1)
            await (await ann.slash(channel, "help")).response()
            await discord.settle()
            assert len(discord.calls("PUT", SYNC)) == 1

            posted = await ann.post(channel, files=[("a.png", drawing("red"))])
            first = await discord.wait_reply(to=posted)
            discord.gateway.invalidate(resumable=False)
            old = datetime.now(UTC) - timedelta(minutes=11)
            await ann.post(channel, files=[("b.png", drawing("red", seed=2))], timestamp=old)
            await discord.wait_ready(identifies=3)
            await discord.redeliver(posted)
            after = await ann.post(channel, files=[("c.png", drawing("green"))])
            reply = await discord.wait_reply(to=after)
            await discord.settle()
            assert [each.id for each in discord.replies(channel)] == [first.id, reply.id]
            assert len(discord.calls("PUT", SYNC)) == 1
        next(iter(discord.world.commands.values())).popitem()
        async with running_bot(tmp_path, bundle, **settings):
            await discord.wait_until(lambda: len(discord.calls("PUT", SYNC)) == 2)
        assert discord.violations == []


async def test_bad_input_is_answered_or_left_alone_and_never_sticks(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin(enforce_deadlines=True) as discord:
        guild = discord.guild("Fans")
        channel, ann, bob = guild.text_channel("pictures"), guild.member("ann"), guild.member("bob")
        async with running_bot(tmp_path, bundle, **discord_settings(discord)) as bot:
            await discord.wait_ready()
            s = Scene(discord, guild, channel, ann, bot)
            reply = await s.ask("red")

            # Forged by other clients: never obeyed, always answered.
            elsewhere = guild.text_channel("elsewhere")
            files = [("a.png", drawing("green"))]
            there = await discord.wait_reply(to=await ann.post(elsewhere, files=files))
            for forged in ("v1:right:2:", "v1:is:1:hulk", "v1:unsay:1:0", "v1:mine:0:", "v9:x", "…" * 30):
                told = await (await bob.forge(reply, forged)).response()
                assert told.ephemeral, forged
                assert "do not know that button" in told.message.content, forged
            assert s.votes() == []
            form = await ann.click(
                (await (await ann.click(there, "Wrong")).response()).message, "Someone else…"
            )
            assert (await form.response()).modal is not None

            # A click that is delivered twice, and one about a reply that a moderator deletes meanwhile.
            click = await ann.click(reply, "Right")
            await discord.redeliver(click)
            await click.response()
            opened = await (await bob.click(reply, "Wrong")).response()
            await ann.delete(reply)
            thanks = await (await bob.click(opened.message, "Nobody on the list")).response()
            assert "Thank you" in thanks.message.content
            assert s.votes() == ["iron-man", None]

            # Webhooks, announcements that are followed, system messages, embeds: none is a question.
            await ann.post(channel, files=[("hook.png", drawing("red", seed=3))], webhook=True)
            before = len(discord.replies(channel))
            system = discord.world.prepare_message(channel.id, ann.id, "pinned a message")
            system.type = 6
            discord.world.commit_message(system)
            embed = {"type": "image", "url": "https://example.com/x.png"}
            discord.world.create_message(channel.id, ann.id, "look", embeds=[embed])
            await discord.settle()
            assert len(discord.replies(channel)) == before

            # Where nothing may be said (no permission, a locked thread, a channel that is gone), it goes on.
            for status in (403, 400, 404):
                discord.fail_next("POST", MESSAGES, status=status)
                await ann.post(channel, files=[("b.png", drawing("blue", seed=status))])
                await discord.wait_until(lambda: not discord.traffic.failures, what="the failure")
            await discord.settle()
            assert "Traceback" not in bot.output
            assert "**Hulk**" in (await s.ask("green", seed=5)).content

            # An answer that somebody deletes while it is being thought about.
            with discord.hold("PATCH", "/webhooks/*") as hold:
                whois = await ann.slash(channel, "whois", {"picture": ("a.png", drawing("purple"))})
                thinking = (await whois.response()).message
                await discord.wait_until(lambda: hold.held == 1)
                await ann.delete(thinking)
            await discord.settle()
            assert "Traceback" not in bot.output

            # A picture that is deleted while it is being looked at: nobody is left waiting.
            discord.cdn.behave("slow.png", Slow(chunk=64, pause=0.02))
            posted = await ann.post(channel, files=[("slow.png", drawing("purple", seed=9))])
            menu = await bob.message_command(channel, "Who is this?", posted)
            thinking = (await menu.response()).message
            await ann.delete(posted)
            await discord.wait_deleted(thinking, timeout=20)
            assert all(each.reference != posted for each in discord.replies(channel))

            # An answer that takes longer than Discord waits: it is told so, and the words follow.
            fresh, picture = guild.text_channel("fresh"), drawing("green", seed=11)
            discord.cdn.behave("long.png", Slow(chunk=len(picture) // 30 + 1, pause=0.1))
            await ann.post(fresh, files=[("long.png", picture)])
            await until(lambda: "long.png" in str(discord.cdn.requests))
            patient = await ann.slash(fresh, "correct", {"name": "loki"})
            assert (await patient.response()).kind == "deferred"
            assert "**Loki**" in (await patient.original()).content
            assert s.votes() == ["iron-man", None, "loki"]

            # A click that comes too late: Discord says 10062, the log has a line and no more.
            later = await s.ask("blue", seed=7)
            bot.process.send_signal(signal.SIGSTOP)
            clicked = await ann.click(later, "Wrong")
            called = await ann.slash(channel, "help")
            gone = len(discord.requests)
            assert not await called.answered(3.2)
            bot.process.send_signal(signal.SIGCONT)
            await discord.wait_until(lambda: len(discord.requests) >= gone + 2, what="both answers")
            await bot.line("could not be answered any more")
            assert not await clicked.answered(0.1)
            assert "Traceback" not in bot.output
            assert "**Hulk**" in (await s.ask("green", seed=8)).content
        assert discord.violations == []

"""The real bot against Discord's stand-in: what people do and what they read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.running import VOTES, Bot, discord_settings, running_bot, start_bot, until
from tests.standins.discord import DiscordStandin
from tests.standins.discord.people import Channel, Guild, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing


@dataclass
class Scene:
    """A server with one channel, a fan, and the bot in it."""

    discord: DiscordStandin
    guild: Guild
    channel: Channel
    ann: User
    bot: Bot

    async def post(self, colour: str = "red", *, seed: int = 0, who: User | None = None) -> int:
        files = [("picture.png", drawing(colour, seed=seed))]
        return await (who or self.ann).post(self.channel, files=files)

    async def ask(self, colour: str = "red", *, seed: int = 0) -> MessageSnapshot:
        return await self.discord.wait_reply(to=await self.post(colour, seed=seed))

    def votes(self) -> list[str | None]:
        return [slug for (slug,) in self.bot.rows(VOTES)]


@asynccontextmanager
async def scene(
    folder: Path, bundle: Path, *, message_content: bool = True, **settings: str
) -> AsyncIterator[Scene]:
    async with DiscordStandin(message_content=message_content) as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        async with running_bot(folder, bundle, **discord_settings(discord, **settings)) as bot:
            await discord.wait_ready()
            yield Scene(discord, guild, channel, ann, bot)
        assert discord.violations == []
        assert all(not message.pings for message in discord.replies(channel))


async def test_post_answer_wrong_pick_and_it_is_stored(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        reply = await s.ask("red")
        assert "That is **Iron Man**, 99% sure." in reply.content
        assert "`██████████` Iron Man 99%" in reply.content
        wrong = await (await s.ann.click(reply, "Wrong")).response()
        assert wrong.ephemeral
        assert [button.label for button in wrong.message.buttons][-2:] == [
            "Someone else…",
            "Nobody on the list",
        ]
        thanks = await (await s.ann.click(wrong.message, "Spider-Man")).response()
        assert "Thank you, noted: **Spider-Man**." in thanks.message.content
        assert s.votes() == ["spider-man"]
        shown = await s.discord.wait_edit(reply)
        assert [button.label for button in shown.buttons] == ["Right", "Wrong · 1", "Why?"]
        assert shown.content == reply.content


async def test_buttons_work_after_kill_and_restart(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        settings = discord_settings(discord)
        bot = await start_bot(tmp_path, bundle, **settings)
        await discord.wait_ready()
        reply = await discord.wait_reply(to=await ann.post(channel, files=[("a.png", drawing("orange"))]))
        assert "Could be **Iron Man** (50%) or **Spider-Man** (50%)." in reply.content
        opened = await (await ann.click(reply, "Wrong")).response()
        form = await (await ann.click(opened.message, "Someone else…")).response()
        family = bot.family()
        await bot.kill()
        await until(lambda: not any(each.is_running() for each in family))
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await discord.wait_ready(identifies=2)
            found = await (await ann.submit_modal(form, {"text": "spidey"})).response()
            assert found.message.buttons[0].label == "Spider-Man"
            await (await ann.click(found.message, "Spider-Man")).response()
            right = await (await guild.member("bob").click(reply, "Right")).response()
            assert "Thank you" in right.message.content
            assert [slug for (slug,) in bot.rows(VOTES)] == ["spider-man", "iron-man"]
            assert len(discord.replies(channel)) == 1


async def test_a_watched_channel_hears_nothing_about_strangers_but_somebody_who_asks_does(
    tmp_path: Path, bundle: Path
) -> None:
    async with scene(tmp_path, bundle) as s:
        await s.post("grey")
        await s.discord.settle()
        named = await s.ask("green", seed=1)
        assert "**Hulk**" in named.content
        assert len(s.discord.replies(s.channel)) == 1
        asked = await s.ann.post(s.channel, mention_bot=True, files=[("a.png", drawing("grey", seed=2))])
        assert "Nobody I know." in (await s.discord.wait_reply(to=asked)).content


async def test_every_way_to_ask_where_nothing_is_watched(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, WHOSTHAT_DISCORD__AUTO_CHANNELS="[]") as s:
        posted = await s.post("blue")
        await s.discord.settle()
        assert s.discord.replies(s.channel) == []
        by_menu = await s.ann.message_command(s.channel, "Who is this?", posted)
        answer = await by_menu.original()
        assert "**Captain America**" in answer.content
        assert len(s.discord.replies(s.channel)) == 1
        again = await (await s.ann.message_command(s.channel, "Who is this?", posted)).original()
        assert "answered that picture already" in again.content
        assert str(answer.id) in again.content
        whois = await s.ann.slash(s.channel, "whois", {"picture": ("a.png", drawing("purple"))})
        assert "**Thanos**" in (await whois.original()).content
        private = s.discord.dm(s.ann)
        reply = await s.discord.wait_reply(to=await s.ann.post(private, files=[("a.png", drawing("red"))]))
        assert "**Iron Man**" in reply.content
        right = await (await s.ann.click(reply, "Right")).response()
        assert "Thank you" in right.message.content
        mention = await s.ann.post(s.channel, mention_bot=True)
        assert "no picture" in (await s.discord.wait_reply(to=mention)).content
        helped = await (await s.ann.slash(s.channel, "help")).response()
        assert "Marvel film character" in helped.message.content


async def test_correct_by_slash_command_with_autocomplete(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        nothing = await (await s.ann.slash(s.channel, "correct", {"name": "loki"})).response()
        assert "no answer of mine" in nothing.message.content
        await s.ask("red")
        offered = await (await s.ann.autocomplete(s.channel, "correct", "name", "dr str")).response()
        assert offered.choices[0] == ("Doctor Strange", "doctor-strange")
        said = await (await s.ann.slash(s.channel, "correct", {"name": "doctor-strange"})).response()
        assert "**Doctor Strange**" in said.message.content
        assert s.votes() == ["doctor-strange"]
        undone = await (await s.ann.click(said.message, "Undo")).response()
        assert "Taken back." in undone.message.content
        assert s.votes() == []


async def test_several_pictures_in_one_message_make_one_reply(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        files = [(f"{colour}.png", drawing(colour, seed=len(colour))) for colour in ("red", "green", "grey")]
        files.insert(2, ("broken.png", drawing("blue")[:300]))
        reply = await s.discord.wait_reply(to=await s.ann.post(s.channel, files=files))
        assert "Picture 1: That is **Iron Man**" in reply.content
        assert "Picture 2: That is **Hulk**" in reply.content
        assert "Picture 3: That picture breaks off" in reply.content
        assert "Picture 4" not in reply.content  # nobody, and nobody asked
        assert [b.label for b in reply.buttons] == [
            *("1 · Right", "1 · Wrong", "1 · Why?"),
            *("2 · Right", "2 · Wrong", "2 · Why?"),
        ]
        await (await s.ann.click(reply, "2 · Right")).response()
        shown = await s.discord.wait_edit(reply)
        assert [b.label for b in shown.buttons] == [
            *("1 · Right", "1 · Wrong", "1 · Why?"),
            *("2 · Right · 1", "2 · Wrong", "2 · Why?"),
        ]
        assert len(s.discord.replies(s.channel)) == 1


async def test_a_new_name_is_proposed_and_bad_ones_are_refused(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        reply = await s.ask("red")
        opened = await (await s.ann.click(reply, "Wrong")).response()
        for text, sentence in {
            "@everyone": "A name cannot call people",
            "<b>Loki</b>": "A name cannot hold links",
            "\u202eikoL": "characters in it that cannot be shown",
            "12345": "A name needs letters",
            "x" * 100: "too long",
            "月" * 40: "too long",
        }.items():
            form = await (await s.ann.click(opened.message, "Someone else…")).response()
            refused = await (await s.ann.submit_modal(form, {"text": text})).response()
            assert sentence in refused.message.content, text
            opened = await (await s.ann.click(reply, "Wrong")).response()
        form = await (await s.ann.click(opened.message, "Someone else…")).response()
        found = await (await s.ann.submit_modal(form, {"text": "Moon Knight"})).response()
        thanks = await (await s.ann.click(found.message, "Add “Moon Knight” as a new name")).response()
        assert "That name is new to me" in thanks.message.content
        assert s.votes() == ["moon-knight"]
        assert s.bot.rows("SELECT status FROM characters WHERE slug = 'moon-knight'") == [("proposed",)]


async def test_a_deleted_message_takes_its_reply_and_its_bytes_along(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        posted = await s.post("red")
        reply = await s.discord.wait_reply(to=posted)
        blobs = tmp_path / "data" / "blobs"
        assert len(list(blobs.rglob("*.webp"))) == 1
        await s.ann.delete(posted)
        await s.discord.wait_deleted(reply)
        await until(lambda: not list(blobs.rglob("*.webp")))


async def test_the_same_event_twice_is_answered_once(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        posted = await s.post("red")
        await s.discord.redeliver(posted)
        await s.discord.wait_reply(to=posted)
        await s.discord.redeliver(posted)
        await s.discord.settle()
        await s.ask("green")
        assert len(s.discord.replies(s.channel)) == 2


async def test_bots_webhooks_old_messages_and_other_files_are_left_alone(
    tmp_path: Path, bundle: Path
) -> None:
    async with scene(tmp_path, bundle) as s:
        await s.post("red", who=s.guild.member("other bot", bot=True))
        old = datetime.now(UTC) - timedelta(minutes=11)
        await s.ann.post(s.channel, files=[("a.png", drawing("red"))], timestamp=old)
        await s.ann.post(s.channel, "just words")
        await s.ann.post(s.channel, files=[("notes.txt", b"just words")])
        await s.discord.settle()
        await s.ask("green")
        assert len(s.discord.replies(s.channel)) == 1


async def test_a_dropped_gateway_is_resumed_and_nothing_is_missed(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await s.ask("red")
        await s.discord.drop_gateway()
        posted = await s.post("green")
        reply = await s.discord.wait_reply(to=posted, timeout=30)
        assert "**Hulk**" in reply.content
        assert s.discord.connections.resumes >= 1
        assert len(s.discord.replies(s.channel)) == 2


async def test_without_the_privileged_intent_it_says_so_and_answers_who_asks(
    tmp_path: Path, bundle: Path
) -> None:
    async with scene(tmp_path, bundle, message_content=False) as s:
        await s.bot.line("without the message-content intent")
        await s.post("red")
        asked = await s.ann.post(s.channel, mention_bot=True, files=[("a.png", drawing("green"))])
        assert "**Hulk**" in (await s.discord.wait_reply(to=asked)).content
        assert len(s.discord.replies(s.channel)) == 1


async def test_a_wrong_token_is_one_sentence_and_the_page_goes_on(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord:
        settings = discord_settings(discord) | {"DISCORD_TOKEN": "wrong.wrong.wrong"}
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await bot.line(r"^Discord: off, the token was refused")
            assert "Traceback" not in bot.output
            assert "wrong.wrong" not in bot.output
            assert (await bot.url()).startswith("http://127.0.0.1:")


@pytest.mark.parametrize("setting", ["DISCORD_TOKEN", "WHOSTHAT_DISCORD__TOKEN"])
async def test_no_token_means_no_discord_and_that_is_said(tmp_path: Path, bundle: Path, setting: str) -> None:
    async with running_bot(tmp_path, bundle, **{setting: ""}) as bot:
        await bot.line(r"^Discord: off, set DISCORD_TOKEN in \.env$")

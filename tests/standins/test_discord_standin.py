"""The stand-in against unmodified discord.py: what our bot will rely on is shown here with a small client."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands
from PIL import Image

from .discord import (
    Behaviour,
    Cut,
    DiscordStandin,
    Fail,
    Hang,
    Overlong,
    Redirect,
    Slow,
    StandinTimeout,
    Upload,
)

pytestmark = pytest.mark.timeout(60)
MESSAGES = "/channels/{channel_id}/messages"
TYPING = "/channels/{channel_id}/typing"
CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"


BUTTON = {"type": 2, "style": 1, "label": "x", "custom_id": "x" * 101}


def drawing(color: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 24), color).save(out, "PNG")
    return out.getvalue()


class NameModal(discord.ui.Modal, title="Who is it?"):
    name: discord.ui.TextInput[NameModal] = discord.ui.TextInput(
        label="Name", custom_id="name", max_length=40
    )

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(f"thanks, {self.name.value}", ephemeral=True)


class WrongButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"v1:wrong:(?P<id>\d+):0"):
    """A button that outlives the process, as the bot's own are."""

    def __init__(self, prediction: int) -> None:
        super().__init__(discord.ui.Button(label="Wrong", emoji="👎", custom_id=f"v1:wrong:{prediction}:0"))
        self.prediction = prediction

    @classmethod
    async def from_custom_id(cls, interaction: Any, item: Any, match: Any, /) -> WrongButton:
        return cls(int(match["id"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        view = discord.ui.View(timeout=None)
        options = [
            discord.SelectOption(label="Loki", value="loki"),
            discord.SelectOption(label="Thor", value="thor"),
        ]
        view.add_item(discord.ui.Select(custom_id="pick", placeholder="Who then?", options=options))
        view.add_item(discord.ui.Button(label="someone else…", custom_id="else"))
        await interaction.response.send_message(f"sorry about {self.prediction}", view=view, ephemeral=True)


class SmallBot(discord.Client):
    """Replies to pictures, with a button; everything else it does is a few lines below."""

    def __init__(self, **options: Any) -> None:
        intents = options.pop("intents", discord.Intents(guilds=True, guild_messages=True, dm_messages=True))
        intents.message_content = options.pop("message_content", True)
        super().__init__(intents=intents, guild_ready_timeout=0.05, **options)
        self.tree: app_commands.CommandTree[SmallBot] = app_commands.CommandTree(self)
        self.seen: list[discord.Message] = []
        self.resumed = 0
        self.ended: asyncio.Task[None]

    async def setup_hook(self) -> None:
        self.add_dynamic_items(WrongButton)
        add_commands(self.tree)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Without discord.py's five seconds before a second IDENTIFY."""

    async def on_resumed(self) -> None:
        self.resumed += 1

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        self.seen.append(message)
        if message.attachments:
            view = discord.ui.View(timeout=None)
            view.add_item(WrongButton(len(self.seen)))
            await message.reply(
                f"a picture of {message.attachments[0].size} bytes",
                view=view,
                embed=discord.Embed(title="Loki", description="quite sure"),
                allowed_mentions=discord.AllowedMentions.none(),
            )

    async def on_message_edit(self, before: discord.Message, after: discord.Message) -> None:
        if after.author != self.user:
            await after.reply(f"now: {after.content}", mention_author=False)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        data: Any = interaction.data
        if interaction.type is discord.InteractionType.component and data["custom_id"] == "pick":
            await interaction.response.edit_message(content=f"noted: {data['values'][0]}", view=None)
        if interaction.type is discord.InteractionType.component and data["custom_id"] == "else":
            await interaction.response.send_modal(NameModal())


def add_commands(tree: app_commands.CommandTree[SmallBot]) -> None:
    @tree.command(name="whois", description="Who is in this picture?")
    async def whois(interaction: discord.Interaction[SmallBot], picture: discord.Attachment) -> None:
        await interaction.response.defer(thinking=True)
        data = await picture.read()
        await interaction.followup.send(
            f"{picture.filename}: {len(data)} bytes of {picture.width}x{picture.height}"
        )
        await interaction.followup.send("and one more thing", ephemeral=True)

    @tree.command(name="teach", description="Say who it is")
    async def teach(interaction: discord.Interaction[SmallBot], name: str) -> None:
        await interaction.response.send_message(f"{interaction.locale}: {name}")

    @teach.autocomplete("name")
    async def names(
        interaction: discord.Interaction[SmallBot], current: str
    ) -> list[app_commands.Choice[str]]:
        known = ["Loki", "Thor", "Thanos"]
        return [app_commands.Choice(name=n, value=n.lower()) for n in known if current.lower() in n.lower()]

    @tree.context_menu(name="Who is this?")
    async def who(interaction: discord.Interaction[SmallBot], message: discord.Message) -> None:
        await interaction.response.send_message(
            f"{len(message.attachments)} pictures by {message.author.name}", ephemeral=True
        )


@pytest.fixture
async def standin() -> AsyncIterator[DiscordStandin]:
    async with DiscordStandin(message_content=True) as server:
        yield server
        assert server.violations == []


@asynccontextmanager
async def running(server: DiscordStandin, *, settle: bool = True, **options: Any) -> AsyncIterator[SmallBot]:
    """A small bot that talks to the stand-in, by the two addresses that the real one sets too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discord.http.Route, "BASE", server.api_base)
        patch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
        token = options.pop("token", server.token)
        bot = SmallBot(**options)
        bot.ended = task = asyncio.create_task(bot.start(token))
        try:
            if settle:
                await server.wait_ready()
            yield bot
        finally:
            await bot.close()
            async with asyncio.timeout(5):
                await asyncio.wait([task])


async def test_a_posted_picture_gets_a_reply(standin: DiscordStandin) -> None:
    channel = standin.guild("Fans").text_channel("pictures")
    ann = standin.guild("More fans").member("ann")
    async with running(standin) as bot:
        guild = standin.guild("Late fans")
        channel = guild.text_channel("pictures")
        guild.join(ann)
        posted = await ann.post(channel, "look", files=[("thor.png", drawing())])
        reply = await standin.wait_reply(to=posted)
        assert reply.content == f"a picture of {len(drawing())} bytes"
        assert reply.button("Wrong").custom_id == "v1:wrong:1:0"
        assert (reply.button("Wrong").emoji, reply.edits, reply.pings) == ("👎", 0, ())
        assert "quite sure" in reply.text
        assert bot.seen[0].attachments[0].content_type == "image/png"
        sent = standin.calls("POST", MESSAGES)
        assert [r.status for r in sent] == [200]
        assert sent[0].json["message_reference"]["message_id"] == posted


async def test_a_button_opens_a_menu_for_one_person_only(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann, bob = guild.text_channel("pictures"), guild.member("ann"), guild.member("bob")
    async with running(standin):
        posted = await ann.post(channel, files=[("a.png", drawing())])
        reply = await standin.wait_reply(to=posted)
    async with running(standin):  # another process: the button still works
        click = await bob.click(reply, "Wrong")
        answer = await click.response()
        assert (answer.type, answer.kind, answer.ephemeral) == (4, "message", True)
        assert answer.message is not None
        assert [o.value for o in answer.message.selects[0].options] == ["loki", "thor"]
        assert [m.id for m in standin.replies(channel)] == [reply.id]
        with pytest.raises(AssertionError, match="cannot see"):
            await ann.select(answer, "pick", "loki")
        picked = await bob.select(answer, "pick", "loki")
        done = await picked.response()
        assert done.kind == "update"
        assert done.message is not None
        assert (done.message.content, done.message.selects, done.message.edits) == ("noted: loki", (), 1)


async def test_a_modal_there_and_back(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin):
        posted = await ann.post(channel, files=[("a.png", drawing())])
        click = await ann.click(await standin.wait_reply(to=posted), "Wrong")
        shown = await (await ann.click(await click.response(), "someone else…")).response()
        assert shown.kind == "modal"
        assert shown.modal is not None
        assert [(i.custom_id, i.label) for i in shown.modal.inputs] == [("name", "Name")]
        with pytest.raises(AssertionError, match="cannot be sent without"):
            await ann.submit_modal(shown, {})
        thanks = await (await ann.submit_modal(shown, {"name": "Loki"})).response()
        assert thanks.message is not None
        assert thanks.message.content == "thanks, Loki"


async def test_slash_commands_with_attachment_completion_and_language(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann", locale="zh-CN")
    async with running(standin):
        whois = await ann.slash(channel, "whois", {"picture": ("thor.png", drawing())})
        assert (await whois.response()).kind == "deferred"
        assert (await whois.original()).content == f"thor.png: {len(drawing())} bytes of 32x24"
        (more,) = await whois.followups(1)
        assert more.content == "and one more thing"
        typing = await ann.autocomplete(channel, "teach", "name", "th")
        assert (await typing.response()).choices == (("Thor", "thor"), ("Thanos", "thanos"))
        taught = await (await ann.slash(channel, "teach", {"name": "loki"})).response()
        assert taught.message is not None
        assert taught.message.content == "zh-CN: loki"
        with pytest.raises(AssertionError, match="without"):
            await ann.slash(channel, "whois")
        names = {c["name"] for c in standin.registered_commands}
        assert names == {"whois", "teach", "Who is this?"}


async def test_a_message_command_shows_its_target_even_without_the_intent() -> None:
    async with DiscordStandin(message_content=False) as server:
        guild = server.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        async with running(server, message_content=False):
            posted = await ann.post(channel, files=[("a.png", drawing()), ("b.png", drawing("blue"))])
            answer = await (await ann.message_command(channel, "Who is this?", posted)).response()
            assert answer.message is not None
            assert (answer.message.content, answer.ephemeral) == ("2 pictures by ann", True)
        assert server.violations == []


async def test_without_the_intent_content_is_empty_but_not_everywhere() -> None:
    async with DiscordStandin(message_content=False) as server:
        guild = server.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        async with running(server, message_content=False) as bot:
            await ann.post(channel, "hidden", files=[("a.png", drawing())])
            await ann.post(channel, "shown", files=[("b.png", drawing())], mention_bot=True)
            private = await ann.post(server.dm(ann), "shown too", files=[("c.png", drawing())])
            await server.wait_reply(to=private)
            await server.settle()
            assert [m.clean_content.partition(" ")[2] or m.content for m in bot.seen] == ["", "shown", "too"]
            assert [len(m.attachments) for m in bot.seen] == [0, 1, 1]
            assert len(server.replies(channel)) == 1
        assert server.violations == []


async def test_asking_for_the_intent_in_vain_closes_with_4014() -> None:
    async with DiscordStandin(message_content=False) as server:
        server.guild("Fans")
        async with running(server, settle=False) as bot:
            await server.wait_until(lambda: 4014 in server.connections.close_codes, what="the close")
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.ended
        assert server.connections.identifies == 0
        assert server.connections.intents[0].message_content


async def test_a_wrong_token_is_refused_twice(standin: DiscordStandin) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discord.http.Route, "BASE", standin.api_base)
        bot = SmallBot()
        with pytest.raises(discord.LoginFailure):
            await bot.start("not.the.token")
        await bot.close()
    assert [(r.path, r.status) for r in standin.requests] == [("/users/@me", 401)]
    async with aiohttp.ClientSession() as http, http.ws_connect(standin.gateway_url) as ws:
        assert (await ws.receive_json())["op"] == 10
        await ws.send_json({"op": 2, "d": {"token": "not.the.token", "intents": 1, "properties": {}}})
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 4004


@pytest.mark.parametrize("code", [None, 4000, 1001])
async def test_nothing_is_lost_when_the_gateway_drops(standin: DiscordStandin, code: int | None) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin) as bot:
        first = await ann.post(channel, files=[("a.png", drawing())])
        await standin.wait_reply(to=first)
        await standin.drop_gateway(code=code)
        missed = [await ann.post(channel, files=[(f"{n}.png", drawing())]) for n in range(3)]
        for posted in missed:
            await standin.wait_reply(to=posted)
        await standin.wait_until(lambda: standin.connections.resumes == 1, what="the resume")
        await standin.settle()
        assert [m.id for m in bot.seen] == [first, *missed]
        assert (standin.connections.identifies, bot.resumed) == (1, 1)
        standin.gateway.ask_to_reconnect()
        await standin.wait_until(lambda: standin.connections.resumes == 2, what="the second resume")


async def test_an_invalid_session_identifies_anew(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin):
        standin.gateway.invalidate(resumable=False)
        await standin.wait_ready(identifies=2)
        await standin.wait_reply(to=await ann.post(channel, files=[("a.png", drawing())]))
        assert standin.connections.resumes == 0


async def test_the_same_event_can_come_twice(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin) as bot:
        posted = await ann.post(channel, "no picture")
        await standin.redeliver(posted)
        await standin.settle()
        assert [m.id for m in bot.seen] == [posted, posted]
        assert standin.replies(channel) == []


async def test_bots_are_bots_and_own_messages_are_own(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann, robot = guild.text_channel("pictures"), guild.member("ann"), guild.member("robot", bot=True)
    async with running(standin) as bot:
        await robot.post(channel, files=[("a.png", drawing())])
        posted = await ann.post(channel, files=[("b.png", drawing())])
        reply = await standin.wait_reply(to=posted)
        await standin.settle()
        assert [m.id for m in bot.seen] == [posted]
        assert reply.author_id == standin.bot_user_id != ann.id


async def test_edits_and_deletions_arrive(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin) as bot:
        posted = await ann.post(channel, "one")
        await standin.settle()
        await ann.edit(posted, "two")
        reply = await standin.wait_reply(to=posted)
        assert reply.content == "now: two"
        deleted = asyncio.create_task(bot.wait_for("message_delete", timeout=5))
        await standin.settle()
        await ann.delete(posted)
        assert (await deleted).id == posted
        own = await bot.get_partial_messageable(channel.id).fetch_message(reply.id)
        await own.edit(content="three")
        assert (await standin.wait_edit(reply, edits=1)).content == "three"
        await own.delete()
        await standin.wait_deleted(reply)
        with pytest.raises(discord.NotFound) as gone:
            await own.edit(content="four")
        assert gone.value.code == 10008
        with pytest.raises(discord.HTTPException) as unknown:
            await bot.get_partial_messageable(channel.id).send("?", reference=own)
        assert unknown.value.code == 50035


async def test_rate_limits_are_obeyed_and_errors_survived(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin):
        standin.fail_next("POST", MESSAGES, status=429, times=2, retry_after=0.3)
        reply = await standin.wait_reply(to=await ann.post(channel, files=[("a.png", drawing())]))
        calls = standin.calls("POST", MESSAGES)
        assert [c.status for c in calls] == [429, 429, 200]
        assert all(late.at - early.at >= 0.29 for early, late in pairwise(calls))
        # the answer to the click is lost: discord.py asks again and is told 40060
        standin.fail_next("POST", CALLBACK, status=502, lost=True)
        click = await ann.click(reply, "Wrong")
        assert (await click.response()).ephemeral
        await standin.wait_until(lambda: len(standin.calls("POST", CALLBACK)) == 2, what="the second try")
        await standin.wait_until(lambda: standin.calls("POST", CALLBACK)[1].status, what="its answer")
        assert [c.status for c in standin.calls("POST", CALLBACK)] == [502, 400]


async def test_a_message_whose_answer_was_lost_is_not_sent_twice(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin):
        standin.fail_next("POST", MESSAGES, status=502, lost=True)
        await ann.post(channel, files=[("a.png", drawing())])
        await standin.wait_until(lambda: len(standin.calls("POST", MESSAGES)) == 2, what="the second try")
        await standin.settle()
        assert [c.status for c in standin.calls("POST", MESSAGES)] == [502, 200]
        assert len(standin.replies(channel)) == 1


async def test_buckets_are_as_small_as_a_test_wants() -> None:
    limits = {("POST", MESSAGES): (2, 0.4), ("POST", TYPING): (1, 60.0)}
    async with DiscordStandin(rate_limits=limits) as server:
        guild = server.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        async with running(server):
            start = time.monotonic()
            for n in range(5):
                await ann.post(channel, files=[(f"{n}.png", drawing())])
            await server.wait_messages(channel, 5)
            assert time.monotonic() - start >= 0.75
            assert {c.status for c in server.calls("POST", MESSAGES)} == {200}  # discord.py paces itself
            url = f"{server.api_base}/channels/{channel.id}/typing"
            headers = {"Authorization": f"Bot {server.token}"}
            async with aiohttp.ClientSession(headers=headers) as http:
                async with http.post(url) as response:
                    assert response.status == 204
                async with http.post(url) as response:  # whoever does not is told to wait
                    answer = await response.json()
            assert response.status == 429
            assert 0 < answer["retry_after"] <= 60
        assert server.violations == []


async def test_an_interaction_dies_after_three_seconds() -> None:
    async with DiscordStandin(enforce_deadlines=True) as server:
        guild = server.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        async with running(server) as bot:
            errors: list[app_commands.AppCommandError] = []

            @bot.tree.error
            async def remember(_: Any, error: app_commands.AppCommandError) -> None:
                errors.append(error)

            with server.hold("POST", CALLBACK) as hold:
                late = await ann.slash(channel, "teach", {"name": "loki"})
                assert not await late.answered(3.1)
                assert hold.held == 1
            await server.wait_until(lambda: server.calls("POST", CALLBACK)[0].status, what="the answer")
            await server.settle()
            assert isinstance(errors[0], app_commands.CommandInvokeError)
            assert isinstance(errors[0].original, discord.NotFound)
            assert errors[0].original.code == 10062


async def test_direct_messages_work_both_ways(standin: DiscordStandin) -> None:
    ann = standin.guild("Fans").member("ann")
    async with running(standin) as bot:
        private = standin.dm(ann)
        reply = await standin.wait_reply(to=await ann.post(private, files=[("a.png", drawing())]))
        assert (await (await ann.click(reply, "Wrong")).response()).ephemeral
        await (await bot.fetch_user(ann.id)).send("hello")
        assert (await standin.wait_messages(private, 2))[-1].content == "hello"


async def test_history_reactions_and_what_happened_before(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    intents = discord.Intents(guilds=True, guild_messages=True, guild_reactions=True)
    long_ago = datetime.now(UTC) - timedelta(minutes=20)
    async with running(standin, intents=intents) as bot:
        old = await ann.post(channel, "old", timestamp=long_ago, announce=False)
        new = await ann.post(channel, "new")
        where = bot.get_partial_messageable(channel.id)
        assert [m.id async for m in where.history()] == [new, old]
        assert [m.id async for m in where.history(after=long_ago + timedelta(minutes=1))] == [new]
        assert abs((await where.fetch_message(old)).created_at - long_ago) < timedelta(seconds=1)
        seen = asyncio.create_task(bot.wait_for("raw_reaction_add", timeout=5))
        await standin.settle()
        await ann.react(new, "🔎")
        assert str((await seen).emoji) == "🔎"
        await (await where.fetch_message(new)).add_reaction("👀")
        now = standin.message(new)
        assert now is not None
        assert now.reactions == ("🔎", "👀")
        async with where.typing():
            await where.send("with a file", file=discord.File(io.BytesIO(b"x"), "x.txt", description="an x"))
        sent = standin.replies(channel)[-1].attachments[0]
        assert (sent.filename, sent.size) == ("x.txt", 1)
        channel.deny_bot("send_messages")
        with pytest.raises(discord.Forbidden):
            await where.send("not here")


async def test_the_cdn_serves_and_misbehaves(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    behaviours: dict[str, Behaviour] = {
        "redirect.png": Redirect("http://127.0.0.1:9/secret"),
        "hang.png": Hang(),
        "slow.png": Slow(chunk=16, pause=0.001),
        "long.png": Overlong(200_000),
        "cut.png": Cut(10),
        "fail.png": Fail(503, times=1),
    }
    for name, behaviour in behaviours.items():
        standin.cdn.behave(name, behaviour)
    names = ["good.png", *behaviours, "lie.png"]
    files = [Upload(n, drawing(), size=5 if n == "lie.png" else None) for n in names]
    posted = await ann.post(channel, files=files)
    snapshot = standin.message(posted)
    assert snapshot is not None
    urls = {a.filename: a.url for a in snapshot.attachments}
    assert snapshot.attachments[-1].size == 5
    assert urls["good.png"].startswith(f"http://{standin.cdn_host}/attachments/{channel.id}/")
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as http:

        async def fetch(name: str) -> bytes:
            async with http.get(urls[name], allow_redirects=False) as response:
                assert response.status == 200
                return await response.read()

        assert await fetch("good.png") == drawing()
        assert await fetch("slow.png") == drawing()
        assert len(await fetch("long.png")) == len(drawing()) + 200_000
        with pytest.raises(aiohttp.ClientPayloadError):
            await fetch("cut.png")
        async with http.get(urls["redirect.png"], allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "http://127.0.0.1:9/secret")
        async with http.get(urls["fail.png"]) as response:
            assert response.status == 503
        assert await fetch("fail.png") == drawing()
        async with http.get(urls["good.png"].replace("hm=", "hm=0")) as response:
            assert response.status == 404
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await fetch("hang.png")
    assert [r.status for r in standin.cdn.requests][:2] == [200, 200]


async def test_waiting_in_vain_says_what_happened(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin):
        posted = await ann.post(channel, "no picture")
        with pytest.raises(StandinTimeout, match=r"(?s)not within 0.1 s.*PUT /applications"):
            await standin.wait_reply(to=posted, timeout=0.1)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"content": "x" * 4001}, "too long"),
        ({"content": "x", "components": [{"type": 1, "components": [BUTTON]}]}, "custom_id"),
        ({"embeds": [{"title": "x" * 300}]}, "too long"),
    ],
)
async def test_violations_of_discords_own_description_are_noticed(
    body: dict[str, Any], complaint: str, needs_specs: Callable[[], None]
) -> None:
    async with DiscordStandin() as server:
        channel = server.guild("Fans").text_channel("pictures")
        url = f"{server.api_base}/channels/{channel.id}/messages"
        headers = {"Authorization": f"Bot {server.token}"}
        async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as response:
            assert response.status == 400
            assert response.headers["Content-Type"] == "application/json"
        assert complaint in "\n".join(server.violations)


@pytest.fixture
def needs_specs() -> Callable[[], None]:
    from .specs import DiscordSpec

    if DiscordSpec.at_hand() is None:
        pytest.skip("WHOSTHAT_SPECS is not set: Discord's own description is not at hand")
    return lambda: None


async def test_a_bot_in_a_process_of_its_own_is_killed_and_started_again(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with process(standin):
        await standin.wait_ready(timeout=20)
        reply = await standin.wait_reply(to=await ann.post(channel, files=[("a.png", drawing())]))
    await standin.wait_until(lambda: not standin.gateway.live, what="the end of the connection")
    into_the_void = await ann.click(reply, "Wrong")
    assert not await into_the_void.answered(0.1)
    async with process(standin):
        await standin.wait_ready(identifies=2, timeout=20)
        assert (await (await ann.click(reply, "Wrong")).response()).ephemeral
        assert not await into_the_void.answered(0)


async def test_settling_sees_all_that_a_bot_does_at_once(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin) as bot:

        async def answer_slowly(message: discord.Message) -> None:
            if message.author == bot.user:
                return
            await message.add_reaction("👀")
            for attachment in message.attachments:
                await attachment.read()
            await message.channel.send("done")

        bot.on_message = answer_slowly  # type: ignore[method-assign]
        for n in range(1, 11):
            await ann.post(channel, files=[("a.png", drawing()), ("b.png", drawing())])
            await standin.settle()
            assert len(standin.replies(channel)) == n


async def test_fifty_at_once(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel = guild.text_channel("pictures")
    people = [guild.member(f"fan{n}") for n in range(50)]
    async with running(standin):
        posted = await asyncio.gather(*(p.post(channel, files=[("a.png", drawing())]) for p in people))
        replies = await standin.wait_messages(channel, 50, timeout=20)
        assert sorted(r.reference or 0 for r in replies) == sorted(posted)


async def test_threads_forwards_webhooks_and_many_deletions(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans", locale="zh-CN")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin) as bot:
        thread = guild.thread(channel, "details")
        first = await ann.post(thread, files=[("a.png", drawing())])
        reply = await standin.wait_reply(to=first)
        second = await ann.forward(first, channel)
        third = await ann.post(channel, "by webhook", webhook=True)
        await standin.settle()
        notice, *seen = bot.seen
        assert notice.is_system()  # the channel is told of its new thread
        assert [m.id for m in seen] == [first, second, third]
        assert isinstance(seen[0].channel, discord.Thread)
        assert seen[0].channel.parent_id == channel.id
        assert str(seen[0].channel.guild.preferred_locale) == "zh-CN"
        assert seen[1].flags.forwarded
        assert len(seen[1].message_snapshots[0].attachments) == 1
        assert seen[2].webhook_id is not None
        deleted = asyncio.create_task(bot.wait_for("raw_bulk_message_delete", timeout=5))
        await standin.settle()
        await ann.delete_many(channel, [second, third])
        assert (await deleted).message_ids == {second, third}
        assert (standin.message(third), standin.message(reply)) == (None, reply)


async def test_the_same_click_can_come_twice(standin: DiscordStandin) -> None:
    guild = standin.guild("Fans")
    channel, ann = guild.text_channel("pictures"), guild.member("ann")
    async with running(standin):
        reply = await standin.wait_reply(to=await ann.post(channel, files=[("a.png", drawing())]))
        click = await ann.click(reply, "Wrong")
        await click.response()
        await standin.redeliver(click)
        await standin.wait_until(lambda: len(standin.calls("POST", CALLBACK)) == 2, what="the second answer")
        await standin.settle()
        assert [c.status for c in standin.calls("POST", CALLBACK)] == [200, 400]
        assert standin.connections.heartbeats >= 1


@asynccontextmanager
async def process(server: DiscordStandin) -> AsyncIterator[asyncio.subprocess.Process]:
    """The small bot as a process, ended with SIGKILL."""
    command = [sys.executable, "-m", __name__, server.api_base, server.gateway_url, server.token]
    root = Path(__file__).parents[2]
    running = await asyncio.create_subprocess_exec(*command, cwd=root, env={**os.environ, "PYTHONPATH": ""})
    try:
        yield running
    finally:
        assert running.returncode is None, "the bot ended by itself"
        running.kill()
        await running.wait()


if __name__ == "__main__":
    discord.http.Route.BASE = sys.argv[1]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sys.argv[2])
    SmallBot().run(sys.argv[3], log_handler=None)

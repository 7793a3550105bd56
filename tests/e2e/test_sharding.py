"""Discord over several shards: in one process, in several on one ledger, and one of them twice by mistake."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from corrections.duties import SPACE
from corrections.engine import create_engine
from tests.e2e.running import Bot, discord_settings, running_bot
from tests.standins.discord import DiscordStandin
from tests.standins.discord.people import Channel, Guild, User
from tests.standins.drawings import drawing
from tests.standins.postgres import Server

SHARDS = 3
Place = tuple[Guild, Channel, User]


@asynccontextmanager
async def servers() -> AsyncIterator[tuple[DiscordStandin, list[Place]]]:
    """Discord with a server on each of three shards."""
    async with DiscordStandin() as discord:
        discord.world.shards, discord.world.max_concurrency = SHARDS, 16
        found: dict[int, Place] = {}
        async with asyncio.timeout(10):
            while len(found) < SHARDS:
                guild = discord.guild("Fans")
                place = guild, guild.text_channel("pictures"), guild.member("ann")
                found.setdefault((guild.id >> 22) % SHARDS, place)
                await asyncio.sleep(0.003)  # its time is in a server's id
        yield discord, [found[shard] for shard in range(SHARDS)]
        assert discord.violations == []


async def answered(discord: DiscordStandin, place: Place, colour: str, name: str) -> None:
    """A picture is answered there, once."""
    _, channel, ann = place
    before = len(discord.replies(channel))
    post = await ann.post(channel, files=[("picture.png", drawing(colour))])
    reply = await discord.wait_reply(to=post, timeout=60)
    assert name in reply.content
    await discord.settle(timeout=60)
    assert len(discord.replies(channel)) == before + 1


async def test_three_shards_in_one_process(tmp_path: Path, bundle: Path) -> None:
    async with (
        servers() as (discord, places),
        running_bot(tmp_path, bundle, **discord_settings(discord)) as bot,
    ):
        await discord.wait_ready(identifies=SHARDS, timeout=90)
        assert "3 of 3 shards are ours" in bot.output
        for place in places:
            await answered(discord, place, "red", "Iron Man")
        # a click comes over the shard of its server; a direct message over the first
        _, channel, ann = places[2]
        reply = discord.replies(channel)[-1]
        assert (await (await ann.click(reply, "Right")).response()).message.content
        alone = discord.dm(ann)
        post = await ann.post(alone, files=[("picture.png", drawing("green"))])
        assert "Hulk" in (await discord.wait_reply(to=post, timeout=60)).content
        await discord.drop_gateway()
        await answered(discord, places[1], "blue", "Captain America")


async def test_a_session_is_resumed_through_the_proxy_of_the_gateway(tmp_path: Path, bundle: Path) -> None:
    """Whatever READY says: there is nobody where it points."""
    async with servers() as (discord, places):
        discord.gateway.resume_url = "ws://127.0.0.1:1/past-the-proxy"
        resumed = identified = 0
        for shards in (1, 3):
            discord.world.shards = shards
            identified += shards
            settings = discord_settings(discord, WHOSTHAT_DISCORD__SHARDS=str(shards))
            async with running_bot(tmp_path, bundle, **settings):
                await discord.wait_ready(identifies=identified, timeout=90)
                await discord.settle(timeout=60)
                for cut in (True, False):
                    if cut:
                        await discord.drop_gateway()
                    else:
                        discord.gateway.ask_to_reconnect()
                    resumed += shards
                    seen = discord.connections
                    await discord.wait_until(
                        lambda seen=seen, wanted=resumed: seen.resumes == wanted,  # type: ignore[misc]
                        timeout=60,
                        what="every shard's resume",
                    )
                    await answered(discord, places[0], "red", "Iron Man")
        assert discord.connections.identifies == identified, "resumed, not begun anew"


async def test_shards_in_two_processes_on_one_ledger_and_one_shard_twice(
    tmp_path: Path, bundle: Path
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    ledger = {"WHOSTHAT_DATABASE__URL": f"sqlite:///{tmp_path}/ledger.db", "WHOSTHAT_DISCORD__SHARDS": "3"}

    def joined(folder: Path) -> None:
        """Another process: a folder of its own, the same key, the same pictures."""
        (folder / "data").mkdir(parents=True, mode=0o700)
        shutil.copy(first / "data" / "person.key", folder / "data")
        (folder / "data" / "blobs").symlink_to(first / "data" / "blobs")

    async with servers() as (discord, places), AsyncExitStack() as stack:

        async def bot(folder: Path, shards: str) -> Bot:
            settings = discord_settings(discord, **ledger, WHOSTHAT_DISCORD__SHARD_IDS=shards)
            return await stack.enter_async_context(running_bot(folder, bundle, **settings))

        await bot(first, "0,1")
        await discord.wait_ready(identifies=2, timeout=90)
        joined(second)
        await bot(second, "2")
        await discord.wait_ready(identifies=3, timeout=90)
        for place in places:
            await answered(discord, place, "red", "Iron Man")
        joined(third)
        await bot(third, "2")
        await discord.wait_ready(identifies=4, timeout=90)
        await answered(discord, places[2], "blue", "Captain America")
        await answered(discord, places[2], "green", "Hulk")


async def test_shards_in_two_processes_on_one_postgres(tmp_path: Path, bundle: Path, server: Server) -> None:
    """What is said in one process counts in the other; a shard that both have answers once all the same."""
    first, second = tmp_path / "first", tmp_path / "second"
    ledger = {"WHOSTHAT_DATABASE__URL": server.fresh(), "WHOSTHAT_DISCORD__SHARDS": "3"}

    async def rows(query: str) -> list[tuple[Any, ...]]:
        engine = create_engine(ledger["WHOSTHAT_DATABASE__URL"])
        async with engine.connect() as connection:
            found = [tuple(row) for row in await connection.exec_driver_sql(query)]
        await engine.dispose()
        return found

    async with servers() as (discord, places), AsyncExitStack() as stack:

        async def bot(folder: Path, shards: str) -> Bot:
            settings = discord_settings(discord, **ledger, WHOSTHAT_DISCORD__SHARD_IDS=shards)
            return await stack.enter_async_context(running_bot(folder, bundle, **settings))

        async def clicked(place: Place, name: str, label: str) -> None:
            guild, channel, _ = place
            click = await guild.member(name).click(discord.replies(channel)[-1], label)
            assert (await click.response()).message.content

        begun = await bot(first, "0,1")
        await discord.wait_ready(identifies=2, timeout=90)
        (second / "data").mkdir(parents=True, mode=0o700)
        shutil.copy(first / "data" / "person.key", second / "data")
        (second / "data" / "blobs").symlink_to(first / "data" / "blobs")
        await bot(second, "1,2")  # the middle one is a mistake
        await discord.wait_ready(identifies=4, timeout=90)
        for place in places:
            await answered(discord, place, "red", "Iron Man")
        for place in places[:1] + places[2:]:  # one process each; the mistake would hear of a click twice
            await clicked(place, "ben", "Right")
            await clicked(place, "cat", "Right")
            _, channel, _ = place
            await discord.wait_until(
                lambda channel=channel: any(
                    "2" in each.label for each in discord.replies(channel)[-1].buttons
                ),  # type: ignore[misc]
                timeout=60,
                what="the count on the button",
            )
        posts = "SELECT count(*), count(DISTINCT message), count(DISTINCT blob_id) FROM posts"
        assert await rows(posts) == [(3, 3, 1)]
        assert await rows("SELECT count(*), count(DISTINCT person_id) FROM votes") == [(4, 4)]
        sweeping = (
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' "
            f"AND objsubid = 2 AND classid = {SPACE} AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert await rows(sweeping) == [(1,)]
        await begun.kill()  # -9: the other goes on, and nobody waits for a lock of the dead
        await answered(discord, places[2], "blue", "Captain America")
        await answered(discord, places[1], "green", "Hulk")


async def test_a_429_of_a_proxy_is_waited_for_from_the_first_call_on(tmp_path: Path, bundle: Path) -> None:
    async with servers() as (discord, places):
        discord.fail_next("GET", "/gateway/bot", retry_after=0.3)
        async with running_bot(tmp_path, bundle, **discord_settings(discord)):
            await discord.wait_ready(identifies=SHARDS, timeout=90)
            discord.fail_next("POST", "/channels/{channel_id}/messages", retry_after=0.3)
            await answered(discord, places[0], "red", "Iron Man")

"""A real rate-limit proxy before Discord: whatever it refuses is done later, and done once."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import discord as library
import pytest

from bot.discord_adapter.limited import patiently
from bot.discord_adapter.voices import FIRST_SECONDS
from tests.e2e.running import discord_settings, running_bot
from tests.standins.discord import DiscordStandin
from tests.standins.discord.limiting import RateLimitProxy
from tests.standins.discord.people import Channel, User
from tests.standins.drawings import drawing

NAMES = {"red": "Iron Man", "green": "Hulk", "blue": "Captain America"}
MESSAGES = "/channels/{channel_id}/messages"
MANY = {"WHOSTHAT_LIMITS__PERSON_PER_MINUTE": "600", "WHOSTHAT_LIMITS__COMMUNITY_PER_MINUTE": "600"}


async def crowd(
    discord: DiscordStandin, channels: list[Channel], ann: User, rounds: int
) -> list[tuple[int, str]]:
    """Pictures in all of the channels at once."""
    posts = [
        (channel, colour) for _ in range(rounds) for channel, colour in zip(channels, NAMES, strict=True)
    ]
    made = await asyncio.gather(
        *(ann.post(channel, files=[("picture.png", drawing(colour))]) for channel, colour in posts)
    )
    return [(post, NAMES[colour]) for post, (_, colour) in zip(made, posts, strict=True)]


async def answered_once(
    discord: DiscordStandin, channels: list[Channel], posts: list[tuple[int, str]]
) -> None:
    for post, name in posts:
        assert name in (await discord.wait_reply(to=post, timeout=60)).content
    await discord.settle(timeout=60)
    assert sum(len(discord.replies(channel)) for channel in channels) == len(posts)


@pytest.mark.parametrize("named", [True, False], ids=["as Discord says it", "the proxy's own words"])
async def test_a_proxy_that_refuses_loses_nothing_and_doubles_nothing(
    tmp_path: Path, bundle: Path, named: bool
) -> None:
    async with (
        DiscordStandin() as discord,
        RateLimitProxy(
            discord.api_base, overall=(8, 1.0), a_route=(2, 1.5), named=named
        ) as proxy,
    ):  # fmt: skip
        guild = discord.guild("Fans")
        channels = [guild.text_channel(name) for name in NAMES]
        ann, ben = guild.member("ann"), guild.member("ben")
        settings = discord_settings(discord, WHOSTHAT_DISCORD__API_BASE=proxy.api_base, **MANY)
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await discord.wait_ready(timeout=60)
            posts = await crowd(discord, channels, ann, 4)
            await answered_once(discord, channels, posts)
            # what follows a click goes through it as well: the vote is there, and its count on the button
            reply = await discord.wait_reply(to=posts[0][0])
            for person in (ann, ben):
                assert (await (await person.click(reply, "Right")).response()).message.content
            await discord.wait_until(
                lambda: any("2" in (each.label or "") for each in discord.message(reply).buttons),  # type: ignore[union-attr]
                timeout=30,
                what="the count on the button",
            )
            assert bot.rows("SELECT count(*) FROM votes") == [(2,)]
            # a deleted picture's answer is deleted, however long that has to wait
            again = await crowd(discord, channels, ann, 2)
            await answered_once(discord, channels, posts + again)
            for post, _ in again:
                await ann.delete(post)
            for channel in channels:
                await discord.wait_until(
                    lambda channel=channel: len(discord.replies(channel)) == 4,  # type: ignore[misc]
                    timeout=30,
                    what="no answers to deleted pictures",
                )
        buckets = {each.bucket == "global" for each in proxy.refusals}
        assert buckets == {True, False}, "both limits were reached"
        assert any(each.route == MESSAGES for each in proxy.refusals)
        assert proxy.impatient == []
        assert discord.violations == []


async def test_two_processes_behind_one_proxy(tmp_path: Path, bundle: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    async with (
        DiscordStandin() as discord,
        RateLimitProxy(discord.api_base, overall=(6, 1.0)) as proxy,
    ):
        discord.world.shards, discord.world.max_concurrency = 2, 16
        places: dict[int, tuple[Channel, User]] = {}
        async with asyncio.timeout(10):
            while len(places) < 2:
                guild = discord.guild("Fans")
                places.setdefault((guild.id >> 22) % 2, (guild.text_channel("all"), guild.member("ann")))
                await asyncio.sleep(0.003)  # its time is in a server's id
        shared = {
            "WHOSTHAT_DISCORD__API_BASE": proxy.api_base,
            "WHOSTHAT_DATABASE__URL": f"sqlite:///{tmp_path}/ledger.db",
            "WHOSTHAT_DISCORD__SHARDS": "2",
            **MANY,
        }

        def own(shard: str) -> dict[str, str]:
            return discord_settings(discord, **shared, WHOSTHAT_DISCORD__SHARD_IDS=shard)

        async with running_bot(first, bundle, **own("0")):
            (second / "data").mkdir(parents=True, mode=0o700)
            shutil.copy(first / "data" / "person.key", second / "data")
            (second / "data" / "blobs").symlink_to(first / "data" / "blobs")
            async with running_bot(second, bundle, **own("1")):
                await discord.wait_ready(identifies=2, timeout=60)
                channels = [channel for channel, _ in places.values()]
                posts: list[tuple[int, str]] = []
                for channel, ann in places.values():
                    for colour, name in list(NAMES.items()) * 2:
                        file = ("picture.png", drawing(colour))
                        posts.append((await ann.post(channel, files=[file]), name))
                await answered_once(discord, channels, posts)
        assert [each for each in proxy.refusals if each.bucket == "global"]
        assert discord.violations == []


async def test_a_start_that_is_told_to_wait_waits(tmp_path: Path, bundle: Path) -> None:
    """Even by a proxy in its own words, which discord.py alone takes for the end."""
    async with (
        DiscordStandin() as discord,
        RateLimitProxy(discord.api_base, named=False, at_first=3) as proxy,
    ):
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("all"), guild.member("ann")
        settings = discord_settings(discord, WHOSTHAT_DISCORD__API_BASE=proxy.api_base, **MANY)
        async with running_bot(tmp_path, bundle, **settings):
            await discord.wait_ready(timeout=60)
            await discord.wait_until(
                lambda: discord.registered_commands or None, timeout=60, what="the commands"
            )
            post = await ann.post(channel, files=[("picture.png", drawing("red"))])
            assert "Iron Man" in (await discord.wait_reply(to=post, timeout=60)).content
        assert len(proxy.refusals) == 3


async def test_who_has_less_time_than_it_is_told_to_wait_gives_up_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the first answer to a click does, which meanwhile keeps its deferral from being sent."""
    async with (
        DiscordStandin() as discord,
        RateLimitProxy(discord.api_base, overall=(0, 4.0), named=False) as proxy,
        library.Client(intents=library.Intents.none()) as client,
    ):
        monkeypatch.setattr(library.http.Route, "BASE", proxy.api_base)
        began = time.monotonic()
        with pytest.raises(library.HTTPException) as refused:
            await patiently(lambda: client.login("token"), FIRST_SECONDS)
        assert refused.value.status == 429
        assert time.monotonic() - began < FIRST_SECONDS
        assert len(proxy.refusals) == 1

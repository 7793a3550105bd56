"""The real bot, seen from outside: what it counts, whether it is ready, and one id from post to answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.running import Bot, discord_settings, running_bot, start_bot, telegram_settings
from tests.standins.discord import DiscordStandin
from tests.standins.drawings import drawing
from tests.standins.telegram import TelegramStandin

FAN, SERVER, FILE = "Annabel-Loves-Secrets", "Guild-Of-Fans", "holiday-with-grandma.png"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def fetched(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def samples(text: str) -> Samples:
    """Every sample of an exposition, as Prometheus's own parser reads it."""
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


async def metrics(bot: Bot) -> Samples:
    status, text = await fetched(await bot.url() + "/metrics")
    assert status == 200, text
    return samples(text)


def total(found: Samples, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = set(labels.items())
    return sum(value for (each, has), value in found.items() if each == name and wanted <= set(has))


@dataclass
class Everywhere:
    """A bot on all three platforms, and a fan with a telling name on each."""

    bot: Bot
    discord: DiscordStandin
    telegram: TelegramStandin

    def __post_init__(self) -> None:
        guild = self.discord.guild(SERVER)
        self.channel, self.ann = guild.text_channel("pictures-of-us"), guild.member(FAN)

    async def post_on_discord(self, colour: str, seed: int = 0) -> None:
        files = [(FILE, drawing(colour, seed=seed))]
        posted = await self.ann.post(self.channel, content="look at my dear aunt", files=files)
        await self.discord.wait_reply(to=posted)


@asynccontextmanager
async def everywhere(folder: Path, bundle: Path, **settings: str) -> AsyncIterator[Everywhere]:
    async with DiscordStandin() as discord, TelegramStandin() as telegram:
        more = discord_settings(discord) | telegram_settings(telegram) | settings
        async with running_bot(folder, bundle, **more) as bot:
            await discord.wait_ready()
            yield Everywhere(bot, discord, telegram)


async def post_everywhere(s: Everywhere) -> None:
    """One picture on each platform, another one each, answered."""
    await s.post_on_discord("red")
    fan = s.telegram.user(FAN)
    sent = await fan.send_photo(s.telegram.private(fan), drawing("green", seed=1))
    await s.telegram.wait_reply(to=sent)
    form = aiohttp.FormData()
    form.add_field("picture", drawing("blue", seed=2), filename=FILE, content_type="image/png")
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(await s.bot.url() + "/ask", data=form) as page,
    ):
        assert "Captain America" in await page.text()


def logged(bot: Bot) -> list[dict[str, Any]]:
    """Every line of the log; what the bot says to the operator's terminal is none."""
    return [json.loads(line) for line in bot.lines if line.startswith("{")]


def told_of(lines: Iterable[dict[str, Any]], words: str) -> list[str]:
    """The ids of the lines that say so, in order."""
    return [each["id"] for each in lines if words in each["message"]]


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_one_id_leads_from_the_post_to_the_reply_and_no_name_is_logged(
    tmp_path: Path, bundle: Path, level: str
) -> None:
    settings = {"WHOSTHAT_LOG__JSON": "true", "WHOSTHAT_LOG__LEVEL": level}
    async with everywhere(tmp_path, bundle, METRICS_TOKEN="s3cret-of-mine", **settings) as s:
        await post_everywhere(s)
        for platform in ("Discord", "Telegram", "the page"):
            await s.bot.line(f"a message on {platform}")
        await s.bot.stop()
        lines, output = logged(s.bot), s.bot.output
        wanted = ("on Discord", "on Telegram", "on the page")
        posts = [told_of(lines, f"a message {words}") for words in wanted]
        assert [len(ids) for ids in posts] == [1, 1, 1], posts
        ids = [each for (each,) in posts]
        assert len(set(ids)) == 3
        for id_ in ids:
            said = [(each["from"], each["message"]) for each in lines if each.get("id") == id_]
            assert [who for who, what in said if what.startswith("looked: sure")] == ["model.worker"]
            assert [who for who, what in said if what.startswith("replied after")] == ["bot.desk.answers"]
        links = [s.discord.cdn_host + "/", "/attachments/", "/file/bot", "/interactions/"]
        people = [FAN, FAN.casefold(), SERVER, "pictures-of-us", "look at my dear aunt"]
        files = [FILE, FILE.rpartition(".")[0]]
        tokens = [s.discord.token, s.telegram.token, "s3cret-of-mine"]
        log_text = "\n".join(line for line in s.bot.lines if line.startswith("{"))
        for word in (*links, *people, *files, *tokens):
            assert word not in log_text, (word, [each for each in s.bot.lines if word in each])
        assert all(token not in output for token in tokens)
        assert not [each for each in lines if "trouble" in each]


async def test_what_happens_is_counted(tmp_path: Path, bundle: Path) -> None:
    async with everywhere(tmp_path, bundle) as s:
        await post_everywhere(s)
        await s.post_on_discord("red")  # the same picture again
        await ready_with(await s.bot.url(), 200)
        found = await metrics(s.bot)
        for platform, posts in (("discord", 2), ("telegram", 1), ("web", 1)):
            assert total(found, "whosthat_posts_total", platform=platform) == posts
            assert total(found, "whosthat_pictures_total", platform=platform, verdict="sure") == posts
            assert total(found, "whosthat_answer_seconds_count", platform=platform) == posts
            assert total(found, "whosthat_reply_seconds_count", platform=platform) == posts
            assert 0 < total(found, "whosthat_reply_seconds_sum", platform=platform) < 60
        for platform in ("discord", "telegram"):
            assert total(found, "whosthat_platform_calls_total", platform=platform, result="2xx") >= posts
        for part in ("start", "ledger", "worker", "discord", "telegram"):
            assert total(found, "whosthat_part_up", part=part) == 1
        assert total(found, "whosthat_discord_servers") == 1
        assert total(found, "whosthat_worker_pictures_total") == 4
        assert total(found, "whosthat_worker_look_seconds_count") == 3
        decoded = total(found, "whosthat_worker_decoded_total")
        assert total(found, "whosthat_worker_decode_seconds_count") == decoded >= 3
        assert total(found, "whosthat_worker_batch_size_sum") == 3
        assert total(found, "whosthat_worker_cache_hits_total") == 1
        assert total(found, "whosthat_worker_cache_entries") == 3
        assert total(found, "whosthat_worker_info") == 1
        assert total(found, "whosthat_worker_process_resident_memory_bytes") > 1e7
        assert total(found, "process_resident_memory_bytes") > 1e7
        values = {value for _, labels in found for _, value in labels}
        theirs = {FAN, SERVER, "pictures-of-us", str(s.ann.id), str(s.channel.id)}
        assert not values & theirs
        assert len(found) < 1000


async def test_votes_and_refusals_are_counted(tmp_path: Path, bundle: Path) -> None:
    async with everywhere(tmp_path, bundle, WHOSTHAT_LIMITS__PERSON_PER_MINUTE="1") as s:
        files = [(FILE, drawing("red"))]
        reply = await s.discord.wait_reply(to=await s.ann.post(s.channel, files=files))
        await (await s.ann.click(reply, "Right")).response()
        await s.post_on_discord("green", seed=1)  # one a minute
        s.telegram.fail_next("send*", 429)
        fan = s.telegram.user(FAN)
        sent = await fan.send_photo(s.telegram.private(fan), drawing("green", seed=2))
        await s.telegram.wait_reply(to=sent)
        found = await metrics(s.bot)
        assert total(found, "whosthat_votes_total", platform="discord", how="right") == 1
        assert total(found, "whosthat_refused_total", platform="discord", reason="person-limit") == 1
        assert total(found, "whosthat_platform_calls_total", platform="telegram", result="429") == 1
        assert total(found, "whosthat_review_open") == 2


async def ready_with(url: str, status: int) -> str:
    """What ``/readyz`` says once it has that status."""
    async with asyncio.timeout(20):
        while True:
            found = await fetched(url + "/readyz")
            if found[0] == status:
                return found[1]
            await asyncio.sleep(0.1)


async def test_ready_says_what_is_wrong(tmp_path: Path, bundle: Path) -> None:
    async with everywhere(tmp_path, bundle) as s:
        url = await s.bot.url()
        text = await ready_with(url, 200)
        parts = dict.fromkeys(("start", "ledger", "worker", "discord", "telegram"), "")
        assert json.loads(text) == {"ready": True, "parts": parts}
        worker = s.bot.worker()
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            text = await ready_with(url, 503)
            assert json.loads(text) == {"ready": False, "parts": {**parts, "worker": "not ready"}}
            assert (await fetched(url + "/healthz"))[0] == 200
            assert total(await metrics(s.bot), "whosthat_part_up", part="worker") == 0
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        await ready_with(url, 200)


async def test_metrics_are_for_this_machine_or_for_who_has_the_token(tmp_path: Path, bundle: Path) -> None:
    async with running_bot(tmp_path / "one", bundle) as bot:
        url = await bot.url()
        assert (await fetched(url + "/metrics"))[0] == 200
        proxied = {"X-Forwarded-Proto": "https"}  # what nginx.conf sets; Caddy sets it by itself
        status, page = await fetched(url + "/metrics", **proxied)
        assert status == 404
        assert "whosthat_" not in page
        assert (await fetched(url + "/metrics", Host="whosthat.example.org"))[0] == 403
        assert (await fetched(url + "/readyz", **proxied))[0] == 200
    async with running_bot(tmp_path / "two", bundle, METRICS_TOKEN="s3cret") as bot:
        url = await bot.url()
        assert (await fetched(url + "/metrics"))[0] == 401
        assert (await fetched(url + "/metrics", Authorization="Bearer s3cret2"))[0] == 401
        status, page = await fetched(url + "/metrics", Authorization="Bearer s3cret", **proxied)
        assert (status, "whosthat_posts_total" in page) == (200, True)


async def test_metrics_on_a_port_of_their_own_without_a_page(tmp_path: Path, bundle: Path) -> None:
    port = str(free_port())
    off = {"WHOSTHAT_WEB__ENABLED": "false", "WHOSTHAT_METRICS__PORT": port}
    async with running_bot(tmp_path, bundle, **off) as bot:
        url = f"http://127.0.0.1:{port}"
        assert [(await fetched(url + path))[0] for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
        assert (await fetched(url + "/"))[0] == 404
        other = await start_bot(tmp_path / "other", bundle, **off)
        await other.line("port .* already in use.*: check metrics.host and metrics.port")
        assert await other.ended() == 1
        assert bot.process.returncode is None


async def test_systemd_hears_when_it_is_ready_and_that_it_runs(tmp_path: Path, bundle: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address := str(tmp_path / "notify"))
        systemd.setblocking(False)
        heard: list[bytes] = []
        some = asyncio.Condition()

        async def listen() -> None:
            while True:
                told = await asyncio.get_running_loop().sock_recv(systemd, 100)
                async with some:
                    heard.append(told)
                    some.notify_all()

        async def hears(what: Callable[[], bool]) -> None:
            async with asyncio.timeout(20), some:
                await some.wait_for(what)

        listening = asyncio.create_task(listen())
        told = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "600000"}  # every 0.2 s
        async with running_bot(tmp_path / "bot", bundle, **told) as bot:
            await hears(lambda: b"READY=1" in heard)
            assert heard[0] == b"WATCHDOG=1"  # also while it starts, which may take a while
            until_now = len(heard)
            await hears(lambda: heard[until_now:].count(b"WATCHDOG=1") >= 3)
            await bot.stop()
            await hears(lambda: b"STOPPING=1" in heard)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

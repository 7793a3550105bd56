"""The real bot when things go badly: floods, bad pictures, dying workers, being told to stop."""

from __future__ import annotations

import io
import signal
import struct
import zlib
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.e2e.running import VOTES, discord_settings, running_bot, start_bot, until
from tests.e2e.test_discord import scene
from tests.standins.discord import DiscordStandin, Overlong, Redirect
from tests.standins.drawings import drawing, encoded


def _gif(frames: int) -> bytes:
    first, *others = [Image.new("P", (40, 30), number % 200) for number in range(frames)]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others)
    return buffer.getvalue()


def _png_header(side: int) -> bytes:
    """A PNG that claims to be side x side and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def _bomb() -> bytes:
    """A real picture of a few kilobytes that decodes to a gigabyte."""
    return encoded(Image.new("1", (40_000, 25_000)), "PNG")


BAD = {
    "empty": (b"", "That file is empty."),
    "text": (b"just words, no picture", "That is not a picture I can read"),
    "truncated": (drawing("red", kind="JPEG")[:2000], "breaks off in the middle"),
    "huge": (_png_header(30_000), "too many pixels"),
    "bomb": (_bomb(), "too many pixels"),
    "heavy": (drawing("red") + b"\0" * (40 << 20), "too large"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "That is not a picture I can read"),
}


async def test_each_bad_picture_gets_one_sentence_and_the_next_one_its_answer(
    tmp_path: Path, bundle: Path
) -> None:
    async with scene(tmp_path, bundle) as s:
        for number, (name, (content, sentence)) in enumerate(BAD.items()):
            posted = await s.ann.post(s.channel, files=[(f"{name}.png", content)])
            reply = await s.discord.wait_reply(to=posted, timeout=20)
            assert sentence in reply.content, name
            assert "\n" not in reply.content
            assert not reply.buttons
            assert "**Iron Man**" in (await s.ask("red", seed=100 + number)).content, f"after {name}"
        posted = await s.ann.post(s.channel, files=[("many.gif", _gif(2000))])
        assert (await s.discord.wait_reply(to=posted)).content, "the first frame is looked at"
        assert "Traceback" not in s.bot.output


async def test_attachments_are_fetched_from_the_allowed_hosts_only(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        s.discord.cdn.behave("away.png", Redirect(await s.bot.url() + "/healthz"))
        posted = await s.ann.post(s.channel, files=[("away.png", drawing("red"))])
        reply = await s.discord.wait_reply(to=posted)
        assert reply.content == "I do not fetch pictures from that address."
        s.discord.cdn.behave("long.png", Overlong(30 << 20))
        posted = await s.ann.post(s.channel, files=[("long.png", drawing("red"))])
        assert "too large" in (await s.discord.wait_reply(to=posted, timeout=30)).content


async def test_one_person_posting_a_hundred_pictures_is_told_once(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, WHOSTHAT_LIMITS__PERSON_PER_MINUTE="20") as s:
        for seed in range(100):
            await s.post("red", seed=seed)
        await s.discord.wait_until(lambda: len(s.discord.replies(s.channel)) >= 21, timeout=60)
        await s.discord.settle()
        told = [m for m in s.discord.replies(s.channel) if "a lot of pictures" in m.content]
        assert len(told) == 1
        assert len(s.discord.replies(s.channel)) == 21
        bob = s.guild.member("bob")
        posted = await s.post("green", seed=1, who=bob)
        assert "**Hulk**" in (await s.discord.wait_reply(to=posted)).content


async def test_fifty_pictures_at_once_are_all_answered(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        people = [s.guild.member(f"fan {number}") for number in range(10)]
        posted = [await s.post("green", seed=n, who=people[n % 10]) for n in range(50)]
        replies = [await s.discord.wait_reply(to=each, timeout=60) for each in posted]
        assert all("**Hulk**" in reply.content for reply in replies)
        assert len({reply.reference for reply in replies}) == 50
        assert len(s.discord.replies(s.channel)) == 50


async def test_a_worker_killed_under_load_is_replaced_and_every_picture_answered(
    tmp_path: Path, slow_bundle: Path
) -> None:
    async with scene(tmp_path, slow_bundle) as s:
        people = [s.guild.member(f"fan {number}") for number in range(4)]
        posted = [await s.post("green", seed=n, who=people[n % 4]) for n in range(16)]
        await s.discord.wait_reply(to=posted[0], timeout=30)
        worker = s.bot.worker()
        worker.kill()
        replies = [await s.discord.wait_reply(to=each, timeout=60) for each in posted]
        assert all("**Hulk**" in reply.content for reply in replies)
        assert s.bot.worker().pid != worker.pid


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_told_to_stop_it_finishes_what_it_has_begun_and_leaves_nothing(
    tmp_path: Path, slow_bundle: Path, number: signal.Signals
) -> None:
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        bot = await start_bot(tmp_path, slow_bundle, **discord_settings(discord))
        await discord.wait_ready()
        posted = [await ann.post(channel, files=[("a.png", drawing("red", seed=n))]) for n in range(3)]
        await until(lambda: bot.rows("SELECT count(*) FROM predictions") > [(0,)], 30)
        family = bot.family()
        assert await bot.stop(number) == 0
        for each in posted:
            assert "**Iron Man**" in (await discord.wait_reply(to=each, timeout=1)).content
        assert bot.lines[-1] == "Stopped."
        await until(lambda: not any(_lives(each) for each in family))
        sockets = [c.laddr for c in psutil.net_connections("inet") if c.pid in {p.pid for p in family}]
        assert not sockets
        assert not list((tmp_path / "data").rglob("*.tmp*"))


async def test_told_to_stop_during_clicks_whoever_is_noted_is_thanked(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel = guild.text_channel("pictures")
        fans = [guild.member(f"fan {number}") for number in range(20)]
        bot = await start_bot(tmp_path, bundle, **discord_settings(discord))
        await discord.wait_ready()
        reply = await discord.wait_reply(to=await fans[0].post(channel, files=[("a.png", drawing("red"))]))
        with discord.hold("POST", "/interactions/*") as hold:  # Discord takes its time to take an answer
            clicks = [await fan.click(reply, reply.buttons[0].custom_id) for fan in fans]
            await until(lambda: len(bot.rows(VOTES)) == len(fans), 20)
            bot.process.send_signal(signal.SIGTERM)
            await bot.line("^Stopping")
            hold.release()
        assert await bot.ended() == 0
        answers = [await click.response(timeout=1) for click in clicks]
        assert all(answer.message.content.startswith("Thank you, noted") for answer in answers)
        assert "Traceback" not in bot.output


async def test_killed_it_leaves_no_worker_behind(tmp_path: Path, bundle: Path) -> None:
    bot = await start_bot(tmp_path, bundle)
    await bot.ready()
    family = bot.family()
    assert len(family) >= 2
    await bot.kill()
    await until(lambda: not any(_lives(each) for each in family))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_second_bot_on_the_same_port_says_so_and_ends(tmp_path: Path, bundle: Path) -> None:
    async with running_bot(tmp_path / "one", bundle) as first:
        port = (await first.url()).rsplit(":", 1)[1].rstrip("/")
        second = await start_bot(tmp_path / "two", bundle, WHOSTHAT_WEB__PORT=port)
        assert await second.ended() == 1
        assert any("web.port" in line for line in second.lines)
        assert "Traceback" not in second.output


async def test_what_cannot_start_is_one_sentence(tmp_path: Path, bundle: Path) -> None:
    for settings, sentence in (
        ({"WHOSTHAT_MODEL__USE": str(tmp_path / "nowhere")}, "nowhere"),
        ({"WHOSTHAT_WEB__PROT": "1"}, "did you mean web.port?"),
        ({"WHOSTHAT_DATABASE__URL": "mysql://x"}, "mysql"),
    ):
        bot = await start_bot(tmp_path / "bot", bundle, **settings)
        assert await bot.ended() == 1
        said = [line for line in bot.lines if line.startswith("whosthat: ")]
        assert len(said) == 1, bot.output
        assert sentence in said[0]
        assert "Traceback" not in bot.output

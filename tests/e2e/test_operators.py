"""The operator's commands, as an operator types them, beside a bot that runs and beside one that does not."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from simcord.enums import ChannelType

from bot.operators.discord_check import discord_checks
from bot.operators.findings import Finding, State
from bot.operators.telegram_check import telegram_checks
from bot.settings import load
from corrections.ledger import Ledger
from corrections.people import Pseudonyms, load_secret
from corrections.schema import head, upgrade
from corrections.types import CommunitySettings
from tests.command import whosthat
from tests.corrections.support import moment
from tests.e2e.running import VOTES, discord_settings, running_bot, until
from tests.standins.discord import DiscordStandin, StandinTimeout
from tests.standins.discord.people import Channel, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing
from tests.standins.telegram import TelegramStandin
from tests.standins.telegram.chats import Chat

SECONDS = 60


async def ledger_in(folder: Path) -> Ledger:
    (folder / "data").mkdir(parents=True, exist_ok=True, mode=0o700)
    before = os.umask(0o077)
    try:
        return await Ledger.open(f"sqlite:///{folder}/data/whosthat.db", folder / "data")
    finally:
        os.umask(before)


def telegram_settings(standin: TelegramStandin) -> dict[str, str]:
    return {"TELEGRAM_TOKEN": standin.token, "WHOSTHAT_TELEGRAM__API_BASE": standin.api_base}


async def test_a_healthy_bot(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord, TelegramStandin(privacy=False) as telegram:
        channel = discord.guild("Fans").text_channel("pictures")
        everything = {
            **discord_settings(discord, WHOSTHAT_DISCORD__AUTO_CHANNELS=str(channel.id)),
            **telegram_settings(telegram),
            "WHOSTHAT_MODEL__USE": str(bundle),
        }
        ledger = await ledger_in(tmp_path)
        wish, group = CommunitySettings(("all",)), telegram.group("Fans")
        await ledger.change_settings(("telegram", str(group.id)), ("telegram", "1"), wish, moment())
        await ledger.close()
        said = await whosthat(tmp_path, "doctor", **everything)
        assert said.code == 0 and not said.wrong() and said.err == "", said
        assert [line[0] for line in said.out.splitlines()] == ["✓"] * 13
        assert f"revision {head()}" in said.line("Database")
        assert "answered a picture in" in said.line("Model")
        assert "one watched channel gives every permission" in said.out
        assert f"@{telegram.bot_username}" in said.out
        assert discord.token not in said.out and telegram.token not in said.out
        lines = (await whosthat(tmp_path, "doctor", "--json", **everything)).out.splitlines()
        assert [json.loads(line)["state"] for line in lines] == ["ok"] * 13
        assert (sorted(set(discord.violations)), telegram.violations) == ([], [])


async def test_before_the_first_start(tmp_path: Path, bundle: Path) -> None:
    said = await whosthat(tmp_path, "doctor", WHOSTHAT_MODEL__USE=str(bundle))
    assert said.code == 0 and said.err == ""
    assert [line[0] for line in said.out.splitlines()] == list("✓–✓––✓–––")
    assert not (tmp_path / "data" / "whosthat.db").exists()


async def test_tokens_that_are_refused_are_not_shown(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord, TelegramStandin() as telegram:
        wrong = {"DISCORD_TOKEN": "AAAA.secret.BBBB", "TELEGRAM_TOKEN": "12345:secret-of-somebody"}
        said = await whosthat(
            tmp_path,
            "doctor",
            **{**discord_settings(discord), **telegram_settings(telegram), **wrong},
            WHOSTHAT_MODEL__USE=str(bundle),
        )
    assert said.code == 1 and len(said.wrong()) == 2
    assert "Reset Token" in said.line("Discord") and "BotFather" in said.line("Telegram")
    assert "secret" not in said.out + said.err


async def test_platforms_that_cannot_be_reached(tmp_path: Path, bundle: Path, unused_tcp_port: int) -> None:
    nowhere = f"http://127.0.0.1:{unused_tcp_port}"
    said = await whosthat(
        tmp_path,
        "doctor",
        DISCORD_TOKEN="x.secret.y",
        TELEGRAM_TOKEN="1:secret",
        WHOSTHAT_DISCORD__API_BASE=nowhere,
        WHOSTHAT_TELEGRAM__API_BASE=nowhere,
        WHOSTHAT_MODEL__USE=str(bundle),
    )
    assert said.code == 1 and "discord.api_base" in said.line("Discord")
    assert "telegram.api_base" in said.line("Telegram") and "secret" not in said.out + said.err


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_discord_that_lacks_intent_and_permissions(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin(message_content=False) as discord:
        guild = discord.guild("Fans")
        good, mute, hidden = (guild.text_channel(name) for name in ("good", "mute", "hidden"))
        mute.deny_bot("send_messages", "read_message_history")
        hidden.deny_bot("view_channel")
        ledger = await ledger_in(tmp_path)
        wish = CommunitySettings((str(mute.id),))
        await ledger.change_settings(("discord", str(guild.id)), ("discord", "1"), wish, moment())
        await ledger.close()
        settings = discord_settings(discord, WHOSTHAT_MODEL__USE=str(bundle))
        settings["WHOSTHAT_DISCORD__AUTO_CHANNELS"] = f"{good.id},{hidden.id},123"
        said = await whosthat(tmp_path, "doctor", **settings)
        assert said.code == 1
        intent, *channels = said.wrong()
        assert "Message Content Intent" in intent
        assert any("#mute this is missing: Send Messages, Read Message History" in line for line in channels)
        assert any("View Channel" in line for line in channels) and len(channels) == 3
        assert any("no channel 123 any more" in line for line in channels)

        settings["WHOSTHAT_DISCORD__AUTO_CHANNELS"] = "all"
        settings["WHOSTHAT_DISCORD__MESSAGE_CONTENT"] = "false"
        said = await whosthat(tmp_path, "doctor", **settings)
        assert len(said.wrong()) == 1 and "#mute" in said.wrong()[0]  # what the server itself chose
        assert "– Discord: the message-content intent is not asked for" in said.out


async def test_discord_and_threads(tmp_path: Path) -> None:
    """Without Send Messages in Threads: wrong where there are threads or nothing else, and else a remark."""
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        plain, busy, loud = (guild.text_channel(name) for name in ("plain", "busy", "loud"))
        guild.thread(busy, "more")
        inside = guild.thread(loud, "inside")
        loud.deny_bot("send_messages")
        kinds = {"forum": ChannelType.FORUM, "news": ChannelType.NEWS}
        forum, news = (
            Channel(discord.world.create_channel(guild.id, name, type=kind).id, name, guild.id, discord)
            for name, kind in kinds.items()
        )
        for each in (plain, busy, forum):
            each.deny_bot("send_messages_in_threads")
        news.deny_bot("send_messages")

        async def found(watched: str) -> list[Finding]:
            settings = discord_settings(discord, WHOSTHAT_DISCORD__AUTO_CHANNELS=watched)
            every = await discord_checks(load(environ=settings, folder=tmp_path), {})
            return [each for each in every if each.check in ("discord-channels", "discord-threads")]

        (one, remark) = await found(f"{plain.id},{inside.id}")
        assert one.state is State.OK and remark.state is State.SKIPPED
        assert "one watched channel does not let the bot answer in threads" in remark.text
        (one,) = await found(str(busy.id))
        assert one.state is State.BAD and "#busy this is missing: Send Messages in Threads" in one.text
        *wrong, remark = await found("all")
        assert all(each.state is State.BAD for each in wrong) and remark.state is State.SKIPPED
        named = {each.text.split("#")[1].split(";")[0] for each in wrong}
        assert named == {
            "busy this is missing: Send Messages in Threads",
            "forum this is missing: Send Messages in Threads",
            "loud this is missing: Send Messages",
            "news this is missing: Send Messages",
        }


async def test_telegram_groups_in_privacy_mode(tmp_path: Path) -> None:
    """Only a group in which the bot is a member and no admin misses anything."""
    async with TelegramStandin(privacy=True) as telegram:
        admin, gone, member = (telegram.group(name) for name in ("admin", "gone", "member"))
        admin.promote_bot()
        gone.kick_bot()
        settings = load(environ=telegram_settings(telegram), folder=tmp_path)

        async def found(*groups: Chat) -> dict[str, Finding]:
            chosen = {("telegram", str(each.id)): CommunitySettings(("all",)) for each in groups}
            async with aiohttp.ClientSession() as session:
                return {each.check: each for each in await telegram_checks(settings, session, chosen)}

        well = await found(admin, gone)
        assert (
            well["telegram-privacy"].state is State.OK and "admin of the one" in well["telegram-privacy"].text
        )
        assert well["telegram-groups"].state is State.SKIPPED
        assert "no longer in one group" in well["telegram-groups"].text
        assert (await found(gone))["telegram-privacy"].state is State.SKIPPED
        wrong = await found(admin, gone, member)
        assert (
            wrong["telegram-privacy"].state is State.BAD
            and "one group wants" in wrong["telegram-privacy"].text
        )
        assert telegram.violations == []


HOUR = 3600


@pytest.mark.parametrize(
    ("member", "state"),
    [
        ({"status": "restricted", "is_member": True, "can_send_messages": False}, State.BAD),
        ({"status": "restricted", "is_member": True, "can_send_messages": True}, None),
        ({"status": "restricted", "is_member": False, "can_send_messages": False}, None),
        ({"status": "administrator", "can_post_messages": False}, State.BAD),
        ({"status": "administrator"}, None),
        ({"status": "left"}, None),
    ],
)
@pytest.mark.parametrize(("ago", "hook"), [(HOUR // 2, State.BAD), (5 * HOUR, State.OK)])
async def test_what_telegram_says_of_the_bot(
    tmp_path: Path, member: dict[str, object], state: State | None, ago: int, hook: State
) -> None:
    address = "https://bot.example.org/hook"
    answers: dict[str, dict[str, object]] = {
        "getMe": {"id": 1, "username": "a_bot", "can_read_all_group_messages": True},
        "getChatMember": member,
        "getWebhookInfo": {
            "url": address,
            "last_error_date": int(time.time()) - ago,
            "last_error_message": "Connection refused",
        },
    }

    async def say(request: web.Request) -> web.Response:
        if request.match_info["method"] == "getChatMember":
            assert dict(request.query) == {"chat_id": "-1001", "user_id": "1"}
        return web.json_response({"ok": True, "result": answers[request.match_info["method"]]})

    app = web.Application()
    app.router.add_get("/bot1:x/{method}", say)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    environ = {
        "TELEGRAM_TOKEN": "1:x",
        "WHOSTHAT_TELEGRAM__API_BASE": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "WHOSTHAT_TELEGRAM__MODE": "webhook",
        "WHOSTHAT_TELEGRAM__WEBHOOK_URL": address,
    }
    chosen = {
        ("telegram", "-1001"): CommunitySettings(("all",)),
        ("telegram", "-1002"): CommunitySettings(()),
    }
    async with aiohttp.ClientSession() as session:
        settings = load(environ=environ, folder=tmp_path)
        found = {each.check: each for each in await telegram_checks(settings, session, chosen)}
    await runner.cleanup()
    rights = found.get("telegram-rights")
    assert (rights and rights.state) is state and (rights is None or "may not write there" in rights.text)
    assert found["telegram-webhook"].state is hook and "Connection refused" in found["telegram-webhook"].text
    assert ("5 hours ago" in found["telegram-webhook"].text) is (hook is State.OK)


async def test_telegram_with_a_webhook_in_the_way(tmp_path: Path, bundle: Path) -> None:
    async with TelegramStandin(privacy=True) as telegram:
        settings = {**telegram_settings(telegram), "WHOSTHAT_MODEL__USE": str(bundle)}
        hook = "https://bot.example.org/a-secret-path"
        api = f"{telegram.base_url}{telegram.token}"
        async with aiohttp.ClientSession() as session:
            done = await session.post(f"{api}/setWebhook", json={"url": hook})
            assert done.status == 200, await done.text()
        ledger = await ledger_in(tmp_path)
        wish, group = CommunitySettings(("all",)), telegram.group("Fans")
        await ledger.change_settings(("telegram", str(group.id)), ("telegram", "1"), wish, moment())
        await ledger.close()
        said = await whosthat(tmp_path, "doctor", **settings)
        assert said.code == 1
        privacy, left = said.wrong()
        assert "/setprivacy → Disable" in privacy and "one group wants" in privacy
        assert (
            "bot.example.org" in left and 'telegram.mode is "polling"' in left and "a-secret" not in said.out
        )
        webhook = {"WHOSTHAT_TELEGRAM__MODE": "webhook", "WHOSTHAT_TELEGRAM__WEBHOOK_URL": hook}
        said = await whosthat(tmp_path, "doctor", **settings, **webhook)
        assert "the webhook at bot.example.org is set and works" in said.out
        async with aiohttp.ClientSession() as session:
            await (await session.post(f"{api}/deleteWebhook")).read()
        said = await whosthat(tmp_path, "doctor", **settings, **webhook)
        assert any('telegram.mode is "webhook", but none is set' in line for line in said.wrong())


async def test_a_clock_that_is_wrong(tmp_path: Path, bundle: Path) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({}, status=401, headers={"Date": "Sun, 01 Mar 2026 12:00:00 GMT"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    said = await whosthat(
        tmp_path,
        "doctor",
        TELEGRAM_TOKEN="1:x",
        WHOSTHAT_TELEGRAM__API_BASE=base,
        WHOSTHAT_MODEL__USE=str(bundle),
    )
    await runner.cleanup()
    assert said.code == 1 and "timedatectl" in said.line("Clock") and said.line("Clock").startswith("✗")


async def test_what_is_broken_on_the_machine(tmp_path: Path, bundle: Path) -> None:
    settings = {"WHOSTHAT_MODEL__USE": str(bundle)}
    said = await whosthat(tmp_path, "doctor", WHOSTHAT_WEB__PORT="x")
    assert said.code == 1 and "WHOSTHAT_WEB__PORT is wrong" in said.line("Settings")

    (tmp_path / "file").touch()
    said = await whosthat(tmp_path, "doctor", **settings, WHOSTHAT_DATA_DIR=str(tmp_path / "file" / "data"))
    assert said.code == 1 and "cannot be written to" in said.line("Folder")

    await (await ledger_in(tmp_path)).close()
    said = await whosthat(tmp_path, "doctor", **settings, WHOSTHAT_RETENTION__DISK_GIBIBYTES="999999")
    assert said.wrong() == [said.line("Disk")] and "retention.disk_gibibytes" in said.out

    database, key = tmp_path / "data" / "whosthat.db", tmp_path / "data" / "person.key"
    key.chmod(0o644)
    assert "chmod 600" in (await whosthat(tmp_path, "doctor", **settings)).line("Folder")
    key.chmod(0o600)
    secret = key.read_bytes()
    key.write_bytes(os.urandom(32))
    assert (await whosthat(tmp_path, "doctor", **settings)).line("Key").startswith("✗")
    key.write_bytes(secret)

    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 12288))
    said = await whosthat(tmp_path, "doctor", **settings)
    assert said.code == 1 and "damaged" in said.line("Database") and "whosthat restore" in said.out


async def test_a_model_that_is_broken(tmp_path: Path, bundle: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in bundle.iterdir():
        if path.is_file():
            content = path.read_bytes()
            half = len(content) // 2 if path.suffix == ".onnx" else len(content)
            (broken / path.name).write_bytes(content[:half])
    said = await whosthat(tmp_path, "doctor", WHOSTHAT_MODEL__USE=str(broken))
    assert said.code == 1 and said.wrong() == [said.line("Model")] and "model.use" in said.line("Model")


async def test_the_tables_are_brought_up_from_every_revision(tmp_path: Path, bundle: Path) -> None:
    for revision in ("0001", "0002", "0003"):
        folder = tmp_path / revision
        (folder / "data").mkdir(parents=True)
        await upgrade(f"sqlite:///{folder}/data/whosthat.db", revision)
        said = await whosthat(folder, "doctor", WHOSTHAT_MODEL__USE=str(bundle))
        assert said.code == 1 and "whosthat db upgrade" in said.line("Database")
        assert f"at {revision}, this version needs {head()}" in (await whosthat(folder, "db", "current")).out
        said = await whosthat(folder, "db", "upgrade")
        kept, done = said.out.splitlines()
        assert said.code == 0 and done == f"The tables were brought from {revision} to {head()}."
        with closing(sqlite3.connect(kept.removeprefix("The old file is kept as ").removesuffix("."))) as old:
            assert old.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]
        said = await whosthat(folder, "db", "upgrade")
        assert said.out == f"The tables are at {head()}, which is what this version needs.\n"
    (tmp_path / "other" / "data").mkdir(parents=True)
    (tmp_path / "other" / "data" / "whosthat.db").write_bytes(b"a letter " * 999)
    said = await whosthat(tmp_path / "other", "db", "upgrade")
    assert said.code == 1 and "is not a ledger" in said.err and said.err.count("\n") == 1


@pytest.mark.timeout(600)
async def test_a_backup_under_continuous_voting_and_back(tmp_path: Path, bundle: Path) -> None:
    home, new = tmp_path / "home", tmp_path / "new"
    thanked: list[tuple[int, str]] = []
    checked = 0
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, poster = guild.text_channel("pictures"), guild.member("poster")
        fans = [guild.member(f"fan {n}") for n in range(60)]
        settings = discord_settings(discord, WHOSTHAT_WEB__ENABLED="false")
        async with running_bot(home, bundle, **settings):
            await discord.wait_ready()
            posted = [await poster.post(channel, files=[("a.png", drawing("red", seed=n))]) for n in range(8)]
            replies = [await discord.wait_reply(to=each) for each in posted]
            enough = asyncio.Event()
            voting = asyncio.create_task(_vote(fans, replies, thanked, enough))
            for number in range(3):
                await until(partial(_far_enough, voting, thanked, 20 * (number + 1)), SECONDS)
                assert not voting.done(), voting
                before = list(thanked)
                said = await whosthat(home, "backup", f"../{number}.tar.gz")
                assert said.code == 0 and said.out.startswith(f"Saved in ../{number}.tar.gz: 8 pictures"), (
                    said
                )
                assert len(thanked) > len(before), "people were thanked while it was made"
                place = tmp_path / f"new-{number}"
                said = await whosthat(place, "restore", f"../{number}.tar.gz")
                assert said.code == 0, said
                assert set(before) <= _kept(place / "data", fans), "a vote that was thanked for is missing"
                checked += len(before)
            enough.set()
            await voting
            said = await whosthat(home, "run", WHOSTHAT_WEB__PORT="0", WHOSTHAT_MODEL__USE=str(bundle))
            assert said.code == 1 and "is in use by another whosthat" in said.err, said
        said = await whosthat(home, "backup", str(tmp_path / "last.tar.gz"))
        assert (
            f"{len(thanked)} corrections" in said.out
            and (tmp_path / "last.tar.gz").stat().st_mode & 0o77 == 0
        )
        assert (await whosthat(new, "restore", str(tmp_path / "last.tar.gz"))).code == 0
        said = await whosthat(home, "restore", str(tmp_path / "last.tar.gz"))
        assert said.code == 1 and "--force" in said.err
        async with running_bot(new, bundle, **settings) as bot:  # and it goes on from there
            await discord.wait_ready(identifies=2)
            assert len(bot.rows(VOTES)) == len(thanked) == len(set(thanked))
            again = await (await fans[0].click(replies[0], replies[0].buttons[0].custom_id)).response()
            assert again.message and "You have said so already" in again.message.content
    print(f"{len(thanked)} votes thanked for, {checked} looked for in three backups, none missing")


async def test_a_backup_is_put_back_while_the_bot_runs(tmp_path: Path, bundle: Path) -> None:
    """It steps aside for a moment, as one process, and goes on from the backup; what stood there is kept."""
    home = tmp_path / "home"
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann, bob = guild.text_channel("pictures"), guild.member("ann"), guild.member("bob")
        async with running_bot(home, bundle, **discord_settings(discord)) as bot:
            await discord.wait_ready()
            reply = await discord.wait_reply(to=await ann.post(channel, files=[("a.png", drawing("red"))]))
            await (await ann.click(reply, reply.buttons[0].custom_id)).response()
            saved = await whosthat(home, "backup", "../saved.tar.gz")
            assert saved.code == 0, saved
            await (await bob.click(reply, reply.buttons[0].custom_id)).response()
            assert len(bot.rows(VOTES)) == 2
            damaged = tmp_path / "damaged.tar.gz"
            whole = (tmp_path / "saved.tar.gz").read_bytes()
            damaged.write_bytes(whole[: len(whole) // 2])
            refused = await whosthat(home, "restore", "--force", "../damaged.tar.gz")
            assert refused.code == 1 and bot.process.returncode is None, refused
            pid = bot.process.pid
            said = await whosthat(home, "restore", "--force", "../saved.tar.gz")
            assert said.code == 0, f"{said}\n{bot.output}"
            await discord.wait_ready(identifies=2)
            assert bot.process.pid == pid and bot.process.returncode is None
            assert [line for line in bot.lines if "starting again" in line]
            assert bot.rows(VOTES) == [("iron-man",)], "as when it was saved"
            kept = [*(home / "data").glob("replaced-*/whosthat.db")]
            assert len(kept) == 1, "what stood there is kept beside"
            thanks = await (await bob.click(reply, reply.buttons[0].custom_id)).response()
            assert thanks.message and "Thank you" in thanks.message.content
            assert len(bot.rows(VOTES)) == 2
            assert not [*(home / "data").glob(".restoring-*")]


def _far_enough(voting: asyncio.Task[None], thanked: list[tuple[int, str]], wanted: int) -> bool:
    return voting.done() or len(thanked) >= wanted


async def _vote(
    fans: list[User], replies: list[MessageSnapshot], thanked: list[tuple[int, str]], enough: asyncio.Event
) -> None:
    """One vote after the other, of everybody on everything, until it is enough."""
    for fan, reply in itertools.product(fans, replies):
        if enough.is_set():
            return
        try:
            said = await (await fan.click(reply, reply.buttons[0].custom_id)).response(timeout=10)
        except StandinTimeout:
            continue
        if said.message and said.message.content.startswith("Thank you, noted: "):
            thanked.append((fan.id, str(reply.id)))


def _kept(data: Path, fans: list[User]) -> set[tuple[int, str]]:
    """Who voted on the answer in which message."""
    names = Pseudonyms(load_secret(data, make=False))
    known = {names.person(("discord", str(fan.id))): fan.id for fan in fans}
    with closing(sqlite3.connect(data / "whosthat.db")) as database:
        rows = database.execute(
            "SELECT person_key, message FROM votes JOIN people ON people.id = votes.person_id "
            "JOIN replies ON replies.prediction_id = votes.prediction_id"
        )
        return {(known[person], message) for person, message in rows}


async def test_the_cap_on_the_disk_holds_in_a_running_bot(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        settings = discord_settings(discord, WHOSTHAT_WEB__ENABLED="false")
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await discord.wait_ready()
            for n in range(6):
                sent = await ann.post(channel, files=[("a.png", drawing("red", seed=n))])
                await discord.wait_reply(to=sent)
            sizes = bot.rows("SELECT id, size FROM blobs ORDER BY posted_at")
            # the oldest is what moderators approved and its poster allowed
            with closing(sqlite3.connect(tmp_path / "data" / "whosthat.db")) as database:
                database.execute("UPDATE cases SET status = 'approved', decided = '[]' WHERE id = 1")
                database.execute(
                    "INSERT INTO consents (person_id, post_id, granted, created_at) "
                    "SELECT person_id, id, 1, created_at FROM posts WHERE case_id = 1"
                )
                database.commit()
        cap = sum(size for _, size in sizes[3:]) + sizes[0][1]
        settings["WHOSTHAT_RETENTION__DISK_GIBIBYTES"] = repr(cap / (1 << 30))
        async with running_bot(tmp_path, bundle, **settings) as bot:
            blobs = tmp_path / "data" / "blobs"
            await until(lambda: len(list(blobs.glob("*/*.webp"))) == 4, SECONDS)
            kept = "SELECT id FROM blobs WHERE erased_at IS NULL ORDER BY posted_at"
            await until(lambda: len(bot.rows(kept)) == 4, SECONDS)  # the files go before that is noted
            left = bot.rows(kept)
    assert left == [(sizes[n][0],) for n in (0, 3, 4, 5)], "the oldest, never what is approved and allowed"
    assert sum(path.stat().st_size for path in blobs.glob("*/*.webp")) <= cap

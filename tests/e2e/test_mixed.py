"""Mixed traffic on both platforms, with drops and 5xx on both: nothing lost, nothing twice.

On Telegram an answer can be lost with the connection on which it was sent, and is there when asked again.

Ten minutes in CI, one elsewhere; ``WHOSTHAT_TEST_SOAK_SECONDS`` makes it shorter or longer. The real bot runs
as a subprocess against both stand-ins at once; people post pictures and press buttons all the time while the
network is made bad.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.e2e.running import VOTES, Bot, discord_settings, running_bot
from tests.standins.discord import DiscordStandin
from tests.standins.discord.people import Channel
from tests.standins.discord.people import User as Member
from tests.standins.discord.waiting import StandinTimeout
from tests.standins.drawings import drawing
from tests.standins.telegram import TelegramStandin
from tests.standins.telegram import User as Friend

SECONDS = float(
    os.environ.get("WHOSTHAT_TEST_SOAK_SECONDS") or (600 if os.environ.get("CI") == "true" else 60)
)
PATIENCE = 90.0
"""Seconds that an answer may take while both networks are bad."""
MISSED = 20.0
"""Seconds after which somebody on Telegram asks again."""
NAMES = {"red": "Iron Man", "green": "Hulk", "blue": "Captain America", "purple": "Thanos"}


@dataclass
class Tally:
    """What people did and what came of it."""

    asked: dict[str, int] = field(default_factory=lambda: {"discord": 0, "telegram": 0})
    thanked: dict[str, int] = field(default_factory=lambda: {"discord": 0, "telegram": 0})
    troubles: dict[str, int] = field(default_factory=dict)
    asked_again: int = 0
    slowest: float = 0.0


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 600)
async def test_nothing_is_lost_and_nothing_answered_twice(tmp_path: Path, bundle: Path) -> None:
    tally = Tally()
    async with DiscordStandin() as discord, TelegramStandin() as telegram:
        guild = discord.guild("Fans")
        channel = guild.text_channel("pictures")
        members = [guild.member(f"fan {number}") for number in range(3)]
        friends = [telegram.user(f"Friend {number}") for number in range(3)]
        settings = discord_settings(
            discord,
            TELEGRAM_TOKEN=telegram.token,
            WHOSTHAT_TELEGRAM__API_BASE=telegram.api_base,
            WHOSTHAT_LIMITS__PERSON_PER_MINUTE="10000",
            WHOSTHAT_LIMITS__COMMUNITY_PER_MINUTE="10000",
        )
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await discord.wait_ready()
            await telegram.wait_ready()
            until = time.monotonic() + SECONDS
            async with asyncio.TaskGroup() as people:
                chaos = people.create_task(_chaos(discord, telegram, until, tally))
                for number, member in enumerate(members):
                    people.create_task(_on_discord(discord, channel, member, number, until, tally))
                for number, friend in enumerate(friends):
                    people.create_task(_on_telegram(telegram, friend, number, until, tally))
                people.create_task(_memory_stays(bot, until))
            await chaos
            answered = [message.reference for message in discord.replies(channel)]
            assert len(answered) == len(set(answered)) == tally.asked["discord"]
            for friend in friends:
                answers = [message.reply_to for message in telegram.replies(telegram.private(friend))]
                assert len(answers) == len(set(answers))
            assert tally.asked_again <= tally.troubles.get("hang_up", 0), "only they may lose an answer"
            votes = bot.rows(VOTES)
            assert len(votes) == sum(tally.thanked.values())
            assert {slug for (slug,) in votes} <= {"iron-man", "hulk", "captain-america", "thanos"}
            assert "Traceback" not in bot.output
        assert discord.violations == []
        assert telegram.violations == []
        assert telegram.spinners == []
    print(tally)
    assert min(tally.asked.values()) > SECONDS / 60, "hardly anything happened"


async def _on_discord(
    discord: DiscordStandin, channel: Channel, fan: Member, number: int, until: float, tally: Tally
) -> None:
    dice, seed = random.Random(number), 1000 * number
    while time.monotonic() < until:
        seed += 1
        colour = dice.choice(list(NAMES))
        begun = time.monotonic()
        posted = await fan.post(channel, files=[("a.png", drawing(colour, seed=seed))])
        tally.asked["discord"] += 1
        reply = await discord.wait_reply(to=posted, timeout=PATIENCE)
        tally.slowest = max(tally.slowest, time.monotonic() - begun)
        assert NAMES[colour] in reply.content
        pressed = await fan.click(reply, reply.buttons[0].custom_id)
        # A click whose answer is lost is the one thing that a person repeats.
        if not await pressed.answered(timeout=10):
            pressed = await fan.click(reply, reply.buttons[0].custom_id)
        said = (await pressed.response(timeout=PATIENCE)).message.content
        assert said.startswith(("Thank you", "You have said so")), said
        tally.thanked["discord"] += 1


async def _on_telegram(
    telegram: TelegramStandin, friend: Friend, number: int, until: float, tally: Tally
) -> None:
    dice, seed = random.Random(100 + number), 1000 * number + 500
    chat = telegram.private(friend)
    while time.monotonic() < until:
        seed += 1
        colour = dice.choice(list(NAMES))
        begun = time.monotonic()
        sent = await friend.send_photo(chat, drawing(colour, seed=seed))
        tally.asked["telegram"] += 1
        try:
            reply = await telegram.wait_reply(to=sent, timeout=MISSED)
        except StandinTimeout:
            # When a connection breaks the bot cannot know whether Telegram has the answer, and does not send
            # it again: whoever misses it asks again.
            tally.asked_again += 1
            await friend.send_text(chat, "/whois", reply_to=sent)
            reply = await telegram.wait_reply(to=sent, timeout=PATIENCE)
        tally.slowest = max(tally.slowest, time.monotonic() - begun)
        assert NAMES[colour] in reply.text
        pressed = await friend.press(reply, reply.buttons[0].data)
        said = (await pressed.answer(timeout=PATIENCE)).text
        assert said.startswith(("Thank you", "You have said so")), said
        tally.thanked["telegram"] += 1


async def _chaos(discord: DiscordStandin, telegram: TelegramStandin, until: float, tally: Tally) -> None:
    """Something bad every few seconds; it ends early enough for the last answers to come through."""
    dice = random.Random(7)
    message = "/channels/{channel_id}/messages"

    async def gateway() -> None:
        await discord.drop_gateway()

    async def lost_answer() -> None:
        discord.fail_next("POST", message, status=502, lost=True)

    async def discord_down() -> None:
        discord.fail_next("POST", message, status=500, times=2)

    async def discord_flood() -> None:
        discord.fail_next("POST", message, status=429, retry_after=1.0)

    async def hang_up() -> None:
        telegram.drop_connections()

    async def lost_on_telegram() -> None:
        telegram.fail_next("sendMessage", dice.choice((0, 502)), lost=True)

    async def telegram_down() -> None:
        telegram.fail_next("sendMessage", 502)

    async def telegram_flood() -> None:
        telegram.fail_next("sendMessage", 429, retry_after=1)

    async def polls_fail() -> None:
        telegram.fail_next("getUpdates", 502)

    async def answers_fail() -> None:
        telegram.fail_next("answerCallbackQuery", 502)

    troubles: tuple[Callable[[], Coroutine[object, object, None]], ...] = (
        gateway,
        lost_answer,
        discord_down,
        discord_flood,
        hang_up,
        lost_on_telegram,
        telegram_down,
        telegram_flood,
        polls_fail,
        answers_fail,
    )
    left: list[Callable[[], Coroutine[object, object, None]]] = []
    while time.monotonic() < until - 5:
        left = left or dice.sample(troubles, len(troubles))  # each of them in turn
        trouble = left.pop()
        tally.troubles[trouble.__name__] = tally.troubles.get(trouble.__name__, 0) + 1
        await trouble()
        await asyncio.sleep(dice.uniform(1, 6))  # the weather, not a synchronisation


async def _memory_stays(bot: Bot, until: float) -> None:
    """After a minute of warming up, memory may grow by a third at most."""

    def size() -> int:
        return sum(each.memory_info().rss for each in bot.family())

    await asyncio.sleep(min(60.0, max(0.0, (until - time.monotonic()) / 3)))
    before = size()
    while time.monotonic() < until:
        await asyncio.sleep(2)
        try:
            assert size() < before * 1.33 + (32 << 20), "memory grows"
        except psutil.NoSuchProcess:
            continue  # a decoder was renewed while we looked

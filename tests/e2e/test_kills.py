"""kill -9 at random moments during clicks: every vote that was thanked for is there, exactly once."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from corrections.people import Pseudonyms, load_secret
from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.e2e.running import discord_settings, running_bot, start_bot
from tests.standins.discord import DiscordStandin, StandinTimeout
from tests.standins.discord.interactions import Interaction
from tests.standins.discord.people import User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing

KILLS = int(os.environ.get("WHOSTHAT_TEST_KILLS", "200"))
CLICKS = 6
"""Clicks under way when the kill comes."""
PICTURES = 12

STANDING = """
    SELECT people.person_key, votes.prediction_id, characters.slug FROM votes
    JOIN people ON people.id = votes.person_id
    LEFT JOIN vote_labels ON vote_labels.vote_id = votes.id
    LEFT JOIN characters ON characters.id = vote_labels.character_id
"""


@dataclass
class Said:
    """What was clicked, and what of it was thanked for, by (fan, place of the picture)."""

    clicked: dict[tuple[int, int], str] = field(default_factory=dict)
    thanked: dict[tuple[int, int], str] = field(default_factory=dict)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_every_vote_that_was_thanked_for_survives_every_kill(tmp_path: Path, bundle: Path) -> None:
    # The worker keeps no votes: one serves all the bots, so that only what is killed must start anew.
    options = WorkerOptions(use=str(bundle), models_dir=tmp_path, decoders=1, threads=1)
    async with WorkerSupervisor(options) as worker, asyncio.TaskGroup() as group:
        address = worker.client().address
        halves = [
            group.create_task(_kill_again_and_again(tmp_path / str(seed), bundle, address, KILLS // 2, seed))
            for seed in range(2)
        ]
    thanked = sum(each.result() for each in halves)
    assert thanked >= KILLS, f"only {thanked} votes were thanked for: the kills came too early to prove much"


async def _kill_again_and_again(folder: Path, bundle: Path, worker: str, kills: int, seed: int) -> int:
    dice = random.Random(seed)
    said = Said()
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, poster = guild.text_channel("pictures"), guild.member("poster")
        fans = [guild.member(f"fan {n}") for n in range(kills * CLICKS // PICTURES + 1)]
        settings = discord_settings(discord, WHOSTHAT_WEB__ENABLED="false", WHOSTHAT_WORKER__URL=worker)
        async with running_bot(folder, bundle, **settings) as bot:
            await discord.wait_ready()
            posted = [
                await poster.post(channel, files=[("a.png", drawing("red", seed=n))]) for n in range(PICTURES)
            ]
            replies = [await discord.wait_reply(to=each) for each in posted]
        pairs = itertools.product(range(len(fans)), range(PICTURES))
        for number in range(kills):
            bot = await start_bot(folder, bundle, **settings)
            await discord.wait_ready(identifies=number + 2)
            first, *others = [
                _click(fans[fan], replies[picture], (fan, picture), dice.random() < 0.5, said)
                for fan, picture in itertools.islice(pairs, CLICKS)
            ]
            await first  # it is awake
            clicks = [asyncio.create_task(each) for each in others]
            # The moment of the kill is what is random here; nothing is waited for.
            await asyncio.sleep(dice.uniform(0.0, 0.15))
            await bot.kill()
            await asyncio.gather(*clicks)
        async with running_bot(folder, bundle, **settings) as bot:
            rows = bot.rows(STANDING)
            predictions = [int(reply.buttons[0].custom_id.split(":")[2]) for reply in replies]
            names = Pseudonyms(load_secret(folder / "data", make=False))
    standing: dict[tuple[str, int], list[str]] = {}
    for person, prediction, slug in rows:
        standing.setdefault((person, prediction), []).append(slug)
    for (fan, picture), slug in said.clicked.items():
        found = standing.pop((names.person(("discord", str(fans[fan].id))), predictions[picture]), [])
        if (fan, picture) in said.thanked:
            assert found == [slug], f"thanked for {slug}, kept {found}"
        else:
            assert found in ([], [slug]), f"clicked {slug}, kept {found}"
    assert not standing, "votes that nobody gave"
    print(f"{kills} kills, {len(said.clicked)} votes clicked, {len(said.thanked)} thanked for, none lost")
    return len(said.thanked)


async def _click(fan: User, reply: MessageSnapshot, pair: tuple[int, int], right: bool, said: Said) -> None:
    """One vote, by one click or two, and whether it was thanked for."""
    with suppress(StandinTimeout):
        if right:
            said.clicked[pair] = "iron-man"
            vote = await fan.click(reply, reply.buttons[0].custom_id)
        else:
            choices = await (await fan.click(reply, reply.buttons[1].custom_id)).response(timeout=2)
            said.clicked[pair] = "hulk"
            vote = await fan.click(choices.message, "Hulk")
        if await _was_thanked(vote):
            said.thanked[pair] = said.clicked[pair]


async def _was_thanked(vote: Interaction) -> bool:
    return (await vote.response(timeout=2)).message.content.startswith("Thank you, noted: ")

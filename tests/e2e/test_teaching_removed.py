"""A taught character is removed by buttons: the real bot, discord.py and python-telegram-bot unmodified."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.e2e import telegram_scene
from tests.e2e.telegram_scene import toast
from tests.e2e.test_discord import Scene, scene
from tests.e2e.test_teaching import CASES, LEARN, OWN_NAMES, PATIENT, shown, teach
from tests.e2e.test_telegram_review import begun, pressed
from tests.standins.discord import Interaction
from tests.standins.discord.people import User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing

QUESTION = "Shall **Winter Soldier** be no character here any more? Its pictures wait to be decided again."
LIMITS = {f"WHOSTHAT_LIMITS__{whose}_PER_MINUTE": "1000" for whose in ("PERSON", "COMMUNITY")}


async def until_said(ask: Callable[[], Awaitable[str]], words: str, *, there: bool) -> None:
    """Ask anew until the words are in the answer, or no longer are: memory follows within seconds."""
    began = time.monotonic()
    while (words in (said := await ask())) is not there:
        assert time.monotonic() - began < PATIENT, said
        await asyncio.sleep(0.2)


async def changed(s: Scene, message: MessageSnapshot, press: Awaitable[Interaction]) -> MessageSnapshot:
    """What stands in the same message when a press has done its work."""
    await press
    return await s.discord.wait_edit(message, edits=message.edits + 1, timeout=PATIENT)


async def test_on_discord(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **LEARN, **LIMITS) as s:
        role = s.guild.role("moderators", "manage_guild")
        mia = s.guild.member("mia", roles=[role])

        async def asked() -> str:
            return (await s.ask("orange", seed=0)).content

        async def removing(who: User, name: str) -> MessageSnapshot:
            return await shown(await who.slash(s.channel, "characters remove", {"name": name}))

        await teach(s, mia, "Winter Soldier", *(drawing("orange", seed=n) for n in range(2)))
        await until_said(asked, "People here say **Winter Soldier**", there=True)
        assert "Only moderators" in (await removing(s.ann, "Winter Soldier")).content
        sure = await removing(mia, "Iron Man")
        kept = await changed(s, sure, mia.click(sure, "Remove"))
        assert "I know that character from the start" in kept.content

        listed = await shown(await mia.slash(s.channel, "characters list"))
        (select,) = listed.selects
        assert [option.value for option in select.options] == ["winter-soldier"]
        opened = await changed(s, listed, mia.select(listed, select.custom_id, "winter-soldier"))
        assert [b.label for b in opened.buttons] == ["Rename…", "Merge…", "Remove", "The list"]
        sure = await changed(s, opened, mia.click(opened, "Remove"))
        assert sure.content == QUESTION
        back = await changed(s, sure, mia.click(sure, "The list"))
        assert "**Winter Soldier**: 2 approved" in back.content
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "known")]

        sure = await removing(mia, "Winter Soldier")
        assert sure.content == QUESTION
        s.guild.take(mia, role)  # no moderator any more when she confirms
        refused = await changed(s, sure, mia.click(sure, "Remove"))
        assert "Only moderators" in refused.content
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "known")]
        s.guild.give(mia, role)
        twice = await removing(mia, "Winter Soldier")
        sure = await removing(mia, "Winter Soldier")
        gone = await changed(s, sure, mia.click(sure, "Remove"))
        assert gone.content == "Removed: **Winter Soldier**."
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "refused")]
        assert {status for status, _ in s.bot.rows(CASES)} == {"open"}
        again = await changed(s, twice, mia.click(twice, "Remove"))
        assert again.content == "There is no such character here."
        await until_said(asked, "Winter Soldier", there=False)
        empty = await shown(await mia.slash(s.channel, "characters list"))
        assert empty.selects == ()
        assert "Winter Soldier" not in empty.content
        offered = await (await s.ann.autocomplete(s.channel, "teach", "name", "winter")).response()
        assert "winter-soldier" not in [choice.value for choice in offered.choices]


async def test_on_telegram(tmp_path: Path, bundle: Path) -> None:
    async with telegram_scene.scene(tmp_path, bundle, **LIMITS) as s:
        boss, bot = s.group.owner, s.telegram.bot_username

        async def asked() -> str:
            return (await s.whois("orange", seed=0)).text

        taught = await boss.send_photo(s.group, drawing("orange", seed=0), f"/teach@{bot} Winter Soldier")
        assert "Learned: Winter Soldier" in (await s.telegram.wait_reply(to=taught, timeout=PATIENT)).text
        await until_said(asked, "People here say Winter Soldier", there=True)

        listed = await begun(s.telegram, boss, s.group, "characters")
        assert "Winter Soldier: 1 approved" in listed.text
        assert "Iron Man" not in [each.label for each in listed.buttons]
        _, page = await pressed(s, boss, listed, "Winter Soldier")
        assert page.rows == [["Rename…", "Merge…"], ["Remove"], ["‹ Back"]]
        _, sure = await pressed(s, boss, listed, "Remove")
        assert QUESTION.replace("**", "") in sure.text
        _, page = await pressed(s, boss, listed, "‹ Back")
        assert page.rows[1] == ["Remove"]
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "known")]

        _, sure = await pressed(s, boss, listed, "Remove")
        yes = sure.button("Remove").data
        assert await toast(await s.ann.press_forged(sure, yes)) == "Only moderators can do that here."
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "known")]
        said, rest = await pressed(s, boss, listed, "Remove")
        assert said == "Removed: Winter Soldier."
        assert "Winter Soldier" not in rest.text
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "refused")]
        assert s.bot.rows(CASES) == [("open", None)]
        assert "I do not know that button" in await toast(await boss.press_forged(listed, yes))
        await until_said(asked, "Winter Soldier", there=False)
        iron = yes.replace("winter-soldier", "iron-man")
        assert "I know that character from the start" in await toast(await boss.press_forged(listed, iron))

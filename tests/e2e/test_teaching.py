"""The real bot, unmodified discord.py and python-telegram-bot: characters that the model has never seen."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from tests.e2e import telegram_scene
from tests.e2e.test_discord import Scene, scene
from tests.standins.discord import Interaction
from tests.standins.discord.people import Guild, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing, picture

CASES = "SELECT status, decided FROM cases ORDER BY id"
OWN_NAMES = "SELECT slug, status FROM characters WHERE community_id IS NOT NULL ORDER BY slug"
LEARN = {"WHOSTHAT_DISCORD__ALLOW_TRAINING": "true"}
PATIENT = 60.0


def moderator(guild: Guild) -> User:
    return guild.member("mia", roles=[guild.role("moderators", "manage_guild")])


def attached(*pictures: bytes, suffix: str = "png") -> dict[str, object]:
    names = ["picture", *(f"picture{n}" for n in range(2, 11))]
    return {name: (f"{name}.{suffix}", each) for name, each in zip(names, pictures, strict=False)}


async def shown(sent: Interaction) -> MessageSnapshot:
    await sent.response(timeout=PATIENT)
    message = await sent.original(timeout=PATIENT)
    assert message.ephemeral
    assert message.pings == ()
    return message


async def teach(s: Scene, who: User, name: str, *pictures: bytes) -> MessageSnapshot:
    return await shown(await who.slash(s.channel, "teach", {"name": name, **attached(*pictures)}))


def heic() -> bytes:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    picture("orange", seed=5).save(buffer, "HEIF")
    return buffer.getvalue()


async def test_a_moderator_of_a_server_teaches_three_pictures(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **LEARN) as s:
        mia = moderator(s.guild)
        said = await teach(s, mia, "Winter Soldier", *(drawing("orange", seed=n) for n in range(3)))
        assert said.content.startswith("Learned: **Winter Soldier**. 3 pictures are examples from now on.")
        assert "never teach a private person" in said.content
        assert s.bot.rows(CASES) == [("approved", '["winter-soldier"]')] * 3
        assert s.bot.rows("SELECT count(*) FROM consents WHERE granted") == [(3,)]
        listed = await shown(await mia.slash(s.channel, "characters list"))
        assert "**Winter Soldier**: 3 approved" in listed.content
        renamed = await shown(
            await mia.slash(
                s.channel, "characters rename", {"name": "Winter Soldier", "english": "White Wolf"}
            )
        )
        assert "White Wolf" in renamed.content
        more = await teach(s, mia, "White Wolf", drawing("orange", seed=9))
        assert "One more picture is an example of **White Wolf**" in more.content
        offered = await (await s.ann.autocomplete(s.channel, "teach", "name", "white")).response()
        assert offered.choices[0].value == "winter-soldier"


async def test_a_member_proposes_and_a_moderator_accepts(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **LEARN) as s:
        mia = moderator(s.guild)
        said = await teach(s, s.ann, "Winter Soldier", *(drawing("orange", seed=n) for n in range(2)))
        assert "Thank you, proposed: **Winter Soldier**, with 2 pictures." in said.content
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "proposed")]
        assert {status for status, _ in s.bot.rows(CASES)} == {"open"}
        case = await shown(await mia.slash(s.channel, "review"))
        for _ in range(2):
            assert "one person says **Winter Soldier**" in case.content
            approve = next(b.custom_id for b in case.buttons if re.search(r":\d+\.a(\.|$)", b.custom_id))
            await mia.click(case, approve)
            case = await s.discord.wait_edit(case, edits=case.edits + 1, timeout=PATIENT)
        assert s.bot.rows(CASES) == [("approved", '["winter-soldier"]')] * 2
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "known")]


async def test_a_cat_is_insisted_on_or_not_taught(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        mia, cat = moderator(s.guild), drawing("grey", seed=3)
        refused = await teach(s, s.ann, "Iron Man", cat)
        assert "picture 1 shows nobody I know" in refused.content
        assert refused.content.endswith("a moderator can teach them.")
        assert not refused.buttons
        doubted = await teach(s, mia, "Iron Man", cat)
        assert s.bot.rows(CASES) == []
        await mia.click(doubted, "They are right")
        said = await s.discord.wait_edit(doubted, edits=doubted.edits + 1, timeout=PATIENT)
        assert said.content.startswith("One more picture is an example of **Iron Man** from now on.")
        assert "discord.allow_training is off" in said.content
        assert not said.buttons
        assert s.bot.rows(CASES) == [("approved", '["iron-man"]')]
        again = await teach(s, mia, "Thor", cat)
        assert "decided that picture 1 shows Iron Man" in again.content


async def test_heic_is_read_and_what_is_damaged_is_left_out(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **LEARN) as s:
        whole = drawing("orange", seed=1, kind="JPEG")
        said = await teach(
            s, moderator(s.guild), "Falcon", heic(), whole[: len(whole) // 2], b"GIF89a", whole
        )
        lines = said.content.split("\n")
        assert lines[0] == "Learned: **Falcon**. 2 pictures are examples from now on."
        assert lines[1].startswith("Picture 2 is left out.")
        assert lines[2].startswith("Picture 3 is left out.")
        with Image.open(next((tmp_path / "data" / "blobs").glob("*/*.webp"))) as kept:
            assert kept.format == "WEBP"
        assert s.bot.rows("SELECT count(*) FROM blobs") == [(2,)]


async def test_nothing_is_half_written_while_the_worker_is_busy(tmp_path: Path, slow_bundle: Path) -> None:
    settings = {**LEARN, "WHOSTHAT_WORKER__QUEUE": "1", "WHOSTHAT_DISCORD__AUTO_CHANNELS": ""}
    async with scene(tmp_path, slow_bundle, **settings) as s:
        pictures = [drawing("orange", seed=n) for n in range(10)]
        said = await teach(s, moderator(s.guild), "Falcon", *pictures)
        assert said.content.startswith("Many pictures are waiting right now")
        assert s.bot.rows(CASES) == s.bot.rows(OWN_NAMES) == []
        assert s.bot.rows("SELECT count(*) FROM blobs") == [(0,)]


@pytest.mark.parametrize("admin", [True, False])
async def test_a_group_on_telegram_teaches(tmp_path: Path, bundle: Path, admin: bool) -> None:
    async with telegram_scene.scene(tmp_path, bundle) as s:
        mia = s.telegram.user("Mia", language_code="zh-hans" if admin else "en")
        s.group.add(mia, admin=admin)
        bot = s.telegram.bot_username
        asked = await s.telegram.wait_reply(
            to=await mia.send_text(s.group, f"/teach@{bot} Winter Soldier"), timeout=PATIENT
        )
        pictures = [drawing("orange", seed=n) for n in range(3)]
        (first, *_) = await mia.send_album(s.group, pictures, reply_to=asked)
        said = (await s.telegram.wait_reply(to=first, timeout=PATIENT)).text
        if admin:
            assert said.startswith("学会了：Winter Soldier。从现在起有 3 张图片作为例子。")
            assert s.bot.rows(CASES) == [("approved", '["winter-soldier"]')] * 3
        else:
            assert said.startswith("Thank you, proposed: Winter Soldier, with 3 pictures.")
            assert s.bot.rows(CASES) == [("open", None)] * 3
        assert s.bot.rows(OWN_NAMES) == [("winter-soldier", "known" if admin else "proposed")]
        cat = await mia.send_photo(s.group, drawing("grey", seed=3), f"/teach@{bot} Iron Man")
        doubted = await s.telegram.wait_reply(to=cat, timeout=PATIENT)
        assert bool(doubted.buttons) is admin
        if admin:
            await (await mia.press(doubted, doubted.buttons[0].label)).answer()
            done = await s.telegram.wait_edit(doubted, timeout=PATIENT)
            assert "Iron Man" in done.text or "钢铁侠" in done.text
            assert s.bot.rows(CASES)[-1] == ("approved", '["iron-man"]')

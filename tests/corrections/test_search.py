"""Everybody is found in either language and by the sounds of Chinese, the one who is meant first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import pinyin
from corrections.characters import vocabulary_file
from corrections.ledger import Ledger
from corrections.schema import upgrade
from corrections.tables import CharacterRow
from corrections.types import Character
from corrections.vocabulary import Vocabulary
from tests.corrections.support import ANNA, GUILD, OTHER, moment
from tests.corrections.test_vocabulary import shipped

OFFICIAL = {
    "iron-man": "钢铁侠", "captain-america": "美国队长", "thor": "雷神", "hulk": "绿巨人", "hawkeye": "鹰眼",
    "black-widow": "黑寡妇", "doctor-strange": "奇异博士", "spider-man": "蜘蛛侠", "loki": "洛基",
    "ant-man": "蚁人", "thanos": "灭霸", "captain-marvel": "惊奇队长", "gamora": "卡魔拉", "groot": "格鲁特",
    "rocket-raccoon": "火箭浣熊", "scarlet-witch": "绯红女巫", "star-lord": "星爵", "vision": "幻视",
}  # fmt: skip


def test_everybody_has_the_name_of_the_films_in_china() -> None:
    assert {slug: entry["names"]["zh-CN"] for slug, entry in vocabulary_file().items()} == OFFICIAL


@pytest.mark.parametrize(
    ("typed", "slug"),
    [
        ("钢铁", "iron-man"), ("gangtiexia", "iron-man"), ("gang tie xia", "iron-man"), ("gtx", "iron-man"),
        ("GangTie", "iron-man"), ("鋼鐵俠", "iron-man"), ("gangtiexa", "iron-man"), ("gt", "iron-man"),
        ("heigua", "black-widow"), ("hgf", "black-widow"), ("寡妇", "black-widow"), ("guafu", "black-widow"),
        ("寡姐", "black-widow"), ("美队", "captain-america"), ("meiguo", "captain-america"),
        ("浩克", "hulk"), ("haoke", "hulk"), ("lvjuren", "hulk"), ("lujuren", "hulk"), ("lüjuren", "hulk"),
        ("zhizhuxia", "spider-man"), ("小蜘蛛", "spider-man"), ("mieba", "thanos"), ("mb", "thanos"),
        ("huanshi", "vision"), ("feihong", "scarlet-witch"), ("kamola", "gamora"), ("luoji", "loki"),
        ("leishen", "thor"), ("xingjue", "star-lord"),
    ],
)  # fmt: skip
def test_found_by_characters_and_by_sounds(typed: str, slug: str) -> None:
    found = shipped().suggest(typed, language="zh-CN")
    assert found[0].slug == slug
    assert found[0].name == OFFICIAL[found[0].slug]


@pytest.mark.parametrize("slug", OFFICIAL)
def test_everybody_is_first_by_each_of_their_names(slug: str) -> None:
    vocabulary = shipped()
    entry = vocabulary_file()[slug]
    for text in (*entry["names"].values(), *entry["aliases"]):
        assert vocabulary.resolve(text).slug == slug
        assert vocabulary.suggest(text)[0].slug == slug
        if pinyin.is_chinese(text):
            reading = pinyin.shipped()[text]
            assert (
                vocabulary.resolve(reading).slug == vocabulary.resolve(reading.replace(" ", "")).slug == slug
            )
            assert vocabulary.suggest(reading)[0].slug == slug
        for end in range(3, len(text) + 1):  # while it is being typed, it never goes away
            assert slug in {s.slug for s in vocabulary.suggest(text[:end])}


def test_names_come_before_aliases() -> None:
    found = [s.slug for s in shipped().suggest("ma")]
    assert set(found[:4]) == {"ant-man", "iron-man", "spider-man", "captain-marvel"}
    assert {"scarlet-witch", "thanos"} <= set(found[4:])  # Maximoff, Mad Titan
    assert [s.slug for s in shipped().suggest("s")][:3] == ["star-lord", "spider-man", "scarlet-witch"]
    assert shipped().suggest("stra")[0].slug == "doctor-strange"
    assert {s.slug for s in shipped().suggest("captain")[:2]} == {"captain-america", "captain-marvel"}


@pytest.mark.parametrize("language", ["zh-CN", "zh", "zh-Hans", "zh-TW", "zh_HK", "ZH-cn"])
def test_one_catalogue_of_names_serves_all_who_read_chinese(language: str) -> None:
    assert shipped().suggest("iron", language=language)[0].name == "钢铁侠"
    everybody = [s.name for s in shipped().suggest("", language=language)]
    assert everybody[:4] == ["绯红女巫", "钢铁侠", "格鲁特", "黑寡妇"], "in the order of their sounds"
    assert set(everybody) == set(OFFICIAL.values())


@pytest.mark.parametrize("language", ["en", "en-GB", "fr", "", "zhuang", "x" * 200])
def test_everybody_else_reads_english(language: str) -> None:
    assert shipped().suggest("钢铁", language=language)[0].name == "Iron Man"


def test_a_sound_that_two_share_decides_nothing() -> None:
    one = Character("a", {"zh-CN": "星云"}, (), "known")
    two = Character("b", {"zh-CN": "行云"}, (), "known")
    vocabulary = Vocabulary([one, two], readings={"星云": "xing yun", "行云": "xing yun"})
    assert not vocabulary.resolve("xingyun")
    assert {s.slug for s in vocabulary.suggest("xingyun")} == {"a", "b"}


def test_the_shipped_readings_are_those_of_the_vocabulary() -> None:
    chinese = {
        text
        for entry in vocabulary_file().values()
        for text in (*entry["names"].values(), *entry["aliases"])
        if pinyin.is_chinese(text)
    }
    assert pinyin.read(chinese) == pinyin.shipped(), "renew them with: python -m corrections.pinyin"
    assert pinyin.read(["plain"]) == pinyin.read([]) == {}


async def test_a_proposal_is_found_by_its_sound(ledger: Ledger, url: str, tmp_path: Path) -> None:
    there = await Ledger.open(url, tmp_path)
    await ledger.propose("星云", ANNA, GUILD, moment())
    for each in (ledger, there):
        assert (await each.suggest("xingyun", GUILD))[0].name == "星云"
        assert (await each.suggest("xy", GUILD))[0].name == "星云"
        assert (await each.propose("Xing Yun", ANNA, GUILD, moment())).names == {"zh-CN": "星云"}
        assert not await each.suggest("xingyun", OTHER)
    await there.close()


async def test_what_was_not_read_yet_is_read_at_the_next_start(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    async def rename(session: AsyncSession) -> None:
        row = (await session.scalars(select(CharacterRow).where(CharacterRow.slug == "vision"))).one()
        row.aliases, row.revision = [*row.aliases, "幻影先生"], row.revision + 1

    await ledger.work.write(rename)
    assert (await ledger.suggest("幻影先生"))[0].slug == "vision"
    assert not await ledger.resolve("huanyingxiansheng")
    later = await Ledger.open(url, tmp_path)
    assert (await later.resolve("huanyingxiansheng")).slug == "vision"
    assert (await ledger.resolve("huanyingxiansheng")).slug == "vision", "in every process"
    await later.close()


async def test_a_ledger_of_the_first_version_learns_to_read(blank_url: str, tmp_path: Path) -> None:
    await upgrade(blank_url, "0002")
    ledger = await Ledger.open(blank_url, tmp_path)
    assert (await ledger.suggest("gtx"))[0].slug == "iron-man"
    await ledger.close()


def test_the_dictionary_stays_out_of_the_program(tmp_path: Path) -> None:
    code = f"""
import asyncio, json, sys
from datetime import UTC, datetime
from pathlib import Path
from corrections.ledger import Ledger

async def main():
    here = ("discord", "2")
    ledger = await Ledger.open("sqlite:///{tmp_path}/ledger.db", Path("{tmp_path}"))
    await ledger.propose("星云", ("discord", "1"), here, datetime.now(UTC))
    found = await ledger.suggest("xingyun", here)
    await ledger.close()
    print(json.dumps([len(found), "pypinyin" in sys.modules]))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [1, False]

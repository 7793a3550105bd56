"""Who is meant: exactly, by guesses, and what moderators and newer files make of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import pinyin
from corrections.characters import load, next_revision, seed, vocabulary_file
from corrections.errors import BadLabel, TooManyProposals
from corrections.labels import comparable
from corrections.ledger import Ledger
from corrections.tables import CharacterRow
from corrections.types import Character
from corrections.vocabulary import Vocabulary
from model.types import NOBODY
from tests.corrections.support import ANNA, BELA, GUILD, OTHER, moment

ARTICLE = {
    "black-widow", "captain-america", "captain-marvel", "doctor-strange", "gamora", "groot", "hawkeye",
    "hulk", "iron-man", "loki", "rocket-raccoon", "scarlet-witch", "spider-man", "star-lord", "thor",
    "vision",
}  # fmt: skip


def shipped() -> Vocabulary:
    return Vocabulary(
        (
            Character(slug, entry["names"], tuple(entry["aliases"]), "known")
            for slug, entry in vocabulary_file().items()
        ),
        readings=pinyin.shipped(),
    )


def test_the_shipped_vocabulary() -> None:
    entries = vocabulary_file()
    assert set(entries) == ARTICLE | {"thanos", "ant-man"} and NOBODY not in entries
    for entry in entries.values():
        assert set(entry["names"]) == {"en", "zh-CN"} and entry["aliases"]
    keys = Counter(
        key
        for slug, entry in entries.items()
        for key in {comparable(text) for text in (slug, *entry["names"].values(), *entry["aliases"])}
    )
    assert [key for key, times in keys.items() if times > 1 or not key] == []


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("spidey", "spider-man"), ("Peter Parker", "spider-man"), ("spiderman", "spider-man"),
        ("钢铁侠", "iron-man"), ("tony stark", "iron-man"), ("IRON MAN", "iron-man"),
        ("Natasha", "black-widow"), ("Strange", "doctor-strange"), ("Dr. Strange", "doctor-strange"),
        ("Cap", "captain-america"), ("steve rogers", "captain-america"), ("odinson", "thor"),
        ("the hulk", "hulk"), ("bruce banner", "hulk"), ("clint barton", "hawkeye"),
        ("scott lang", "ant-man"), ("iron-man", "iron-man"),
        ("灭霸", "thanos"), ("batman", None), ("", None), ("!!", None),
        ("nobody", None), ("x" * 10_000, None),
    ],
)  # fmt: skip
def test_names_and_aliases(text: str, slug: str | None) -> None:
    assert shipped().resolve(text).slug == slug


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("irn man", "iron-man"), ("spid", "spider-man"), ("钢铁", "iron-man"), ("strnge", "doctor-strange"),
        ("hukl", "hulk"), ("thro", "thor"), ("blak widw", "black-widow"), ("wanda maximof", "scarlet-witch"),
        ("hawk", "hawkeye"), ("星", "star-lord"), ("raccon", "rocket-raccoon"),
        ("captain a", "captain-america"),
    ],
)  # fmt: skip
def test_guesses_put_the_one_who_is_meant_first(text: str, slug: str) -> None:
    found = shipped().suggest(text)
    assert found[0].slug == slug
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    assert len({s.slug for s in found}) == len(found)


def test_guesses_are_named_in_the_language_and_bounded() -> None:
    vocabulary = shipped()
    assert vocabulary.suggest("iron", language="zh-CN")[0].name == "钢铁侠"
    assert vocabulary.suggest("iron", language="fr")[0].name == "Iron Man"
    assert [s.name for s in vocabulary.suggest("", limit=3)] == ["Ant-Man", "Black Widow", "Captain America"]
    assert len(vocabulary.suggest("", limit=25)) == 18
    assert vocabulary.suggest("qqqqqq") == vocabulary.suggest("🕷") == []


def test_merged_and_refused_characters() -> None:
    iron = Character("iron-man", {"en": "Iron Man"}, (), "known")
    armour = Character("war-suit", {"en": "War Suit"}, (), "merged", "iron-man")
    circle = (
        Character("a", {"en": "Aaa"}, (), "merged", "b"),
        Character("b", {"en": "Bbb"}, (), "merged", "a"),
    )
    joker = Character("joker", {"en": "Joker"}, (), "refused")
    vocabulary = Vocabulary([iron, armour, *circle, joker])
    assert vocabulary.resolve("war suit").slug == "iron-man"
    assert not vocabulary.resolve("aaa") and not vocabulary.resolve("joker")
    assert [s.slug for s in vocabulary.suggest("")] == ["iron-man"]


async def test_a_proposal_is_its_communitys_own(ledger: Ledger) -> None:
    new = await ledger.propose("Moon Knight", ANNA, GUILD, moment())
    assert (new.slug, new.status, new.community) == ("moon-knight", "proposed", GUILD)
    assert await ledger.propose("moon-knight!", BELA, GUILD, moment()) == new
    assert (await ledger.resolve("moonknight", GUILD)).slug == "moon-knight"
    assert not await ledger.resolve("moonknight", OTHER) and not await ledger.resolve("moonknight")
    assert (await ledger.suggest("moon", GUILD))[0].slug == "moon-knight"
    assert await ledger.suggest("moon knight", OTHER) == []
    assert len(await ledger.characters(GUILD)) == 19 and len(await ledger.characters()) == 18
    theirs = await ledger.propose("Moon Knight", BELA, OTHER, moment())
    assert theirs.slug != new.slug and theirs.slug.startswith("moon-knight-")
    assert (await ledger.propose("Peter Parker", BELA, OTHER, moment())).slug == "spider-man"
    chinese = await ledger.propose("星云", BELA, GUILD, moment())
    assert chinese.names == {"zh-CN": "星云"} and chinese.name("en") == "星云"


async def test_bad_and_too_many_proposals(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path, proposals_per_day=2)
    with pytest.raises(BadLabel, match="mention"):
        await ledger.propose("@everyone", ANNA, GUILD, moment())
    await ledger.propose("Nebula", ANNA, GUILD, moment())
    await ledger.propose("Nebula", ANNA, GUILD, moment(1))
    await ledger.propose("Mantis", ANNA, OTHER, moment(2))
    with pytest.raises(TooManyProposals, match="2 names a day"):
        await ledger.propose("Drax", ANNA, GUILD, moment(3))
    assert (await ledger.propose("iron man", ANNA, GUILD, moment(3))).slug == "iron-man"
    await ledger.propose("Drax", BELA, GUILD, moment(3))
    await ledger.propose("Okoye", ANNA, GUILD, moment(24 * 60 + 1))

    async def refuse(session: AsyncSession) -> None:
        row = (await session.scalars(select(CharacterRow).where(CharacterRow.slug == "drax"))).one()
        row.status, row.revision = "refused", await next_revision(session)

    await ledger.work.write(refuse)
    assert not await ledger.resolve("drax", GUILD)
    with pytest.raises(BadLabel, match="refused"):
        await ledger.propose("DRAX", BELA, GUILD, moment(4))
    await ledger.close()


async def test_what_one_process_proposes_another_knows(url: str, tmp_path: Path) -> None:
    here, there = await Ledger.open(url, tmp_path), await Ledger.open(url, tmp_path)
    assert not await there.resolve("Nebula", GUILD)
    await here.propose("Nebula", ANNA, GUILD, moment())
    assert await there.resolve("Nebula", GUILD)
    await here.close()
    await there.close()


async def test_a_newer_file_and_the_moderators_get_along(ledger: Ledger) -> None:
    await ledger.propose("Moon Knight", ANNA, GUILD, moment())
    before = (await ledger.resolve("iron man")).character
    assert before is not None

    async def moderate(session: AsyncSession) -> None:
        rows = {row.slug: row for row in await session.scalars(select(CharacterRow))}
        rows["iron-man"].aliases = [*(a for a in rows["iron-man"].aliases if a != "Tony"), "Shellhead"]
        rows["iron-man"].names = {**rows["iron-man"].names, "en": "The Iron Man"}
        rows["hulk"].status = "refused"

    async def newer(session: AsyncSession) -> Vocabulary:
        entries = vocabulary_file()
        entries["iron-man"]["aliases"] = [a for a in entries["iron-man"]["aliases"] if a != "Stark"] + [
            "Ironman 3000"
        ]
        entries["iron-man"]["names"] = {"en": "Iron-Man", "zh-CN": "鋼鐵俠", "de": "Eisenmann"}
        entries["hulk"]["aliases"] += ["Jade Giant"]
        entries["moon-knight"] = {"names": {"en": "Moon Knight"}, "aliases": ["Marc Spector"]}
        await seed(session, entries)
        await session.flush()
        return await load(session)

    await ledger.work.write(moderate)
    now = await ledger.work.write(newer)
    iron = now.characters["iron-man"]
    assert iron.names == {"en": "The Iron Man", "zh-CN": "鋼鐵俠", "de": "Eisenmann"}
    assert set(iron.aliases) == (set(before.aliases) - {"Tony", "Stark"}) | {"Shellhead", "Ironman 3000"}
    assert now.characters["hulk"].status == "refused" and "Jade Giant" in now.characters["hulk"].aliases
    assert now.characters["moon-knight"].status == "known" and now.resolve("marc spector", OTHER)
    assert now.revision > 1
    again = await ledger.work.write(newer)
    assert again.revision == now.revision and again.characters == now.characters

"""What people meet of the memory: what the reply says, what the buttons mean, what is remembered of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Guess, Identified, Reply, Thanks, Told
from bot.discord_adapter.rendering import content as discord_content
from bot.memory.following import Memory, MemoryRules
from bot.telegram_adapter.rendering import content as telegram_content
from bot.wording import headline, thanked
from bot.wording_memory import answered_by, listed
from bot.words import words
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from model.types import Verdict
from tests.bot.test_desk import ANN, BOB, Voice, asking, only
from tests.standins.drawings import drawing
from tests.standins.page import BUNDLE, TableEyes

OPERATOR = Moderator(("whosthat", "operator"))


class Scene:
    """A desk with a memory, and short ways to use it."""

    def __init__(self, ledger: Ledger, memory: Memory) -> None:
        self.ledger, self.memory = ledger, memory
        self.desk = Desk(TableEyes(), ledger, RateLimits(100, 1000), memory=memory)
        self._messages = 0

    async def ask(self, picture: bytes, direct: bool = True, place: str = "place") -> Identified | None:
        self._messages += 1
        voice = Voice()
        await self.desk.answer(
            asking(picture, message=str(self._messages), direct=direct, place=place), voice
        )
        return only(voice) if voice.said else None

    async def answer(self, picture: bytes, place: str = "place") -> Identified:
        answer = await self.ask(picture, place=place)
        assert answer is not None
        return answer

    async def decide(self, case: int, *labels: str) -> None:
        now = datetime.now(UTC)
        seen = await self.ledger.review.case(OPERATOR, case)
        await self.ledger.review.decide(OPERATOR, case, seen.revision, "approve", labels, now)
        await self.memory.follow()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/whosthat.db", tmp_path)
    memory = Memory(ledger, MemoryRules())
    await memory.begin(BUNDLE)
    yield Scene(ledger, memory)
    await ledger.close()


PLACE = asking(b"").address


async def test_the_reply_says_that_people_said_so(scene: Scene) -> None:
    first = await scene.answer(drawing("red"))
    assert first.told is None and first.memory == 0
    await scene.decide(1, "loki")
    again = await scene.answer(drawing("red", kind="JPEG"))
    assert again.told == Told("same", ("Loki",)) and again.best.slug == "loki"
    assert again.verdict is Verdict.SURE and again.memory == scene.memory.version > 0
    en, zh = words("en"), words("zh-CN")
    assert headline(again, en, lambda name: f"*{name}*") == "People here say *Loki*."
    assert answered_by(again, en) == f"Answered by table with memory {again.memory} in 42 ms."
    later = await scene.desk.recall(again.prediction_id, "zh-CN")
    assert later is not None and headline(later, zh) == "这里的人说是洛基。"
    assert answered_by(first, zh) == "由 table 和记忆 0 回答，用时 42 毫秒。"


async def test_right_means_what_was_said(scene: Scene) -> None:
    await scene.answer(drawing("red"))
    await scene.decide(1, "loki")
    again = await scene.answer(drawing("red"))
    thanks = await scene.desk.confirm(BOB, PLACE, again.prediction_id)
    assert isinstance(thanks, Thanks) and (thanks.how, thanks.slug) == ("right", "loki")
    assert (await scene.ledger.tally(again.prediction_id)).characters == {"loki": 1}
    recalled = await scene.desk.recall(again.prediction_id, "en")
    assert recalled is not None and recalled.tally is not None and recalled.tally.agree == 1
    (mine,) = await scene.desk.my_corrections(BOB, PLACE)
    assert (mine.name, mine.said) == ("Loki", "Loki")


async def test_several_in_one_picture(scene: Scene) -> None:
    await scene.answer(drawing("red"))
    await scene.decide(1, "loki", "thor")
    again = await scene.answer(drawing("red"))
    assert headline(again, words("en")) == "People here say Loki and Thor."
    assert (
        headline(again, words("zh-CN")) == "这里的人说是Loki和Thor。"
    )  # the names were asked for in English
    thanks = await scene.desk.confirm(BOB, PLACE, again.prediction_id)
    assert isinstance(thanks, Thanks)
    assert "Loki, Thor" in thanked(thanks, words("en"))
    assert (await scene.ledger.tally(again.prediction_id)).characters == {"loki": 1, "thor": 1}


async def test_nobody_on_the_list(scene: Scene) -> None:
    await scene.answer(drawing("red"))
    await scene.decide(1)
    again = await scene.answer(drawing("red"))
    assert again.verdict is Verdict.NOBODY
    assert headline(again, words("en")) == "People here say that this is nobody on the list."
    assert await scene.ask(drawing("red"), direct=False) is None  # watched channels hear nothing of it
    thanks = await scene.desk.confirm(ANN, PLACE, again.prediction_id)
    assert isinstance(thanks, Thanks) and thanks.slug == ""


async def test_a_watched_channel_hears_of_what_only_people_know(scene: Scene) -> None:
    await scene.answer(drawing("grey"))
    assert await scene.ask(drawing("grey"), direct=False) is None
    await scene.decide(1, "wanda" if await scene.ledger.resolve("wanda") else "loki")
    again = await scene.ask(drawing("grey"), direct=False)
    assert again is not None and again.told is not None


async def test_elsewhere_nothing_is_known_of_it(scene: Scene) -> None:
    await scene.answer(drawing("red"))
    await scene.decide(1, "loki")
    other = await scene.answer(drawing("red"), place="another")
    assert other.told is None and other.best.slug == "iron-man"


def test_every_platform_says_it() -> None:
    ranked = (Guess("loki", "Loki", 0.99),)
    answer = Identified(0, 1, Verdict.SURE, ranked, "b", 1.0, told=Told("same", ("Loki",)))
    reply = Reply((answer,), "en")
    assert discord_content(reply, words("en")).startswith("People here say **Loki**.")
    assert telegram_content(reply, words("en")).startswith("People here say <b>Loki</b>.")
    like = replace(answer, told=Told("like", ("Loki",)))
    said = headline(like, words("en"))
    assert said == "That is Loki, 99% sure. That leans on pictures like it that people named: Loki."
    nobody = replace(answer, verdict=Verdict.NOBODY, told=Told("like", ()))
    assert headline(nobody, words("en")).endswith("of which people said that they show nobody on the list.")
    assert listed(["Thor", "Hela", "Loki"], words("en")) == "Thor, Hela and Loki"
    assert listed(["索尔", "海拉", "洛基"], words("zh-CN")) == "索尔、海拉和洛基"


def test_people_elsewhere() -> None:
    answer = Identified(0, 1, Verdict.SURE, (), "b", 1.0, told=Told("same", ("Loki",), here=False))
    assert headline(answer, words("en")) == "People say Loki."
    nobody = Identified(0, 1, Verdict.SURE, (), "b", 1.0, told=Told("same", (), here=False))
    assert headline(nobody, words("en")) == "People say that this is nobody on the list."

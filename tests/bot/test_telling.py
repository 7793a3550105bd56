"""After a new model took over: which pictures it looks at again, and whom it tells that it agrees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Ask, Person
from bot.retraining import telling
from bot.retraining.service import Retraining
from bot.retraining.state import State
from bot.retraining.telling import Agreed, Telling
from bot.retraining.types import Phase
from bot.retraining.wording import agreements
from bot.settings import load
from bot.words import words
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from corrections.types import Address
from model.errors import PictureError, WorkerBusy, WorkerGone
from model.types import BundleInfo, Sight
from tests.bot.test_desk import ANN, BOB, Voice, asking
from tests.standins.drawings import drawing
from tests.standins.ledgers import open_ledger
from tests.standins.page import TableEyes

PLACE = Address("test", "place", "channel", "")
CARL = Person("test", "carl")
OPERATOR = Moderator(("whosthat", "operator"))


class NewEyes(TableEyes):
    """Another model, which says of every picture what the old one says of a ``colour``."""

    def __init__(self, colour: str = "green") -> None:
        super().__init__()
        self.colour = colour
        self.keys: list[str] = []
        self.trouble: list[Exception] = []

    async def bundle(self) -> BundleInfo:
        return BundleInfo("new", ("hulk", "iron-man"))

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        self.keys.append(fairness_key)
        if self.trouble:
            raise self.trouble.pop(0)
        return replace(await super().look(drawing(self.colour)), bundle="new")


@dataclass
class Edits:
    """What was added to which reply; ``fails`` as often as it says."""

    made: list[tuple[Address, tuple[Agreed, ...]]]
    fails: int = 0

    async def agrees(self, reply: Address, agreed: tuple[Agreed, ...]) -> bool:
        if self.fails:
            self.fails -= 1
            raise OSError("gone")
        self.made.append((reply, agreed))
        return True


@dataclass
class Scene:
    ledger: Ledger
    desk: Desk
    eyes: NewEyes
    edits: Edits
    telling: Telling
    voice: Voice = field(default_factory=Voice)

    async def said(self, colour: str, message: str, *labels: str) -> int:
        """A picture that the old model answered; people say that it is somebody else, or nothing."""
        await self.desk.answer(asking(drawing(colour, seed=int(message)), message=message), self.voice)
        prediction = self.voice.said[-1].identified[0].prediction_id  # type: ignore[union-attr]
        for person, label in zip((BOB, CARL), labels, strict=False):
            await self.desk.correct(person, PLACE, prediction, label)
        return prediction

    def over(self, run: str = "r1") -> None:
        """A retraining has just ended."""
        disk = self.telling._disk
        disk.write(State(run=run, phase=Phase.DONE, candidate="new"))


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(telling, "PAUSE_SECONDS", 0)
    settings = load(environ={}, folder=tmp_path)
    ledger = await open_ledger(settings)
    desk, eyes, edits = Desk(TableEyes(), ledger, RateLimits(100, 1000)), NewEyes(), Edits([])
    yield Scene(
        ledger, desk, eyes, edits, Telling(Retraining(settings), ledger, eyes, {"test": edits}, most=10)
    )
    await ledger.close()


async def test_only_who_was_right_against_the_old_model_is_told_and_once(scene: Scene) -> None:
    agreed = await scene.said("red", "1", "hulk")
    await scene.said("red", "2", "loki")  # the new model says hulk as well
    await scene.said("red", "3", "iron-man")  # nothing was wrong
    await scene.said("red", "4")  # nobody said anything
    second = await scene.said("red", "5", "hulk", "hulk")
    assert await scene.telling.tell() == 0  # no retraining yet
    scene.over()
    assert await scene.telling.tell() == 2
    assert [each[1] for each in scene.edits.made] == [(Agreed(second, "hulk"),), (Agreed(agreed, "hulk"),)]
    assert set(scene.eyes.keys) == {"hindsight"} and len(scene.eyes.keys) == 3
    assert await scene.telling.tell() == 0
    scene.over("r2")
    assert await scene.telling.tell() == 2  # after another retraining again


async def test_what_moderators_decided_counts_more_than_votes(scene: Scene) -> None:
    prediction = await scene.said("red", "1", "loki")
    (case,) = await scene.ledger.review.next(OPERATOR)
    await scene.ledger.review.decide(OPERATOR, case.case_id, case.revision, "approve", ("hulk",))
    scene.over()
    await scene.telling.tell()
    assert [each[1] for each in scene.edits.made] == [(Agreed(prediction, "hulk"),)]


async def test_nobody_on_the_list_is_an_opinion_too(scene: Scene) -> None:
    prediction = await scene.said("red", "1", "nobody")
    scene.eyes.colour = "grey"
    scene.over()
    await scene.telling.tell()
    assert [each[1] for each in scene.edits.made] == [(Agreed(prediction, ""),)]
    w = words("en")
    lines = await agreements(scene.desk, PLACE, scene.edits.made[0][1], w, str)
    assert lines == ["🎓 The new model agrees with you: nobody I know."]


async def test_the_pictures_of_one_message_are_told_of_together(scene: Scene) -> None:
    voice = Voice()
    pictures = [drawing("red", seed=n) for n in (1, 2)]

    async def first() -> bytes:
        return pictures[0]

    async def second() -> bytes:
        return pictures[1]

    ask = Ask(replace(PLACE, message="m"), ANN, ANN, (first, second), direct=True)
    await scene.desk.answer(ask, voice)
    numbers = [each.prediction_id for each in voice.said[-1].identified]  # type: ignore[union-attr]
    for number in numbers:
        await scene.desk.correct(BOB, PLACE, number, "hulk")
    scene.over()
    assert await scene.telling.tell() == 1
    (edit,) = scene.edits.made
    assert edit[1] == tuple(Agreed(number, "hulk") for number in numbers)
    lines = await agreements(scene.desk, PLACE, edit[1], words("en"), str)
    assert lines[1] == "Picture 2: 🎓 The new model agrees with you: Hulk."


async def test_trouble_on_the_way(scene: Scene) -> None:
    for number in range(1, 5):
        await scene.said("red", str(number), "hulk")
    scene.eyes.trouble = [WorkerBusy(0.0), PictureError("damaged")]
    scene.edits.fails = 1
    scene.over()
    # the first look waits its turn and fails, the first edit after that fails: two of four are told
    assert await scene.telling.tell() == 2
    scene.over("r2")
    scene.edits.made.clear()
    scene.eyes.trouble = [WorkerBusy(0.0)] * 2 + [WorkerGone("away")]
    with pytest.raises(WorkerGone):
        await scene.telling.tell()
    assert await scene.telling.tell() == 4  # it goes on where it was
    assert len({each[0] for each in scene.edits.made}) == 4


async def test_nothing_is_looked_at_that_is_gone_or_when_another_model_serves(scene: Scene) -> None:
    await scene.said("red", "1", "hulk")
    await scene.said("red", "2", "hulk")
    await scene.ledger.privacy.forget(ANN.key, datetime.now(UTC))
    scene.over()
    assert await scene.telling.tell() == 0
    assert scene.eyes.keys == []
    await scene.said("red", "3", "hulk")
    scene.telling._disk.write(State(run="r2", phase=Phase.DONE, candidate="another"))
    assert await scene.telling.tell() == 0
    assert scene.eyes.keys == []

"""What is taught is recognised from then on, and until it is taken back: the desk with a memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.desk.desk import Desk
from bot.desk.lessons import Taught, Teach
from bot.desk.limits import RateLimits
from bot.desk.types import Already, Ask, Identified, Person, Reply
from bot.memory.following import Memory, MemoryRules
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from corrections.types import Address
from tests.standins.drawings import drawing
from tests.standins.page import BUNDLE, TableEyes

MIA, ANN = Person("telegram", "1", "en"), Person("telegram", "2", "en")
GROUP, OTHER = "-100", "-200"


@dataclass
class Scene:
    """A desk, its memory, and a group."""

    desk: Desk
    memory: Memory
    ledger: Ledger
    messages: int = 0
    said: list[Reply] = field(default_factory=list)

    def place(self, group: str = GROUP) -> Address:
        self.messages += 1
        return Address("telegram", group, group, str(self.messages))

    async def ask(self, picture: bytes, group: str = GROUP) -> Identified:
        async def fetch() -> bytes:
            return picture

        await self.memory.follow()
        await self.desk.answer(Ask(self.place(group), ANN, ANN, (fetch,), direct=True), self)
        (answer,) = self.said[-1].identified
        return answer

    async def teach(self, name: str, *pictures: bytes, moderator: bool = True) -> Taught:
        def fetching(picture: bytes):  # type: ignore[no-untyped-def]
            async def fetch() -> bytes:
                return picture

            return fetch

        place, who = self.place(), MIA if moderator else ANN
        mia = Moderator(MIA.key, place.home) if moderator else None
        outcome = await self.desk.teaching.teach(
            Teach(place, who, who, name, tuple(map(fetching, pictures)), mia)
        )
        assert isinstance(outcome, Taught)
        return outcome

    async def say(self, reply: Reply | Already) -> Address | None:
        assert isinstance(reply, Reply)
        self.said.append(reply)
        return self.place()

    async def drop(self) -> None:
        raise AssertionError("it was asked directly")

    async def unsay(self, replies: list[Address]) -> None:
        """Nothing is shown anywhere."""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    memory = Memory(ledger, MemoryRules())
    await memory.begin(BUNDLE)
    yield Scene(Desk(TableEyes(), ledger, RateLimits(1000, 1000), memory=memory), memory, ledger)
    await ledger.close()


async def test_what_a_moderator_taught_is_recognised_until_it_is_removed(scene: Scene) -> None:
    pictures = [drawing("orange", seed=n) for n in range(3)]
    before = await scene.ask(pictures[0])
    assert before.best.name == "Iron Man"
    await scene.teach("Winter Soldier", *pictures)
    for picture in (*pictures, drawing("orange", seed=1, kind="JPEG", size=(160, 120))):
        answer = await scene.ask(picture)
        assert (answer.best.name, answer.told is not None) == ("Winter Soldier", True)
    assert (await scene.ask(pictures[0], OTHER)).best.name == "Iron Man"  # it is this group's alone
    await scene.ledger.review.rename(
        Moderator(MIA.key, ("telegram", GROUP)), "winter-soldier", {"en": "Bucky"}
    )
    assert (await scene.ask(pictures[1])).best.name == "Bucky"
    await scene.ledger.review.remove(Moderator(MIA.key, ("telegram", GROUP)), "winter-soldier")
    after = await scene.ask(pictures[0])
    assert (after.best, after.verdict) == (before.best, before.verdict)


async def test_a_proposal_counts_once_a_moderator_approves_it(scene: Scene) -> None:
    picture = drawing("orange", seed=5)
    assert (await scene.teach("Falcon", picture, moderator=False)).waits == "moderator"
    assert (await scene.ask(picture)).best.name == "Iron Man"
    mia = Moderator(MIA.key, ("telegram", GROUP))
    (case,) = await scene.ledger.review.next(mia)
    await scene.ledger.review.decide(mia, case.case_id, case.revision, "approve", None)
    assert (await scene.ask(picture)).best.name == "Falcon"


async def test_whoever_taught_is_forgotten_with_it(scene: Scene) -> None:
    picture = drawing("orange", seed=5)
    await scene.teach("Falcon", picture)
    assert (await scene.ask(drawing("orange", seed=5, kind="JPEG"))).best.name == "Falcon"
    await scene.desk.privacy.forget(MIA, scene.place())
    assert (await scene.ask(drawing("orange", seed=5, size=(200, 150)))).best.name == "Iron Man"

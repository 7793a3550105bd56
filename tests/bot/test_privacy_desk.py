"""Consent and being forgotten at the desk: a real ledger, a table for eyes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Allowed, Ask, Identified, Person, Refused, Reply
from bot.wording import allowed, discord_training
from bot.words import words
from corrections.ledger import Ledger
from corrections.privacy import Forgotten
from corrections.types import Address
from tests.bot.test_desk import ANN, BOB, Voice, asking
from tests.standins.drawings import drawing
from tests.standins.page import TableEyes

PLACE = Address("test", "place", "channel", "1")


@pytest.fixture
def eyes() -> TableEyes:
    return TableEyes()


@pytest.fixture
def desk(ledger: Ledger, eyes: TableEyes) -> Desk:
    return Desk(eyes, ledger, RateLimits(100, 1000), caps={"mebibytes": 20, "megapixels": 64})


async def identified(desk: Desk, message: str = "1", colour: str = "red", person: Person = ANN) -> Identified:
    voice = Voice()
    await desk.answer(asking(drawing(colour), message=message, person=person), voice)
    (said,) = voice.said
    assert isinstance(said, Reply)
    (outcome,) = said.outcomes
    assert isinstance(outcome, Identified)
    return outcome


async def test_the_poster_is_asked_until_they_answer(desk: Desk) -> None:
    first = await identified(desk)
    assert first.may_ask
    assert await desk.privacy.allow(BOB, PLACE, first.prediction_id) == Refused("error-not-poster")
    assert await desk.privacy.allow(ANN, PLACE, 999) == Refused("error-prediction-gone")
    thanks = await desk.privacy.allow(ANN, PLACE, first.prediction_id)
    assert thanks == Allowed(first.prediction_id, True)
    assert await desk.privacy.allow(ANN, PLACE, first.prediction_id) == Allowed(first.prediction_id, False)
    assert allowed(thanks, words()) != allowed(Allowed(1, False), words())
    again = await desk.recall(first.prediction_id, "en")
    assert again is not None and not again.may_ask
    assert await desk.privacy.standing(ANN) == "from-now"
    assert not (await identified(desk, "2", "green")).may_ask
    assert (await identified(desk, "3", "blue", BOB)).may_ask


async def test_a_choice_is_remembered(desk: Desk) -> None:
    assert await desk.privacy.choose(ANN, "never") == "never"
    assert await desk.privacy.standing(ANN) == "never"
    assert not (await identified(desk)).may_ask
    assert await desk.privacy.choose(ANN, "whatever") == Refused("error-old-button")
    assert await desk.privacy.choose(ANN, "ask") == "ask"
    assert (await identified(desk, "2", "green")).may_ask


@pytest.mark.parametrize("on", [False, True])
async def test_on_discord_nobody_is_asked_while_training_is_off(
    ledger: Ledger, eyes: TableEyes, on: bool
) -> None:
    desk = Desk(eyes, ledger, RateLimits(100, 1000), discord_training=on)

    async def fetch() -> bytes:
        return drawing("red")

    ann, voice = Person("discord", "1"), Voice()
    await desk.answer(Ask(Address("discord", "g", "c", "m"), ann, ann, (fetch,), direct=True), voice)
    (said,) = voice.said
    assert isinstance(said, Reply) and said.identified[0].may_ask is on
    recalled = await desk.recall(said.identified[0].prediction_id, "en")
    assert recalled is not None and recalled.may_ask is on
    assert (await desk.about()).discord_training is on
    for language in ("en", "zh-CN"):
        sentence = discord_training(on, words(language))
        assert "discord.allow_training" in sentence and "https://" in sentence


async def test_forgetting_names_what_is_to_be_deleted(desk: Desk, ledger: Ledger) -> None:
    first = await identified(desk)
    theirs = await identified(desk, "2", "green", BOB)
    refused = Voice()
    await desk.answer(asking(b"", message="3"), refused)
    await desk.confirm(ANN, PLACE, theirs.prediction_id)
    done = await desk.privacy.forget(ANN, PLACE)
    ours = Address("test", "place", "channel", "ours-1")
    assert isinstance(done, Forgotten) and (done.pictures, done.votes) == (1, 1)
    assert set(done.replies) == {ours}  # the answer, and the refusal: both voices call theirs so
    assert await desk.recall(first.prediction_id, "en") is None
    assert await desk.my_corrections(ANN, PLACE) == ()
    assert await desk.confirm(BOB, PLACE, first.prediction_id) == Refused("error-prediction-gone")
    kept = await desk.recall(theirs.prediction_id, "en")
    assert kept is not None and kept.tally is not None and kept.tally.agree == 0
    nothing = await desk.privacy.forget(ANN, PLACE)
    assert nothing == Forgotten(0, 0, ())


async def test_what_a_private_chat_chose_is_forgotten(desk: Desk) -> None:
    home = Address("test", f"dm:{ANN.id}", "channel", "1")
    await desk.change_settings(ANN, home, language="zh-CN")
    assert await desk.language(ANN, home) == "zh-CN"
    await desk.privacy.forget(ANN, home)
    assert await desk.language(ANN, home) == "en"


async def test_a_refusal_is_forgotten_too(desk: Desk) -> None:
    await desk.answer(asking(b"", message="3"), Voice())
    done = await desk.privacy.forget(ANN, PLACE)
    assert done == Forgotten(0, 0, (Address("test", "place", "channel", "ours-1"),))


@pytest.mark.parametrize("direct", [True, False])
async def test_what_is_being_looked_at_is_not_kept(
    desk: Desk, ledger: Ledger, eyes: TableEyes, tmp_path: Path, direct: bool
) -> None:
    eyes.gate.clear()
    voice = Voice()
    answering = asyncio.create_task(desk.answer(asking(drawing("red"), direct=direct), voice))
    await asyncio.wait_for(eyes.looking.wait(), 5)
    assert await desk.privacy.forget(ANN, PLACE) == Forgotten(0, 0, ())
    eyes.gate.set()
    await asyncio.wait_for(answering, 5)
    assert voice.said == ([Reply((Refused("error-forgotten"),), "en")] if direct else [])
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    # Asked about again: what they post from now on is somebody new's.
    assert (await identified(desk, "2")).may_ask


async def test_an_old_message_of_theirs_is_answered_politely(desk: Desk) -> None:
    await identified(desk)
    await desk.privacy.forget(ANN, PLACE)
    voice = Voice()
    await desk.answer(asking(drawing("red")), voice)
    assert voice.said == [Reply((Refused("error-forgotten"),), "en")]


async def test_an_answer_that_is_said_too_late_is_unsaid(desk: Desk, ledger: Ledger) -> None:
    """Forgotten between the recording and the noting of where our answer stands."""

    class Slow(Voice):
        async def say(self, reply):  # type: ignore[no-untyped-def]
            await desk.privacy.forget(ANN, PLACE)
            return await super().say(reply)

    voice = Slow()
    await desk.answer(asking(drawing("red")), voice)
    assert voice.unsaid == [Address("test", "place", "channel", "ours-1")]
    assert len(voice.said) == 1


async def test_trouble_is_one_sentence(desk: Desk, ledger: Ledger) -> None:
    first = await identified(desk)
    await ledger.close()
    assert await desk.privacy.allow(ANN, PLACE, first.prediction_id) == Refused("error-ledger")
    assert await desk.privacy.choose(ANN, "all") == Refused("error-ledger")
    assert await desk.privacy.forget(ANN, PLACE) == Refused("error-ledger")

"""*Why?* at the desk: whose picture, who may ask, one at a time, nothing that is gone; and what it says."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Person, Refused
from bot.desk.why import Because
from bot.wording_why import why_heat, why_nearest, why_text, why_title
from bot.words import words
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from corrections.tables import CaseRow, PostRow, PredictionRow
from corrections.types import Address
from model.errors import DeadlinePassed, PictureError, WorkerBusy, WorkerGone
from model.types import Verdict
from tests.bot.test_desk import ANN, BOB, Voice, asking, only
from tests.standins.drawings import drawing
from tests.standins.explaining import TableExplainer
from tests.standins.page import TableEyes

HERE, ELSEWHERE = Address("test", "place", "channel", ""), Address("test", "elsewhere", "channel", "")
OPERATOR = Moderator(("whosthat", "operator"))


@pytest.fixture
def explainer() -> TableExplainer:
    return TableExplainer()


@pytest.fixture
def desk(ledger: Ledger, explainer: TableExplainer) -> Desk:
    return explaining(ledger, explainer)


def explaining(ledger: Ledger, explainer: TableExplainer, per_minute: int = 100) -> Desk:
    desk = Desk(TableEyes(), ledger, RateLimits(per_minute, 1000))
    desk.explain_with(explainer)
    return desk


async def answered(
    desk: Desk, colour: str = "red", seed: int = 0, *, place: str = "place", person: Person = ANN
) -> int:
    voice = Voice()
    picture = drawing(colour, seed=seed)
    await desk.answer(asking(picture, message=f"{colour}{seed}", place=place, person=person), voice)
    return only(voice).prediction_id


async def why(desk: Desk, prediction: int, person: Person = BOB, place: Address = HERE) -> Because | Refused:
    assert desk.why is not None
    return await desk.why.explain(person, place, prediction)


async def because(desk: Desk, prediction: int) -> Because:
    said = await why(desk, prediction)
    assert isinstance(said, Because), said
    return said


async def named(desk: Desk, ledger: Ledger, prediction: int, *slugs: str, person: Person = ANN) -> None:
    """Its poster agrees, and moderators approve it as these characters."""
    await ledger.privacy.allow(prediction, person.key, datetime.now(UTC))
    async with ledger.work.read() as session:
        case, revision = (
            await session.execute(
                select(CaseRow.id, CaseRow.revision)
                .join(PostRow, PostRow.case_id == CaseRow.id)
                .join(PredictionRow, PredictionRow.post_id == PostRow.id)
                .where(PredictionRow.id == prediction)
            )
        ).one()
    await ledger.review.decide(OPERATOR, case, revision, "approve", slugs)


async def test_anybody_there_may_ask_and_gets_the_kept_picture_explained(
    desk: Desk, explainer: TableExplainer
) -> None:
    prediction = await answered(desk)
    said = await because(desk, prediction)
    ((picture, slug),) = explainer.asked
    assert (picture[8:12], slug) == (b"WEBP", "iron-man")
    assert (said.answered, said.explained, said.verdict) == ("Iron Man", "Iron Man", Verdict.SURE)
    assert said.picture.startswith(b"\xff\xd8")
    assert (said.nearest, said.sheet) == ((), None)


async def test_after_a_restart_it_is_the_same(ledger: Ledger, explainer: TableExplainer) -> None:
    prediction = await answered(explaining(ledger, explainer))
    assert (await because(explaining(ledger, explainer), prediction)).answered == "Iron Man"


async def test_every_answer_says_whether_it_can_be_asked(
    ledger: Ledger, desk: Desk, explainer: TableExplainer
) -> None:
    voice = Voice()
    await desk.answer(asking(drawing("red")), voice)
    assert only(voice).may_why
    again = await desk.recall(only(voice).prediction_id, "en")
    assert again is not None
    assert again.may_why
    without = Desk(TableEyes(), ledger, RateLimits(9, 9))
    plain = await without.recall(only(voice).prediction_id, "en")
    assert plain is not None
    assert not plain.may_why
    assert without.why is None


async def test_nobody_from_elsewhere_learns_anything(desk: Desk, explainer: TableExplainer) -> None:
    prediction = await answered(desk)
    assert await why(desk, prediction, place=ELSEWHERE) == Refused("error-not-yours")
    assert await why(desk, 404) == Refused("error-prediction-gone")
    assert not explainer.asked


async def test_one_at_a_time_and_whoever_comes_second_is_told(desk: Desk, explainer: TableExplainer) -> None:
    first, second = await answered(desk), await answered(desk, "green")
    explainer.gate.clear()
    under_way = asyncio.create_task(why(desk, first))
    await explainer.asking.wait()
    assert await why(desk, second) == Refused("why-busy")
    explainer.gate.set()
    assert isinstance(await under_way, Because)
    assert isinstance(await why(desk, second), Because)


async def test_whoever_goes_away_makes_room(desk: Desk, explainer: TableExplainer) -> None:
    prediction = await answered(desk)
    explainer.gate.clear()
    under_way = asyncio.create_task(why(desk, prediction))
    await explainer.asking.wait()
    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)
    explainer.gate.set()
    assert isinstance(await why(desk, prediction), Because)


async def test_it_counts_like_a_picture(ledger: Ledger, explainer: TableExplainer) -> None:
    desk = explaining(ledger, explainer, per_minute=2)
    prediction = await answered(desk)
    assert isinstance(await why(desk, prediction, ANN), Because)
    refused = await why(desk, prediction, ANN)
    assert isinstance(refused, Refused)
    assert refused.key == "error-person-limit"
    assert isinstance(await why(desk, prediction, BOB), Because)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (WorkerBusy(1.0), "why-busy"),
        (DeadlinePassed("late"), "why-busy"),
        (WorkerGone("gone"), "error-worker-gone"),
        (PictureError("damaged"), "error-damaged"),
    ],
)
async def test_what_the_worker_refuses_is_said(
    desk: Desk, explainer: TableExplainer, error: WorkerBusy, key: str
) -> None:
    prediction = await answered(desk)
    explainer.error = error
    refused = await why(desk, prediction)
    assert isinstance(refused, Refused)
    assert refused.key == key
    assert words()(key, **refused.values, seconds=1)


# what is gone


async def test_a_picture_that_was_swept_is_said_to_be_gone(
    ledger: Ledger, desk: Desk, explainer: TableExplainer
) -> None:
    prediction = await answered(desk)
    await ledger.sweep(datetime.now(UTC) + timedelta(days=3))
    assert await why(desk, prediction) == Refused("why-erased")
    assert not explainer.asked


async def test_a_deleted_message_shows_nothing_even_while_moderators_keep_its_picture(
    desk: Desk, ledger: Ledger
) -> None:
    prediction = await answered(desk)
    await named(desk, ledger, prediction, "iron-man")
    await desk.message_deleted(Address("test", "place", "channel", "red0"))
    assert await why(desk, prediction) == Refused("why-erased")


async def test_what_goes_while_it_is_looked_at_is_not_shown(
    desk: Desk, ledger: Ledger, explainer: TableExplainer
) -> None:
    prediction = await answered(desk)
    explainer.gate.clear()
    under_way = asyncio.create_task(why(desk, prediction))
    await explainer.asking.wait()
    await desk.privacy.forget(ANN, HERE)
    explainer.gate.set()
    assert await under_way == Refused("error-prediction-gone")


# the nearest pictures


async def test_what_people_named_here_is_shown_beside_it(
    desk: Desk, ledger: Ledger, explainer: TableExplainer
) -> None:
    await named(desk, ledger, await answered(desk, "red", 1), "iron-man")
    there = await answered(desk, "red", 2, place="elsewhere")
    await named(desk, ledger, there, "iron-man")
    said = await because(desk, await answered(desk, "red", 3))
    assert said.nearest == ("Iron Man",)
    assert [len(each) for each in explainer.sheets] == [1]
    assert said.sheet is not None


async def test_a_picture_whose_file_is_gone_is_left_out(
    desk: Desk, ledger: Ledger, explainer: TableExplainer, tmp_path: Path
) -> None:
    kept = await answered(desk, "red", 1)
    await named(desk, ledger, kept, "iron-man")
    view = await ledger.prediction(kept)
    assert view is not None
    (file,) = (tmp_path / "blobs").glob(f"{view.blob_sha256[:2]}/{view.blob_sha256[2:]}.*")
    file.unlink()
    said = await because(desk, await answered(desk, "red", 3))
    assert (said.nearest, said.sheet, explainer.sheets) == ((), None, [])


async def test_a_channel_that_one_may_not_see_stays_unseen(desk: Desk, ledger: Ledger) -> None:
    await named(desk, ledger, await answered(desk, "red", 1), "iron-man")
    prediction = await answered(desk, "red", 3)
    with sqlite3.connect(str(ledger.work.engine.url.database)) as database:
        database.execute("UPDATE posts SET channel = 'secret' WHERE message = 'red1'")
    assert desk.why is not None
    seen: list[str] = []

    def may_see(channel: str) -> bool:
        seen.append(channel)
        return False

    said = await desk.why.explain(BOB, HERE, prediction, may_see)
    assert isinstance(said, Because)
    assert (said.nearest, seen) == ((), ["secret"])


# what it says

SAID = Because(1, Verdict.SURE, "Loki", "Loki", 0.93, 0.12, b"")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_it_says_what_it_is_and_what_it_is_not(language: str) -> None:
    w = words(language)
    text = why_text(SAID, w)
    assert w("why-honest") in text
    assert "93" in text
    assert "12" in text
    assert w("why-nearest-none") in text


def test_the_sentences_tell_the_cases_apart() -> None:
    w = words("en")
    assert why_title(SAID, w, str.upper) == "Why LOKI?"
    assert "LOKI falls from 93% to 12%" in why_heat(SAID, w, str.upper)
    holds = dataclasses.replace(SAID, without=0.9)
    assert why_heat(holds, w).startswith("No single part decides that: Loki is at 93%")
    assert "came closest" in why_title(dataclasses.replace(SAID, verdict=Verdict.NOBODY), w)
    other = dataclasses.replace(SAID, explained="Thor")
    assert why_title(other, w) == "Loki was answered, but by itself the model says Thor now, and this is why."
    beside = dataclasses.replace(SAID, nearest=("Loki", ""))
    assert why_nearest(beside, w, str.upper).endswith("from left to right: LOKI, nobody on the list.")

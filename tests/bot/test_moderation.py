"""The desk's part for moderators: what the ledger refuses is a sentence, and links lead to the page."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Person, Refused
from bot.wording import refusal
from bot.words import words
from corrections.ledger import Ledger
from corrections.review.types import CaseView, Moderator
from corrections.types import Address
from tests.bot.test_desk import ANN, BOB, Voice, asking, only
from tests.standins.drawings import drawing
from tests.standins.page import TableEyes

PLACE, ELSEWHERE = Address("test", "place", "channel", ""), Address("test", "elsewhere", "channel", "")
MIRA = Person("test", "mira")


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(TableEyes(), ledger, RateLimits(100, 1000))


@pytest.fixture
async def mira(desk: Desk) -> Moderator:
    return await desk.moderation.moderator(MIRA, PLACE)


async def corrected(desk: Desk, slug: str = "loki", message: str = "1") -> int:
    """A picture of Iron Man that Bob calls somebody else."""
    voice = Voice()
    await desk.answer(asking(drawing("red", seed=int(message)), message=message), voice)
    prediction = only(voice).prediction_id
    await desk.correct(BOB, PLACE, prediction, slug)
    return prediction


async def test_a_correction_becomes_a_case_and_is_decided_and_undone(desk: Desk, mira: Moderator) -> None:
    await corrected(desk)
    cases = await desk.moderation.next(mira)
    assert isinstance(cases, list)
    (case,) = cases
    assert case.leading == ("loki",) and case.guess is not None and case.guess.character == "iron-man"
    picture = await desk.moderation.picture(mira, case.case_id, case.pictures[0].sha256)
    assert isinstance(picture, tuple) and picture[1] == "webp"
    done = await desk.moderation.decide(mira, case.case_id, case.revision, "approve")
    assert isinstance(done, CaseView) and done.decided == ("loki",)
    progress = await desk.moderation.progress(mira)
    assert not isinstance(progress, Refused) and (progress.open, progress.approved, progress.mine) == (
        0,
        1,
        1,
    )
    back = await desk.moderation.undo(mira)
    assert isinstance(back, CaseView) and back.status == "open"
    assert await desk.moderation.undo(mira) is None
    history = await desk.moderation.history(mira)
    assert isinstance(history, list) and [entry.action for entry in history] == ["undo", "approve"]


async def test_what_cannot_be_done_is_a_sentence_in_every_language(
    desk: Desk, ledger: Ledger, mira: Moderator
) -> None:
    await corrected(desk)
    (case,) = await ledger.review.next(mira)
    stranger = await desk.moderation.moderator(MIRA, ELSEWHERE)
    refused = {
        "error-not-found": await desk.moderation.case(stranger, case.case_id),
        "error-unknown-label": await desk.moderation.decide(
            mira, case.case_id, case.revision, "approve", ("nobody at all",)
        ),
        "error-stale": await desk.moderation.decide(mira, case.case_id, case.revision + 1, "reject"),
        "error-shared-character": await desk.moderation.merge(mira, "thor", "loki"),
        "error-label-taken": await desk.moderation.add(mira, {"en": "Thor"}),
        "error-label-markup": await desk.moderation.add(mira, {"en": "../../etc"}),
        "error-no-console": await desk.moderation.console_link(mira),
    }
    for key, said in refused.items():
        assert isinstance(said, Refused) and said.key == key
        assert refusal(said, words("en")) != refusal(said, words("zh-CN"))
    (unchanged,) = await ledger.review.next(mira)
    assert unchanged.revision == case.revision


async def test_a_closed_ledger_is_a_sentence_too(desk: Desk, ledger: Ledger, mira: Moderator) -> None:
    await ledger.close()
    said = await desk.moderation.next(mira)
    assert isinstance(said, Refused) and said.key == "error-ledger"


async def test_whoever_is_no_moderator_hears_a_polite_no_and_the_log_no_name(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        refused = await desk.moderation.denied(ANN, PLACE, "review")
    assert refused.key == "error-not-moderator"
    (line,) = caplog.messages
    assert "review" in line and "ann" not in line


async def test_a_console_link_opens_that_community_once(desk: Desk, ledger: Ledger, mira: Moderator) -> None:
    desk.moderation.console = "https://who.example"
    link = await desk.moderation.console_link(mira)
    assert isinstance(link, str) and link.startswith("https://who.example/review/login?token=")
    (token,) = parse_qs(urlsplit(link).query)["token"]
    opened = await ledger.links.redeem("login", token, datetime.now(UTC))
    assert opened is not None and (opened.person, opened.community) == (MIRA.key, PLACE.home)
    assert await ledger.links.redeem("login", token, datetime.now(UTC)) is None


async def test_a_moderator_goes_with_a_community_that_gets_another_id(desk: Desk) -> None:
    await corrected(desk)
    await desk.community_moved(PLACE.home, ("test", "bigger"))
    before = await desk.moderation.moderator(MIRA, PLACE)
    assert before.community == ("test", "bigger")
    assert len(await desk.moderation.next(before)) == 1  # type: ignore[arg-type]


async def test_names_are_in_the_readers_language(desk: Desk) -> None:
    named = await desk.moderation.named(PLACE.home, "zh-CN")
    assert named("thor") == "雷神"

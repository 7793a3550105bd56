"""The desk where no platform is needed to see what it does: a real ledger, a table for eyes."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Already, Ask, Identified, Person, Refused, Reply, Tallied, Thanks
from bot.ids import ButtonId
from corrections.ledger import Ledger
from corrections.types import Address
from model.errors import PictureError
from model.types import Answer, Ranked, Sight, Verdict
from tests.standins.drawings import drawing
from tests.standins.page import TableEyes

ANN = Person("test", "ann")
BOB = Person("test", "bob")


@dataclass
class Voice:
    """Keeps what was said."""

    said: list[Reply | Already] = field(default_factory=list)
    unsaid: list[Address] = field(default_factory=list)
    sent: int = 0
    dropped: int = 0

    async def say(self, reply: Reply | Already) -> Address | None:
        self.said.append(reply)
        self.sent += 1
        return Address("test", "place", "channel", f"ours-{self.sent}") if isinstance(reply, Reply) else None

    async def drop(self) -> None:
        self.dropped += 1

    async def unsay(self, replies: list[Address]) -> None:
        self.unsaid += replies


@pytest.fixture
def eyes() -> TableEyes:
    return TableEyes()


@pytest.fixture
def desk(ledger: Ledger, eyes: TableEyes) -> Desk:
    return Desk(eyes, ledger, RateLimits(100, 1000), caps={"mebibytes": 20, "megapixels": 64})


def asking(
    *pictures: bytes, message: str = "1", direct: bool = True, person: Person = ANN, place: str = "place"
) -> Ask:
    def fetcher(picture: bytes):  # type: ignore[no-untyped-def]
        async def fetch() -> bytes:
            return picture

        return fetch

    address = Address("test", place, "channel", message)
    return Ask(address, person, person, tuple(map(fetcher, pictures)), direct)


def only(voice: Voice) -> Identified:
    (reply,) = voice.said
    assert isinstance(reply, Reply)
    return reply.identified[0]


async def test_watched_channels_hear_nothing_about_nobody(desk: Desk) -> None:
    voice = Voice()
    await desk.answer(asking(drawing("grey"), direct=False), voice)
    assert not voice.said
    await desk.answer(asking(drawing("grey"), message="2"), voice)
    assert only(voice).verdict is Verdict.NOBODY


async def test_several_pictures_make_one_reply_and_the_same_trouble_is_said_once(desk: Desk) -> None:
    voice = Voice()
    await desk.answer(asking(drawing("red"), b"x", drawing("green", seed=1), b"y"), voice)
    (reply,) = voice.said
    assert isinstance(reply, Reply)
    assert [each.best.slug for each in reply.identified] == ["iron-man", "hulk"]
    assert [each.key for each in reply.outcomes if isinstance(each, Refused)] == ["error-not-a-picture"]


async def test_a_message_that_is_being_answered_is_not_answered_again(desk: Desk, eyes: TableEyes) -> None:
    eyes.gate.clear()
    first, again = Voice(), Voice()
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.answer(asking(drawing("red"), direct=False), first))
        await eyes.looking.wait()
        group.create_task(desk.answer(asking(drawing("red"), direct=False), again))
        eyes.gate.set()
    assert len(first.said) == 1
    assert not again.said


async def test_whoever_asks_about_it_meanwhile_is_led_to_the_answer(desk: Desk, eyes: TableEyes) -> None:
    eyes.gate.clear()
    first, asked = Voice(), Voice()
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.answer(asking(drawing("red"), direct=False), first))
        await eyes.looking.wait()
        group.create_task(desk.answer(asking(drawing("red")), asked))
        eyes.gate.set()
    (said,) = asked.said
    assert isinstance(said, Already)
    assert said.reply.message == "ours-1"


async def test_a_message_deleted_while_it_is_answered_leaves_nothing(
    desk: Desk, ledger: Ledger, eyes: TableEyes
) -> None:
    eyes.gate.clear()
    voice = Voice()
    ask = asking(drawing("red"))
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.answer(ask, voice))
        await eyes.looking.wait()
        assert await desk.message_deleted(ask.address) == []
        eyes.gate.set()
    assert not voice.said
    assert voice.dropped == 1
    assert await ledger.reply_to(ask.address) is None


async def test_an_answer_of_another_place_cannot_be_corrected_from_here(desk: Desk, ledger: Ledger) -> None:
    voice = Voice()
    await desk.answer(asking(drawing("red"), place="theirs"), voice)
    prediction = only(voice).prediction_id
    here = Address("test", "ours", "channel", "")
    for outcome in (
        await desk.confirm(BOB, here, prediction),
        await desk.correct(BOB, here, prediction, "loki"),
        await desk.propose(BOB, here, prediction, "Moon Knight"),
    ):
        assert outcome == Refused("error-not-yours")
    assert (await ledger.tally(prediction)).voters == 0


async def test_what_is_not_there_is_said_so(desk: Desk) -> None:
    here = Address("test", "place", "channel", "")
    assert await desk.confirm(ANN, here, 12345) == Refused("error-prediction-gone")
    assert await desk.undo(ANN, here, 12345) == Refused("error-prediction-gone")
    assert await desk.undo(ANN, here) == Refused("undo-nothing")
    assert await desk.latest(here) is None
    voice = Voice()
    await desk.answer(asking(drawing("red")), voice)
    assert await desk.correct(ANN, here, only(voice).prediction_id, "no-such-slug") == Refused(
        "error-old-button"
    )


class Stranger:
    """Eyes whose bundle knows somebody that the vocabulary does not."""

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        if not picture:
            raise PictureError("empty")
        answer = Answer(
            Verdict.SURE, "moon-knight", 0.9, 0.95, (Ranked("moon-knight", 0.9), Ranked("thor", 0.05))
        )
        return Sight(
            answer,
            (),
            (),
            "0" * 64,
            "0" * 64,
            8,
            8,
            "other",
            "exact",
            1.0,
            stored=picture,
            stored_format="webp",
        )


async def test_a_character_that_only_the_bundle_knows_can_be_confirmed(ledger: Ledger) -> None:
    desk = Desk(Stranger(), ledger, RateLimits(9, 9))
    voice = Voice()
    await desk.answer(asking(b"picture"), voice)
    answer = only(voice)
    assert answer.best.name == "Moon Knight"
    thanks = await desk.confirm(ANN, Address("test", "place", "channel", ""), answer.prediction_id)
    assert isinstance(thanks, Thanks)
    assert (thanks.slug, thanks.name) == ("moon-knight", "Moon Knight")
    assert dict((await ledger.tally(answer.prediction_id)).characters) == {"moon-knight": 1}


async def test_right_about_a_bundles_own_character_agrees_in_every_place(ledger: Ledger) -> None:
    # Proposed in one place before the bundle came, it is another character there than the bundle's.
    await ledger.propose("Moon Knight", BOB.key, ("test", "theirs"), datetime.now(UTC))
    desk = Desk(Stranger(), ledger, RateLimits(9, 9))
    for place in ("theirs", "ours"):
        voice = Voice()
        await desk.answer(asking(b"picture", message=place, place=place), voice)
        prediction = only(voice).prediction_id
        assert isinstance(await desk.confirm(ANN, Address("test", place, "channel", ""), prediction), Thanks)
        shown = await desk.recall(prediction, "en")
        assert shown is not None
        assert shown.tally == Tallied(agree=1)


async def test_a_slug_of_any_length_fits_a_button(ledger: Ledger) -> None:
    long = "great-white-shark-white-shark-man-eater-man-eating-shark-carcharodon"
    ours = await ledger.adopt([long, "spiderman", "iron-man"])
    assert len(ours[long]) <= 40
    assert (ours["spiderman"], ours["iron-man"]) == ("spider-man", "iron-man")
    assert await ledger.adopt([long]) == {long: ours[long]}
    assert len(str(ButtonId("is", 10**12 - 1, ours[long]))) <= 64


async def test_deleted_while_our_reply_is_on_its_way_the_reply_goes_too(desk: Desk) -> None:
    ask = asking(drawing("red"))

    class Slow(Voice):
        async def say(self, reply: Reply | Already) -> Address | None:
            # Told of by an event that does not say whose direct messages they are.
            gone = dataclasses.replace(ask.address, community="dm:0")
            assert await desk.message_deleted(gone) == []
            return await super().say(reply)

    voice = Slow()
    await desk.answer(ask, voice)
    assert [each.message for each in voice.unsaid] == ["ours-1"]


async def test_a_reply_that_somebody_deleted_is_said_again_to_who_asks(desk: Desk) -> None:
    first, again = Voice(), Voice()
    ask = asking(drawing("red"))
    await desk.answer(ask, first)
    assert await desk.message_deleted(Address("test", "place", "channel", "ours-1")) == []
    await desk.answer(ask, again)
    assert only(again).prediction_id == only(first).prediction_id


async def test_a_refusal_goes_with_the_message_too(desk: Desk) -> None:
    voice = Voice()
    ask = asking(b"no picture")
    await desk.answer(ask, voice)
    assert [each.message for each in await desk.message_deleted(ask.address)] == ["ours-1"]
    assert await desk.message_deleted(ask.address) == []


async def test_correcting_the_latest_answer_means_the_one_that_is_seen(desk: Desk, eyes: TableEyes) -> None:
    seen, coming = Voice(), Voice()
    await desk.answer(asking(drawing("red")), seen)
    eyes.gate.clear()
    eyes.looking.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.answer(asking(drawing("green", seed=5), message="2"), coming))
        await eyes.looking.wait()
        assert await desk.latest(Address("test", "place", "channel", "")) == only(seen).prediction_id
        eyes.gate.set()


async def test_who_still_waits_when_it_stops_is_told_so(desk: Desk, eyes: TableEyes) -> None:
    eyes.gate.clear()
    voice = Voice()
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.answer(asking(drawing("red")), voice))
        await eyes.looking.wait()
        await desk.finish(0.05)
    (reply,) = voice.said
    assert isinstance(reply, Reply)
    assert [each.key for each in reply.outcomes if isinstance(each, Refused)] == ["error-stopping"]


async def test_who_asks_too_much_is_told_once_unless_they_are_kept_waiting(ledger: Ledger) -> None:
    desk = Desk(TableEyes(), ledger, RateLimits(1, 100))
    voice = Voice()
    for number in range(4):
        await desk.answer(asking(drawing("red", seed=number), message=str(number)), voice)
    assert [isinstance(each, Reply) and bool(each.identified) for each in voice.said] == [True, False]
    waiting = dataclasses.replace(asking(drawing("red"), message="slash"), waiting=True)
    await desk.answer(waiting, voice)
    assert len(voice.said) == 3


@pytest.mark.parametrize(
    ("client", "chosen", "spoken"),
    [
        ("zh-TW", "en", "zh-CN"),
        ("de", "zh-CN", "zh-CN"),
        ("", "zh-CN", "zh-CN"),
        ("de", "", "en"),
        ("", "", "en"),
    ],
)
async def test_the_persons_language_then_the_places_then_english(
    desk: Desk, client: str, chosen: str, spoken: str
) -> None:
    here = Address("test", "place", "channel", "")
    await desk.change_settings(ANN, here, language=chosen)
    assert await desk.language(Person("test", "eve", client), here) == spoken


async def test_new_names_are_limited_by_the_day(tmp_path: Path, eyes: TableEyes) -> None:
    ledger = await Ledger.open(f"sqlite+aiosqlite:///{tmp_path}/whosthat.db", tmp_path, proposals_per_day=1)
    try:
        desk = Desk(eyes, ledger, RateLimits(9, 9))
        voice = Voice()
        await desk.answer(asking(drawing("red")), voice)
        here, prediction = Address("test", "place", "channel", ""), only(voice).prediction_id
        assert isinstance(await desk.propose(ANN, here, prediction, "Moon Knight"), Thanks)
        assert await desk.propose(ANN, here, prediction, "Daredevil") == Refused("error-proposals")
        assert isinstance(await desk.propose(BOB, here, prediction, "Daredevil"), Thanks)
    finally:
        await ledger.close()

"""What holds on every platform: one set of tests, every adapter, real sockets, a real ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from model.errors import DeadlinePassed, PictureError, WorkerBusy, WorkerGone
from model.types import Sight
from tests.bot.conversations.places import Place, place
from tests.bot.conversations.spoken import NOBODY, Reviewing
from tests.standins.drawings import drawing

PLATFORMS = ("discord", "telegram", "web")


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def here(platform: str, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(platform, tmp_path) as made:
        yield made


def votes(here: Place) -> list[str | None]:
    """The standing votes, by a look into the file; None is nobody on the list."""
    query = """SELECT characters.slug FROM votes LEFT JOIN vote_labels ON vote_labels.vote_id = votes.id
               LEFT JOIN characters ON characters.id = vote_labels.character_id ORDER BY votes.id"""
    with closing(sqlite3.connect(here.settings.data_dir / "whosthat.db")) as database:
        return [slug for (slug,) in database.execute(query)]


async def test_it_says_who_and_how_sure(here: Place) -> None:
    assert "That is Iron Man, 94% sure." in (await here.talk.ask(drawing("red"))).text
    unsure = await here.talk.ask(drawing("orange", seed=1))
    assert "Could be Iron Man (48%) or Spider-Man (40%)." in unsure.text
    nobody = await here.talk.ask(drawing("grey", seed=2))
    assert "Nobody I know. Loki would come closest (14%)." in nobody.text


async def test_right_is_stored(here: Place) -> None:
    answer = await here.talk.ask(drawing("red"))
    assert await here.talk.right(answer) == "Thank you, noted: Iron Man it is."
    assert votes(here) == ["iron-man"]


async def test_right_about_nobody_is_a_vote_for_nobody(here: Place) -> None:
    answer = await here.talk.ask(drawing("grey"))
    assert "nobody on the list" in await here.talk.right(answer)
    assert votes(here) == [None]


async def test_wrong_offers_the_runners_up_and_nobody(here: Place) -> None:
    answer = await here.talk.ask(drawing("red"))
    assert await here.talk.choices(answer) == ["Spider-Man", "Thor", NOBODY]
    assert await here.talk.pick(answer, "Thor") == "Thank you, noted: Thor."
    assert votes(here) == ["thor"]


async def test_one_person_has_one_vote_and_may_change_it(here: Place) -> None:
    answer = await here.talk.ask(drawing("red"))
    await here.talk.right(answer)
    assert await here.talk.right(answer) == "You have said so already: Iron Man."
    assert await here.talk.pick(answer, NOBODY) == "Changed: you say nobody on the list now."
    assert votes(here) == [None]


async def test_undo_brings_back_what_was_said_before(here: Place) -> None:
    answer = await here.talk.ask(drawing("red"))
    await here.talk.right(answer)
    await here.talk.pick(answer, "Thor")
    assert await here.talk.undo(answer) == "Taken back; what you said before holds again: Iron Man."
    assert votes(here) == ["iron-man"]


async def test_a_nickname_is_found_and_confirmed(here: Place) -> None:
    answer = await here.talk.ask(drawing("orange"))
    for typed, name in {"spidey": "Spider-Man", "钢铁侠": "Iron Man", "dr strnge": "Doctor Strange"}.items():
        found = await here.talk.type(answer, typed)
        assert found.names[0] == name, typed
        assert name in await here.talk.pick_found(answer, found, name)
    assert votes(here) == ["doctor-strange"]


async def test_a_new_name_becomes_a_proposal(here: Place) -> None:
    answer = await here.talk.ask(drawing("red"))
    found = await here.talk.type(answer, "Moon Knight")
    assert found.may_add
    assert "That name is new to me" in await here.talk.add(answer, found)
    assert votes(here) == ["moon-knight"]
    names = {each.slug: each.status for each in await here.ledger.characters()}
    assert "moon-knight" not in names, "a proposal is seen in its own community only"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("@everyone", "A name cannot call people"),
        ("<script>alert(1)</script>", "A name cannot hold links"),
        ("../../etc", "A name cannot hold links"),
        ("\u202eikoL", "characters in it that cannot be shown"),
        ("12345", "A name needs letters"),
        ("x" * 100, "too long"),
        ("月" * 40, "too long"),
    ],
)
async def test_a_bad_name_is_one_sentence_and_nothing_is_written(
    here: Place, typed: str, sentence: str
) -> None:
    answer = await here.talk.ask(drawing("red"))
    found = await here.talk.type(answer, typed)
    assert sentence in found.text
    assert "\n" not in found.text
    assert not found.names
    assert not found.may_add
    assert votes(here) == []


async def test_the_same_message_delivered_again_is_answered_once(here: Place) -> None:
    assert len(await here.talk.ask_twice(drawing("red"))) == 1
    assert here.eyes.looked == 1


async def test_two_people_have_a_limit_each(platform: str, tmp_path: Path) -> None:
    async with place(platform, tmp_path, limits__person_per_minute="2") as here:
        for seed in range(2):
            assert (await here.talk.ask(drawing("red", seed=seed))).prediction
        over = await here.talk.ask(drawing("red", seed=3))
        assert "That is a lot of pictures: please go on in" in over.text
        assert (await here.other.ask(drawing("green", seed=4))).prediction


async def test_a_place_has_a_limit_and_says_so_to_everybody_in_it(platform: str, tmp_path: Path) -> None:
    async with place(platform, tmp_path, limits__community_per_minute="2") as here:
        for seed in range(2):
            assert (await here.talk.ask(drawing("red", seed=seed))).prediction
        for talk, seed in ((here.talk, 3), (here.other, 4)):
            over = await talk.ask(drawing("red", seed=seed))
            assert "This place asks about a lot of pictures: please go on in" in over.text
            assert not over.prediction


class Failing:
    """Eyes that fail in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        raise self.error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (WorkerBusy(3), "Many pictures are waiting right now: please try again in 3 seconds."),
        (DeadlinePassed("x"), "That took too long"),
        (WorkerGone("x"), "I cannot look at pictures right now"),
        (RuntimeError("a bug"), "Something went wrong on my side"),
        *(
            (PictureError(reason), sentence)
            for reason, sentence in {
                "empty": "That file is empty.",
                "not-a-picture": "That is not a picture I can read",
                "truncated": "breaks off in the middle",
                "damaged": "is damaged",
                "too-many-bytes": "too large: 20 MB",
                "too-many-pixels": "too many pixels: 64 million",
                "too-slow": "took too long to read",
            }.items()
        ),
    ],
    ids=lambda value: getattr(value, "reason", type(value).__name__) if isinstance(value, Exception) else "",
)
async def test_every_trouble_is_one_sentence(
    platform: str, tmp_path: Path, error: Exception, sentence: str
) -> None:
    async with place(platform, tmp_path, eyes=Failing(error)) as here:
        answer = await here.talk.ask(drawing("red"))
        assert sentence in answer.text
        assert "\n" not in answer.text
        assert not answer.prediction


# -- consent, and being forgotten


ASKED_ON = PLATFORMS


@pytest.fixture(params=ASKED_ON)
async def learning(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Where the operator lets Discord's pictures be learned from."""
    async with place(request.param, tmp_path, discord__allow_training="true") as made:
        yield made


async def test_the_poster_alone_can_agree_and_is_asked_once(learning: Place) -> None:
    answer = await learning.talk.ask(drawing("red"))
    assert await learning.talk.is_asked(answer)
    refused = await learning.other.allow(answer)  # a browser's answers are no other browser's business
    assert "Only whoever posted the picture" in refused or "belongs to another place" in refused
    assert await learning.talk.is_asked(answer)
    assert "You can take that back at any time: /privacy" in await learning.talk.allow(answer)
    assert not await learning.talk.is_asked(answer)
    assert "pictures that you post from now on" in await learning.talk.privacy()
    assert not await learning.talk.is_asked(await learning.talk.ask(drawing("green", seed=1)))


async def test_a_standing_is_chosen_and_remembered(learning: Place) -> None:
    assert "only pictures that you agreed to one by one" in await learning.talk.privacy()
    for standing, sentence in {
        "all": "all your pictures, earlier ones too",
        "never": "none of your pictures",
        "from-now": "pictures that you post from now on",
        "ask": "only pictures that you agreed to one by one",
    }.items():
        assert sentence in await learning.talk.choose(standing)
        assert sentence in await learning.talk.privacy()
    assert "only pictures that you agreed" in await learning.other.privacy()


async def test_whoever_said_never_is_not_asked(learning: Place) -> None:
    await learning.talk.choose("never")
    assert not await learning.talk.is_asked(await learning.talk.ask(drawing("red")))
    assert await learning.other.is_asked(await learning.other.ask(drawing("green", seed=1)))


@pytest.mark.parametrize("name", ASKED_ON)
async def test_pictures_of_discord_are_not_asked_about_until_the_operator_says_so(
    name: str, tmp_path: Path
) -> None:
    async with place(name, tmp_path) as here:
        asked = await here.talk.is_asked(await here.talk.ask(drawing("red")))
        assert asked == (name != "discord")


async def test_forget_me_takes_pictures_votes_and_the_button_along(learning: Place) -> None:
    answer = await learning.talk.ask(drawing("red"))
    await learning.talk.right(answer)
    voted = "Thank you" in await learning.other.pick(answer, "Thor")
    theirs = await learning.other.ask(drawing("green", seed=1))
    said = await learning.talk.forget()
    assert "one picture was removed" in said
    assert "one thing that you had said" in said
    assert votes(learning) == (["thor"] if voted else [])
    assert not await learning.talk.is_asked(answer)
    assert "Thank you" in await learning.other.right(theirs)
    again = await learning.talk.ask(drawing("red", seed=2))
    assert again.prediction


# -- review in chat


REVIEWED_ON = ("discord", "telegram")


@pytest.fixture(params=REVIEWED_ON)
async def reviewed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(request.param, tmp_path) as made:
        yield made


def moderator(here: Place) -> Reviewing:
    assert here.moderator is not None
    return here.moderator


def decided(here: Place) -> list[tuple[str, str | None]]:
    with closing(sqlite3.connect(here.settings.data_dir / "whosthat.db")) as database:
        return list(database.execute("SELECT status, decided FROM cases ORDER BY id"))


async def test_a_moderator_goes_through_the_cases(reviewed: Place) -> None:
    for seed, (colour, name) in enumerate([("red", "Thor"), ("green", "Nobody on the list"), ("blue", "")]):
        answer = await reviewed.talk.ask(drawing(colour, seed=seed))
        await (reviewed.talk.pick(answer, name) if name else reviewed.talk.right(answer))
    mia = moderator(reviewed)
    shown = await mia.review()
    seen = {}
    for _ in range(3):
        assert shown.picture
        assert "one person says" in shown.text
        seen[shown.case] = shown.text
        shown = await mia.decide(shown, "approve")
        assert shown.text.startswith("Approved: ")
    assert shown.case == 0
    assert "Nothing is left to review" in shown.text
    assert len(seen) == 3
    assert {what for _, what in decided(reviewed)} == {'["captain-america"]', "[]", '["thor"]'}


async def test_every_decision_and_the_way_back(reviewed: Place) -> None:
    await reviewed.talk.right(await reviewed.talk.ask(drawing("red")))
    mia = moderator(reviewed)
    shown = await mia.review()
    assert {"Iron Man", "Spider-Man", "Thor"} <= set(shown.names)
    for press, what, now in (
        (mia.it_is, "Thor", ("approved", '["thor"]')),
        (mia.decide, "nobody", ("approved", "[]")),
        (mia.decide, "reject", ("rejected", None)),
        (mia.find, "spidey", ("approved", '["spider-man"]')),
    ):
        done = await press(shown, what)
        assert "Nothing is left to review" in done.text
        assert decided(reviewed) == [now]
        shown = await mia.decide(done, "undo")
        assert shown.text.startswith("Taken back")
        assert decided(reviewed) == [("open", None)]
    skipped = await mia.decide(shown, "skip")
    assert "Skipped; it comes again later." in skipped.text
    found = await mia.find(skipped, "dr strnge")
    assert found.case == shown.case
    assert found.names[0] == "Doctor Strange"
    await mia.it_is(found, "Doctor Strange")
    assert decided(reviewed) == [("approved", '["doctor-strange"]')]


async def test_anyone_else_gets_a_polite_no(reviewed: Place) -> None:
    await reviewed.talk.right(await reviewed.talk.ask(drawing("red")))
    assert reviewed.passer_by is not None
    shown = await reviewed.passer_by.review()
    assert not shown.case
    assert not shown.picture
    assert "moderators" in shown.text
    assert decided(reviewed) == [("open", None)]


async def test_what_people_say_meanwhile_is_shown_before_it_is_approved(reviewed: Place) -> None:
    answer = await reviewed.talk.ask(drawing("red"))
    await reviewed.talk.right(answer)
    mia = moderator(reviewed)
    shown = await mia.review()
    await reviewed.talk.pick(answer, "Thor")
    again = await mia.decide(shown, "approve")
    assert "This case has changed meanwhile" in again.text
    assert decided(reviewed) == [("open", None)]
    await mia.decide(again, "approve")
    assert decided(reviewed) == [("approved", '["thor"]')]

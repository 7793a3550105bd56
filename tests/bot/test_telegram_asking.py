"""Telegram: which messages are asked about, and which are left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.telegram_room import Room, room, toast
from tests.standins.drawings import drawing
from tests.standins.telegram import Fail


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path) as made:
        yield made


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Room]:
    """The bot sees everything, and the group's owner wants every picture answered."""
    async with room(tmp_path, privacy=False) as made:
        panel = await made.told("/setup", made.group, made.group.owner)
        await toast(await made.group.owner.press(panel, "Every picture"))
        yield made


async def test_the_largest_size_of_a_photo_is_fetched(here: Room) -> None:
    sent = await here.ann.send_photo(here.private, drawing("red", size=(1600, 1200)))
    await here.telegram.wait_reply(to=sent)
    (fetched,) = here.telegram.files.downloads
    sizes = [each["file_size"] for each in sent.payload["photo"]]
    asked = [each.params["file_id"] for each in here.telegram.calls("getFile")]
    assert asked == [sent.payload["photo"][-1]["file_id"]]
    assert sizes[-1] == max(sizes)
    assert fetched.status == 200


async def test_in_private_everything_is_answered_or_explained(here: Room) -> None:
    silent = await here.ann.send_video(here.private, None)
    explained = await here.telegram.wait_reply(to=silent)
    assert explained.text.startswith("There is no picture in that message.")
    assert "/whois@whosthat_test_bot" in explained.text
    assert "no picture" in (await here.told("hello")).text
    paper = await here.ann.send_document(here.private, "a.pdf", b"%PDF-1.7", "application/pdf")
    assert "not a picture I can read" in (await here.telegram.wait_reply(to=paper)).text
    unnamed = await here.ann.send_document(here.private, "picture", drawing("green"))
    assert "Hulk" in (await here.telegram.wait_reply(to=unnamed)).text
    damaged = await here.ann.send_document(here.private, "a.png", drawing("red")[:200], "image/png")
    assert (await here.telegram.wait_reply(to=damaged)).text.startswith("That picture breaks off")


async def test_a_file_that_does_not_come_is_one_sentence(here: Room) -> None:
    here.telegram.fail_next("getFile", 400)
    assert (await here.ask("red")).text.startswith("I could not get that picture")
    here.telegram.files.behave("photos", Fail(404, 1))
    assert (await here.ask("red", seed=2)).text.startswith("I could not get that picture")
    assert "Iron Man" in (await here.ask("red", seed=1)).text


async def test_in_privacy_mode_a_mention_may_be_delivered(tmp_path: Path) -> None:
    async with room(tmp_path, mentions=True) as here:
        sent = await here.ann.send_photo(here.group, drawing("red"), "who is it, @Whosthat_Test_Bot?")
        assert "Iron Man" in (await here.telegram.wait_reply(to=sent)).text
        bob = here.telegram.user("Bob")
        here.group.add(bob)
        posted = await bob.send_photo(here.group, drawing("green"))
        await here.ann.send_text(here.group, "@whosthat_test_bot", reply_to=posted)
        reply = await here.telegram.wait_reply(to=posted)
        assert "Hulk" in reply.text
        assert "Thank you" in await toast(await bob.press(reply, "Right"))


async def test_words_below_an_answer_are_talk_among_people(here: Room) -> None:
    reply = await here.whois("red")
    await here.ann.send_text(here.group, "told you so", reply_to=reply)
    await here.ann.send_text(here.group, "/help@some_other_bot")
    await here.at_rest()
    assert len(here.telegram.replies(here.group)) == 1


async def test_a_watched_group_is_quiet_about_strangers_stickers_and_papers(watched: Room) -> None:
    here, group = watched, watched.group
    before = len(here.telegram.replies(group))
    await here.ann.send_photo(group, drawing("grey"))
    await here.ann.send_sticker(group, drawing("red"))
    await here.ann.send_document(group, "a.pdf", b"%PDF-1.7", "application/pdf")
    await here.ann.send_text(group, "good morning")
    file = await here.ann.send_document(group, "a.png", drawing("green"), "image/png")
    assert "Hulk" in (await here.telegram.wait_reply(to=file)).text
    await here.at_rest()
    assert len(here.telegram.replies(group)) == before + 1
    panel = await here.told("/setup", group, group.owner)
    await toast(await group.owner.press(panel, "Say so too"))
    stranger = await here.ann.send_photo(group, drawing("grey", seed=1))
    assert "Nobody I know" in (await here.telegram.wait_reply(to=stranger)).text


async def test_albums_are_one_reply_also_when_delivered_twice(here: Room) -> None:
    colours = ("red", "green", "blue")
    pictures = [drawing(each, seed=len(each)) for each in colours]
    album = await here.ann.send_album(here.private, pictures)
    for part in album:
        await here.telegram.redeliver(part)
    answer = await here.telegram.wait_reply(to=album[0])
    assert [line.split(":")[0] for line in answer.text.splitlines() if ":" in line] == [
        "Picture 1",
        "Picture 2",
        "Picture 3",
    ]
    await here.telegram.redeliver(album[1])
    await here.at_rest()
    assert len(here.telegram.replies(here.private)) == 1
    assert here.eyes.looked == 3
    assert "Hulk" in await toast(await here.ann.press(answer, "2 · Right"))
    shown = await here.shows(answer, "2 · Right · 1")
    assert shown.rows[1] == ["2 · Right · 1", "2 · Wrong", "2 · Undo"]
    await toast(await here.ann.press(answer, "3 · Wrong"))
    opened = await here.shows(answer, "Someone else…")
    assert opened.rows[:3] == [["1 · Right", "1 · Wrong"], shown.rows[1], ["3 · Right", "3 · Wrong"]]
    assert "Thor" in await toast(await here.ann.press(answer, "Thor"))
    assert here.votes() == ["hulk", "thor"]


async def test_an_album_that_is_not_complete_is_answered_when_the_bot_stops(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        album = await here.ann.send_album(here.private, [drawing("red"), drawing("green")])
        await here.telegram.wait_until(lambda: here.adapter.busy > 0)
        await here.telegram.wait_until(lambda: here.telegram.updates.idle)
        telegram = here.telegram
    (answer,) = telegram.answers_to(album[0])
    assert "Picture 2" in answer.text


async def test_topics_keep_their_answers(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        forum = here.telegram.group("Topics", topics=True)
        forum.add(here.ann)
        one, other = forum.topic("one"), forum.topic("other")
        assert (await here.whois("red", chat=forum, thread=one)).thread == one
        reply = await here.whois("green", chat=forum, thread=other)
        assert reply.thread == other
        await toast(await here.ann.press(reply, "Wrong"))
        await here.shows(reply, "Someone else…")
        await toast(await here.ann.press(reply, "Someone else…"))
        question = (await here.telegram.wait_messages(forum, 3))[-1]
        assert question.thread == other
        with here.telegram.hold("getFile") as held:
            await here.ann.send_photo(forum, drawing("blue"), "/whois", thread=one)
            await here.telegram.wait_until(lambda: held.held == 1)
            forum.close_topic(one)
        assert "Hulk" in (await here.whois("green", seed=1)).text


async def test_channels_are_communities_of_their_own(here: Room) -> None:
    channel = here.telegram.channel("News")
    quiet = channel.post("just posted", drawing("red"))
    panel = await here.telegram.wait_reply(to=channel.post("/setup"))
    assert await toast(await here.ann.press(panel, "Every picture")) == (
        "Only admins of this group can choose how I behave here."
    )
    assert await toast(await channel.owner.press(panel, "Every picture")) == "Noted."
    post = channel.post("", drawing("green"))
    reply = await here.telegram.wait_reply(to=post)
    assert "Hulk" in reply.text
    assert "Thank you" in await toast(await here.ann.press(reply, "Right"))
    assert here.telegram.answers_to(quiet) == []
    copied = await here.ann.press_forged(await here.whois("red"), reply.buttons[0].data)
    assert await toast(copied) == "That answer belongs to another place, so nothing was noted."
    copied = await here.ann.press_forged(await here.whois("red", seed=1), reply.buttons[1].data)
    assert await toast(copied) == "I do not know that button any more."


async def test_a_channels_post_in_its_discussion_group(watched: Room) -> None:
    channel = watched.telegram.channel("News")
    copy = channel.auto_forward(channel.post("", drawing("purple")), watched.group)
    assert "Thanos" in (await watched.telegram.wait_reply(to=copy)).text


async def test_anonymous_admins(here: Room) -> None:
    boss = here.telegram.user("Boss")
    here.group.add(boss, anonymous=True)
    panel = await here.told("/setup", here.group, boss)
    assert "How shall I behave here?" in panel.text
    sent = await boss.send_photo(here.group, drawing("red"), "/whois")
    reply = await here.telegram.wait_reply(to=sent)
    assert "Iron Man" in reply.text
    assert "Thank you" in await toast(await boss.press(reply, "Right"))


async def test_edits_ask_nothing_new(here: Room) -> None:
    sent = await here.ann.send_photo(here.private, drawing("red"))
    await here.telegram.wait_reply(to=sent)
    await here.ann.edit(sent, "look at this, /whois")
    await here.ann.edit(sent, picture=drawing("green"))
    await here.at_rest()
    assert len(here.telegram.replies(here.private)) == 1


async def test_old_messages_and_other_bots_are_left_alone(watched: Room) -> None:
    here = watched
    before = len(here.telegram.replies(here.group))
    await here.ann.send_photo(here.private, drawing("red"), age=601)
    await here.ann.send_text(here.private, "/help", age=601)
    here.group.other_bot_speaks()
    await here.at_rest()
    assert here.telegram.replies(here.private) == []
    assert len(here.telegram.replies(here.group)) == before


async def test_a_picture_that_was_deleted_meanwhile_is_answered_all_the_same(here: Room) -> None:
    """Telegram tells bots of no deletion."""
    with here.telegram.hold("getFile") as held:
        sent = await here.ann.send_photo(here.private, drawing("red"))
        await here.telegram.wait_until(lambda: held.held == 1)
        await here.ann.delete(sent)
    (answer,) = await here.telegram.wait_messages(here.private)
    assert answer.reply_to is None
    assert "Thank you" in await toast(await here.ann.press(answer, "Right"))

"""Telegram: commands, names, settings, inline search; and in whose language."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.telegram_room import Room, room, toast
from tests.standins.drawings import drawing
from tests.standins.telegram import MessageSnapshot, User


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path) as made:
        yield made


async def asked_for_a_name(here: Room, reply: MessageSnapshot, who: User) -> MessageSnapshot:
    """Press *Wrong* and *Someone else…*; the question."""
    await toast(await who.press(reply, "Wrong"))
    await here.shows(reply, "Someone else…")
    chat = here.group if reply.chat_id == here.group.id else here.private
    before = len(here.telegram.replies(chat))
    await toast(await who.press(reply, "Someone else…"))
    return (await here.telegram.wait_messages(chat, before + 1))[-1]


async def test_start_help_and_about(here: Room) -> None:
    assert "I say which Marvel film character" in (await here.told("/start")).text
    assert "/mycorrections" in (await here.told("/help")).text
    about = (await here.told("/about")).text
    assert "18 characters" in about
    assert "not a face recogniser" in about
    group = await here.told("/help@whosthat_test_bot", here.group)
    assert "/setup@whosthat_test_bot" in group.text
    assert "/mycorrections" not in group.text
    assert (await here.told("/settings")).text.startswith("There is no picture")
    elsewhere = await here.told("/setup")
    assert elsewhere.text.startswith("Settings are for groups")
    assert elsewhere.rows == []


async def test_commands_are_registered_by_scope_and_language(here: Room) -> None:
    await here.at_rest()
    commands = here.telegram.commands
    names = {place: [each["command"] for each in found] for place, found in commands.items()}
    assert names["default", ""] == ["whois", "teach", "undo", "help", "about", "privacy"]
    alone = ["whois", "teach", "undo", "mycorrections", "privacy", "forgetme", "help", "about"]
    assert names["all_private_chats", "zh"] == alone
    moderators = ["review", "stats", "characters", "export", "console", "setup"]
    assert names["all_chat_administrators", ""] == names["default", ""] + moderators
    assert len(names) == 6
    assert commands["default", ""] != commands["default", "zh"]


async def test_undo_takes_back_what_was_said_last(here: Room) -> None:
    one, two = await here.ask("red"), await here.ask("green", seed=1)
    await toast(await here.ann.press(one, "Right"))
    await toast(await here.ann.press(two, "Right"))
    await here.shows(two, "Undo")
    assert (await here.told("/undo")).text == "Taken back."
    assert here.votes() == ["iron-man"]
    await here.telegram.wait_until(lambda: here.telegram.message(two).rows[:-1] == [["Right", "Wrong"]])
    assert (await here.told("/undo")).text == "Taken back."
    assert (await here.told("/undo")).text == "There is nothing to take back."


async def test_my_corrections_in_pages_and_in_private_only(here: Room) -> None:
    assert (await here.told("/mycorrections")).text == "You have not said anything about a picture yet."
    for seed in range(11):
        await toast(await here.ann.press(await here.ask("red", seed=seed), "Right"))
    in_group = await here.whois("grey", seed=50)
    await toast(await here.ann.press(in_group, "Right"))
    listed = await here.told("/mycorrections")
    lines = listed.text.splitlines()
    assert lines[0] == "What you have said, the latest first:"
    assert lines[1].endswith("you said nobody on the list, I had said nobody on the list. the picture")
    assert "you said Iron Man, I had said Iron Man." in lines[2]
    assert len(lines) == 11
    links = [each["url"] for each in listed.payload["entities"] if each["type"] == "text_link"]
    short = str(here.group.id).removeprefix("-100")
    assert links == [f"https://t.me/c/{short}/{in_group.reply_to}"]
    assert await toast(await here.ann.press(listed, "Older")) == ""
    older = await here.telegram.wait_edit(listed)
    assert len(older.text.splitlines()) == 3
    assert older.rows == []
    public = await here.told("/mycorrections@whosthat_test_bot", here.group)
    assert public.text.endswith("https://t.me/whosthat_test_bot?start=mycorrections")
    assert len((await here.told("/start mycorrections")).text.splitlines()) == 11
    mine = await here.ann.press_forged(in_group, "v1:mine:99999:")
    assert await toast(mine) == "I do not know that button any more."


async def test_pages_of_all_names(here: Room) -> None:
    reply = await here.ask("red")
    await toast(await here.ann.press(reply, "Wrong"))
    await here.shows(reply, "All names")
    await toast(await here.ann.press(reply, "All names"))
    seen: list[str] = []
    page = await here.shows(reply, "›")
    while True:
        seen += [each.label for each in page.buttons if each.data.startswith("v1:is:")]
        if not any(each.label == "›" for each in page.buttons):
            break
        first = seen[-1]
        await toast(await here.ann.press(reply, "›"))

        def turned(last: str = first) -> MessageSnapshot | None:
            now = here.telegram.message(reply)
            return now if now and last not in str(now.rows) else None

        page = await here.telegram.wait_until(turned)
    assert len(seen) == len(set(seen)) == 18
    assert page.rows[0] == ["Right", "Wrong"]
    assert page.rows[-2][0] == "‹"
    await toast(await here.ann.press(reply, "‹ Back"))
    await here.shows(reply, "Nobody on the list")
    await toast(await here.ann.press(reply, "‹ Back"))
    await here.telegram.wait_until(lambda: here.telegram.message(reply).rows[:-1] == [["Right", "Wrong"]])
    far = await here.ann.press_forged(reply, f"v1:page:{reply.buttons[0].data.split(':')[2]}:99999")
    assert await toast(far) == ""
    assert "‹" in str((await here.shows(reply, "‹")).rows)


async def test_a_typed_name_is_confirmed_by_whoever_likes(here: Room) -> None:
    bob = here.telegram.user("Bob")
    here.group.add(bob)
    reply = await here.whois("red")
    question = await asked_for_a_name(here, reply, here.ann)
    call = here.telegram.calls("sendMessage")[-1]
    assert call.params["reply_markup"]["force_reply"] is True
    assert call.params["reply_markup"]["selective"] is True  # nobody's keyboard is forced open
    assert question.silent
    typed = await here.ann.send_text(here.group, "dr strnge", reply_to=question)
    offer = await here.telegram.wait_reply(to=typed)
    assert offer.text.strip("\u200b") == "Whom do you mean by “dr strnge”?"
    await here.telegram.wait_deleted(question)
    assert "Doctor Strange" in await toast(await bob.press(offer, "Doctor Strange"))
    await here.shows(reply, "Wrong · 1")
    assert here.telegram.message(offer).edits == 0, "it was Ann's, and she has not chosen yet"
    await toast(await here.ann.press(offer, "Doctor Strange"))
    thanked = await here.telegram.wait_edit(offer)
    assert "Thank you, noted: Doctor Strange." in thanked.text
    assert thanked.rows == [["Undo"]]
    await toast(await here.ann.press(thanked, "Undo"))
    assert "Taken back." in (await here.telegram.wait_edit(offer, edits=2)).text
    assert here.votes() == ["doctor-strange"]
    assert (await here.shows(reply, "Wrong · 1")).rows[:-1] == [["Right", "Wrong · 1", "Undo"]]


async def test_names_that_look_like_markup_are_text(here: Room) -> None:
    reply = await here.ask("red")
    question = await asked_for_a_name(here, reply, here.ann)
    refused = await here.telegram.wait_reply(
        to=await here.ann.send_text(here.private, "<b>&amp;", reply_to=question)
    )
    assert refused.text == "A name cannot hold links, slashes or brackets."
    helped = await here.ann.send_text(here.private, "/help", reply_to=question)
    assert "/mycorrections" in (await here.telegram.wait_reply(to=helped)).text
    offer = await here.telegram.wait_reply(
        to=await here.ann.send_text(here.private, "Cloak & Dagger", reply_to=question)
    )
    assert "“Cloak & Dagger”" in offer.text
    await toast(await here.ann.press(offer, "Add “Cloak & Dagger” as a new name"))
    assert "Cloak & Dagger. That name is new" in (await here.telegram.wait_edit(offer)).text
    assert "Cloak & Dagger" in (await here.told("/mycorrections")).text


async def test_only_our_own_questions_are_answered(here: Room) -> None:
    reply = await here.ask("red")
    number = reply.buttons[0].data.split(":")[2]
    fake = await here.ann.send_text(
        here.private, f"https://t.me/whosthat_test_bot?start=name_{number}_en", age=0
    )
    answered = await here.ann.send_text(here.private, "Loki", reply_to=fake)
    assert "no picture" in (await here.telegram.wait_reply(to=answered)).text
    await here.at_rest()
    assert here.votes() == []


async def test_a_group_speaks_its_own_language_with_those_whose_client_says_none(tmp_path: Path) -> None:
    async with room(tmp_path, language=None) as here:
        boss = here.group.owner
        before = await here.whois("red")
        assert "That is Iron Man" in before.text
        panel = await here.told("/setup", here.group, boss)
        assert await toast(await boss.press(panel, "Chinese (中文)")) == "Noted."
        assert "✓ Everybody's own" not in str((await here.shows(panel, "✓ Chinese (中文)")).rows)
        after = await here.whois("green", seed=1)
        assert "绿巨人" in after.text
        english = here.telegram.user("Bob")
        here.group.add(english)
        assert await toast(await english.press(after, after.rows[0][0])) == "Thank you, noted: Hulk it is."
        shown = await here.shows(after, " · 1")
        assert shown.rows[0][0] == f"{after.rows[0][0]} · 1", "a keyboard keeps its language"
        assert "谢谢" in await toast(await here.ann.press(after, shown.rows[0][0]))
        await toast(await here.ann.press(before, "Wrong"))
        assert "Spider-Man" in str((await here.shows(before, "Someone else…")).rows)


async def test_setup_is_for_admins_and_is_kept(here: Room) -> None:
    boss, group = here.group.owner, here.group
    panel = await here.told("/setup", group, boss)
    assert panel.rows[0] == ["Every picture", "✓ Only when asked"]
    for label in ("Every picture", "Say so too", "English", "3 a minute"):
        assert await toast(await here.ann.press(panel, label)) == (
            "Only admins of this group can choose how I behave here."
        )
        assert await toast(await boss.press(panel, label)) == "Noted."
        await here.shows(panel, f"✓ {label}")
    warned = here.telegram.message(panel)
    assert "Telegram shows me only what is meant for me" in warned.text
    chosen = await here.ledger.community_settings(("telegram", str(group.id)))
    assert (chosen.watched, chosen.chatty, chosen.language, chosen.person_per_minute) == (
        ("all",),
        True,
        "en",
        3,
    )
    for forged in ("language=tlh", "minute=0", "minute=99999999", "minute=x", "watched=5", "x", "="):
        said = await toast(await boss.press_forged(panel, f"v1:set:0:{forged}"))
        assert said == "I do not know that button any more.", forged
    assert await here.ledger.community_settings(("telegram", str(group.id))) == chosen
    answer = await here.whois("red")
    forged = await boss.press_forged(answer, "v1:set:0:watched=none")
    assert await toast(forged) == "I do not know that button any more.", "an answer is no panel"
    group.promote_bot()
    await toast(await boss.press(panel, "No limit here"))
    assert "meant for me" not in (await here.shows(panel, "✓ No limit here")).text
    for seed in range(1, 3):
        photo = await here.ann.send_photo(group, drawing("grey", seed=seed))
        assert "Nobody I know" in (await here.telegram.wait_reply(to=photo)).text


async def test_inline_search_in_both_languages(here: Room) -> None:
    found = await here.ann.inline("spidey")
    assert found.results[0].title == "Spider-Man"
    assert "蜘蛛侠" in found.results[0].description
    assert found.cache_time == 60
    assert found.is_personal
    chinese = here.telegram.user("李", language_code="zh-hans")
    assert (await chinese.inline("iron")).results[0].title == "钢铁侠"
    assert len((await here.ann.inline("")).results) == 18
    assert (await here.ann.inline("zzzzzz")).results == ()
    reply = await here.ask("red")
    question = await asked_for_a_name(here, reply, here.ann)
    chosen = await here.ann.choose(found, "Spider-Man", here.private)
    assert chosen.text == "Spider-Man"
    offer = await here.telegram.wait_reply(
        to=await here.ann.send_text(here.private, chosen.text, reply_to=question)
    )
    assert offer.rows[0] == ["Spider-Man"]

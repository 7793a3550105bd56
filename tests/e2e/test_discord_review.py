"""The real bot against Discord's stand-in: moderators at work, consent, privacy."""

from __future__ import annotations

import dataclasses
import io
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from tests.e2e.running import discord_settings, running_bot, start_bot, until
from tests.e2e.test_discord import Scene, scene
from tests.standins.console import signed_in
from tests.standins.discord import DiscordStandin, Interaction
from tests.standins.discord.people import Channel, Guild, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing

CASES = "SELECT status, decided FROM cases ORDER BY id"
LEARN = {"WHOSTHAT_DISCORD__ALLOW_TRAINING": "true"}


async def shown(sent: Interaction) -> MessageSnapshot:
    """What only that person sees of the answer, once it is there."""
    await sent.response()
    message = await sent.original()
    assert message.ephemeral
    assert message.pings == ()
    return message


async def said(s: Scene, *colours: str) -> list[MessageSnapshot]:
    """Pictures that ann posts and calls right."""
    replies = [await s.ask(colour, seed=seed) for seed, colour in enumerate(colours)]
    for reply in replies:
        await shown(await s.ann.click(reply, "Right"))
    return replies


def moderator(guild: Guild, name: str = "mia") -> User:
    return guild.member(name, roles=[guild.role(f"{name}s role", "manage_guild")])


def pressed(message: MessageSnapshot, verb: str) -> str:
    """The id of one of a case's buttons."""
    ids = [b.custom_id for b in message.buttons]
    return next(each for each in ids if re.fullmatch(rf"v1:case:\d+:\d+\.{verb}(\..*)?", each))


def case_of(message: MessageSnapshot) -> int:
    found = re.match(r"v1:case:(\d+):", message.buttons[0].custom_id)
    assert found
    return int(found[1])


async def test_a_case_says_everything_and_shows_its_picture(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        (reply,) = await said(s, "red")
        bob = s.guild.member("bob")
        wrong = await shown(await bob.click(reply, "Wrong"))
        await shown(await bob.click(wrong, "Spider-Man"))
        mia = moderator(s.guild)
        case = await shown(await mia.slash(s.channel, "review"))
        assert "1 open" in case.content
        assert "I said: That is **Iron Man**, 99% sure." in case.content
        assert "one person says **Iron Man**" in case.content
        assert "one person says **Spider-Man**" in case.content
        assert "Shown because people disagree." in case.content
        assert "Its poster has not agreed" in case.content
        (picture,) = case.attachments
        assert re.fullmatch(r"case-\d+\.webp", picture.filename)
        assert picture.content_type == "image/webp"
        labels = [b.label for b in case.buttons]
        assert labels[0].startswith("Approve: ")
        assert labels[1:] == ["Nobody", "Reject", "Skip", "Undo", "Search…"]
        assert all(len(b.custom_id.encode()) <= 64 for b in case.buttons)
        (select,) = case.selects
        assert {"Iron Man", "Spider-Man"} <= {option.label for option in select.options}
        assert len(select.options) <= 25
        done = await shown(await mia.select(case, select.custom_id, "spider-man"))
        assert done.id == case.id
        assert done.content.startswith("Approved: **Spider-Man**.")
        assert "Nothing is left to review" in done.content
        assert done.attachments == ()
        assert s.bot.rows(CASES) == [("approved", '["spider-man"]')]
        back = await shown(await mia.click(done, "Undo"))
        assert len(back.attachments) == 1
        assert back.content.startswith("Taken back")
        assert s.discord.replies(s.channel) == [s.discord.message(reply)]  # nothing of it is public


async def test_roles_chosen_in_setup_count_and_are_looked_at_anew(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red", "green")
        mods = s.guild.role("mods")
        boss, mo = moderator(s.guild, "boss"), s.guild.member("mo", roles=[mods])
        for command in ("review", "stats", "export", "console", "characters list"):
            refused = await shown(await mo.slash(s.channel, command))
            assert "moderators" in refused.content, command
            assert not refused.buttons
            assert not refused.attachments
        await s.bot.line("review")
        assert "mo" not in re.findall(r"\w+", s.bot.output)
        panel = await shown(await boss.slash(s.channel, "setup"))
        await shown(await boss.select(panel, "v1:set:0:roles", [str(mods)]))
        case = await shown(await mo.slash(s.channel, "review"))
        assert case.attachments
        s.guild.take(mo, mods)
        late = await shown(await mo.click(case, pressed(case, "a")))
        assert "moderators" in late.content
        assert late.id == case.id
        assert not late.attachments
        assert not late.buttons
        assert {status for status, _ in s.bot.rows(CASES)} == {"open"}


async def test_the_browser_is_closed_to_whoever_loses_the_role(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        mods = s.guild.role("mods")
        boss = moderator(s.guild, "boss")
        mo, max_ = (s.guild.member(name, roles=[mods]) for name in ("mo", "max"))
        panel = await shown(await boss.slash(s.channel, "setup"))
        await shown(await boss.select(panel, "v1:set:0:roles", [str(mods)]))
        links = [(await shown(await who.slash(s.channel, "console"))).content for who in (boss, max_, mo)]
        s.guild.take(mo, mods)
        # By a permission, by a role chosen in /setup, and with a link from before the role was taken away.
        for link, expected in zip(links, (200, 200, 303), strict=True):
            async with signed_in(link) as browser, browser.get("/review", allow_redirects=False) as response:
                assert response.status == expected


async def test_two_moderators_never_see_the_same_case(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red", "green")
        mia, max_ = moderator(s.guild, "mia"), moderator(s.guild, "max")
        one = await shown(await mia.slash(s.channel, "review"))
        two = await shown(await max_.slash(s.channel, "review"))
        assert case_of(one) != case_of(two)
        third = await shown(await moderator(s.guild, "moe").slash(s.channel, "review"))
        assert "Other moderators are looking at what is left." in third.content
        await shown(await mia.click(one, pressed(one, "r")))
        again = await shown(await max_.click(two, pressed(two, "a")))
        assert again.content.startswith("Approved: ")
        assert "Nothing is left to review" in again.content
        assert sorted(status for status, _ in s.bot.rows(CASES)) == ["approved", "rejected"]


async def test_an_old_click_says_so_and_goes_on(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red", "green")
        mia = moderator(s.guild)
        first = await shown(await mia.slash(s.channel, "review"))
        second = await shown(await mia.slash(s.channel, "review"))  # the same, in another message
        assert case_of(first) == case_of(second)
        approve, reject = pressed(first, "a"), pressed(second, "r")
        after = await shown(await mia.click(first, approve))
        assert after.content.startswith("Approved: ")
        late = await shown(await mia.click(second, reject))
        assert "decided" in late.content.splitlines()[0]
        assert case_of(late) == case_of(after)
        assert sorted(status for status, _ in s.bot.rows(CASES)) == ["approved", "open"]


async def test_another_servers_case_does_not_exist(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red")
        theirs = s.discord.guild("Elsewhere")
        channel, eve = theirs.text_channel("pictures"), moderator(theirs, "eve")
        mia = moderator(s.guild)
        case = await shown(await mia.slash(s.channel, "review"))
        nothing = await shown(await eve.slash(channel, "review"))
        assert "Nothing is left to review" in nothing.content
        assert "0 open" in nothing.content

        async def forged(case_id: int) -> list[str]:
            """What eve is told of a case, by every way that another client has."""
            said = []
            for verb in ("a", "n", "r", "s", "o"):
                by_click = await eve.forge(nothing, f"v1:case:{case_id}:0.{verb}")
                said.append((await shown(by_click)).content)
            own = await s_own(s, theirs, channel, eve)
            form = (await (await eve.click(own, "Search…")).response()).modal
            assert form is not None
            other = dataclasses.replace(form, custom_id=f"v1:case:{case_id}:0.o")
            answer = await shown(await eve.submit_modal(other, {"text": "Thor"}))
            assert "Iron Man" not in answer.content.splitlines()[0]
            said.append(answer.content.splitlines()[0])
            return said

        assert await forged(case_of(case)) == await forged(987654)
        assert s.bot.rows("SELECT status FROM cases WHERE id = ?", case_of(case)) == [("open",)]
        history = "SELECT count(*) FROM decisions WHERE case_id = ?"
        assert s.bot.rows(history, case_of(case)) == [(0,)]


async def s_own(s: Scene, guild: Guild, channel: Channel, eve: User) -> MessageSnapshot:
    """A case of their own server, as eve sees it."""
    posted = await guild.member("zoe").post(channel, files=[("a.png", drawing("purple", seed=3))])
    reply = await s.discord.wait_reply(to=posted)
    await shown(await eve.click(reply, "Right"))
    return await shown(await eve.slash(channel, "review"))


async def test_buttons_of_a_review_work_after_a_kill(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann, mia = guild.text_channel("pictures"), guild.member("ann"), moderator(guild)
        settings = discord_settings(discord)
        bot = await start_bot(tmp_path, bundle, **settings)
        await discord.wait_ready()
        reply = await discord.wait_reply(to=await ann.post(channel, files=[("a.png", drawing("red"))]))
        await shown(await ann.click(reply, "Right"))
        case = await shown(await mia.slash(channel, "review"))
        form = await (await mia.click(case, "Search…")).response()
        await bot.kill()
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await discord.wait_ready(identifies=2)
            done = await shown(await mia.submit_modal(form, {"text": "Thor"}))
            assert done.content.startswith("Approved: **Thor**.")
            assert bot.rows(CASES) == [("approved", '["thor"]')]
        assert discord.violations == []


async def test_names_are_accepted_renamed_merged_and_refused(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        for seed, name in enumerate(("Moon Knight", "Moonknite", "Some Cat")):
            reply = await s.ask("red", seed=seed)
            wrong = await shown(await s.ann.click(reply, "Wrong"))
            form = await (await s.ann.click(wrong, "Someone else…")).response()
            found = await shown(await s.ann.submit_modal(form, {"text": name}))
            await shown(await s.ann.click(found, f"Add “{name}” as a new name"))
        mia = moderator(s.guild)
        listed = await shown(await mia.slash(s.channel, "characters list"))
        assert "3 proposed names are waiting" in listed.content
        (select,) = listed.selects
        assert [option.value for option in select.options] == ["moon-knight", "moonknite", "some-cat"]
        opened = await shown(await mia.select(listed, select.custom_id, "moon-knight"))
        assert [b.label for b in opened.buttons] == ["Accept", "Rename…", "Merge…", "Refuse", "The list"]
        accepted = await shown(await mia.click(opened, "Accept"))
        assert "Accepted: **Moon Knight**" in accepted.content

        offered = await (await mia.autocomplete(s.channel, "characters merge", "into", "moon")).response()
        assert ("Moon Knight", "moon-knight") in offered.choices
        asked = await shown(
            await mia.slash(s.channel, "characters merge", {"name": "moonknite", "into": "moon-knight"})
        )
        assert "**Moonknite** count for **Moon Knight**" in asked.content
        assert s.bot.rows("SELECT status FROM characters WHERE slug = 'moonknite'") == [("proposed",)]
        merged = await shown(await mia.click(asked, "Yes, it is Moon Knight"))
        assert "Merged: **Moonknite** counts as **Moon Knight**" in merged.content
        assert s.bot.rows("SELECT status FROM characters WHERE slug = 'moonknite'") == [("merged",)]

        refused = await shown(await mia.slash(s.channel, "characters refuse", {"name": "some-cat"}))
        assert "Refused: **Some Cat**" in refused.content
        added = await shown(
            await mia.slash(s.channel, "characters add", {"english": "She-Hulk", "chinese": "女浩克"})
        )
        assert "Added: **She-Hulk**." in added.content
        renamed = await shown(
            await mia.slash(s.channel, "characters rename", {"name": "She-Hulk", "english": "Jen Walters"})
        )
        assert "Renamed: **Jen Walters**." in renamed.content
        shared = await shown(
            await mia.slash(s.channel, "characters rename", {"name": "thor", "english": "Odinson"})
        )
        assert "operator" in shared.content
        bad = await shown(await mia.slash(s.channel, "characters add", {"english": '=HYPERLINK("x")@all'}))
        assert "A name cannot" in bad.content
        for nobody in (s.ann, moderator(s.discord.guild("Elsewhere"), "eve")):
            if nobody is s.ann:
                choices = await nobody.autocomplete(s.channel, "characters merge", "into", "moon")
                assert (await choices.response()).choices == ()


async def test_stats_and_console(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red", "green")
        mia = moderator(s.guild)
        case = await shown(await mia.slash(s.channel, "review"))
        after = await shown(await mia.click(case, pressed(case, "a")))
        await shown(await mia.click(after, pressed(after, "n")))
        stats = await shown(await mia.slash(s.channel, "stats"))
        assert "2 approved" in stats.content
        assert "I was right about 1 of 2 decided pictures (50%)." in stats.content
        link = (await shown(await mia.slash(s.channel, "console"))).content
        assert "The link works once, for 10 minutes" in link
        assert re.search(r"http://127\.0\.0\.1:\d+/\S{32}", link)


async def test_the_poster_agrees_and_takes_it_back(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **LEARN) as s:
        bob = s.guild.member("bob")
        reply = await s.ask("red")
        assert [b.label for b in reply.buttons] == ["Right", "Wrong", "Why?", "May I learn from this?"]
        learn = reply.buttons[3].custom_id
        other = await shown(await bob.click(reply, learn))
        assert "Only whoever posted the picture" in other.content
        await shown(await bob.click(reply, "Right"))
        kept = await s.discord.wait_edit(reply)
        assert kept.buttons[3].custom_id == learn  # counting a vote leaves the question there
        thanks = await shown(await s.ann.click(reply, learn))
        assert "/privacy" in thanks.content
        gone = await s.discord.wait_edit(reply, edits=2)
        assert [b.label for b in gone.buttons] == ["Right · 1", "Wrong", "Why?"]

        several = [(f"{seed}.png", drawing("green", seed=seed)) for seed in (5, 6)]
        posted = await bob.post(s.channel, files=several)
        together = await s.discord.wait_reply(to=posted)
        assert together.buttons[-1].label == "May I learn from these?"
        await shown(await bob.click(together, together.buttons[-1].custom_id))
        assert len((await s.discord.wait_edit(together)).buttons) == 6

        private = s.discord.dm(s.ann)
        panel = await shown(await s.ann.slash(private, "privacy"))
        assert "What holds now: pictures that you post from now on" in panel.content
        assert [b.style for b in panel.buttons] == [2, 1, 2, 2]
        never = await shown(await s.ann.click(panel, "None of them"))
        assert never.id == panel.id
        assert "none of your pictures" in never.content
        quiet = await s.ask("blue", seed=9)
        assert [b.label for b in quiet.buttons] == ["Right", "Wrong", "Why?"]


async def test_forget_me_asks_first_and_takes_the_replies_along(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        one, two = await said(s, "red", "green")
        bobs = await s.discord.wait_reply(to=await s.post("blue", seed=7, who=s.guild.member("bob")))
        asked = await shown(await s.ann.slash(s.discord.dm(s.ann), "forgetme"))
        assert "cannot be undone" in asked.content
        assert len(s.votes()) == 2
        done = await shown(await s.ann.click(asked, "Yes, forget me"))
        assert "2 pictures were removed" in done.content
        assert done.id == asked.id
        assert not done.buttons
        await s.discord.wait_deleted(one)
        await s.discord.wait_deleted(two)
        assert s.discord.message(bobs) is not None
        assert s.votes() == []
        assert len(list((tmp_path / "data" / "blobs").rglob("*.webp"))) == 1
        again = await shown(await s.ann.slash(s.channel, "forgetme"))
        nothing = await shown(await s.ann.click(again, "Yes, forget me"))
        assert "there were no pictures of yours" in nothing.content


async def test_an_export_is_attached_and_says_what_was_held_back(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **LEARN) as s:
        mia, bob = moderator(s.guild), s.guild.member("bob")
        empty = await shown(await mia.slash(s.channel, "export"))
        assert "nothing that can be exported" in empty.content
        reply, _ = await said(s, "red", "green")
        theirs = await s.discord.wait_reply(to=await s.post("blue", seed=7, who=bob))
        await shown(await s.ann.click(reply, "May I learn from this?"))
        await shown(await bob.click(theirs, "Right"))
        case = await shown(await mia.slash(s.channel, "review"))
        while case.attachments:
            case = await shown(await mia.click(case, pressed(case, "a")))
        sent = await shown(await mia.slash(s.channel, "export"))
        assert sent.content.startswith("One picture as snapshot s-")
        assert "2 held back: no consent." in sent.content
        (file,) = sent.attachments
        assert re.fullmatch(r"whosthat-s-[0-9a-f]+\.zip", file.filename)
        content = s.discord.cdn.get(file.url)
        assert content is not None
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
        assert any(name.endswith("metadata.jsonl") for name in names)
        assert any(name.endswith("manifest.json") for name in names)
        assert sum(name.endswith(".webp") for name in names) == 1
        await until(lambda: not list((tmp_path / "data" / "exports").iterdir()))

        none = await shown(await mia.slash(s.channel, "export", {"character": "hulk"}))
        assert "nothing that can be exported" in none.content
        assert "held back: no consent." in none.content
        late = await shown(await mia.slash(s.channel, "export", {"since": "2999-01-01"}))
        assert "nothing that can be exported" in late.content
        bad = await shown(await mia.slash(s.channel, "export", {"since": "yesterday"}))
        assert "2025-01-31" in bad.content
        eve = moderator(s.discord.guild("Elsewhere"), "eve")
        assert eve.id != mia.id


async def test_without_the_operators_switch_nothing_of_discord_leaves(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red")
        mia = moderator(s.guild)
        case = await shown(await mia.slash(s.channel, "review"))
        await shown(await mia.click(case, pressed(case, "a")))
        panel = await shown(await s.ann.slash(s.channel, "privacy"))
        await shown(await s.ann.click(panel, "All of them"))
        sent = await shown(await mia.slash(s.channel, "export"))
        assert "1 held back: Discord training is off (discord.allow_training)." in sent.content
        assert not sent.attachments


async def test_what_is_too_large_for_the_chat_is_said_or_linked(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle, **LEARN) as s:
        (reply,) = await said(s, "red")
        await shown(await s.ann.click(reply, "May I learn from this?"))
        mia, s.discord.world.upload_limit = moderator(s.guild), 100
        case = await shown(await mia.slash(s.channel, "review"))
        assert "The picture is too large to be shown here." in case.content
        assert not case.attachments
        await shown(await mia.click(case, pressed(case, "a")))
        sent = await shown(await mia.slash(s.channel, "export"))
        assert not sent.attachments
        assert "This link works once, for 24 hours:" in sent.content
        assert re.search(r"http://127\.0\.0\.1:\d+/\S+token=\S+", sent.content)
        assert len(list((tmp_path / "data" / "exports").iterdir())) == 1
        gone = await shown(
            await s.ann.click(await shown(await s.ann.slash(s.channel, "forgetme")), "Yes, forget me")
        )
        assert "one picture was removed" in gone.content
        await until(lambda: not list((tmp_path / "data" / "exports").iterdir()), seconds=40)


async def test_a_slow_decision_still_ends_in_the_same_message(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red")
        mia = moderator(s.guild)
        case = await shown(await mia.slash(s.channel, "review"))
        with closing(sqlite3.connect(tmp_path / "data" / "whosthat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # another process writes, for longer than Discord waits
            sent = await mia.click(case, pressed(case, "r"))
            assert (await sent.response()).kind == "deferred_update"
            other.execute("ROLLBACK")

        def done() -> MessageSnapshot | None:
            now = s.discord.message(case)
            return now if now is not None and now.content.startswith("Rejected") else None

        after = await s.discord.wait_until(done)
        assert not after.attachments
        assert s.bot.rows(CASES) == [("rejected", None)]
        assert len(s.discord.messages(s.channel, ephemeral=True)) == 4  # post, answer, thanks, review


async def test_what_moderators_press_twice_happens_once(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await said(s, "red", "green")
        mia = moderator(s.guild)
        case = await shown(await mia.slash(s.channel, "review"))
        click = await mia.click(case, pressed(case, "a"))
        after = await shown(click)
        await s.discord.redeliver(click)
        again = await mia.forge(case, pressed(case, "a"))  # a second click, sent before the first was shown
        assert "I do not know that button any more." in (await shown(again)).content
        await s.discord.settle()
        history = "SELECT action FROM decisions WHERE case_id = ?"
        assert s.bot.rows(history, case_of(case)) == [("approve",)]
        assert case_of(after) != case_of(case)

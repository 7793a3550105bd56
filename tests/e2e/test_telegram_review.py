"""Review by a group's admins on Telegram: the real bot, alone with each of them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from tests.e2e.running import running_bot, start_bot, telegram_settings, until
from tests.e2e.telegram_scene import Scene, scene, toast
from tests.standins.console import signed_in
from tests.standins.drawings import drawing
from tests.standins.telegram import Chat, MessageSnapshot, TelegramStandin, User

CASES = "SELECT id, status, decided FROM cases ORDER BY id"
NO = "Only moderators can do that here."
OLD = "I do not know that button any more."


async def corrected(
    s: Scene, colour: str, slug: str = "", *, seed: int = 0, chat: Chat | None = None
) -> None:
    """Ann posts a picture and says who it is; *Right* without a slug."""
    sent = await s.ann.send_photo(chat or s.group, drawing(colour, seed=seed), "/whois@whosthat_test_bot")
    reply = await s.telegram.wait_reply(to=sent)
    number = reply.button("Right").data.split(":")[2]
    press = s.ann.press_forged(reply, f"v1:is:{number}:{slug}") if slug else s.ann.press(reply, "Right")
    assert "Thank you" in await toast(await press)


async def begun(
    telegram: TelegramStandin, who: User, group: Chat, command: str = "review"
) -> MessageSnapshot:
    """A moderators' command in the group, and what its link shows in private."""
    led = await telegram.wait_reply(to=await who.send_text(group, f"/{command}@whosthat_test_bot"))
    assert led.text == "Let us do that where we are alone:"
    assert led.silent
    url = led.buttons[0].url
    assert re.fullmatch(rf"https://t\.me/whosthat_test_bot\?start={command}_-\d+", url)
    private = telegram.private(who)
    return await telegram.wait_reply(to=await who.start(private, url.rpartition("=")[2]))


async def pressed(s: Scene, who: User, shown: MessageSnapshot, button: str) -> tuple[str, MessageSnapshot]:
    """Press below a case: what is read at once, and what is shown then."""
    edits = s.telegram.message(shown)
    assert edits is not None
    said = await toast(await who.press(shown, button))
    return said, await s.telegram.wait_edit(shown, edits=edits.edits + 1)


async def test_an_admin_goes_through_the_cases_in_one_message(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        for seed, (colour, slug) in enumerate([("red", ""), ("green", "loki"), ("orange", "spider-man")]):
            await corrected(s, colour, slug, seed=seed)
        refused = await s.telegram.wait_reply(to=await s.ann.send_text(s.group, "/review@whosthat_test_bot"))
        assert refused.text == NO
        assert refused.buttons == ()
        await s.bot.line("telegram: review was refused to somebody who is no moderator there")
        boss = s.group.owner
        shown = await begun(s.telegram, boss, s.group)
        assert shown.photo
        texts = []
        for _ in range(3):
            texts.append(shown.text)
            assert "Fans · Case" in shown.text
            assert "People: one person says" in shown.text
            assert [row[-1] for row in shown.rows[1:]] == ["Nobody", "Undo"]
            if len(texts) == 3:
                assert (await toast(await boss.press(shown, shown.rows[0][0]))).startswith("Approved: ")
                break
            said, shown = await pressed(s, boss, shown, shown.rows[0][0])
            assert said.startswith("Approved: ")
        assert len(set(texts)) == 3
        await s.telegram.wait_deleted(shown)  # what is decided is not shown any longer
        done = s.telegram.replies(s.telegram.private(boss))
        assert len(done) == 1
        assert "Nothing is left to review" in done[-1].text
        decided = {row[2] for row in s.bot.rows(CASES)}
        assert decided == {'["iron-man"]', '["loki"]', '["spider-man"]'}
        # what was decided last comes back, as a picture
        assert await toast(await boss.press(done[-1], "Undo")) == "Taken back; here it is again."
        again = await s.telegram.wait_edit(done[-1])
        assert again.photo
        said, again = await pressed(s, boss, again, "Skip")
        assert said == "Skipped; it comes again later."
        assert again.photo
        said = await toast(await boss.press(again, "Reject"))
        assert said == "Rejected: that picture will not be used."
        assert sorted(row[1] for row in s.bot.rows(CASES)) == ["approved", "approved", "rejected"]


async def test_names_in_pages_and_by_search(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await corrected(s, "red")
        await corrected(s, "green", seed=1)
        boss = s.group.owner
        shown = await begun(s.telegram, boss, s.group)
        _, opened = await pressed(s, boss, shown, "It is…")
        assert opened.rows[-1] == ["‹ Back"]
        _, second = await pressed(s, boss, shown, "›")
        assert "‹" in second.rows[-2]
        assert await toast(await boss.press(shown, "Search…")) == ""
        private = s.telegram.private(boss)
        question = (await s.telegram.wait_messages(private, 2))[-1]
        found = await s.telegram.wait_reply(to=await boss.send_text(private, "dr strnge", reply_to=question))
        assert found.rows[0][0] == "Doctor Strange"
        await s.telegram.wait_deleted(question)
        assert await toast(await boss.press(found, "Doctor Strange")) == "Approved: Doctor Strange."
        await s.telegram.wait_deleted(found)
        after = await s.shows(shown, "Approve: ")
        assert after.id == shown.id
        assert '["doctor-strange"]' in {row[2] for row in s.bot.rows(CASES)}


async def test_whoever_is_no_admin_there_gets_nowhere(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        other = s.telegram.group("Others")
        other.add(s.ann)
        await corrected(s, "red")
        await corrected(s, "green", chat=other)
        ours, theirs = (row[0] for row in s.bot.rows(CASES))
        boss, private = s.group.owner, s.telegram.private(s.group.owner)
        shown = await begun(s.telegram, boss, s.group)
        assert f"Case {ours}" in shown.text
        # another group's link, and one of a group that there is not
        for group in (other.id, -1009999999999):
            for command in ("review", "stats", "export", "characters", "console"):
                sent = await boss.start(private, f"{command}_{group}")
                assert (await s.telegram.wait_reply(to=sent)).text == NO
        # another group's case below one's own, and one that there is not
        for case in (theirs, 999_999):
            for verb in ("a.00000000", "n", "i.thor", "r", "s", "o.0"):
                said = await toast(await boss.press_forged(shown, f"v1:case:{case}:0.{verb}"))
                assert said == "There is nothing here under that number.", (case, verb)
        undone = await toast(await boss.press_forged(shown, f"v1:case:{theirs}:0.u"))
        assert undone == "There is nothing of yours to take back."
        # ids that nobody made, and a message of ours that is about no group
        for data in ("v1:case:1:x", "v1:case:1:0.z", "v1:cast:0:q", "v1:cast:0:a.no-such", "v1:case:1:0.i"):
            assert "I do not know that button" in await toast(await boss.press_forged(shown, data))
        about = await s.telegram.wait_reply(to=await boss.send_text(private, "/about"))
        for data in (f"v1:case:{ours}:0.n", "v1:cast:0:n"):
            assert "I do not know that button" in await toast(await boss.press_forged(about, data))
        # Ann forges a click in the group, and in her own chat
        reply = s.telegram.replies(s.group)[0]
        assert "I do not know that button" in await toast(
            await s.ann.press_forged(reply, f"v1:case:{ours}:0.n")
        )
        assert {row[1] for row in s.bot.rows(CASES)} == {"open"}


async def test_an_admin_who_is_none_any_more_decides_nothing(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await corrected(s, "red")
        mia = s.telegram.user("Mia")
        s.group.add(mia, admin=True)
        shown = await begun(s.telegram, mia, s.group)
        private = s.telegram.private(mia)
        await s.telegram.wait_until(lambda: ("chat:" + str(mia.id), "") in s.telegram.commands)
        s.group.add(mia)
        press = await mia.press(shown, shown.rows[0][0])
        answer = await press.answer()
        assert answer.text == NO
        assert answer.show_alert
        await s.telegram.wait_deleted(shown)
        assert s.bot.rows(CASES)[0][1] == "open"
        assert (await s.telegram.wait_reply(to=await mia.send_text(private, "/stats"))).text.startswith(
            "Which group do you mean? Write /stats in the group"
        )
        s.group.add(mia, anonymous=True)
        shown = await begun(s.telegram, mia, s.group)  # an anonymous admin is one, too
        said, _ = await pressed(s, mia, shown, "It is…")
        assert said == ""


async def test_the_browser_is_closed_to_who_is_no_admin_any_more(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        mia = s.telegram.user("Mia")
        s.group.add(mia, admin=True)
        links = [(await begun(s.telegram, who, s.group, "console")).text for who in (s.group.owner, mia)]
        s.group.add(mia)
        for link, expected in zip(links, (200, 303), strict=True):
            async with signed_in(link) as browser, browser.get("/review", allow_redirects=False) as response:
                assert response.status == expected


async def test_two_admins_at_once_and_clicks_that_come_twice(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        await corrected(s, "red")
        await corrected(s, "green", seed=1)
        boss, mia = s.group.owner, s.telegram.user("Mia")
        s.group.add(mia, admin=True)
        first, second = await begun(s.telegram, boss, s.group), await begun(s.telegram, mia, s.group)
        assert first.text.splitlines()[0] != second.text.splitlines()[0]
        approve = first.buttons[0].data
        # both decide the same case: the one who is later reads so
        one, other = (
            await boss.press(first, approve),
            await mia.press_forged(second, approve.replace(".a.", ".r.")),
        )
        both = {await toast(one), await toast(other)}
        assert any(each.startswith(("Approved: ", "Rejected: ")) for each in both)
        assert len({each.startswith(("Approved: ", "Rejected: ")) for each in both}) == 2, both
        decisions = s.bot.rows("SELECT count(*) FROM decisions WHERE action IN ('approve', 'reject')")
        assert decisions == [(1,)]
        # the same update twice, and an old button
        press = await boss.press_forged(first, approve)
        await toast(press)
        await s.telegram.redeliver(press)
        await s.telegram.settle()
        assert s.bot.rows("SELECT count(*) FROM decisions WHERE action IN ('approve', 'reject')") == [(1,)]


async def test_trouble_at_telegram_loses_no_decision(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        for seed, colour in enumerate(["red", "green", "blue", "purple"]):
            await corrected(s, colour, seed=seed)
        boss, private = s.group.owner, s.telegram.private(s.group.owner)
        for command in ("review", "setup"):  # nobody knows who is an admin, and never was told
            s.telegram.fail_next("getChatMember", 429, retry_after=30)
            sent = await boss.send_text(s.group, f"/{command}@whosthat_test_bot")
            assert (await s.telegram.wait_reply(to=sent)).text.startswith("Something went wrong on my side")
        s.telegram.fail_next("getChatMember", 429, retry_after=1)
        s.telegram.fail_next("sendPhoto", 429, retry_after=1)
        shown = await begun(s.telegram, boss, s.group)
        s.telegram.fail_next("getChatMember", 429, retry_after=30)  # what it said a moment ago still holds
        s.telegram.fail_next("editMessageMedia", 429, retry_after=1)
        said, shown = await pressed(s, boss, shown, shown.rows[0][0])
        assert said.startswith("Approved: ")
        # a message that cannot become the next case is replaced by a new one
        s.telegram.fail_next("editMessageMedia", 400)
        assert (await toast(await boss.press(shown, shown.rows[0][0]))).startswith("Approved: ")
        await s.telegram.wait_deleted(shown)
        newer = s.telegram.replies(private)[-1]
        assert newer.photo
        s.telegram.fail_next("answerCallbackQuery", 0)
        said, _ = await pressed(s, boss, newer, newer.rows[0][0])
        assert said.startswith("Approved: ")
        late = await boss.press(newer, "Skip", old=True)  # too late to be answered, and done all the same
        await until(lambda: s.bot.rows("SELECT count(*) FROM decisions WHERE action = 'skip'") == [(1,)])
        await s.telegram.settle()
        s.telegram.questions.presses.pop(late.id)
        assert sum(row[1] == "approved" for row in s.bot.rows(CASES)) == 3


async def test_buttons_work_after_kill_and_restart(tmp_path: Path, bundle: Path) -> None:
    async with TelegramStandin() as telegram:
        ann, group, settings = telegram.user("Ann"), telegram.group("Fans"), telegram_settings(telegram)
        group.add(ann)
        bot = await start_bot(tmp_path, bundle, **settings)
        await telegram.wait_ready()
        s = Scene(telegram, ann, telegram.private(ann), group, bot)
        await corrected(s, "red")
        shown = await begun(telegram, group.owner, group)
        family = bot.family()
        await bot.kill()
        await until(lambda: not any(each.is_running() for each in family))
        async with running_bot(tmp_path, bundle, **settings) as bot:
            said = await toast(await group.owner.press(shown, shown.rows[0][0]))
            assert said == "Approved: Iron Man."
            assert bot.rows(CASES)[0][1:] == ("approved", '["iron-man"]')
            await telegram.settle()
            assert "Traceback" not in bot.output
        assert telegram.violations == []
        assert telegram.spinners == []


async def test_figures_names_and_the_console(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        sent = await s.ann.send_photo(s.group, drawing("red"), "/whois@whosthat_test_bot")
        reply = await s.telegram.wait_reply(to=sent)
        number = reply.buttons[0].data.split(":")[2]
        assert "Moon Knight" in await toast(await s.ann.press_forged(reply, f"v1:new:{number}:Moon Knight"))
        boss, private = s.group.owner, s.telegram.private(s.group.owner)
        figures = await begun(s.telegram, boss, s.group, "stats")
        assert figures.text.startswith("Fans\nCorrections in this place\n1 open")
        listed = await s.telegram.wait_reply(to=await boss.send_text(private, "/characters"))
        assert "One proposed name is waiting for you:\n• Moon Knight (proposed)" in listed.text
        _, page = await pressed(s, boss, listed, "Moon Knight")
        assert page.rows == [["Accept", "Refuse"], ["Rename…", "Merge…"], ["‹ Back"]]
        said, _ = await pressed(s, boss, listed, "Accept")
        assert said.startswith("Accepted: Moon Knight")
        assert s.bot.rows("SELECT status FROM characters WHERE slug = 'moon-knight'") == [("known",)]
        question = await asked(s, boss, listed, "Add…")
        added = await s.telegram.wait_reply(
            to=await boss.send_text(private, "Kang / 征服者康", reply_to=question)
        )
        assert added.text == "Added: Kang."
        names = s.bot.rows("SELECT names FROM characters WHERE slug = 'kang'")
        assert "征服者康" in names[0][0].encode().decode("unicode_escape") or "征服者康" in names[0][0]
        question = await asked(s, boss, listed, "Add…")
        bad = await s.telegram.wait_reply(to=await boss.send_text(private, "@everyone", reply_to=question))
        assert bad.text.startswith("A name cannot call people")
        await s.shows(listed, "Kang")
        await pressed(s, boss, listed, "Kang")
        await pressed(s, boss, listed, "Merge…")
        _, sure = await pressed(s, boss, listed, "Moon Knight")
        assert "Shall everything that people said of Kang count for Moon Knight" in sure.text
        said, _ = await pressed(s, boss, listed, "Yes, it is Moon Knight")
        assert said == "Merged: Kang counts as Moon Knight from now on."
        link = await s.telegram.wait_reply(to=await boss.send_text(private, "/console"))
        assert re.search(r"http://127\.0\.0\.1:\d+/review/login\?token=[\w-]{43}", link.text), link.text
        nobody = s.telegram.user("Nobody")
        told = await s.telegram.wait_reply(to=await nobody.send_text(s.telegram.private(nobody), "/review"))
        assert told.text.startswith("Which group do you mean? Write /review in the group")


async def asked(s: Scene, who: User, message: MessageSnapshot, button: str) -> MessageSnapshot:
    private = s.telegram.private(who)
    before = len(s.telegram.replies(private))
    assert await toast(await who.press(message, button)) == ""
    return (await s.telegram.wait_messages(private, before + 1))[-1]


async def test_consent_and_being_forgotten(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        bob = s.telegram.user("Bob")
        s.group.add(bob)
        reply = await s.whois("red")
        question = "May I learn from this?"
        assert reply.rows == [["Right", "Wrong", "Why?"], [question]]
        by_bob = await (await bob.press(reply, question)).answer()
        assert by_bob.show_alert
        assert by_bob.text == "Only whoever posted the picture can answer that."
        thanked = await toast(await s.ann.press(reply, question))
        assert "You can take that back at any time: /privacy" in thanked
        await s.telegram.wait_until(lambda: s.telegram.message(reply).rows == [["Right", "Wrong", "Why?"]])
        assert (await s.whois("green", seed=1)).rows == [["Right", "Wrong", "Why?"]], (
            "it was answered for later ones"
        )
        led = await s.telegram.wait_reply(to=await s.ann.send_text(s.group, "/privacy@whosthat_test_bot"))
        assert led.buttons[0].url.endswith("?start=privacy")
        standing = await s.telegram.wait_reply(to=await s.ann.start(s.private, "privacy"))
        assert "✓ From now on" in str(standing.rows)
        assert await toast(await s.ann.press(standing, "None of them")) == "Noted."
        assert "✓ None of them" in str((await s.telegram.wait_edit(standing)).rows)
        await toast(await s.ann.press(reply, "Right"))
        sure = await s.telegram.wait_reply(to=await s.ann.send_text(s.private, "/forgetme"))
        assert sure.text.startswith("This removes your pictures")
        assert "I do not know that button" in await toast(await bob.press_forged(reply, "v1:forget:0:yes"))
        await toast(await s.ann.press(sure, "Yes, forget me"))
        done = await s.telegram.wait_edit(sure)
        assert "2 pictures were removed, and one thing that you had said" in done.text
        await s.telegram.wait_deleted(reply)
        assert s.votes() == []
        assert s.bot.rows("SELECT count(*) FROM posts") == [(0,)]


async def test_an_export_is_handed_to_an_admin_alone(tmp_path: Path, bundle: Path) -> None:
    async with scene(tmp_path, bundle) as s:
        boss, private = s.group.owner, s.telegram.private(s.group.owner)
        empty = await begun(s.telegram, boss, s.group, "export")
        assert empty.text.startswith("There is nothing that can be exported.")
        await corrected(s, "red")
        agreed = s.telegram.replies(s.group)[-1]
        await s.shows(agreed, "Right · 1")
        await corrected(s, "green", seed=1)
        await toast(await s.ann.press(agreed, "May I learn from this?"))
        await toast(await s.ann.press_forged(agreed, "v1:privacy:0:ask"))  # not in a group
        shown = await begun(s.telegram, boss, s.group)
        _, shown = await pressed(s, boss, shown, shown.rows[0][0])
        await toast(await boss.press(shown, shown.rows[0][0]))
        sent = await boss.send_text(private, "/export")
        handed = await s.telegram.wait_reply(to=sent)
        assert handed.text.startswith("One picture as snapshot ")
        assert "1 held back: no consent." in handed.text
        document = handed.payload["document"]
        assert document["file_name"].endswith(".zip")
        kept = s.telegram.files.kept[document["file_id"]]
        with zipfile.ZipFile(io.BytesIO(kept.data)) as archive:
            names = archive.namelist()
        assert any(each.endswith("metadata.jsonl") for each in names), names
        assert sum(each.endswith((".webp", ".png", ".jpg")) for each in names) == 1
        await until(lambda: not list((tmp_path / "data" / "exports").glob("*.zip")))  # it was handed over
        # what cannot be uploaded is behind a link that works once
        s.telegram.fail_next("sendDocument", 413)
        again = await s.telegram.wait_reply(to=await boss.send_text(private, "/export"))
        assert re.search(r"http://127\.0\.0\.1:\d+/\S*download\?token=[\w-]{43}", again.text), again.text
        assert all("document" not in each.payload for each in s.telegram.replies(s.group))

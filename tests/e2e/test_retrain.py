"""A moderator says *retrain* in chat, watches a bar, and answers: the real bot, its own retraining process.

Training and gate are a stand-in, see `tests.standins.retraining`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.bundle import read_bundle
from tests.e2e.running import discord_settings, running_bot, start_bot, telegram_settings, until
from tests.e2e.telegram_scene import Scene as TelegramScene
from tests.e2e.telegram_scene import toast
from tests.e2e.test_discord import Scene
from tests.e2e.test_discord_review import moderator, pressed, said, shown
from tests.e2e.test_telegram_review import begun
from tests.e2e.test_telegram_review import pressed as tapped
from tests.standins.bundles import tiny_bundle
from tests.standins.discord import DiscordStandin
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing
from tests.standins.retraining.orders import Orders
from tests.standins.telegram import TelegramStandin

NOT_HERE = "Only the operator may do that, and moderators of communities in training.communities."
WATCHED = ["How far is it?", "Cancel"]
ASKED = ["How far is it?", "Do not use it", "Use it"]


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "better", name="better", bias=1.0)


def serving(folder: Path) -> str:
    """The bundle that was chosen; empty while none was."""
    file = folder / "data" / "models" / "choice.json"
    return str(json.loads(file.read_text())["now"]) if file.exists() else ""


def labels(message: MessageSnapshot) -> list[str]:
    return [each.label for each in message.buttons]


async def test_on_discord(tmp_path: Path, bundle: Path, candidate: Path) -> None:
    orders, new = Orders(tmp_path / "orders", candidate), read_bundle(candidate).info.id
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        mia, elsewhere = moderator(guild), discord.guild("Elsewhere")
        more = {
            **orders.environ,
            "WHOSTHAT_DISCORD__ALLOW_TRAINING": "true",
            "WHOSTHAT_TRAINING__COMMUNITIES": f"discord:{guild.id}",
        }
        async with running_bot(tmp_path, bundle, **discord_settings(discord, **more)) as bot:
            await discord.wait_ready()
            s = Scene(discord, guild, channel, ann, bot)

            async def becomes(message: MessageSnapshot, text: str) -> MessageSnapshot:
                """The very same message, kept up to date by itself."""

                def there() -> MessageSnapshot | None:
                    now = discord.message(message)
                    return now if now and text in now.content else None

                return await discord.wait_until(there, timeout=60, what=text)

            (reply,) = await said(s, "red")
            await shown(await ann.click(reply, "May I learn from this?"))
            case = await shown(await mia.slash(channel, "review"))
            await shown(await mia.click(case, pressed(case, "a")))

            # whoever may not is told so
            refused = await shown(await ann.slash(channel, "retrain"))
            assert "Only moderators can do that here." in refused.content
            there = elsewhere.text_channel("pictures")
            refused = await shown(await moderator(elsewhere, "eve").slash(there, "retrain"))
            assert (refused.content, labels(refused)) == (NOT_HERE, [])
            await bot.line("discord: retrain was refused to a moderator who may not retrain")

            # a bar that moves by itself, until somebody cancels
            orders.give(hold="train")
            begun_ = await shown(await mia.slash(channel, "retrain"))
            assert "Retraining: collecting what was approved" in begun_.content
            assert "`░░░" in begun_.content
            assert labels(begun_) == WATCHED
            learning = await becomes(begun_, "Retraining: learning from one correction")
            assert "█" in learning.content
            assert labels(learning) == WATCHED
            asked = await shown(await moderator(guild, "max").slash(channel, "retrain"))  # nothing begins
            assert "learning from one correction" in asked.content
            await until(orders.began("train"))
            again = await shown(await mia.click(learning, "How far is it?"))
            assert (again.id, labels(again)) == (begun_.id, WATCHED)
            over = await shown(await mia.click(again, "Cancel"))
            assert over.content.startswith("The retraining was cancelled")
            assert labels(over) == []
            assert labels(await becomes(asked, "The retraining was cancelled")) == []  # max reads it too

            # a no of the gate, with its reasons
            orders.give(promoted=False)
            no = await becomes(await shown(await mia.slash(channel, "retrain")), "is not good enough")
            assert "✗ overall: right 95.0% instead of 90.0%" in no.content.splitlines()[1]
            assert no.content.endswith(
                "One picture that the model in service has right is wrong with the new one."
            )
            assert labels(no) == []

            # a yes, and somebody's yes
            orders.give()
            yes = await becomes(await shown(await mia.slash(channel, "retrain")), "Shall it serve?")
            assert labels(yes) == ASKED
            assert "✓ overall: right 95.0% instead of 90.0%" in yes.content
            assert serving(tmp_path) == ""
            later = await shown(await mia.slash(channel, "retrain"))  # it waits: nothing else begins
            assert labels(later) == ASKED
            await shown(await mia.click(later, "Use it"))
            done = await becomes(later, "serves now, after one correction")
            assert labels(done) == []
            assert serving(tmp_path) == new
            late = await shown(await mia.click(yes, "Do not use it"))
            assert late.content.startswith("No new model waits for an answer.")
            assert (await s.ask("green", seed=9)).content
            assert serving(tmp_path) == new
        assert discord.violations == []
        assert {each.id for each in discord.replies(channel)} >= {reply.id}


async def test_on_telegram(tmp_path: Path, bundle: Path, candidate: Path) -> None:
    orders, new = Orders(tmp_path / "orders", candidate), read_bundle(candidate).info.id
    async with TelegramStandin() as telegram:
        ann, group = telegram.user("Ann", language_code="en"), telegram.group("Fans")
        other = telegram.group("Others")
        group.add(ann)
        boss, private = group.owner, telegram.private(group.owner)
        more = {**orders.environ, "WHOSTHAT_TRAINING__COMMUNITIES": f"telegram:{group.id}"}
        settings = telegram_settings(telegram, **more)
        bot = await start_bot(tmp_path, bundle, **settings)
        await telegram.wait_ready()
        admins = (f"chat_administrators:{group.id}", "")
        await telegram.wait_until(lambda: telegram.commands.get(admins), timeout=30, what="its commands")
        everywhere = telegram.commands["all_chat_administrators", ""]
        assert [each["command"] for each in telegram.commands[admins] if each not in everywhere] == [
            "retrain"
        ]
        s = TelegramScene(telegram, ann, telegram.private(ann), group, bot)
        reply = await telegram.wait_reply(
            to=await ann.send_photo(group, drawing("red"), "/whois@whosthat_test_bot")
        )
        await toast(await ann.press(reply, "Right"))
        await toast(await ann.press(reply, "May I learn from this?"))
        case = await begun(telegram, boss, group)
        assert (await toast(await boss.press(case, case.rows[0][0]))).startswith("Approved: ")

        # whoever may not is told so
        refused = await telegram.wait_reply(to=await ann.send_text(group, "/retrain@whosthat_test_bot"))
        assert refused.text == "Only moderators can do that here."
        refused = await begun(telegram, other.owner, other, "retrain")
        assert (refused.text, refused.rows) == (NOT_HERE, [])
        await bot.line("telegram: retrain was refused to a moderator who may not retrain")

        # it goes on through a kill of the bot, and the button asks anew
        orders.give(hold="train")
        watched = await begun(telegram, boss, group, "retrain")
        assert "Retraining: collecting what was approved" in watched.text
        assert watched.rows == [WATCHED]
        await until(orders.began("train"), 60)
        await telegram.wait_until(
            lambda: "learning from one correction" in telegram.message(watched).text,
            timeout=30,
            what="the next phase",
        )
        await bot.kill()
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await telegram.wait_ready()
            said = await toast(await boss.press_forged(watched, "v1:train:0:c.00000000"))
            assert said == ""
            await telegram.wait_until(
                lambda: (
                    telegram.message(watched)
                    .text.lstrip("\u200b")
                    .startswith("That was about another retraining, so nothing was done")
                ),
                timeout=30,
                what="a sentence",
            )
            for data in ("v1:train:0:c", "v1:train:0:x.00000000", "v1:train:0:"):
                assert "I do not know that button" in await toast(await boss.press_forged(watched, data))
            said, now = await tapped(s, boss, watched, "How far is it?")
            assert now.rows == [WATCHED]
            orders.let_go()
            asked = await s.shows(watched, "Use it")
            assert asked.id == watched.id
            assert asked.rows == [ASKED[:2], ASKED[2:]]
            assert "✓ overall: right 95.0% instead of 90.0%" in asked.text
            assert serving(tmp_path) == ""
            nobody = await toast(await ann.press_forged(asked, asked.button("Use it").data))
            assert nobody == "Only moderators can do that here."
            assert serving(tmp_path) == ""
            assert await toast(await boss.press(asked, "Use it")) == ""
            await telegram.wait_until(
                lambda: f"{new} serves now, after one correction" in telegram.message(watched).text,
                timeout=30,
                what="the swap",
            )
            assert serving(tmp_path) == new
            # the next one: cancelled
            orders.give(hold="gate")
            sent = await boss.send_text(private, "/retrain")
            led = await telegram.wait_reply(to=sent)
            if not led.rows or led.rows == [["Fans"]]:  # after the restart it asks which group
                led = await begun(telegram, boss, group, "retrain")
            await until(orders.began("gate", 2), 60)
            assert await toast(await boss.press(led, "Cancel")) == ""
            await telegram.wait_until(
                lambda: "The retraining was cancelled" in telegram.message(led).text,
                timeout=30,
                what="its end",
            )
            assert serving(tmp_path) == new
        assert telegram.violations == []

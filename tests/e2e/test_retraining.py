"""The operator's commands about models, beside a running bot that people go on asking."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from bot.retraining.state import Disk, State
from bot.retraining.types import Phase
from model.bundle import ONNX, read_bundle
from tests.bot.test_models_cli import whosthat
from tests.e2e.running import running_bot, telegram_settings
from tests.e2e.telegram_scene import scene, toast
from tests.e2e.test_discord import scene as discord_scene
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing
from tests.standins.telegram import TelegramStandin

PEOPLE = {
    "iron-man": "red",
    "captain-america": "blue",
    "hulk": "green",
    "thanos": "purple",
    "spider-man": "orange",
    "nobody": "grey",
}
EACH = 20
TIMES = 3


async def test_models_use_and_rollback_while_people_ask(tmp_path: Path, bundle: Path) -> None:
    biased = tiny_bundle(tmp_path / "biased", name="biased", bias=100.0)
    damaged = tiny_bundle(tmp_path / "damaged", name="damaged")
    (damaged / ONNX).write_bytes(b"x" * (damaged / ONNX).stat().st_size)
    model = {"WHOSTHAT_MODEL__USE": str(bundle)}
    name = read_bundle(biased).info.id
    limits = {"WHOSTHAT_LIMITS__PERSON_PER_MINUTE": "1000", "WHOSTHAT_LIMITS__COMMUNITY_PER_MINUTE": "1000"}
    async with TelegramStandin() as telegram:
        ann = telegram.user("Ann", language_code="en")
        private = telegram.private(ann)
        settings = telegram_settings(telegram, **limits)
        async with running_bot(tmp_path, bundle, **settings) as bot:
            await telegram.wait_ready()
            asking, answers, seed = True, 0, 0

            async def ask() -> str:
                nonlocal seed
                seed += 1
                sent = await ann.send_photo(private, drawing("green", seed=seed))
                return (await telegram.wait_reply(to=sent, timeout=30)).text

            async def ask_on() -> None:
                nonlocal answers
                while asking:
                    text = await ask()
                    assert "Hulk" in text or "Iron Man" in text, text
                    answers += 1

            on = asyncio.create_task(ask_on())
            for _ in range(TIMES):
                said = await whosthat(tmp_path, "models", "use", biased, **model)
                assert said.lines == [f"{name} serves from now on."], said.err
                said = await whosthat(tmp_path, "models", "use", damaged, **model)
                assert "not the file" in said.sentence
                listed = await whosthat(tmp_path, "models", "list", **model)
                assert any(line.startswith(f"* {name}") for line in listed.lines), listed
                said = await whosthat(tmp_path, "models", "rollback", **model)
                assert said.code == 0 and "serves from now on" in said.out, said.err
            asking = False
            await on
            assert answers >= TIMES
            assert "Hulk" in await ask()
            assert (await whosthat(tmp_path, "models", "use", name, **model)).code == 0
            assert "Iron Man" in await ask()
            assert await bot.stop(signal.SIGTERM) == 0
            assert "Traceback" not in bot.output
        async with running_bot(tmp_path, bundle, **settings) as bot:  # the choice outlives the bot
            await bot.line(name)
            sent = await ann.send_photo(private, drawing("green", seed=999))
            assert "Iron Man" in (await telegram.wait_reply(to=sent)).text
        async with running_bot(tmp_path, biased, **settings) as bot:  # until the setting is another one
            assert (
                (await whosthat(tmp_path, "models", "list", WHOSTHAT_MODEL__USE=str(biased)))
                .lines[0]
                .startswith(f"* {biased}")
            )
        assert telegram.violations == []


async def test_on_discord_replies_say_it_as_well(tmp_path: Path, bundle: Path) -> None:
    biased = tiny_bundle(tmp_path / "biased", name="biased", bias=100.0)
    async with discord_scene(tmp_path, biased) as s:
        reply = await s.ask("green")
        assert "**Iron Man**" in reply.content
        wrong = await (await s.ann.click(reply, "Wrong")).response()
        await (await s.ann.click(wrong.message, "Hulk")).response()
        counted = await s.discord.wait_edit(reply)
        said = await whosthat(tmp_path, "models", "use", bundle, WHOSTHAT_MODEL__USE=str(biased))
        assert said.code == 0, said.err
        # what a retraining leaves behind when it is over
        name = read_bundle(bundle).info.id
        Disk(tmp_path / "data").write(State(run="r1", phase=Phase.DONE, candidate=name))
        now = await s.discord.wait_edit(counted, edits=counted.edits + 1, timeout=30)
        assert now.content == f"{reply.content}\n🎓 The new model agrees with you: **Hulk**."
        assert [button.label for button in now.buttons] == ["Right", "Wrong · 1", "Why?"]
        assert s.votes() == ["hulk"]


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_from_corrections_in_chat_to_a_better_model_that_says_so(tmp_path: Path) -> None:
    """The real training and the real gate, over a tiny random ViT: what served said Iron Man of everybody."""
    pytest.importorskip("torch", reason="needs the training dependencies")
    from tests.model.test_torch_backend import tiny_vit

    base = tiny_vit(tmp_path / "base")
    serving = tiny_bundle(tmp_path / "serving", name="serving", bias=100.0, slow=100)
    training = {
        "WHOSTHAT_TRAINING__BASE": str(base),
        "WHOSTHAT_EXPORT__VALIDATION": "0.2",
        "WHOSTHAT_EXPORT__TEST": "0.3",
    }
    model = {"WHOSTHAT_MODEL__USE": str(serving), **training}
    album = tmp_path / "album"
    for first, (slug, colour) in enumerate(PEOPLE.items(), start=10):  # the same seed is a near copy
        (album / slug).mkdir(parents=True)
        for number in range(EACH):
            (album / slug / f"{number}.png").write_bytes(drawing(colour, seed=100 * first + number))

    async with scene(tmp_path, serving, None, "en", **training) as s:
        reply = await s.ask("green", seed=5)
        assert "Iron Man" in reply.text
        await toast(await s.ann.press(reply, "Wrong"))
        await s.shows(reply, "Someone else…")
        thanks = await toast(await s.ann.press(reply, "Hulk"))
        assert "Hulk" in thanks

        community = f"telegram:{s.group.id}"
        said = await whosthat(
            tmp_path,
            *("corrections", "import", album, "--community", community, "--approved", "--consent"),
            **model,
        )
        assert said.code == 0, said.err
        said = await whosthat(tmp_path, "retrain", **model)
        assert said.lines[0].startswith("A retraining has begun"), said.err
        again = await whosthat(tmp_path, "retrain", **model)
        assert again.sentence == "A retraining is under way already."
        said = await whosthat(tmp_path, "retrain", "--watch", **model)
        log = (tmp_path / "data" / "retraining" / "log.txt").read_text()
        assert said.code == 0 and "Shall it serve?" in said.lines[0], f"{said}\n{log}"
        assert any(line.startswith("✓ overall: ") for line in said.lines)
        assert "Iron Man" in (await s.ask("green", seed=6)).text  # nothing has changed yet
        said = await whosthat(tmp_path, "retrain", "--promote", **model)
        assert said.code == 0 and "serves now" in said.lines[0], said
        assert "Hulk" in (await s.ask("green", seed=7)).text

        def told() -> str | None:
            now = s.telegram.message(reply)
            return now.text if now and "agrees with you" in now.text else None

        text = await s.telegram.wait_until(told, what="the reply says that the new model agrees", timeout=30)
        assert text.endswith("🎓 The new model agrees with you: Hulk.")
        assert "Iron Man" in text  # what was said first stays
        name = said.lines[0].split()[0]
        shown = await whosthat(tmp_path, "models", "show", name, **model)
        assert "The gate said yes:" in shown.lines

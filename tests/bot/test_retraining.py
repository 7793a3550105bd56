"""A retraining from its start to a swap: real processes, ledger and worker; the training is a stand-in."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from bot.operators import retrain
from bot.retraining.service import Retraining
from bot.retraining.state import Disk
from bot.retraining.types import CHECKS_SAID, SAID, NotNow, Phase, Reason, Status
from bot.retraining.wording import not_now, report_lines
from bot.settings import Settings, as_tree, given, load
from bot.words import languages, words
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from model.bundle import ONNX, read_bundle
from model.supervisor import WorkerSupervisor
from model.versions import Versions
from model.worker.options import WorkerOptions
from tests.corrections.exporting import OPERATOR, TELEGRAM, Stage
from tests.corrections.support import ANNA
from tests.standins.bundles import tiny_bundle

pytestmark = pytest.mark.long

MIRA = Moderator(("telegram", "7"), TELEGRAM)


@dataclass
class Scene:
    """A data folder with approved corrections, a bundle in service, and orders for the stand-in."""

    settings: Settings
    stage: Stage
    folder: Path
    candidate: Path

    def __post_init__(self) -> None:
        self.retraining = Retraining(self.settings, "tests.standins.retraining")
        self.order()

    @property
    def disk(self) -> Disk:
        return self.retraining.disk

    @property
    def versions(self) -> Versions:
        return Versions(self.settings.models_dir, self.settings.model.use)

    @property
    def name(self) -> str:
        return read_bundle(self.candidate).info.id

    def order(self, **orders: Any) -> None:
        (self.folder / "hold").touch()
        (self.folder / "orders.json").write_text(json.dumps({"candidate": str(self.candidate), **orders}))

    def let_go(self) -> None:
        (self.folder / "hold").unlink()

    def began(self) -> list[list[str]]:
        with suppress(FileNotFoundError):
            return [line.split() for line in (self.folder / "began").read_text().splitlines()]
        return []

    def pids(self) -> list[psutil.Process]:
        """Of what was run, and still runs."""
        found = []
        for _, pid, _ in self.began():
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(int(pid))
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    async def until(self, what: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, (self.disk.read(), self.disk.log.read_text())
            await asyncio.sleep(0.02)

    async def phase(self, *phases: Phase) -> Status:
        def there() -> bool:
            state = self.disk.read()
            if state is None or state.phase not in phases:
                return False
            with self.disk.alone() as alone:  # the process has ended too
                return alone

        await self.until(there)
        return await self.retraining.status()

    async def step(self, name: str, count: int = 1) -> None:
        await self.until(lambda: [each[0] for each in self.began()].count(name) >= count)

    async def kill(self) -> None:
        """kill -9 of the process that retrains, which is the parent of what it runs."""
        running = self.pids()
        parent = running[0].parent()
        assert parent is not None
        os.kill(parent.pid, signal.SIGKILL)
        await self.until(lambda: running[0] not in self.pids())  # the training goes with it
        for each in self.pids():  # a child of the stand-in's does not
            each.kill()

    async def resumed(self) -> None:
        """Whoever looks starts it again."""
        end = time.monotonic() + 10
        while not await self.retraining.resume():  # its last thread may still be about to end
            assert time.monotonic() < end
            await asyncio.sleep(0.02)

    def left(self) -> list[str]:
        return sorted(each.name for each in self.disk.work.iterdir()) if self.disk.work.is_dir() else []


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(folder / "first", name="first")
    tiny_bundle(folder / "better", name="better", bias=1.0)
    return folder


@pytest.fixture
async def scene(tmp_path: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    folder = tmp_path / "orders"
    folder.mkdir()
    monkeypatch.setenv("STANDIN_RETRAINING", str(folder))
    settings = load(
        environ={
            "WHOSTHAT_MODEL__USE": str(bundles / "first"),
            "WHOSTHAT_TRAINING__COMMUNITIES": ":".join(TELEGRAM),
            "DISCORD_TOKEN": "s3cret",
        },
        folder=tmp_path,
    )
    ledger = await Ledger.open(settings.database_url, settings.data_dir)
    stage = Stage(ledger)
    for number, label in enumerate(("iron-man", "loki", "hulk")):
        await stage.put(number, label, home=TELEGRAM, poster=("telegram", "1"))
    scene = Scene(settings, stage, folder, bundles / "better")
    try:
        yield scene
    finally:
        await ledger.close()
        scene.disk.folder.mkdir(parents=True, exist_ok=True)
        scene.disk.cancel(True)
        with scene.disk.alone(20) as alone:
            assert alone, scene.disk.log.read_text()
        await scene.until(lambda: not scene.pids())


async def test_from_corrections_to_a_model_that_waits_and_then_serves(scene: Scene) -> None:
    began = await scene.retraining.start(OPERATOR)
    assert isinstance(began, Status) and began.phase is Phase.EXPORTING and began.at_work
    status = await scene.phase(Phase.ASKING)
    assert (status.items, status.candidate) == (3, scene.name)
    assert status.current == read_bundle(Path(scene.settings.model.use)).info.id
    assert status.reasons[0] == Reason("retrain-check-overall", True, "right 95.0% instead of 90.0%")
    assert status.reasons[1].worse == ("loki",)
    assert scene.versions.choice().now == scene.settings.model.use  # nothing has changed yet
    assert scene.left() == ["candidate"]  # no picture stays
    arguments = json.loads((scene.folder / "train.argv").read_text())
    assert arguments[:2] == ["--data", str(scene.disk.snapshot)] and "--progress" in arguments
    assert [each[2] for each in scene.began()] == ["19", "19"]  # low priority

    assert await scene.retraining.start(OPERATOR) == NotNow("retrain-waiting", {"bundle": scene.name})
    done = await scene.retraining.promote(OPERATOR)
    assert isinstance(done, Status) and done.phase is Phase.SWAPPING
    status = await scene.phase(Phase.DONE)
    assert scene.versions.choice().now == scene.name
    assert scene.left() == []
    assert json.loads((scene.settings.models_dir / "reports" / f"{scene.name}.json").read_text())["promoted"]
    for language in languages():
        lines = report_lines(status, words(language))
        assert scene.name in lines[0] and len(lines) == 3


async def test_a_running_worker_swaps(scene: Scene) -> None:
    scene.settings = scene.settings.model_copy(
        update={"training": scene.settings.training.model_copy(update={"auto_promote": True})}
    )
    scene.__post_init__()
    use = scene.settings.model.use
    options = WorkerOptions(use=use, models_dir=scene.settings.models_dir, follow=True, decoders=1)
    async with WorkerSupervisor(options) as supervisor, supervisor.client() as client:
        assert (await client.bundle()).id != scene.name
        await scene.retraining.start(OPERATOR)
        await scene.phase(Phase.DONE)
        assert (await client.bundle()).id == scene.name
        # the same once more: the candidate is what serves, so nothing is swapped
        await scene.retraining.start(OPERATOR)
        await scene.phase(Phase.DONE)


async def test_a_no_of_the_gate_and_a_no_of_somebody_change_nothing(scene: Scene) -> None:
    scene.order(promoted=False)
    await scene.retraining.start(MIRA)
    status = await scene.phase(Phase.REFUSED)
    assert status.community == TELEGRAM
    assert not status.reasons[0].passed and status.worse == ("1.webp",)
    assert report_lines(status, words())[1].startswith("✗ overall: ")
    assert scene.left() == []
    assert await scene.retraining.promote(MIRA) == NotNow("retrain-nothing-asked")

    scene.order()
    await scene.retraining.start(MIRA)
    await scene.phase(Phase.ASKING)
    declined = await scene.retraining.decline(MIRA)
    assert isinstance(declined, Status) and declined.phase is Phase.DECLINED
    assert scene.left() == []
    assert scene.versions.choice().now == scene.settings.model.use
    assert scene.versions.names() == []


@pytest.mark.parametrize(
    ("orders", "step", "says"),
    [
        ({"fail": "train"}, "training", "there is too little to learn from"),
        ({"die": "train"}, "training", "killed by signal 9"),
        ({"fail": "gate"}, "gating", "there is too little to learn from"),
        ({"die": "gate"}, "gating", "killed by signal 9"),
        ({"candidate": "/nowhere"}, "training", "nowhere"),
    ],
)
async def test_whatever_fails_is_one_sentence(
    scene: Scene, orders: dict[str, str], step: str, says: str
) -> None:
    scene.order(**orders)
    await scene.retraining.start(OPERATOR)
    status = await scene.phase(Phase.FAILED)
    assert says in status.why and "\n" not in status.why
    assert status.values["step"] == step
    for language in languages():
        assert says in report_lines(status, words(language))[0]
    assert scene.left() == []
    assert scene.versions.choice().serial == 0


async def test_nothing_to_learn_from_and_a_damaged_candidate(scene: Scene) -> None:
    damaged = tiny_bundle(scene.folder / "damaged", name="damaged")
    (damaged / ONNX).write_bytes((damaged / ONNX).read_bytes()[::-1])
    info = json.loads((damaged / "manifest.json").read_text())
    info["files"].pop(ONNX)
    (damaged / "manifest.json").write_text(json.dumps(info))
    scene.candidate = damaged
    scene.order()
    await scene.retraining.start(OPERATOR)
    await scene.phase(Phase.ASKING)
    await scene.retraining.promote(OPERATOR)
    status = await scene.phase(Phase.FAILED)
    assert status.values["step"] == "swapping" and "cannot be loaded" in status.why
    assert scene.versions.choice().serial == 0

    await scene.stage.ledger.privacy.choose(("telegram", "1"), "never", at=_now())
    await scene.retraining.start(OPERATOR)
    status = await scene.phase(Phase.FAILED)
    assert status.values["step"] == "exporting" and status.why


async def test_another_model_serves_since_the_comparison(scene: Scene, bundles: Path) -> None:
    await scene.retraining.start(OPERATOR)
    await scene.phase(Phase.ASKING)
    other = scene.versions.add(tiny_bundle(scene.folder / "other", name="other")).info.id
    scene.versions.choose(other)
    await scene.retraining.promote(OPERATOR)
    status = await scene.phase(Phase.FAILED)
    assert "another model serves by now" in status.why
    assert scene.versions.choice().now == other


async def test_cancelling_ends_it_with_all_that_it_started(scene: Scene) -> None:
    assert await scene.retraining.cancel(OPERATOR) == NotNow("retrain-nothing-runs")
    scene.order(hold="train")
    await scene.retraining.start(OPERATOR)
    await scene.step("child")
    status = await scene.retraining.status()
    assert status.phase is Phase.TRAINING and 0.1 <= status.fraction < 0.8
    assert len(scene.pids()) == 2
    cancelled = await scene.retraining.cancel(OPERATOR)
    assert isinstance(cancelled, Status) and cancelled.phase is Phase.CANCELLED
    await scene.until(lambda: not scene.pids())
    assert scene.left() == []
    scene.order()
    await scene.retraining.start(OPERATOR)  # and it can begin again
    await scene.phase(Phase.ASKING)
    cancelled = await scene.retraining.cancel(OPERATOR)
    assert isinstance(cancelled, Status) and cancelled.phase is Phase.DECLINED


async def test_one_at_a_time(scene: Scene) -> None:
    scene.order(hold="train")
    outcomes = await asyncio.gather(
        *(Retraining(scene.settings, "tests.standins.retraining").start(OPERATOR) for _ in range(4))
    )
    assert sum(isinstance(each, Status) for each in outcomes) == 1
    assert [each for each in outcomes if not isinstance(each, Status)] == [NotNow("retrain-running")] * 3
    await scene.step("train")
    assert await scene.retraining.start(OPERATOR) == NotNow("retrain-running")
    scene.let_go()
    await scene.phase(Phase.ASKING)
    assert [each[0] for each in scene.began()].count("train") == 1


async def test_one_at_a_time_in_all_processes_on_a_ledger(scene: Scene, tmp_path: Path) -> None:
    """Another process has a data_dir of its own, and its own models; whoever comes second says so."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True, mode=0o700)
    shutil.copy(scene.settings.data_dir / "person.key", elsewhere / "data")
    (elsewhere / "data" / "blobs").symlink_to(scene.settings.data_dir / "blobs")
    ledger = scene.settings.database_url
    settings = load(
        environ={"WHOSTHAT_MODEL__USE": scene.settings.model.use, "WHOSTHAT_DATABASE__URL": ledger},
        folder=elsewhere,
    )
    scene.order(hold="train")
    await scene.retraining.start(OPERATOR)
    await scene.step("train")
    other = Retraining(settings, "tests.standins.retraining")
    await other.start(OPERATOR)
    await scene.until(lambda: (state := other.disk.read()) is not None and state.phase is Phase.FAILED)
    assert "another process retrains from the same ledger" in (await other.status()).why
    scene.let_go()
    await scene.phase(Phase.ASKING)
    assert [each[0] for each in scene.began()].count("train") == 1
    assert isinstance(await other.start(OPERATOR), Status), "it is free again"
    await scene.until(
        lambda: (state := other.disk.read()) is not None and state.phase in (Phase.ASKING, Phase.FAILED)
    )
    assert (await other.status()).phase is Phase.ASKING, other.disk.log.read_text()


async def test_killed_it_goes_on_where_it_was(scene: Scene) -> None:
    """kill -9 of the process; what it ran goes with it, and whoever looks starts it again."""
    scene.order(hold="train")
    await scene.retraining.start(OPERATOR)
    await scene.step("train")
    assert not await scene.retraining.resume()  # it runs
    snapshot = scene.disk.read().snapshot  # type: ignore[union-attr]
    await scene.kill()
    assert (await scene.retraining.status()).at_work
    await scene.resumed()
    await scene.step("train", 2)
    scene.let_go()
    status = await scene.phase(Phase.ASKING)
    assert scene.disk.read().snapshot == snapshot  # type: ignore[union-attr]  # not exported again
    assert status.items == 3


async def test_killed_again_and_again_it_is_given_up(scene: Scene) -> None:
    scene.order(hold="train")
    await scene.retraining.start(OPERATOR)
    for number in range(1, 4):
        await scene.step("train", number)
        await scene.kill()
        await scene.resumed()
    status = await scene.phase(Phase.FAILED)
    assert "killed 3 times" in status.why


async def test_told_to_stop_it_ends_and_goes_on_later(scene: Scene) -> None:
    scene.order(hold="gate")
    await scene.retraining.start(OPERATOR)
    await scene.step("child")
    parent = scene.pids()[0].parent()
    assert parent is not None
    parent.terminate()
    await scene.until(lambda: not scene.pids())
    assert (await scene.retraining.status()).phase is Phase.GATING
    scene.let_go()
    await scene.resumed()
    await scene.phase(Phase.ASKING)
    assert [each[0] for each in scene.began()].count("train") == 1


async def test_what_is_taken_back_meanwhile_is_not_learned_from(scene: Scene) -> None:
    scene.order(hold="train")
    await scene.stage.put("another", "thor", home=TELEGRAM, poster=("telegram", "2"))
    await scene.retraining.start(OPERATOR)
    await scene.step("train")
    assert scene.disk.read().items == 4  # type: ignore[union-attr]
    await scene.stage.ledger.privacy.forget(("telegram", "2"), _now())
    await scene.step("train", 2)
    scene.let_go()
    status = await scene.phase(Phase.ASKING)
    assert status.items == 3


async def test_who_may(scene: Scene) -> None:
    elsewhere = Moderator(("telegram", "8"), ("telegram", "-999"))
    for attempt in ("start", "promote", "decline", "cancel"):
        refused = await getattr(scene.retraining, attempt)(elsewhere)
        assert refused == NotNow("retrain-not-allowed")
        assert all(not_now(refused, words(language)) for language in languages())
    assert not scene.disk.folder.exists()
    assert scene.retraining.may(MIRA) and scene.retraining.may(OPERATOR)
    assert not scene.retraining.may(Moderator(ANNA, ("discord", "guild")))


async def test_a_state_that_does_not_read_is_none(scene: Scene) -> None:
    scene.disk.folder.mkdir()
    (scene.disk.folder / "state.json").write_text('{"phase": "nonsense"}')
    assert (await scene.retraining.status()).phase is Phase.IDLE
    assert not await scene.retraining.resume()
    assert await scene.retraining.promote(OPERATOR) == NotNow("retrain-nothing-asked")


async def test_the_terminals_lines(scene: Scene) -> None:
    assert await retrain.say(scene.settings, False) == ["Nothing is being retrained."]
    await scene.retraining.start(OPERATOR)
    shown: list[tuple[str, float]] = []
    lines, well = await retrain.watch(scene.settings, lambda *each: shown.append(each))
    assert well and scene.name in lines[0] and "--promote" in lines[-1]
    assert [part for _, part in shown] == sorted(part for _, part in shown)
    said = json.loads((await retrain.say(scene.settings, True))[0])
    assert said["phase"] == "asking" and said["items"] == 3
    assert "declined" in (await retrain.decline(scene.settings))[0]


def test_settings_go_to_the_process_without_tokens(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = as_tree(scene.settings)
    assert "s3cret" not in json.dumps(tree)
    monkeypatch.setenv("MODEL", "not for us")
    monkeypatch.setenv("WHOSTHAT_WEB__PORT", "1")
    back = given(tree)
    assert back.model_dump(exclude={"discord"}) == scene.settings.model_dump(exclude={"discord"})


def test_every_phase_and_check_has_its_words() -> None:
    assert set(SAID) == set(Phase)
    for key in CHECKS_SAID.values():
        assert words()(key)


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)

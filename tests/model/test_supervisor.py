"""The supervisor: a worker that starts, dies under load, does not start, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from model.errors import BundleError, BundleMissing, WorkerGone
from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions, unix_path
from tests.model.test_decoders import until_gone
from tests.model.test_worker import ROOT
from tests.model.worker_contract import until
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WorkerOptions:
    models = tmp_path_factory.mktemp("models")
    tiny_bundle(models / "tiny")
    return WorkerOptions(use=str(models / "tiny"), models_dir=models)


def private_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("whosthat-*"))


async def test_it_starts_forwards_progress_and_logs_and_leaves_nothing(
    tiny: WorkerOptions, caplog: pytest.LogCaptureFixture
) -> None:
    progress: list[tuple[str, float]] = []
    with caplog.at_level(logging.INFO, "model.worker"):
        async with WorkerSupervisor(tiny, progress=lambda *said: progress.append(said)) as supervisor:
            client = supervisor.client()
            async with client:
                assert (await client.look(drawing("red"))).answer.character == "iron-man"
            path = unix_path(client.address)
            assert path
            assert len(os.fsencode(path)) <= 100
            assert Path(path).parent.stat().st_mode & 0o777 == 0o700
            assert supervisor.pid
            processes = [psutil.Process(supervisor.pid)]
            processes += processes[0].children(recursive=True)
            assert len(processes) >= 3
    await until_gone(processes)
    assert not Path(path).parent.exists()
    assert supervisor.pid is None
    assert progress[-1] == ("loading the model", 1.0)
    assert any("ready with tiny" in record.message for record in caplog.records)


async def test_over_tcp_it_comes_back_on_the_same_port(tiny: WorkerOptions) -> None:
    options = replace(tiny, listen="tcp://127.0.0.1:0")
    async with WorkerSupervisor(options) as supervisor, supervisor.client() as client:
        assert client.address.startswith("http://127.0.0.1:")
        assert supervisor.pid
        os.kill(supervisor.pid, signal.SIGKILL)
        assert (await client.look(drawing("green"))).answer.character == "hulk"


async def test_a_worker_killed_under_load_answers_everybody(tiny: WorkerOptions, tmp_path: Path) -> None:
    slow = replace(tiny, use=str(tiny_bundle(tmp_path / "slow", slow=150)))
    async with WorkerSupervisor(slow) as supervisor, supervisor.client() as client:
        asked = [asyncio.create_task(client.look(drawing("blue", seed=n), keep=True)) for n in range(30)]
        await until(lambda: any(task.done() for task in asked))
        assert supervisor.pid
        killed = psutil.Process(supervisor.pid)
        children = killed.children(recursive=True)
        os.kill(killed.pid, signal.SIGKILL)
        seen = await asyncio.gather(*asked)
        assert {one.answer.character for one in seen} == {"captain-america"}
        assert len({one.sha256 for one in seen}) == 30
        await until(lambda: supervisor.restarts == 1)
        assert supervisor.trouble == ""
        await until_gone([killed, *children])


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"use": "/nowhere/at/all"}, BundleMissing, "/nowhere/at/all"),
        ({"backend": "abacus"}, BundleError, "abacus"),
        ({"listen": "unix:/nowhere/at/all/w"}, WorkerGone, "cannot listen"),
        ({"listen": "nonsense"}, WorkerGone, "nonsense"),
    ],
)
async def test_a_start_that_fails_is_said_in_the_workers_own_sentence(
    tiny: WorkerOptions, change: dict[str, str], error: type[Exception], says: str
) -> None:
    supervisor = WorkerSupervisor(replace(tiny, **change))
    with pytest.raises(error, match=says) as caught:
        async with supervisor:
            raise AssertionError
    assert "Traceback" not in str(caught.value)
    assert supervisor.pid is None


async def test_a_start_that_takes_too_long_is_given_up(tiny: WorkerOptions) -> None:
    before = private_folders()
    with pytest.raises(WorkerGone, match="not ready within"):
        async with WorkerSupervisor(tiny, start_seconds=0.05):
            raise AssertionError
    assert private_folders() <= before


async def test_a_crash_loop_is_said_clearly_and_the_worker_comes_back_when_it_can(
    tiny: WorkerOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_bundle(tmp_path / "model")
    options = replace(tiny, use=str(model))
    async with WorkerSupervisor(options, pause=0.01) as supervisor, supervisor.client() as client:
        away = model.rename(tmp_path / "away")
        assert supervisor.pid
        os.kill(supervisor.pid, signal.SIGKILL)
        await until(lambda: "does not start again" in supervisor.trouble, 20)
        assert str(model) in supervisor.trouble
        with pytest.raises(WorkerGone):
            await client.look(drawing(), deadline=0.1)
        away.rename(model)
        assert (await client.look(drawing("red"))).answer.character == "iron-man"
        for deaths in range(2, 4):
            await until(lambda n=deaths: supervisor.restarts == n - 1 and supervisor.pid is not None, 20)
            os.kill(supervisor.pid, signal.SIGKILL)
        await until(lambda: "3 times in a row" in caplog.text, 20)
        assert (await client.look(drawing("red"))).answer.character == "iron-man"


PARENT = """
import asyncio, sys
from pathlib import Path
from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions

async def main():
    options = WorkerOptions(use=sys.argv[1], models_dir=Path(sys.argv[1]).parent)
    async with WorkerSupervisor(options) as supervisor:
        print(supervisor.client().address, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_kill_9_of_the_bot_leaves_nothing(tiny: WorkerOptions) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, tiny.use), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout
    address = (await asyncio.wait_for(parent.stdout.readline(), 30)).decode().strip()
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 4
    began = time.monotonic()
    parent.kill()
    await parent.wait()
    await until_gone(children)
    assert time.monotonic() - began < 10
    path = unix_path(address)
    assert path
    assert not Path(path).parent.exists()


async def test_ctrl_c_is_for_the_bot(tiny: WorkerOptions) -> None:
    """The worker is in a process group of its own, so the terminal's SIGINT does not reach it."""
    async with WorkerSupervisor(tiny) as supervisor:
        assert supervisor.pid
        assert os.getpgid(supervisor.pid) == supervisor.pid != os.getpgid(0)
    with pytest.raises(WorkerGone):
        WorkerSupervisor(tiny).client()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_secret_of_the_bots_reaches_those_who_parse_pictures(
    tiny: WorkerOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISCORD_TOKEN", "METRICS_TOKEN", "WHOSTHAT_TELEGRAM__TOKEN", "WHOSTHAT_DATABASE__URL"):
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("HF_TOKEN", "for downloads")
    async with WorkerSupervisor(tiny) as supervisor, supervisor.client() as client:
        await client.look(drawing("red"))
        assert supervisor.pid
        worker = psutil.Process(supervisor.pid)
        family = [worker, *worker.children(recursive=True)]
        assert len(family) > 2, "the worker and what decodes"
        for process in family:
            assert "hush" not in process.environ().values()
        assert worker.environ()["HF_TOKEN"] == "for downloads"

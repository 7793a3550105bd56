"""A training that is killed goes on; and trainings under ``accelerate launch``."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model.bundle import read_bundle, sha256_of
from tests.training.studio import command, environment, invoke, said, tiny_base, write

pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("peft", reason="needs the training dependencies")

DEADLINE = 240.0


def kill_when(arguments: list[str], ready: Callable[[dict[str, object]], bool]) -> None:
    """Start, and end by SIGKILL as soon as a line of its progress says so."""
    process = subprocess.Popen(
        [*arguments, "--progress=json"], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    try:
        until = time.monotonic() + DEADLINE
        for line in process.stdout:
            assert time.monotonic() < until
            if ready(json.loads(line)):
                process.send_signal(signal.SIGKILL)
                break
    finally:
        process.kill()
        process.stdout.close()
        process.wait(DEADLINE)
    assert process.returncode == -signal.SIGKILL


def test_a_killed_head_is_the_same_in_the_end(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=80)
    tiny_base(tmp_path / "base")
    kill_when(
        command(tmp_path), lambda line: line.get("what") == "looking at the pictures" and line["done"] != 0
    )
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "cache").rglob("*.npz")), "what it had seen is kept"
    assert invoke(tmp_path)[0] == 0
    assert invoke(tmp_path, f"--cache={tmp_path / 'other'}", out="uninterrupted")[0] == 0
    first, second = (sha256_of(tmp_path / name / "model.safetensors") for name in ("out", "uninterrupted"))
    assert first == second
    assert not (tmp_path / ".out.run").exists()


def test_a_killed_full_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=40)
    tiny_base(tmp_path / "base")
    more = ["--recipe=full", "--set=epochs=12", "--set=batch=16", "--set=patience=20"]
    run = tmp_path / ".out.run"

    def second_epoch_is_kept(line: dict[str, object]) -> bool:
        return line.get("what") == "training" and len(list(run.glob("checkpoint-*/keeper.json"))) > 1

    kill_when(command(tmp_path, *more), second_epoch_is_kept)
    assert not (tmp_path / "out").exists()
    from training.checkpoints import latest

    kept = latest(run)
    assert kept is not None
    # what was being written when the power went away is passed over
    (run / "checkpoint-9999").mkdir()
    assert latest(run) == kept
    shutil.rmtree(run / "checkpoint-9999")
    assert (run / "threads").read_text() == "1"
    more_threads = subprocess.run(
        command(tmp_path, *more),
        capture_output=True,
        text=True,
        env=environment(OMP_NUM_THREADS="2"),
        timeout=DEADLINE,
    )
    assert more_threads.returncode == 0, said(more_threads)
    assert "going on with what an earlier run had done" in said(more_threads)
    assert not run.exists()
    code, words = invoke(tmp_path, *more, out="uninterrupted")
    assert code == 0, words
    facts = [read_bundle(tmp_path / name).manifest["recipe"]["facts"] for name in ("out", "uninterrupted")]
    assert facts[0] == facts[1]
    hashes = [sha256_of(tmp_path / name / "model.safetensors") for name in ("out", "uninterrupted")]
    assert hashes[0] == hashes[1]


def test_another_training_does_not_go_on_from_it(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=15)
    tiny_base(tmp_path / "base")
    run = tmp_path / ".out.run"
    (run / "checkpoint-3").mkdir(parents=True)
    (run / "asked.json").write_text("{}")
    code, words = invoke(tmp_path, "--recipe=full", "--set=epochs=1", "--set=batch=16")
    assert code == 0, words
    assert "going on" not in words


@pytest.mark.parametrize("recipe", ["full", "adapter"])
def test_under_accelerate_launch(tmp_path: Path, recipe: str) -> None:
    write(tmp_path / "pictures", of_each=15)
    tiny_base(tmp_path / "base")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes=1", "--num_machines=1"]
    launch += ["--mixed_precision=no", "--dynamo_backend=no", "--cpu", "--num_cpu_threads_per_process=1"]
    done = subprocess.run(
        [*launch, *command(tmp_path, f"--recipe={recipe}", "--set=epochs=1", "--set=batch=16")[1:]],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=DEADLINE,
    )
    assert done.returncode == 0, said(done)
    assert read_bundle(tmp_path / "out").info.id.startswith(f"{recipe}-")


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=20)
    tiny_base(tmp_path / "base")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*launch, *command(tmp_path, "--recipe=full", "--set=epochs=1", "--set=batch=8")[1:]],
        capture_output=True,
        text=True,
        env=environment(ACCELERATE_USE_CPU="true"),
        timeout=DEADLINE,
    )
    assert done.returncode == 0, said(done)
    # 56 pictures, 2 processes, 8 each: three steps
    assert read_bundle(tmp_path / "out").manifest["recipe"]["facts"]["steps"] == 3

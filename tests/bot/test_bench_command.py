"""``whosthat bench`` with a real worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.standins.bundles import tiny_bundle

WHOSTHAT = [str(Path(sys.executable).parent / "whosthat"), "bench", "--seconds", "1"]


def run(folder: Path, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHOSTHAT_")}
    environ = {**kept, "WHOSTHAT_MODEL__USE": str(folder / "tiny"), "COLUMNS": "200", "LANG": "C.UTF-8"}
    environ |= variables
    command = [*WHOSTHAT, *more]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_table_and_every_measurement(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny")
    done = run(tmp_path, "--out", str(tmp_path / "all.json"))
    assert done.returncode == 0, done.stderr
    assert "exact (onnx, " in done.stdout
    assert "Levels that this model does not have: fast, turbo" in done.stdout
    found = json.loads((tmp_path / "all.json").read_text())
    assert found["bundle"].startswith("tiny-")
    (level,) = found["levels"]
    assert level["level"] == "exact"
    assert len(level["together"]) >= 8 * 3
    assert level["a_second"] > 0
    assert min(level["one_by_one"]) > 0
    assert len(found["decode_large"]) >= 3
    assert isinstance(found["busy"], bool)


def test_what_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("whosthat: there is no model folder")
    assert len(done.stderr.splitlines()) == 1
    done = run(tmp_path, WHOSTHAT_WORKER__LEVEL="warp")
    assert done.returncode == 1
    assert "WORKER__LEVEL is wrong: input should be 'auto', 'exact', 'fast' or 'turbo'" in done.stderr
    assert len(done.stderr.splitlines()) == 1

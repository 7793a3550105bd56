"""A bundle that has just been trained has its levels, unless that is switched off or cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("peft", reason="needs the training dependencies")

from model.bundle import read_bundle
from model.levels import levels_of
from model.levels.admitting import shortfall
from model.versions import Versions
from tests.training.studio import invoke, tiny_base, write


def test_levels_are_measured_in_training_and_go_along_with_a_version(tmp_path: Path) -> None:
    write(tmp_path / "pictures", of_each=80)
    tiny_base(tmp_path / "base", "Dinov2Model")
    code, said = invoke(tmp_path, "--progress=json")
    assert code == 0, said
    bundle = read_bundle(tmp_path / "out")
    compiled = json.loads((tmp_path / "out" / "manifest.json").read_text())["compiled"]
    assert '"what": "measuring faster levels"' in said
    for level in ("fast", "turbo"):
        entry = compiled[f"model.{level}.onnx"]
        assert entry["pictures"] >= 40
        assert entry["refused"] == shortfall(level, entry)
        assert (level in levels_of(bundle)) == (not entry["refused"])
    assert "fast" in levels_of(bundle), said
    assert "it has the level fast" in said
    # a version is the bundle with the levels that it had
    taken = Versions(tmp_path / "models", "builtin").add(bundle.folder)
    assert taken.folder != bundle.folder
    assert levels_of(taken) == levels_of(bundle)


@pytest.mark.parametrize("switched", [True, False])
def test_a_training_without_levels_is_whole(tmp_path: Path, switched: bool) -> None:
    """Few validation pictures say nothing of levels: that is one line, and no failure."""
    write(tmp_path / "pictures", of_each=20)
    tiny_base(tmp_path / "base", "Dinov2Model")
    code, said = invoke(tmp_path, *([] if switched else ["--no-levels"]))
    assert code == 0, said
    assert levels_of(read_bundle(tmp_path / "out")) == ("exact",)
    assert ("it has no faster levels: " in said) == switched
    assert not list((tmp_path / "out").glob("model.*.onnx*"))

"""A training that begins with a model from a hub; the hub is a stand-in on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from model.bundle import read_bundle
from tests.standins.hub import StandinHub
from tests.training.studio import tiny_base, write

pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("peft", reason="needs the training dependencies")
hub_library = pytest.importorskip("huggingface_hub", reason="needs the training dependencies")


async def test_a_base_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pictures", of_each=40)
    tiny_base(tmp_path / "theirs", "ViTForImageClassification", num_labels=5)
    async with StandinHub({"somebody/tiny": tmp_path / "theirs"}).running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        code, said = await asyncio.to_thread(_from_hub, tmp_path, "hub:somebody/tiny")
        assert code == 0, said
        assert any(path.endswith("model.safetensors") for path in hub.asked)
        bundle = read_bundle(tmp_path / "out")
        assert bundle.manifest["parent"] == "somebody/tiny"
        assert bundle.manifest["licence"] == "that of somebody/tiny"
        code, said = await asyncio.to_thread(_from_hub, tmp_path, "hub:somebody/else")
        assert code == 1
        assert "somebody/else" in said
        assert not (tmp_path / "other").exists()
    hub_library.close_session()


def _from_hub(place: Path, base: str) -> tuple[int, str]:
    from typer.testing import CliRunner

    from training.cli import app

    out = "out" if base.endswith("tiny") else "other"
    options = [f"--data={place / 'pictures'}", f"--base={base}", f"--out={place / out}"]
    options += [f"--cache={place / 'cache'}", f"--models={place / 'models'}"]
    run = CliRunner().invoke(app, options)
    return run.exit_code, " ".join(run.output.split())

"""Models from the hub, which is a stand-in on loopback here; the library that downloads is the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from model.answering import answer
from model.bundle import read_bundle
from model.classifier import load_classifier
from model.errors import BundleDamaged, BundleError, BundleMissing
from model.hub import fetch
from model.preprocess import to_pixels
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import picture
from tests.standins.hub import StandinHub

hub_library = pytest.importorskip("huggingface_hub", reason="needs the training dependencies")


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandinHub]:
    served = StandinHub({"somebody/tiny": tiny_bundle(tmp_path / "served")})
    async with served.running():
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served
    hub_library.close_session()


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "models"


async def test_a_model_is_downloaded_and_answers(hub: StandinHub, models: Path) -> None:
    (hub.models["somebody/tiny"] / "pytorch_model.bin").write_bytes(b"a pickle")
    (hub.models["somebody/tiny"] / "modeling_evil.py").write_text("raise SystemExit")
    told: list[tuple[str, float]] = []
    classifier = await asyncio.to_thread(
        load_classifier,
        "hub:somebody/tiny",
        models_dir=models,
        progress=lambda what, share: told.append((what, share)),
    )
    logits = classifier(to_pixels(picture("red"), classifier.preprocess)[None]).logits[0]
    assert answer(logits.tolist(), classifier.info).character == "iron-man"
    assert ("downloading somebody/tiny", 1.0) in told
    assert not any(path.endswith((".bin", ".py")) for path in hub.asked)


async def test_the_copy_is_used_when_the_hub_is_away(hub: StandinHub, models: Path) -> None:
    first = await asyncio.to_thread(fetch, "somebody/tiny", models)
    hub.broken = True
    assert await asyncio.to_thread(fetch, "somebody/tiny", models) == first


async def test_without_a_copy_it_is_one_sentence(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BundleMissing, match=r"http://127\.0\.0\.1:9 cannot be reached") as caught:
        await asyncio.to_thread(fetch, "somebody/tiny", models)
    assert "\n" not in str(caught.value)
    hub_library.close_session()


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("nobody/nothing", BundleMissing, "has no model nobody/nothing"),
        ("somebody/tiny@v9", BundleMissing, "has no model somebody/tiny@v9"),
        ("tiny", BundleError, "not of the form"),
        ("../../etc/passwd", BundleError, "not of the form"),
        ("a--b/c..d", BundleError, "not of the form"),
    ],
)
async def test_wrong_names(
    hub: StandinHub, models: Path, name: str, error: type[BundleError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        await asyncio.to_thread(fetch, name, models)
    assert "\n" not in str(caught.value)


async def test_a_repository_of_something_else(hub: StandinHub, models: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text("# recipes for soup")
    (other / "manifest.json").write_text("{}")
    hub.models["somebody/soup"] = other
    with pytest.raises(BundleDamaged, match="no model of transformers"):
        await asyncio.to_thread(fetch, "somebody/soup", models)


async def test_any_vit_serves(hub: StandinHub, models: Path, tmp_path: Path) -> None:
    """What `dingusagar/vit-base-avengers-v1` is, but tiny and random."""
    pytest.importorskip("torch")
    from tests.model.test_torch_backend import tiny_vit

    hub.models["somebody/vit"] = tiny_vit(tmp_path / "vit")
    classifier = await asyncio.to_thread(load_classifier, "hub:somebody/vit", models_dir=models)
    assert classifier.backend == "torch"
    assert classifier.info.characters == ("iron-man", "doctor-strange", "loki")
    assert classifier.info.id.startswith("somebody-vit-")
    output = classifier(to_pixels(picture("red"), classifier.preprocess)[None])
    assert output.logits.shape == (1, 3)
    assert np.linalg.norm(output.embedding) == pytest.approx(1, abs=1e-5)


async def test_a_copy_cut_short_is_noticed(hub: StandinHub, models: Path) -> None:
    folder = await asyncio.to_thread(fetch, "somebody/tiny", models)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.onnx"]["size"] += 1
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleDamaged, match="not the file"):
        read_bundle(folder)

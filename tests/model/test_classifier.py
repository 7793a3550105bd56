"""Loading a bundle and asking it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model.answering import answer
from model.classifier import Ahead, load_classifier, may_have_gpu
from model.errors import BackendMissing, BundleDamaged, BundleError, BundleMissing
from model.hardware import torch_for_gpu
from model.preprocess import to_pixels
from model.types import NOBODY, Verdict
from model.worker.engine import Engine
from model.worker.options import WorkerOptions
from tests.standins.bundles import ANSWERS, tiny_bundle
from tests.standins.drawings import COLOURS, picture


def test_each_colour_is_answered_as_documented(tmp_path: Path) -> None:
    said: list[tuple[str, float]] = []
    classifier = load_classifier(
        str(tiny_bundle(tmp_path / "tiny")),
        models_dir=tmp_path,
        progress=lambda what, share: said.append((what, share)),
    )
    assert (classifier.backend, classifier.level) == ("onnx", "exact")
    assert said[-1][1] == 1.0
    batch = np.stack([to_pixels(picture(colour, seed=3), classifier.preprocess) for colour in COLOURS])
    output = classifier(batch)
    assert output.logits.dtype == output.embedding.dtype == np.float32
    assert np.allclose(np.linalg.norm(output.embedding, axis=1), 1, atol=1e-5)
    for colour, logits in zip(COLOURS, output.logits, strict=True):
        told = answer(logits.tolist(), classifier.info)
        if colour == "orange":
            assert told.verdict is Verdict.UNSURE
            assert {ranked.character for ranked in told.ranked[:2]} == {"iron-man", "spider-man"}
        elif colour == "grey":
            assert told.verdict is Verdict.NOBODY
        else:
            assert (told.verdict, told.character) == (Verdict.SURE, ANSWERS[colour])


def test_one_at_a_time_is_the_same_as_a_batch(tmp_path: Path) -> None:
    classifier = load_classifier(str(tiny_bundle(tmp_path / "tiny")), models_dir=tmp_path, threads=1)
    batch = np.stack([to_pixels(picture("red", seed=seed), classifier.preprocess) for seed in range(5)])
    together = classifier(batch)
    for index in range(5):
        alone = classifier(batch[index : index + 1])
        assert np.allclose(alone.logits[0], together.logits[index], atol=1e-5)
        assert np.allclose(alone.embedding[0], together.embedding[index], atol=1e-5)


def test_two_runs_at_a_time_say_what_each_says_alone(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny", slow=20)
    classifier = load_classifier(str(bundle), models_dir=tmp_path, threads=2)
    assert isinstance(classifier, Ahead)
    assert classifier.ahead == 2
    pictures = [to_pixels(picture(colour), classifier.preprocess) for colour in COLOURS]
    alone = [classifier(pixels[None]).logits[0] for pixels in pictures]
    runs = [classifier.begin([pixels]) for pixels in pictures]
    for run, expected in zip(runs, alone, strict=True):
        np.testing.assert_allclose(run.result().logits[0], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="need at least one array"):
        classifier.begin([]).result()  # what goes wrong in the thread is told to who waits


def test_one_thread_is_one_core(tmp_path: Path) -> None:
    classifier = load_classifier(str(tiny_bundle(tmp_path / "tiny")), models_dir=tmp_path, threads=1)
    assert isinstance(classifier, Ahead)
    assert classifier.ahead == 1


def test_a_bundle_without_nobody_knows_everybody(tmp_path: Path) -> None:
    classifier = load_classifier(str(tiny_bundle(tmp_path / "tiny", nobody=False)), models_dir=tmp_path)
    assert NOBODY not in classifier.info.characters
    logits = classifier(to_pixels(picture("grey"), classifier.preprocess)[None]).logits[0]
    assert answer(logits.tolist(), classifier.info).known == 1


def test_the_slow_one_is_slow(tmp_path: Path) -> None:
    def seconds(rounds: int) -> float:
        folder = tiny_bundle(tmp_path / str(rounds), slow=rounds)
        classifier = load_classifier(str(folder), models_dir=tmp_path, threads=1)
        pixels = to_pixels(picture(), classifier.preprocess)[None]
        start = time.perf_counter()
        for _ in range(3):
            classifier(pixels)
        return time.perf_counter() - start

    assert seconds(400) > 10 * seconds(0)


@pytest.mark.parametrize(
    ("use", "backend", "error", "says"),
    [
        ("{tiny}", "tpu", BundleError, "one of auto, onnx, torch"),
        ("", "auto", BundleError, "model.use is empty"),
        ("{tmp}/nowhere", "auto", BundleMissing, "there is no model folder"),
        ("{tmp}", "auto", BundleMissing, "no config.json"),
        ("{tiny}", "torch", BackendMissing, "no model.safetensors"),
    ],
)
def test_a_wrong_value_is_one_sentence(
    tmp_path: Path, use: str, backend: str, error: type[BundleError], says: str
) -> None:
    tiny = tiny_bundle(tmp_path / "tiny")
    with pytest.raises(error, match=says) as caught:
        load_classifier(use.format(tiny=tiny, tmp=tmp_path), backend=backend, models_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_graph_that_does_not_parse_is_one_sentence(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    (folder / "manifest.json").unlink()
    (folder / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleDamaged, match="cannot be loaded") as caught:
        load_classifier(str(folder), models_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_without_torch_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    (folder / "manifest.json").unlink()
    (folder / "model.onnx").rename(folder / "model.safetensors")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendMissing, match=r"pip install 'whosthat\[training\]'"):
        load_classifier(str(folder), models_dir=tmp_path)


def test_without_huggingface_hub_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(BackendMissing, match=r"pip install 'whosthat\[training\]'"):
        load_classifier("hub:somebody/tiny", models_dir=tmp_path)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file, not a folder")
    with pytest.raises(BundleError, match="cannot be written to") as caught:
        load_classifier("builtin", models_dir=tmp_path / "models")
    assert "\n" not in str(caught.value)


def test_onnx_needs_no_torch(tmp_path: Path) -> None:
    """The process that serves on a CPU never imports torch or transformers."""
    folder = tiny_bundle(tmp_path / "tiny")
    code = (
        "import sys; from pathlib import Path; from model.classifier import load_classifier;"
        f"load_classifier({str(folder)!r}, models_dir=Path({str(tmp_path)!r}));"
        "print([name for name in ('torch', 'transformers', 'huggingface_hub') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("says", "may"),
    [
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\nxpu: Optional[str] = None\n", False),
        ("cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", True),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.4.43482'\n", True),
        ("cuda = None\nhip = None\n", False),
        ("cuda = '10.2'\n", True),
        ("__version__ = '3.0'\n", True),  # it does not say: it is asked itself
        (None, True),
    ],
)
def test_what_torch_is_built_for_is_read_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str | None, may: bool
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise AssertionError('it was imported')")
    if says is not None:
        (tmp_path / "torch" / "version.py").write_text(f"from typing import Optional\n\n{says}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert torch_for_gpu() == may


def test_beside_a_card_a_torch_for_cpus_has_decoders_for_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="needs the training dependencies")
    monkeypatch.setattr("model.hardware.GPU_DRIVERS", (Path("/dev/null"),))
    monkeypatch.setattr("model.worker.engine.gpu_decoders", lambda: 40)
    for_gpu = bool(torch.version.cuda or torch.version.hip)
    assert torch_for_gpu() == may_have_gpu() == for_gpu
    assert Engine(WorkerOptions(models_dir=tmp_path)).decoders.options.children == (40 if for_gpu else 0)

"""Loading a bundle and asking it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model.answering import answer
from model.classifier import Ahead, load_classifier
from model.errors import BackendMissing, BundleDamaged, BundleError, BundleMissing
from model.preprocess import to_pixels
from model.types import NOBODY, Verdict
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

"""On a card, where there is one: that it says what the CPU says, and what is made of the speed of it.

Skipped without: there is none in CI, and none is missing there.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from model.bundle import read_bundle
from model.classifier import Ahead, has_gpu, load_classifier
from tests.bench.rows import Bench
from tests.model.test_torch_backend import tiny_vit

torch = pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("transformers", reason="needs the training dependencies")

from model.backends.torch import Plan, load_torch  # noqa: E402
from model.backends.torch.proving import probes  # noqa: E402
from tests.bench.gpu import Scale, measured, rows  # noqa: E402


def require_gpu() -> None:
    if not has_gpu():
        pytest.skip("there is no GPU here that torch knows")


def on_cpu(folder: Path, pixels: np.ndarray) -> np.ndarray:
    return load_torch(read_bundle(folder), plan=Plan(torch.device("cpu")))(pixels).logits


@pytest.mark.gpu
@pytest.mark.parametrize(("level", "apart"), [("exact", 1e-3), ("fast", 0.1)])
def test_a_card_says_what_the_cpu_says(
    tmp_path: Path, level: str, apart: float, caplog: pytest.LogCaptureFixture
) -> None:
    require_gpu()
    caplog.set_level(logging.INFO)
    folder = tiny_vit(tmp_path / "vit")
    classifier = load_classifier(str(folder), models_dir=tmp_path, backend="torch", level=level)
    assert classifier.level == level
    assert isinstance(classifier, Ahead)
    assert classifier.runner.name == "graphs", caplog.text  # type: ignore[attr-defined]
    pixels = probes(32, 32, 150)
    expected = on_cpu(folder, pixels)
    for count in (1, 3, 64, 65, 150):
        assert np.abs(classifier(pixels[:count]).logits - expected[:count]).max() < apart
    first, second = classifier.begin(list(pixels[:64])), classifier.begin(list(pixels[64:90]))
    assert np.abs(first.result().logits - expected[:64]).max() < apart
    assert np.abs(second.result().logits - expected[64:90]).max() < apart


@pytest.mark.gpu
def test_a_second_bundle_is_recorded_while_the_first_one_answers(tmp_path: Path) -> None:
    require_gpu()
    import threading

    folder = tiny_vit(tmp_path / "vit")
    first = load_classifier(str(folder), models_dir=tmp_path, backend="torch", level="fast")
    pixels = probes(32, 32, 16)
    expected = first(pixels).logits
    stop, wrong = threading.Event(), []

    def serve() -> None:
        while not stop.is_set():
            wrong.append(float(np.abs(first(pixels).logits - expected).max()))

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        second = load_classifier(str(folder), models_dir=tmp_path, backend="torch", level="fast")
    finally:
        stop.set()
        serving.join(60)
    assert second.runner.name == first.runner.name == "graphs"  # type: ignore[attr-defined]
    assert max(wrong) < 0.05
    assert np.abs(second(pixels).logits - expected).max() < 0.05


def test_without_a_card_the_bench_says_so_and_gives_no_rows(tmp_path: Path) -> None:
    if has_gpu():
        pytest.skip("there is a GPU here")
    screen = Console(record=True, width=200)
    assert rows(Bench(tmp_path, screen, 1, 4)) == []
    assert "there is no GPU here" in screen.export_text()


def test_the_bench_measures_what_it_says(tmp_path: Path) -> None:
    """On the CPU, in small: every row is there, of numbers above nothing, the pipeline's as well."""
    folder = tiny_vit(tmp_path / "vit")
    small = Scale(batch=4, learning=0.5, turn=0.5, side=64, clients=6, lone=2, pause=0.01, size=(64, 48))
    found = measured(
        Bench(tmp_path, Console(), 1, 4), folder, 1e6, levels=("exact",), device="cpu", scale=small
    )
    assert [row.unit for row in found] == ["/s", "%", "ms", "/s", "%", "ms"]
    for row in found:
        assert all(each > 0 for each in (*row.ours, *row.peer))
    assert [bool(row.peer) for row in found] == [False, False, False, True, False, True]
    assert "float32, eager" in found[0].name

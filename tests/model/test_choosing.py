"""Which way is chosen of those that were measured, how it is kept, and what becomes of a refused one."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import pytest

from model.bundle import read_bundle
from model.choosing import FILE, Chooser, Kept, Measured, Way, Wish, chosen, identity, ways, why
from model.classifier import Classifier, load_classifier
from model.errors import BundleDamaged, BundleError, LevelRefused
from tests.standins.bundles import tiny_bundle

BEST = Measured(Way("onnx", "fast", 2), 40.0)


def times(**each: tuple[float, ...]) -> list[Measured]:
    """Milliseconds by level, with 1, 2, 4 … threads."""
    return [
        Measured(Way("onnx", level, 2**power), milliseconds)
        for level, row in each.items()
        for power, milliseconds in enumerate(row)
    ]


@pytest.mark.parametrize(
    ("measured", "level", "threads"),
    [
        (times(exact=(75, 40, 22)), "exact", 4),
        (times(exact=(75, 40, 39)), "exact", 2),  # two more threads do not pay
        (
            times(exact=(30, 31, 35), fast=(12, 11, 12)),
            "exact",
            1,
        ),  # within the target: no need to be less exact
        (times(exact=(400, 210), fast=(150, 80), turbo=(90, 50)), "fast", 2),
        (times(exact=(400, 210), fast=(300, 170), turbo=(190, 120)), "turbo", 2),  # none is in time
        (times(turbo=(60, 58)), "turbo", 1),
    ],
)
def test_the_most_exact_level_in_time_with_the_fewest_threads_that_pay(
    measured: list[Measured], level: str, threads: int
) -> None:
    choice = chosen(measured, 100)
    assert (choice.way.level, choice.way.threads) == (level, threads)
    said = why(choice, measured, 100)
    assert f"{level} with onnx and {threads} of" in said
    assert ("none answers within 100 ms" in said) == (choice.milliseconds > 100)


def test_the_faster_backend_is_taken_even_when_the_other_has_fewer_threads() -> None:
    measured = [Measured(Way("torch", "exact", 1), 9.0), Measured(Way("onnx", "exact", 1), 60.0)]
    assert chosen(measured, 100).way.backend == "torch"


def test_a_choice_is_kept_for_this_machine_bundle_and_wish_only(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.keep("a-1", Wish(), BEST, [BEST])
    assert kept.find("a-1", Wish()) == BEST.way
    assert kept.find("b-2", Wish()) is None
    assert kept.find("a-1", Wish(target=20)) is None
    assert kept.find("a-1", Wish(threads=1)) is None
    kept.keep("b-2", Wish(), Measured(Way("onnx", "exact", 1), 9.0), [])
    assert kept.find("a-1", Wish()) == BEST.way


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"edition": 1, "choices": 3}', b'{"edition": 999}', b"null"]
)
def test_a_damaged_file_of_choices_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    kept = Kept(tmp_path)
    assert kept.find("a-1", Wish()) is None
    kept.keep("a-1", Wish(), BEST, [BEST])
    assert kept.find("a-1", Wish()) == BEST.way


@pytest.mark.parametrize(
    "way", [{}, {"backend": "onnx"}, {"backend": "rm", "level": "exact", "threads": 1}, 7, None]
)
def test_a_damaged_choice_is_as_good_as_none(tmp_path: Path, way: object) -> None:
    kept = Kept(tmp_path)
    kept.keep("a-1", Wish(), BEST, [BEST])
    content = json.loads((tmp_path / FILE).read_text())
    for entry in content["choices"].values():
        entry["way"] = way
    (tmp_path / FILE).write_text(json.dumps(content))
    assert kept.find("a-1", Wish()) is None


def test_what_is_measured_begins_with_the_most_exact(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny")
    bundle = read_bundle(tmp_path / "tiny")
    found = ways(bundle, Wish())
    assert {way.backend for way in found} == {"onnx"}
    assert found[0] == Way("onnx", "exact", 1)
    assert [way.threads for way in ways(bundle, Wish(threads=3))] == [3]


def test_a_wish_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        BundleError, match=r"there is no level 'warp'; worker.level is auto or one of exact, fast, turbo"
    ):
        Chooser(Wish(level="warp"), tmp_path)
    with pytest.raises(BundleError, match="target_milliseconds"):
        Chooser(Wish(target=0), tmp_path)


def test_a_level_that_is_refused_is_one_line_and_exact(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_bundle(tmp_path / "tiny")
    classifier = Chooser(Wish(level="turbo"), tmp_path).load(str(tmp_path / "tiny"))
    assert classifier.level == "exact"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the level turbo is refused, pictures are looked at exact" in caplog.text


def test_what_is_damaged_at_exact_is_refused(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny")
    file = tmp_path / "tiny" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(BundleDamaged):
        Chooser(Wish(), tmp_path).load(str(tmp_path / "tiny"))


def gpu_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a card: torch is built for it, and says that there is one."""
    monkeypatch.setattr("model.classifier.torch_for_gpu", lambda: True)
    monkeypatch.setattr("model.hardware.GPU_DRIVERS", (Path("/dev/null"),))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)


@pytest.mark.parametrize(
    ("asked", "level"), [("auto", "fast"), ("exact", "exact"), ("fast", "fast"), ("turbo", "fast")]
)
def test_on_a_gpu_it_is_half_precision_unless_exact_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, level: str
) -> None:
    pytest.importorskip("torch", reason="needs the training dependencies")
    tiny_bundle(tmp_path / "tiny")
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"weights")
    bundle = read_bundle(tmp_path / "tiny")
    chooser = Chooser(Wish(level=asked), tmp_path)
    assert chooser.way(bundle).backend == "auto"
    # what was chosen on the CPU before the card came is not asked
    chooser.kept.keep(identity(bundle), chooser.wish, BEST, [BEST])
    gpu_of(monkeypatch)
    assert chooser.way(bundle) == Way("torch", level, 0)
    assert Chooser(Wish(backend="onnx", level=asked), tmp_path).way(bundle).backend == "onnx"


def test_half_precision_that_a_gpu_refuses_is_one_line_and_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torch", reason="needs the training dependencies")
    tiny_bundle(tmp_path / "tiny")
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"weights")
    asked = list[tuple[str, str]]()

    def load(use: str, *, backend: str, level: str, models_dir: Path, **_: object) -> Classifier:
        asked.append((backend, level))
        if level != "exact":
            raise LevelRefused("tiny has no level fast on this device: it says something else")
        return load_classifier(use, backend="onnx", models_dir=models_dir)

    gpu_of(monkeypatch)
    classifier = Chooser(Wish(), tmp_path, load).load(str(tmp_path / "tiny"))
    assert asked == [("torch", "fast"), ("torch", "exact")]
    assert classifier.level == "exact"
    assert "the level fast is refused, pictures are looked at exact" in caplog.text


def test_what_was_refused_is_gone_when_the_exact_one_is_loaded(tmp_path: Path) -> None:
    """A card need not have room for both."""
    tiny_bundle(tmp_path / "tiny")
    refused = list[weakref.ref[Classifier]]()

    def load(use: str, *, level: str, models_dir: Path, **_: object) -> Classifier:
        if level == "exact":
            assert refused[0]() is None
        classifier = load_classifier(use, backend="onnx", models_dir=models_dir)
        if level != "exact":
            refused.append(weakref.ref(classifier))
            raise LevelRefused("tiny has no such level")
        return classifier

    gc.disable()  # as a worker is while it starts
    try:
        assert Chooser(Wish(level="fast"), tmp_path, load).load(str(tmp_path / "tiny"))
    finally:
        gc.enable()
    assert len(refused) == 1

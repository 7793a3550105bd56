"""Thresholds from targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.answering import answer
from model.bundle import read_bundle, read_json, seal, write_json
from model.errors import BundleDamaged
from model.targets import aimed, read_targets
from model.types import NOBODY, BundleInfo, Calibration, Targets, Verdict
from model.worker.engine import Engine
from model.worker.options import WorkerOptions
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

TARGETS = Targets(sure=((0.8, 0.5), (0.9, 0.7), (0.95, 0.9)), kept=((0.9, 0.6), (0.99, 0.2)))
INFO = BundleInfo("t", ("iron-man", "loki", NOBODY), Calibration(sure=0.75, known=0.5), targets=TARGETS)


def aim(info: BundleInfo = INFO, sure: float = 0.0, kept: float = 0.0) -> tuple[BundleInfo, list[str]]:
    return aimed(info, sure_right=sure, characters_kept=kept)


def test_without_targets_the_bundle_decides() -> None:
    assert aim() == (INFO, [])


@pytest.mark.parametrize(
    ("target", "threshold"), [(0.5, 0.5), (0.8, 0.5), (0.81, 0.7), (0.9, 0.7), (0.95, 0.9)]
)
def test_between_two_the_stricter_one_counts(target: float, threshold: float) -> None:
    info, said = aim(sure=target)
    assert (info.calibration, said) == (replace(INFO.calibration, sure=threshold), [])


def test_what_cannot_be_promised_is_never_said() -> None:
    info, said = aim(sure=0.96)
    assert said == [
        "t can promise to be right 95% of the time at most, not 96%: it never says that it is sure"
    ]
    assert answer([90.0, 0.0, 0.0], info).verdict is Verdict.UNSURE
    assert answer([90.0, 0.0, 0.0], INFO).verdict is Verdict.SURE


def test_as_many_characters_are_kept_as_asked() -> None:
    assert aim(kept=0.9)[0].calibration.known == 0.6
    info, said = aim(kept=0.995)
    assert info.calibration.known == 0
    assert "99%" in said[0]
    assert answer([0.0, 0.0, 90.0], info).verdict is not Verdict.NOBODY


def test_a_bundle_without_measurements_keeps_its_thresholds_and_says_so() -> None:
    plain = replace(INFO, targets=Targets())
    info, said = aim(plain, sure=0.95, kept=0.9)
    assert info.calibration == plain.calibration
    assert [sentence.partition(":")[2] for sentence in said] == [
        " it keeps its own threshold for sure, 0.75",
        " it keeps its own threshold for nobody, 0.5",
    ]


@pytest.mark.parametrize(
    "table", [[[0.9, 0.5], [0.8, 0.4]], [[0.9, 1.5]], [[0.9]], ["ab"], [0.9], [[0.9, None]]]
)
def test_what_is_no_table_is_refused(table: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        read_targets({"sure": table})


def test_a_bundle_carries_them_and_older_ones_do_without(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path / "one")
    old = read_bundle(folder).info
    assert old.targets == Targets()
    assert "targets" not in read_json(folder / "manifest.json")
    seal(folder, replace(old, targets=TARGETS), licence="CC0")
    assert read_bundle(folder).info == replace(old, targets=TARGETS)
    manifest = read_json(folder / "manifest.json")
    write_json(folder / "manifest.json", manifest | {"targets": {"sure": [[2, 3]]}})
    with pytest.raises(BundleDamaged):
        read_bundle(folder)


async def test_the_worker_answers_by_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tiny_bundle(tmp_path / "one")
    seal(folder, replace(read_bundle(folder).info, targets=TARGETS), licence="CC0")
    for target, threshold in ((0.95, 0.9), (0.99, 2.0), (0.0, 0.8)):
        engine = Engine(WorkerOptions(models_dir=tmp_path, decoders=1, sure_right=target))
        await engine.start()
        try:
            await engine.load(str(folder))
            sight = await engine.look(drawing(), str(target), "", keep=False)
        finally:
            await engine.close()
        assert sight.calibration.sure == threshold
    assert caplog.text.count("it never says that it is sure") == 1

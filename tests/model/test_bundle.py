"""Folders that hold a model, and folders that do not."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from model.bundle import read_bundle, slugify
from model.errors import BundleDamaged, BundleError, BundleMissing
from model.folders import new_folder
from model.types import NOBODY, Calibration
from tests.standins.bundles import TINY_CHARACTERS, tiny_bundle


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    bundle = read_bundle(tiny_bundle(tmp_path / "tiny"))
    assert bundle.info.characters == tuple(TINY_CHARACTERS)
    assert bundle.info.names["iron-man"] == "Iron Man"
    assert bundle.info.id.startswith("tiny-")
    assert bundle.info.calibration == Calibration()
    assert bundle.preprocess.height == 32
    assert bundle.onnx is not None
    bundle.verify(bundle.onnx)


def test_another_model_has_another_id(tmp_path: Path) -> None:
    ids = {
        read_bundle(tiny_bundle(tmp_path / str(n), name=name, bias=bias)).info.id
        for n, (name, bias) in enumerate([("a", 0.0), ("b", 0.0), ("a", 1.0), ("a", 0.0)])
    }
    assert len(ids) == 3


def test_a_folder_without_a_manifest_is_a_bundle(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path / "My Model")
    (folder / "manifest.json").unlink()
    labels = {
        "0": "Iron Man",
        "1": "Doctor Strange",
        "2": "T’Challa",
        "3": "nobody",
        "4": "Mobius™",
        "5": "Gamóra",
    }
    change(folder / "config.json", id2label=labels)
    info = read_bundle(folder).info
    assert info.characters == ("iron-man", "doctor-strange", "tchalla", NOBODY, "mobiustm", "gamora")
    assert info.id.startswith("my-model-")
    assert info.id == read_bundle(folder).info.id
    assert info.calibration == Calibration()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Iron Man", "iron-man"),
        ("  SPIDER-MAN ", "spider-man"),
        ("Iron_Man (2008)", "iron-man-2008"),
        ("Ｌｏｋｉ", "loki"),
        ("钢铁侠", "钢铁侠"),
        ("../../etc", "etc"),
        ("<b>@everyone</b>", "b-everyone-b"),
        ("!!!", ""),
    ],
)
def test_slugs(name: str, slug: str) -> None:
    assert slugify(name) == slug
    assert slugify(slug) == slug


@pytest.mark.parametrize(
    ("file", "fields", "says"),
    [
        ("config.json", {"id2label": {}}, "who its classes are"),
        ("config.json", {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, "who its classes are"),
        ("config.json", {"id2label": {"0": "Loki", "2": "Thor"}}, "leaves class"),
        ("manifest.json", {"schema": 99}, "schema"),
        ("manifest.json", {"characters": ["loki"]}, "do not belong together"),
        ("manifest.json", {"calibration": {"temperature": 0}}, "calibration"),
        ("manifest.json", {"calibration": {"heat": 1}}, "does not read"),
        ("manifest.json", {"calibration": {"sure": "NaN"}}, "calibration"),
        ("manifest.json", {"files": {"../config.json": {"size": 1, "sha256": "0"}}}, "lacks"),
        ("manifest.json", {"characters": ["loki", "loki", "thor", "hulk", "thanos", NOBODY]}, "same name"),
        ("manifest.json", {"characters": ["Loki", "b", "thor", "hulk", "thanos", NOBODY]}, "no slug"),
        ("preprocessor_config.json", {"resample": 99}, "resample"),
    ],
)
def test_contradictions_are_one_sentence(
    tmp_path: Path, file: str, fields: dict[str, Any], says: str
) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    if file != "manifest.json":
        # so that the checksum does not speak first
        manifest = json.loads((folder / "manifest.json").read_text())
        del manifest["files"][file]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    change(folder / file, **fields)
    with pytest.raises(BundleDamaged, match=says) as caught:
        read_bundle(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.onnx"])
def test_a_changed_file_is_noticed(tmp_path: Path, file: str) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    content = bytearray((folder / file).read_bytes())
    content[-2] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(BundleDamaged):
        bundle = read_bundle(folder)
        bundle.verify(folder / file)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "manifest.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_files_that_do_not_parse(tmp_path: Path, file: str, content: bytes) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    (folder / file).write_bytes(content)
    with pytest.raises(BundleDamaged, match=file):
        read_bundle(folder)


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    (folder / "model.onnx").rename(folder / "pytorch_model.bin")
    with pytest.raises(BundleDamaged, match=r"pytorch_model\.bin.*can run code"):
        read_bundle(folder)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.onnx"])
def test_missing_files_are_named(tmp_path: Path, file: str) -> None:
    folder = tiny_bundle(tmp_path / "tiny")
    (folder / file).unlink()
    with pytest.raises(BundleError, match="has no"):
        read_bundle(folder)
    with pytest.raises(BundleMissing, match="no model folder"):
        read_bundle(tmp_path / "nowhere")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "models" / "x"
    with pytest.raises(RuntimeError), new_folder(place) as draft:
        (draft / "half").write_text("half")
        raise RuntimeError
    assert list(place.parent.iterdir()) == []
    for words in ("first", "second"):
        with new_folder(place) as draft:
            (draft / "whole").write_text(words)
            assert not (place / "whole").exists() or (place / "whole").read_text() == "first"
    assert (place / "whole").read_text() == "second"
    assert list(place.parent.iterdir()) == [place]


def test_what_a_killed_process_left_behind_is_taken_away(tmp_path: Path) -> None:
    old, young = tmp_path / ".tiny-old", tmp_path / ".tiny-young"
    for left in (old, young):
        left.mkdir()
        (left / "model.onnx").write_bytes(b"half")
    os.utime(old, (1, 1))
    tiny_bundle(tmp_path / "tiny")
    assert {path.name for path in tmp_path.iterdir()} == {"tiny", young.name}


def test_two_that_write_the_same_folder_at_once_both_end_well(tmp_path: Path) -> None:
    start, failures = threading.Barrier(4), []

    def write() -> None:
        start.wait(timeout=10)
        try:
            for _ in range(5):
                tiny_bundle(tmp_path / "tiny")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert failures == []
    assert read_bundle(tmp_path / "tiny").info.id.startswith("tiny-")
    assert list(tmp_path.iterdir()) == [tmp_path / "tiny"]

"""What ``whosthat train`` refuses: one clear sentence, and nothing at the place of the bundle."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("peft", reason="needs the training dependencies")

from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing
from tests.training.studio import command, environment, invoke, said, tiny_base, write


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Pictures and a base that would do."""
    write(tmp_path / "pictures", of_each=15)
    tiny_base(tmp_path / "base", "ViTForImageClassification")
    return tmp_path


def refused(place: Path, *more: str, says: str, base: Path | str = "base", out: str = "out") -> None:
    code, words = invoke(place, *more, base=base, out=out)
    assert code == 1, words
    assert says in words
    assert "Traceback" not in words
    assert not (place / "out").exists() or out != "out"
    assert not list(place.glob(".out-*")), "no draft is left"


def folders(place: Path, **pictures: list[bytes]) -> None:
    """A plain folder in place of the drawings."""
    for path in (place / "pictures").iterdir():
        path.unlink()
    for name, contents in pictures.items():
        (place / "pictures" / name).mkdir()
        for number, content in enumerate(contents):
            (place / "pictures" / name / f"{number}.png").write_bytes(content)


def test_one_class(place: Path) -> None:
    folders(place, loki=[drawing("red", seed=s, size=(64, 48)) for s in range(12)])
    refused(place, says="all pictures to learn from are of Loki")


def test_one_picture(place: Path) -> None:
    folders(place, loki=[drawing("red")])
    refused(place, says="there is one picture to learn from")


def test_no_pictures(place: Path) -> None:
    folders(place)
    refused(place, says="holds no pictures")


def test_a_class_called_by_dots(place: Path) -> None:
    table = place / "pictures" / "splits.csv"
    table.write_text(table.read_text().replace("Iron Man", ".."))
    refused(place, says="a character called '..'")


def test_a_thousand_classes_of_one_picture(place: Path) -> None:
    folders(place, **{f"person{n}": [drawing("red", seed=n, size=(16, 12))] for n in range(1000)})
    refused(place, says="characters have fewer than 5 pictures to learn from")


def test_a_damaged_picture(place: Path) -> None:
    contents = [drawing("red", seed=s, size=(64, 48)) for s in range(12)]
    folders(place, loki=[*contents, contents[0][:100]], thor=[drawing("blue", seed=s) for s in range(12)])
    refused(place, says="12.png is damaged")


def test_two_labels_for_one_picture_are_both_left_out(place: Path) -> None:
    table = place / "pictures" / "splits.csv"
    lines = table.read_text().splitlines()
    first = lines[1].split(",")
    table.write_text("\n".join([*lines, ",".join([*first[:5], "Thor"])]) + "\n")
    code, words = invoke(place)
    assert code == 0, words
    assert "1 pictures that stand there under two names are left out" in words


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            {"model_type": "bert", "architectures": ["BertForMaskedLM"]},
            "is a BertForMaskedLM: a model for",
        ),
        ({"model_type": "bert"}, "of the kind 'bert', which does not classify pictures"),
        ({"model_type": "yolos", "architectures": ["YolosForObjectDetection"]}, "for another task"),
        ({"architectures": []}, "has no model_type"),
    ],
)
def test_a_base_of_another_task(place: Path, config: dict[str, object], says: str) -> None:
    (place / "base" / "config.json").write_text(json.dumps(config))
    refused(place, says=says)


def test_pickled_weights(place: Path) -> None:
    (place / "base" / "model.safetensors").rename(place / "base" / "pytorch_model.bin")
    refused(place, says="pytorch_model.bin, a format that can run code")


def test_weights_that_lack_something(place: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = place / "base" / "model.safetensors"
    tensors = {name: value for name, value in load_file(path).items() if "cls_token" not in name}
    save_file(tensors, path, {"format": "pt"})
    refused(place, says="lack vit.embeddings.cls_token")


def test_weights_that_do_not_parse(place: Path) -> None:
    (place / "base" / "model.safetensors").write_bytes(b"\x80\x04no safetensors")
    refused(place, says="cannot be loaded")


def test_weights_that_are_no_numbers(place: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = place / "base" / "model.safetensors"
    tensors = load_file(path)
    tensors["vit.embeddings.cls_token"] = tensors["vit.embeddings.cls_token"] * float("nan")
    save_file(tensors, path, {"format": "pt"})
    refused(place, says="gives numbers that are none")


def test_a_bundle_without_weights_for_torch(place: Path) -> None:
    tiny_bundle(place / "tiny")
    refused(place, says="has no model.safetensors", base="tiny")


def test_a_manifest_that_does_not_match_its_files(place: Path) -> None:
    assert invoke(place, out="first")[0] == 0
    content = bytearray((place / "first" / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (place / "first" / "model.safetensors").write_bytes(content)
    refused(place, says="is not the file that its manifest describes", base="first")


def test_no_base_there(place: Path) -> None:
    refused(place, says="there is no model folder", base="nowhere")


def test_a_place_that_is_taken(place: Path) -> None:
    (place / "taken").mkdir()
    (place / "taken" / "letter.txt").write_text("mine")
    refused(place, says="is there already", out="taken")
    assert (place / "taken" / "letter.txt").read_text() == "mine"


def test_two_at_once(place: Path) -> None:
    from training.running import only_one

    with only_one(place / ".out.run"):
        refused(place, says="another training writes to out just now")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--set=epoch=3"], "the recipe head has no value 'epoch'"),
        (["--set=l2=much"], "l2 cannot be 'much'; it is like 0.05"),
        (["--set=folds=2.5"], "folds cannot be '2.5'"),
        (["--set=l2"], "not of the form NAME=VALUE"),
        (["--recipe=full", "--set=augmenting=1"], "the recipe full has no value 'augmenting'"),
        (["--recipe=full", "--set=augmenting.mixes=0.2"], "has no value 'augmenting.mixes'"),
        (["--recipe=full", "--set=augmenting.mixed=much"], "mixed cannot be 'much'; it is like 0.5"),
        (["--recipe=full", "--set=epochs.mixed=1"], "has no value 'epochs.mixed'"),
    ],
)
def test_values_that_are_none(place: Path, more: list[str], says: str) -> None:
    refused(place, *more, says=says)


def test_a_loss_that_is_no_number(place: Path) -> None:
    refused(
        place,
        "--recipe=full",
        "--set=epochs=3",
        "--set=lr=1e30",
        "--set=head_lr=1e30",
        "--set=batch=16",
        "--set=clip=0.0",
        says="the loss is no number any more",
    )


def test_forms_that_do_not_agree(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import training.bundling

    monkeypatch.setattr(training.bundling, "AGREE", 1.01)
    refused(place, says="so no model is written")


def test_no_torch(place: Path) -> None:
    script = "import sys; sys.modules['torch'] = None; from training.cli import app; app()"
    run = subprocess.run(
        [sys.executable, "-c", script, *command(place)[3:]],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
    )
    assert run.returncode == 1
    assert "training needs torch, which is not installed: pip install -e '.[training]'" in said(run)
    assert "Traceback" not in said(run)
    assert not (place / "out").exists()


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
@pytest.mark.parametrize("recipe", ["head", "full"])
def test_a_full_disk(place: Path, recipe: str) -> None:
    """A file can be no larger than 40 kB, as on a disk with no more room."""
    run = subprocess.run(
        command(place, f"--recipe={recipe}"),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert run.returncode == 1, said(run)
    assert "Traceback" not in said(run)
    assert "File too large" in said(run) or "no room" in said(run)
    assert not (place / "out").exists()
    assert not list(place.glob(".out-*"))

"""Splitting folders: shares, near copies together, the same bytes again, and what cannot be split."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from tests.standins.drawings import drawing, encoded, picture
from training.cli_dataset import app
from training.dataset.splitting import deal, split_dataset
from training.errors import DatasetWriteError, PicturesError
from training.pictures import SPLITS, Picture, read_dataset

RATIO = (0.8, 0.1, 0.1)


def plain(folder: Path, of_each: int = 20, colours: tuple[str, ...] = ("red", "green")) -> Path:
    """Different drawings of some characters, and one near copy of each fifth."""
    for number, colour in enumerate(colours):
        place = folder / f"char-{colour}"
        place.mkdir(parents=True)
        for seed in range(of_each):
            image = picture(colour, seed=seed + 1000 * number, size=(96, 72))
            (place / f"{seed:02}.png").write_bytes(encoded(image, "PNG"))
            if seed % 5 == 0:
                (place / f"{seed:02}-copy.jpg").write_bytes(
                    encoded(image.resize((128, 96)), "JPEG", quality=70)
                )
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_is_split_in_place(tmp_path: Path) -> None:
    folder = plain(tmp_path / "a")
    before = contents(folder)
    made = split_dataset(folder, RATIO)
    after = contents(folder)
    assert {name: after[name] for name in before} == before
    assert sorted(after.keys() - before.keys()) == ["splits.csv", "splits.json"]
    pictures = read_dataset(folder)
    assert [(p.path, p.split) for p in pictures] == [(p.path, p.split) for p in made.pictures]
    for slug in ("char-red", "char-green"):
        parts = Counter(p.split for p in pictures if p.slug == slug)
        assert parts["train"] in range(18, 22) and parts["validation"] in (2, 3) and parts["test"] in (2, 3)
    part_of = {p.path.name: p.split for p in pictures if p.slug == "char-red"}
    for seed in range(0, 20, 5):
        assert part_of[f"{seed:02}.png"] == part_of[f"{seed:02}-copy.jpg"]
    manifest = json.loads((folder / "splits.json").read_text())
    assert manifest["splits.csv"] == after["splits.csv"]
    assert (manifest["seed"], manifest["ratio"]) == (0, list(RATIO))


def test_the_same_seed_gives_the_same_file_and_another_another(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        split_dataset(plain(tmp_path / name), RATIO, seed=seed)
    a, b, c = ((tmp_path / name / "splits.csv").read_bytes() for name in "abc")
    assert a == b != c
    assert (tmp_path / "a/splits.json").read_bytes() == (tmp_path / "b/splits.json").read_bytes()


def test_a_copy_in_parts_reads_as_it_was_written(tmp_path: Path) -> None:
    folder, out = plain(tmp_path / "a"), tmp_path / "out"
    before = contents(folder)
    made = split_dataset(folder, RATIO, out=out)
    assert contents(folder) == before
    pictures = read_dataset(out)
    assert Counter((p.sha256, p.split, p.slug) for p in pictures) == Counter(
        (p.sha256, p.split, p.slug) for p in made.pictures
    )
    assert {p.path.relative_to(out).parts[:2] for p in pictures} == {
        (split, slug) for split in SPLITS for slug in ("char-red", "char-green")
    }
    (out / "splits.csv").unlink()  # whoever reads folders alone sees the same
    assert sorted((p.sha256, p.split) for p in read_dataset(out)) == sorted(
        (p.sha256, p.split) for p in pictures
    )


def test_what_is_split_stays_split(tmp_path: Path) -> None:
    folder = plain(tmp_path / "a")
    split_dataset(folder, RATIO)
    before = contents(folder)
    with pytest.raises(PicturesError, match="is split already: --again"):
        split_dataset(folder, RATIO, seed=5)
    assert contents(folder) == before
    split_dataset(folder, (0.5, 0.25, 0.25), seed=5, again=True)
    assert contents(folder) != before


def one_picture(folder: Path) -> None:
    folder.joinpath("loki").mkdir(parents=True)
    (folder / "loki/a.png").write_bytes(drawing("green"))


def damaged(folder: Path) -> None:
    plain(folder)
    (folder / "char-red/bad.jpg").write_bytes(drawing("red", kind="JPEG")[:900])


def two_labels(folder: Path) -> None:
    plain(folder)
    (folder / "char-red/same.png").write_bytes((folder / "char-green/03.png").read_bytes())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (one_picture, "too few pictures: 1 leave none for validation"),
        (damaged, r"one picture does not decode, first .*bad\.jpg .*--fix OUT"),
        (two_labels, "one picture with two labels"),
        (lambda folder: folder.mkdir(), "holds no pictures"),
    ],
)
def test_what_cannot_be_split_is_one_sentence(tmp_path: Path, make: object, says: str) -> None:
    assert callable(make)
    folder = tmp_path / "pictures"
    make(folder)
    before = contents(folder)
    for out in (None, tmp_path / "out"):
        with pytest.raises(PicturesError, match=says) as caught:
            split_dataset(folder, RATIO, out=out)
        assert "\n" not in str(caught.value)
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures"]


@pytest.mark.parametrize(
    "ratio", [(0.8, 0.1, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_a_ratio_that_is_none(tmp_path: Path, ratio: tuple[float, float, float]) -> None:
    with pytest.raises(PicturesError, match="--ratio is three shares of 1"):
        split_dataset(plain(tmp_path / "a", 3), ratio)


def test_places_that_are_taken(tmp_path: Path) -> None:
    folder, taken = plain(tmp_path / "a", 3), tmp_path / "b"
    taken.mkdir()
    (taken / "mine").write_text("x")
    for out, says in (
        (taken, "is not empty"),
        (folder / "out", "lie in one another"),
        (folder, "lie in one"),
    ):
        with pytest.raises(DatasetWriteError, match=says):
            split_dataset(folder, RATIO, out=out)
    assert contents(taken) == {"mine": hashlib.sha256(b"x").hexdigest()}


LIMITED = """
import resource, signal, sys
from pathlib import Path
from training.dataset import splitting
from training.errors import DatasetWriteError

def main():
    real = splitting.look_at
    def look(*arguments):
        looks = real(*arguments)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        return looks
    splitting.look_at = look
    try:
        out = Path(sys.argv[2]) if sys.argv[2:] else None
        splitting.split_dataset(Path(sys.argv[1]), (.8, .1, .1), out=out)
    except DatasetWriteError as error:
        print(error)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("out", ["", "out"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, out: str) -> None:
    """The kernel takes no file of more than 100 bytes, in the place of a full disk."""
    folder = plain(tmp_path / "a")
    before = contents(tmp_path)
    script = tmp_path.parent / f"{tmp_path.name}-limited.py"
    script.write_text(LIMITED)
    arguments = [str(folder), *([str(tmp_path / out)] if out else [])]
    ran = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=True,
    )
    assert "cannot be written" in ran.stdout and ran.stdout.count("\n") == 1, ran
    assert contents(tmp_path) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from training.dataset.splitting import split_dataset

def progress(what, done, of):
    if what == "copying" and done > of // 2:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    split_dataset(Path(sys.argv[1]), (.8, .1, .1), out=Path(sys.argv[2]), progress=progress)
"""


def test_a_killed_run_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    folder, out = plain(tmp_path / "a"), tmp_path / "out"
    before = contents(folder)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(folder), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    ran = subprocess.run(command, timeout=120, env=environment, check=False)
    assert ran.returncode == -signal.SIGKILL
    assert not out.exists() and contents(folder) == before
    split_dataset(folder, RATIO, out=out)
    assert read_dataset(out)


def cast(sizes: dict[tuple[str, str], list[int]]) -> tuple[list[Picture], list[str]]:
    """Pictures of groups of such sizes, by character and source."""
    pictures, groups = [], []
    for (slug, source), of in sizes.items():
        for number, size in enumerate(of):
            for copy in range(size):
                name = f"{slug}-{source}-{number}"
                pictures.append(Picture(Path(f"{name}-{copy}"), name, name, "train", source, slug, slug))
                groups.append(name)
    return pictures, groups


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y"])),
        st.lists(st.integers(1, 4), min_size=1, max_size=40),
        min_size=1,
    ),
    st.integers(0, 3),
)
def test_dealing(sizes: dict[tuple[str, str], list[int]], seed: int) -> None:
    pictures, groups = cast(sizes)
    parts = deal(pictures, groups, RATIO, seed)
    part_of: defaultdict[str, set[str]] = defaultdict(set)
    for group, part in zip(groups, parts, strict=True):
        part_of[group].add(part)
    assert all(len(each) == 1 for each in part_of.values())
    for slug in {slug for slug, _ in sizes}:
        mine = [part for picture, part in zip(pictures, parts, strict=True) if picture.slug == slug]
        assert "train" in mine
        for split, share in zip(SPLITS, RATIO, strict=True):
            assert (
                abs(mine.count(split) - share * len(mine)) <= 4 + 2 + 4
            )  # a group, what is carried, the first
    reverse = list(range(len(pictures)))[::-1]
    again = deal([pictures[i] for i in reverse], [groups[i] for i in reverse], RATIO, seed)
    assert again == [parts[i] for i in reverse]


def test_sources_are_dealt_evenly() -> None:
    pictures, groups = cast({("a", "film"): [1] * 100, ("a", "toys"): [1] * 50, ("b", "film"): [1] * 30})
    parts = deal(pictures, groups, RATIO, 0)
    counted = Counter((p.slug, p.source, part) for p, part in zip(pictures, parts, strict=True))
    assert counted["a", "film", "test"] == counted["a", "film", "validation"] == 10
    assert counted["a", "toys", "test"] == counted["a", "toys", "validation"] == 5
    assert counted["b", "film", "test"] == counted["b", "film", "validation"] == 3


def test_a_thousand_characters_of_one_picture_each_have_nothing_to_be_measured_on(tmp_path: Path) -> None:
    for number in range(1000):
        place = tmp_path / "many" / f"c{number}"
        place.mkdir(parents=True)
        image = Image.effect_noise((24, 24), 80).convert("RGB")
        (place / "a.png").write_bytes(encoded(image, "PNG"))
    with pytest.raises(PicturesError, match="too few pictures: 1000 leave none for validation"):
        split_dataset(tmp_path / "many", RATIO)
    made = split_dataset(tmp_path / "many", (1, 0, 0))
    assert {p.split for p in made.pictures} == {"train"}


def test_the_command(tmp_path: Path) -> None:
    folder = plain(tmp_path / "a")
    runner = CliRunner()
    ran = runner.invoke(app, ["split", str(folder), "--ratio", ".6", ".2", ".2", f"--out={tmp_path / 'b'}"])
    assert ran.exit_code == 0, ran.output
    assert "train 2" in ran.output and "validation" in ran.output
    again = runner.invoke(app, ["split", str(tmp_path / "b")])
    assert again.exit_code == 1
    assert again.output.count("\n") == 1 and "--again" in again.output

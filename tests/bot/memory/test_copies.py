"""Copies of a picture are known however they are cut or framed, and other pictures are not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from bot.memory.copies import Copies, crops
from model.decode import to_grey, to_luma
from model.marks import MOST_PARTS, THUMB, Marks, make_marks, read_marks
from model.near import NEAR, distance, near_key
from tests.bench.learning_copies import CHANGES
from tests.standins.drawings import picture

SEEDS = range(12)


def look(image: Image.Image) -> tuple[str, Marks]:
    marks = read_marks(make_marks(to_grey(image)))
    assert marks is not None
    return near_key(to_luma(image)), marks


@pytest.fixture(scope="module")
def remembered() -> Copies[int]:
    copies: Copies[int] = Copies()
    for seed in SEEDS:
        copies.add(seed, *look(picture("grey", seed=seed)))
    return copies


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_known(remembered: Copies[int], change: str) -> None:
    found = []
    for seed in SEEDS:
        image = CHANGES[change](picture("grey", seed=seed), random.Random(seed))
        found.append(remembered.find(*look(image), list(SEEDS))[:1] == [seed])
    assert sum(found) >= len(SEEDS) - 1, found


def test_another_picture_is_not(remembered: Copies[int]) -> None:
    for seed in range(100, 130):
        assert remembered.find(*look(picture("grey", seed=seed)), list(SEEDS)) == []


def test_the_first_crop_is_the_whole() -> None:
    key, marks = look(picture(seed=3))
    whole = crops(marks)[0].tobytes().hex()
    assert distance(key, whole) <= NEAR // 4
    assert crops(marks).shape == (36, 4)


def test_one_that_was_taken_out_is_found_no_more() -> None:
    copies: Copies[str] = Copies()
    key, marks = look(picture(seed=1))
    copies.add("a", key, marks)
    copies.add("b", *look(picture(seed=2)))
    copies.remove("a")
    copies.remove("a")
    assert len(copies) == 1
    assert copies.find(key, marks, ["a", "b"]) == []
    copies.add("b", key, marks)
    assert copies.find(key, marks, ["b"]) == ["b"]


def test_without_marks_copies_of_the_whole_are_found() -> None:
    copies: Copies[str] = Copies()
    key, _ = look(picture(seed=1))
    copies.add("a", key, None)
    smaller = picture(seed=1).resize((160, 120))
    assert copies.find(look(smaller)[0], None, ["a"]) == ["a"]


def test_pictures_without_detail_are_no_copies_of_one_another() -> None:
    copies: Copies[str] = Copies()
    copies.add("white", *look(Image.new("RGB", (200, 200), "white")))
    assert copies.find(*look(Image.new("RGB", (300, 200), "navy")), ["white"]) == []


def test_marks_are_read_as_they_were_made() -> None:
    framed = Image.new("RGB", (500, 400), "white")
    framed.paste(picture(seed=4), (60, 50))
    marks = read_marks(make_marks(to_grey(framed)))
    assert marks is not None
    assert marks.thumb.shape == (THUMB, THUMB)
    assert 1 <= len(marks.parts) <= MOST_PARTS
    assert min(distance(part, near_key(to_luma(picture(seed=4)))) for part in marks.parts) <= NEAR // 2


@pytest.mark.parametrize(
    "bytes_", [b"", b"\x01", b"\x02" + bytes(THUMB * THUMB), bytes([1]) + bytes(THUMB * THUMB + 5)]
)
def test_what_is_no_marks_is_not_read(bytes_: bytes) -> None:
    assert read_marks(bytes_) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (16, 16), (40, 256)])
def test_marks_are_made_of_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    grey = np.random.default_rng(0).integers(0, 255, shape)
    assert read_marks(make_marks(grey)) is not None

"""The near-copy key: what survives resizing, recompression and mirroring, and what it keeps apart."""

from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from model.near import BITS, NEAR, SIDE, NearIndex, distance, group, is_near, near_key

keys = st.binary(min_size=BITS // 8, max_size=BITS // 8).map(bytes.hex)


def _scene(seed: int) -> np.ndarray:
    """A smooth random landscape [SIDE, SIDE], grey levels 0 to 255."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _random_key(rng: np.random.Generator) -> str:
    return rng.bytes(BITS // 8).hex()


def _flip(key: str, bits: int) -> str:
    """The key with its first bits inverted."""
    raw = np.unpackbits(np.frombuffer(bytes.fromhex(key), dtype=np.uint8))
    raw[:bits] ^= 1
    return np.packbits(raw).tobytes().hex()


def test_a_key_is_64_hexadecimal_digits_and_the_same_for_bytes_and_floats() -> None:
    scene = _scene(1)
    assert len(bytes.fromhex(near_key(scene))) == 32
    assert near_key(scene) == near_key(scene.astype(np.float64))


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="64 x 64"):
        near_key(np.zeros((32, 64)))


@pytest.mark.parametrize("key", ["", "abc", "zz" * 32, "00" * 31])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="near key"):
        distance(key, "00" * 32)


@pytest.mark.parametrize("seed", range(20))
def test_the_mirror_image_is_a_copy_and_the_upside_down_picture_is_not(seed: int) -> None:
    scene = _scene(seed)
    assert distance(near_key(scene), near_key(scene[:, ::-1])) <= 4
    assert not is_near(near_key(scene), near_key(scene[::-1]))


def test_noise_and_contrast_do_not_matter_and_another_scene_is_far() -> None:
    scene = _scene(3).astype(float)
    noise = np.random.default_rng(0).normal(0, 4, scene.shape)
    assert is_near(near_key(scene), near_key(scene * 0.6 + 20 + noise))
    assert not is_near(near_key(scene), near_key(_scene(4)))


@given(keys, keys)
def test_distance_is_symmetric_bounded_and_zero_for_itself(a: str, b: str) -> None:
    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a) <= BITS // 2 + 64  # one of plain and mirrored is at most that


@given(keys, st.integers(0, BITS))
def test_no_distance_is_above_the_number_of_flipped_bits(key: str, bits: int) -> None:
    assert distance(key, _flip(key, bits)) <= bits
    if bits <= NEAR:
        assert is_near(key, _flip(key, bits))


def test_copies_of_copies_are_one_group() -> None:
    rng = np.random.default_rng(5)
    a, other = _random_key(rng), _random_key(rng)
    chain = _flip(a, NEAR)
    far_end = _flip(chain, 2 * NEAR)  # flips the first NEAR bits back and the next NEAR
    assert group([other, a, chain]) == [0, 1, 1]
    assert group([a, other, chain, far_end, other]) == [0, 1, 0, 0, 1]
    assert group([]) == []


def test_the_index_answers_best_first_and_forgets() -> None:
    rng = np.random.default_rng(6)
    key = _random_key(rng)
    index: NearIndex[str] = NearIndex()
    assert index.query(key) == []
    for n in range(300):
        index.add(_random_key(rng), f"other {n}")
    index.add(_flip(key, 30), "thirty")
    index.add(_flip(key, 5), "five")
    index.add(key, "itself")
    assert index.query(key) == ["itself", "five", "thirty"]
    index.remove("itself")
    index.remove("other 0")
    index.remove("never there")
    assert index.query(key) == ["five", "thirty"]
    index.add(_random_key(rng), "five")  # a new key for a known id
    assert index.query(key) == ["thirty"]
    assert len(index) == 301
    assert "thirty" in index
    assert "itself" not in index


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 3)), max_size=60))
def test_the_index_agrees_with_a_plain_dictionary(steps: list[tuple[bool, int, int]]) -> None:
    rng = np.random.default_rng(7)
    pool = [_random_key(rng) for _ in range(4)]
    index: NearIndex[int] = NearIndex()
    plain: dict[int, str] = {}
    for adds, name, which in steps:
        if adds:
            index.add(pool[which], name)
            plain[name] = pool[which]
        else:
            index.remove(name)
            plain.pop(name, None)
    for key in pool:
        assert sorted(index.query(key)) == sorted(n for n, k in plain.items() if k == key)


def test_a_hundred_thousand_keys_are_searched_in_milliseconds() -> None:
    rng = np.random.default_rng(8)
    index: NearIndex[int] = NearIndex()
    for n in range(100_000):
        index.add(_random_key(rng), n)
    key = _random_key(rng)
    index.add(_flip(key, 40), -1)
    began = time.perf_counter()
    for _ in range(10):
        assert index.query(key) == [-1]
    assert (time.perf_counter() - began) / 10 < 0.25  # about 0.004 s; generous for a busy machine


@pytest.mark.pictures
def test_the_figures_of_the_docstring_hold_on_real_pictures() -> None:
    """Every twelfth picture of the project's folder against its copies and against all the others."""
    folder = os.environ.get("WHOSTHAT_PICTURES")
    if not folder:
        pytest.skip("WHOSTHAT_PICTURES is not set, so there are no real pictures to measure on")
    with (Path(folder) / "splits.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))[::12]

    def key(image: Image.Image) -> str:
        return near_key(np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)))

    found = {"jpeg": 0, "half": 0, "mirror": 0}
    originals = []
    for row in rows:
        with Image.open(Path(folder) / row["file"]) as opened:
            image = opened.convert("RGB")
        coarse = io.BytesIO()
        image.save(coarse, "JPEG", quality=40)
        originals.append(key(image))
        found["jpeg"] += is_near(originals[-1], key(Image.open(coarse)))
        found["half"] += is_near(originals[-1], key(image.reduce(2)))
        found["mirror"] += is_near(originals[-1], key(ImageOps.mirror(image)))
    for kind, count in found.items():
        assert count >= 0.99 * len(rows), kind
    groups = group(originals)
    joined = sum(i != g and rows[i]["group"] != rows[g]["group"] for i, g in enumerate(groups))
    assert joined <= 5  # of 135,000 pairs; the few are copies that the split does not know of

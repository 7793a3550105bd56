"""What is left out of a progressive JPEG, and what is not seen of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from model.decode import DecodeLimits, decode
from model.near import distance
from model.preprocess import Preprocess, to_pixels
from model.scans import MOST_SCANS, rough
from tests.standins.photographs import jpeg, photograph, with_scans


@pytest.fixture(scope="module")
def large() -> Image.Image:
    return photograph(4, texture=0.55)


@pytest.mark.parametrize(("quality", "subsampling"), [(30, 2), (75, 2), (92, 2), (92, 0)])
def test_a_large_progressive_jpeg_gives_the_same(large: Image.Image, quality: int, subsampling: int) -> None:
    data, how = jpeg(large, progressive=True, quality=quality, subsampling=subsampling), Preprocess()
    less = rough(data)
    assert len(less) < 0.8 * len(data)
    decoded = decode(data, DecodeLimits(), how, keep=True)
    with Image.open(io.BytesIO(data)) as whole:
        exact = to_pixels(whole.convert("RGB"), how)
    assert np.abs(decoded.pixels.astype(int) - exact).max() <= 3
    baseline = decode(jpeg(large, quality=quality, subsampling=subsampling), DecodeLimits(), how, keep=False)
    assert distance(decoded.near_key, baseline.near_key) <= 5
    assert (decoded.width, decoded.height, decoded.format) == (4032, 3024, "jpeg")


def test_what_is_unusual_is_left_as_it_is() -> None:
    image = photograph(1, size=(320, 240))
    data = jpeg(image, progressive=True)
    assert len(rough(data)) < len(data)
    assert rough(data + b"behind the end").endswith(b"behind the end")
    baseline = jpeg(image)
    many = with_scans(data, MOST_SCANS)
    for other in (
        baseline,
        many,
        data[: len(data) // 2],
        data[:-2],
        data[:3],
        b"\xff\xd8",
        b"",
        b"\xff\xd8\0\0",
    ):
        assert rough(other) == other


def test_whatever_is_done_to_the_bytes_nothing_is_raised() -> None:
    data, dice = jpeg(photograph(2, size=(160, 120)), progressive=True), np.random.default_rng(0)
    for _ in range(500):
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[dice.integers(2, len(data), 4)] = dice.integers(0, 256, 4)
        assert len(rough(damaged.tobytes())) <= len(data)

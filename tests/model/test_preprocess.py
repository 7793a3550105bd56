"""Pictures to pixels, compared with Hugging Face's own processors where they are installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.errors import BundleDamaged
from model.preprocess import Preprocess, to_pixels
from tests.standins.drawings import picture

VIT = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 64, "width": 48},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.6, 0.7],
}
BIT = VIT | {
    "image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": 80},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 64, "width": 64},
}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (VIT, Preprocess(64, 48, "squash", 0, 2, 1 / 255, (0.5, 0.4, 0.3), (0.5, 0.6, 0.7))),
        (BIT, Preprocess(64, 64, "crop", 80, 3, 1 / 255, (0.5, 0.4, 0.3), (0.5, 0.6, 0.7))),
        (VIT | {"size": 50}, Preprocess(50, 50, "squash", 0, 2, 1 / 255, (0.5, 0.4, 0.3), (0.5, 0.6, 0.7))),
        (
            BIT | {"size": 80, "crop_size": 64},
            Preprocess(64, 64, "crop", 80, 3, 1 / 255, (0.5, 0.4, 0.3), (0.5, 0.6, 0.7)),
        ),
        (
            VIT | {"do_normalize": False, "do_rescale": False},
            Preprocess(64, 48, "squash", 0, 2, 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        ),
    ],
)
def test_configs_are_read(config: dict[str, Any], expected: Preprocess) -> None:
    assert Preprocess.from_config(config) == expected


@pytest.mark.parametrize("config", [VIT, BIT])
def test_what_is_written_reads_the_same(config: dict[str, Any]) -> None:
    once = Preprocess.from_config(config)
    assert Preprocess.from_config(once.to_config()) == once


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": {"height": 0, "width": 3}},
        {"size": {"height": 10**6, "width": 3}},
        {"size": "large"},
        {"size": {"depth": 3}},
        {"resample": 17},
        {"image_std": [0, 0, 0]},
        {"image_mean": [0.5]},
        {"crop_pct": 0.9},
        {"rescale_factor": -1},
        {"do_center_crop": True, "crop_size": 10},
    ],
)
def test_what_is_not_understood_is_refused_in_one_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(BundleDamaged, match=r"preprocessor_config\.json") as caught:
        Preprocess.from_config(VIT | wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("config", [VIT, BIT])
@pytest.mark.parametrize("size", [(320, 240), (200, 301), (64, 64), (33, 90), (1000, 300), (40, 30)])
def test_the_same_numbers_as_hugging_face(config: dict[str, Any], size: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    theirs = getattr(transformers, config["image_processor_type"] + "Pil")(**config)
    image = picture("purple", size=size)
    ours = Preprocess.from_config(config)
    numbers = ours.normalise(to_pixels(image, ours)[None])
    expected = theirs(image, return_tensors="np")["pixel_values"]
    assert numbers.shape == expected.shape
    assert np.abs(numbers - expected).max() < 1e-5


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_any_mode_becomes_rgb(mode: str) -> None:
    pixels = to_pixels(picture().convert(mode), Preprocess(16, 24))
    assert pixels.shape == (16, 24, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("size", [(20_000, 4), (4, 20_000), (1, 1), (1, 20_000)])
def test_a_ribbon_costs_no_gigabytes(size: tuple[int, int]) -> None:
    ribbon = Image.new("RGB", size, (10, 20, 30))
    pixels = to_pixels(ribbon, Preprocess(224, 224, "crop", 256))
    assert pixels.shape == (224, 224, 3)
    assert (pixels == (10, 20, 30)).all()

"""What makes fine-tuning cheap, and the targets that it learns: on tiny random bases, without a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("peft", reason="needs the training dependencies")

import torch

from tests.training.studio import tiny_base
from training.bases import find_base
from training.job import Job
from training.networks import Network, open_network
from training.parts import Parts
from training.pictures import Picture
from training.recipes import adapter, full, head
from training.thrift import freeze, halved, some_patches

LAYERS = 3  # of a tiny base, with 16 patches a picture


def opened(place: Path, kind: str = "Dinov2Model", **options: float) -> Network:
    return open_network(find_base(str(tiny_base(place / "base", kind)), place), **options)


def test_half_of_the_patches_in_training_and_all_of_them_when_judged(tmp_path: Path) -> None:
    network = opened(tmp_path)
    tokens: list[int] = []
    network.body.encoder.layer[0].register_forward_hook(
        lambda _, inputs, __: tokens.append(inputs[0].shape[1])
    )
    pixels = torch.randn(2, 3, 32, 32)
    with some_patches(network, 0.5):
        network.train()
        torch.manual_seed(1)
        first, second = network.features(pixels), network.features(pixels)
        torch.manual_seed(1)
        again = network.features(pixels)
        network.eval()
        judged = network.features(pixels)
    network.train()
    after = network.features(pixels)
    assert tokens == [9, 9, 9, 17, 17]
    assert torch.equal(first, again)
    assert not torch.equal(first, second), "others each time"
    assert torch.equal(judged, after)
    with some_patches(network, 0.0):
        network.features(pixels)
    assert tokens[-1] == 2, "one is always left"


def test_the_patches_that_are_left_are_those_of_the_picture(tmp_path: Path) -> None:
    """Each with its place: what enters the first layer is found among what all of them would be."""
    network = opened(tmp_path)
    seen: list[torch.Tensor] = []
    network.body.encoder.layer[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
    pixels = torch.randn(3, 3, 32, 32)
    network.train()
    with some_patches(network, 0.25):
        network.features(pixels)
    network.features(pixels)
    few, every = seen
    for left, whole in zip(few, every, strict=True):
        assert torch.equal(left[0], whole[0]), "the token of the whole picture stays"
        found = [int((whole == token).all(dim=1).nonzero()) for token in left]
        assert len(set(found)) == 5


def test_the_lowest_layers_stand_still(tmp_path: Path) -> None:
    network = opened(tmp_path, drop_path=0.9)
    freeze(network, 1 / LAYERS)
    moving = {name for name, value in network.backbone.named_parameters() if value.requires_grad}
    assert {name.split(".layer.")[1][0] for name in moving if ".layer." in name} == {"1", "2"}
    assert not any("embeddings" in name for name in moving)
    low: list[torch.Tensor] = []
    network.body.encoder.layer[0].register_forward_hook(lambda _, __, out: low.append(out))
    pixels = torch.randn(2, 3, 32, 32)
    network.train()
    high = [network.features(pixels) for _ in range(2)]
    assert torch.equal(*low), "no layer that stands still is passed over"
    assert not low[0].requires_grad
    assert not torch.equal(*high)


def test_adapters_are_in_what_moves_alone(tmp_path: Path) -> None:
    network = opened(tmp_path)
    freeze(network, 1 / LAYERS)
    network.backbone = adapter.adapted(network, adapter.Recipe())
    moving = {name for name, value in network.backbone.named_parameters() if value.requires_grad}
    assert any("lora_A" in name for name in moving)
    assert {name.split(".layer.")[1][0] for name in moving if ".layer." in name} == {"1", "2"}
    assert not any("embeddings" in name for name in moving)
    # peft's wrappers are looked through
    assert network.body.embeddings is not None


def test_other_architectures_are_trained_with_all_they_have(tmp_path: Path) -> None:
    network = opened(tmp_path, "ViTForImageClassification")
    freeze(network, 1 / LAYERS)
    assert all(value.requires_grad for value in network.backbone.parameters())
    network.train()
    with some_patches(network, 0.5):
        assert network.features(torch.randn(2, 3, 32, 32)).shape == (2, 32)


def test_what_stands_still_is_not_rounded_in_the_end(tmp_path: Path) -> None:
    network = opened(tmp_path)
    freeze(network, 1 / LAYERS)
    before = {name: value.detach().clone() for name, value in network.backbone.named_parameters()}
    attention = network.body.config._attn_implementation
    with halved(network, True) as originals:
        assert {value.dtype for value in network.backbone.parameters()} == {torch.bfloat16}
        assert network.body.config._attn_implementation == "eager"
        names = {value: name for name, value in network.backbone.named_parameters()}
        assert all(torch.equal(original, before[names[value]]) for value, original in originals.items())
    assert network.body.config._attn_implementation == attention
    for name, value in network.backbone.named_parameters():
        assert value.dtype == torch.float32
        assert value.requires_grad or torch.equal(value, before[name])


def test_half_of_a_target_is_a_second_opinion_unless_a_moderator_approved_it(tmp_path: Path) -> None:
    base = find_base(str(tiny_base(tmp_path / "base")), tmp_path)
    pictures = [
        Picture(tmp_path / f"{n}.png", str(n), str(n), "train", source, "hulk", "Hulk")
        for n, source in enumerate(["web", "web", "corrections"])
    ]
    parts = Parts(pictures, pictures, (("hulk", "Hulk"), ("loki", "Loki")))
    job = Job(base, parts, 0, tmp_path, tmp_path)
    none = np.zeros((0, 0), np.float32)
    opinions = np.log(np.array([[0.5, 0.5], [0.1, 0.9], [0.1, 0.9]], np.float32))

    def aims(opinions: np.ndarray | None, believe: float) -> np.ndarray:
        fitted = head.Fitted(
            weight=none,
            bias=none,
            mean=none,
            deviation=none,
            believed=np.array([True, True, True]),
            opinions=opinions,
            shares=None,
            counts=none,
            smoothing=0.1,
            train=none.astype(np.float16),
            validation=none.astype(np.float16),
            curve=(),
        )
        return full.targets(job, fitted, believe, 1.0)

    given = [0.95, 0.05]
    np.testing.assert_allclose(aims(None, 0.5), [given] * 3, rtol=1e-5)
    np.testing.assert_allclose(aims(opinions, 1.0), [given] * 3, rtol=1e-5)
    np.testing.assert_allclose(aims(opinions, 0.5), [[0.725, 0.275], [0.525, 0.475], given], rtol=1e-5)
    np.testing.assert_allclose(aims(opinions, 0.5).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_second_opinions_are_of_those_who_have_not_seen_it(seed: int) -> None:
    """A label that only one picture has, turned about, changes what is said of all others but not of it."""
    from training.fitting import Descent, second_opinions

    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 90)
    x = (rng.normal(size=(90, 8)) + 2 * np.eye(3, 8)[labels]).astype(np.float32)
    groups = [str(number // 2) for number in range(90)]
    turned = labels.copy()
    turned[:2] = (labels[:2] + 1) % 3  # near copies of one another
    how = Descent(0.1, 0.05, 50)
    said, later = (second_opinions(x, y, groups, 3, how, folds=4, seed=seed) for y in (labels, turned))
    np.testing.assert_array_equal(said[:2], later[:2])
    assert (said != later).any()
    np.testing.assert_allclose(np.exp(said).sum(axis=1), 1, rtol=1e-4)

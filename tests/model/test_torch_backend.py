"""torch against transformers' own answers, with tiny random models in folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle import bundle_id
from model.classifier import choose_backend, load_classifier, read_bundle
from model.errors import BundleDamaged
from model.preprocess import Preprocess, to_pixels
from tests.standins.drawings import picture

torch = pytest.importorskip("torch", reason="needs the training dependencies")
transformers = pytest.importorskip("transformers", reason="needs the training dependencies")

LABELS = {0: "Iron Man", 1: "Doctor Strange", 2: "Loki"}
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
    "id2label": LABELS,
    "label2id": {name: index for index, name in LABELS.items()},
}


def tiny_vit(folder: Path, kind: str = "ViT") -> Path:
    """A tiny random classifier as transformers itself writes it to a folder."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**SMALL)
    network = getattr(transformers, f"{kind}ForImageClassification")(config)
    # random models see no difference between pictures; larger weights do
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    network.save_pretrained(folder)
    pixels = Preprocess(32, 32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels.to_config()))
    return folder


@pytest.mark.parametrize("kind", ["ViT", "Dinov2", "DeiT"])
def test_the_logits_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    folder = tiny_vit(tmp_path / kind, kind)
    classifier = load_classifier(str(folder), models_dir=tmp_path)
    assert classifier.backend == "torch"
    assert classifier.info.characters == ("iron-man", "doctor-strange", "loki")
    pixels = np.stack(
        [to_pixels(picture(colour), classifier.preprocess) for colour in ("red", "blue", "grey")]
    )
    output = classifier(pixels)
    reference = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        values = torch.from_numpy(classifier.preprocess.normalise(pixels))
        expected = reference(values, output_hidden_states=True)
    assert np.abs(output.logits - expected.logits.numpy()).max() < 1e-4
    assert np.allclose(np.linalg.norm(output.embedding, axis=1), 1, atol=1e-5)
    assert np.ptp(output.logits, axis=0).max() > 1e-3
    if kind == "ViT":
        with torch.inference_mode():
            first = reference.vit(values).last_hidden_state[:, 0].numpy()
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        assert np.abs(output.embedding - first).max() < 1e-4


def test_weights_that_lack_something_are_refused(tmp_path: Path) -> None:
    folder = tiny_vit(tmp_path / "vit")
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in tensors.items() if name != "classifier.weight"},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(BundleDamaged, match=r"lack classifier\.weight"):
        load_classifier(str(folder), models_dir=tmp_path)


def test_weights_that_do_not_parse_are_one_sentence(tmp_path: Path) -> None:
    folder = tiny_vit(tmp_path / "vit")
    (folder / "model.safetensors").write_bytes(b"\x80\x04no safetensors")
    with pytest.raises(BundleDamaged, match="cannot be loaded") as caught:
        load_classifier(str(folder), models_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_the_backend_is_chosen_by_what_is_there(tmp_path: Path) -> None:
    folder = tiny_vit(tmp_path / "vit")
    assert choose_backend(read_bundle(folder), "auto") == "torch"
    (folder / "model.onnx").write_bytes(b"a graph")
    if not torch.cuda.is_available():
        assert choose_backend(read_bundle(folder), "auto") == "onnx"
    assert choose_backend(read_bundle(folder), "torch") == "torch"
    assert bundle_id("a", b"b") != bundle_id("a", b"c")

"""Levels of a vision transformer as torch exports it, however it attends."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
import torch
from onnx import numpy_helper
from transformers import (
    Dinov2Config,
    Dinov2ForImageClassification,
    PretrainedConfig,
    ViTConfig,
    ViTForImageClassification,
)

from model.errors import LevelRefused
from model.levels.forms import Form, evenly
from model.levels.making import opened
from model.levels.writing import write
from training.bundling import OPSET

SIDE, LAYERS = 28, 2
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 7,
    "num_labels": 3,
    "initializer_range": 0.3,
}


class _Both(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.network(pixel_values).logits
        return logits, torch.nn.functional.normalize(logits, dim=1)


def exported(path: Path, family: str, attention: str) -> Path:
    """A small one with weights by chance, large enough that attention tells tokens apart."""
    torch.manual_seed(0)
    config: PretrainedConfig
    if family == "vit":
        config = ViTConfig(intermediate_size=64, attn_implementation=attention, **SMALL)
        network: torch.nn.Module = ViTForImageClassification(config)
    else:
        config = Dinov2Config(attn_implementation=attention, **SMALL)
        network = Dinov2ForImageClassification(config)
        embeddings: Any = network.dinov2.embeddings
        positions = embeddings.position_embeddings
        # the input's size is fixed, as `training.bundling.export` has it
        embeddings.interpolate_pos_encoding = lambda *_: positions
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Both(network).eval(),
            (torch.zeros(1, 3, SIDE, SIDE),),
            str(path),
            input_names=["pixel_values"],
            output_names=["logits", "embedding"],
            opset_version=OPSET,
            dynamo=False,
        )
    return path


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["vit", "dinov2"])
def test_levels_of_what_torch_exports(tmp_path: Path, family: str, attention: str) -> None:
    path = exported(tmp_path / "model.onnx", family, attention)
    vit = opened(path)  # it compares the outputs
    assert [layer.heads for layer in vit.layers] == [2] * LAYERS
    pixels = np.random.default_rng(1).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    said = []
    merged = Form(int8=True, merge=evenly(1, LAYERS), proportional=True)
    for content in (path.read_bytes(), write(vit, merged).SerializeToString()):
        session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
        said.append(session.run(["embedding"], {"pixel_values": pixels})[0])
    assert float((said[0] * said[1]).sum()) > 0.95


def test_a_factor_that_is_not_the_usual_one_is_noticed(tmp_path: Path) -> None:
    path = exported(tmp_path / "model.onnx", "vit", "eager")
    graph = onnx.load(str(path))
    made = {name: node for node in graph.graph.node for name in node.output}
    softmax = next(node for node in graph.graph.node if node.op_type == "Softmax")
    factor = made[made[softmax.input[0]].input[1]].attribute[0].t
    factor.CopyFrom(numpy_helper.from_array(3 * numpy_helper.to_array(factor), factor.name))
    onnx.save(graph, str(path))
    with pytest.raises(LevelRefused, match="says something else"):
        opened(path)

"""A real bundle of a few nodes, for tests that want an answer and not 90 MB of model.

What it answers (see `tiny_bundle`), for the drawings of `tests.standins.drawings`:

    red      iron-man, sure                blue     captain-america, sure
    green    hulk, sure                    purple   thanos, sure
    grey     nobody                        orange   iron-man and spider-man, half and half: unsure
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.bundle import CONFIG, ONNX, PREPROCESSOR, bundle_id, seal, write_json
from model.folders import new_folder
from model.preprocess import Preprocess
from model.types import NOBODY, BundleInfo, Calibration
from tests.standins.drawings import COLOURS

SIDE = 32
TINY_CHARACTERS: dict[str, str] = {
    "iron-man": "Iron Man",
    "captain-america": "Captain America",
    "hulk": "Hulk",
    "thanos": "Thanos",
    "spider-man": "Spider-Man",
    NOBODY: NOBODY,
}
ANSWERS: dict[str, str] = {
    "red": "iron-man",
    "green": "hulk",
    "blue": "captain-america",
    "purple": "thanos",
    "grey": NOBODY,
}
"""Colour to slug; orange is left out, because it is nobody's alone."""


def tiny_bundle(
    folder: Path, *, name: str = "tiny", slow: int = 0, nobody: bool = True, bias: float = 0.0
) -> Path:
    """Write a bundle with a 32 x 32 input to ``folder`` and return it.

    The mean colour of the picture picks the class: each colour of ``COLOURS`` is an anchor, a picture is
    the softmax over the (negative, squared, scaled) distances to them, and each anchor belongs to a
    slug (orange to two). The embedding is the 8 x 8 picture in RGB less its mean, 192 numbers of
    length 1, so that pictures with the same shapes in the same places are neighbours.

    Args:
        name: begins its id; another name is another bundle.
        slow: rounds of a loop that multiplies 256 x 256 matrices (0.2 ms each on one core) a run.
        nobody: False leaves that class out, as models from the hub do.
        bias: added to the logit of iron-man; 100 makes every answer iron-man.
    """
    slugs = [slug for slug in TINY_CHARACTERS if nobody or slug != NOBODY]
    info = BundleInfo("", tuple(slugs), Calibration(temperature=1.0, sure=0.8, known=0.5), TINY_CHARACTERS)
    model = _graph(slugs, slow, bias)
    content = model.SerializeToString()
    info = BundleInfo(bundle_id(name, content), info.characters, info.calibration, info.names)
    preprocess = Preprocess(height=SIDE, width=SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    with new_folder(folder) as draft:
        (draft / ONNX).write_bytes(content)
        labels = {str(index): TINY_CHARACTERS[slug] for index, slug in enumerate(slugs)}
        write_json(draft / CONFIG, {"model_type": "tiny", "id2label": labels})
        write_json(draft / PREPROCESSOR, preprocess.to_config())
        seal(draft, info, licence="MIT")
    return folder


def _graph(slugs: list[str], slow: int, bias: float) -> onnx.ModelProto:
    """mean colour -> distances to the anchors -> logits; 8 x 8 means -> embedding."""
    anchors = np.array([COLOURS[colour] for colour in COLOURS], np.float32) / 255  # [A, 3]
    owners = {**{colour: [slug] for colour, slug in ANSWERS.items()}, "orange": ["iron-man", "spider-man"]}
    # -k|x - a|^2 = 2k x.a - k|a|^2 - k|x|^2, and the last term is the same for all: a linear layer
    k = 120.0
    weight = 2 * k * anchors.T
    offset = -k * (anchors**2).sum(1)
    belongs = np.zeros((len(anchors), len(slugs)), np.float32)
    for row, colour in enumerate(COLOURS):
        for slug in owners[colour]:
            if slug in slugs:
                belongs[row, slugs.index(slug)] = 1 / len(owners[colour])
    tilt = np.array([bias if slug == "iron-man" else 0.0 for slug in slugs], np.float32)
    constants = {
        "weight": weight.astype(np.float32),
        "offset": offset.astype(np.float32),
        "belongs": belongs,
        "floor": np.array(1e-4, np.float32),
        "tilt": tilt,
        "tiny": np.array(1e-6, np.float32),
        "row": np.array([0, -1], np.int64),
    }
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixel_values"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["colour"], axis=1),
        helper.make_node("Gemm", ["colour", "weight", "offset"], ["nearness"]),
        helper.make_node("Softmax", ["nearness"], ["shares"], axis=1),
        helper.make_node("MatMul", ["shares", "belongs"], ["likely"]),
        helper.make_node("Add", ["likely", "floor"], ["likely_"]),
        helper.make_node("Log", ["likely_"], ["log"]),
        helper.make_node("Add", ["log", "tilt"], ["logits"]),
        helper.make_node("AveragePool", ["pixel_values"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Sub", ["small", "pooled"], ["centred"]),
        helper.make_node("Reshape", ["centred", "row"], ["flat"]),
        helper.make_node("Add", ["flat", "tiny"], ["flat_"]),
        helper.make_node(
            "LpNormalization", ["flat_"], ["embedding" if not slow else "embedding_"], axis=1, p=2
        ),
    ]
    if slow:
        constants["rounds"] = np.array(slow, np.int64)
        constants["going"] = np.array(True)
        constants["square"] = np.eye(256, dtype=np.float32)
        constants["first"] = np.array([0], np.int64)
        constants["nothing"] = np.array(0.0, np.float32)
        nodes += [
            helper.make_node("Loop", ["rounds", "going", "square"], ["product"], body=_multiply()),
            helper.make_node("ReduceMax", ["product"], ["one"], keepdims=0),
            # adds nothing, but the embedding cannot be had before the loop has run
            helper.make_node("Mul", ["one", "nothing"], ["zero"]),
            helper.make_node("Add", ["embedding_", "zero"], ["embedding"]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["B", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", len(slugs)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["B", 3 * 8 * 8]),
        ],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _multiply() -> onnx.GraphProto:
    """The body of the loop: the matrix times itself (it is the identity, so nothing grows)."""
    square = ["n", "n"]
    return helper.make_graph(
        [
            helper.make_node("Identity", ["go_in"], ["go_out"]),
            helper.make_node("MatMul", ["in", "in"], ["out"]),
        ],
        "multiply",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("in", TensorProto.FLOAT, square),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("out", TensorProto.FLOAT, square),
        ],
    )

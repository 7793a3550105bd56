"""Small vision transformers as graphs, in the ways in which exporters write them, with weights by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, PATCH, WIDTH, HEADS, LAYERS = 32, 8, 24, 3, 3
TOKENS = (SIDE // PATCH) ** 2 + 1
CLASSES = 3


class _Drawing:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.held: dict[str, np.ndarray[Any, Any]] = {}

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def hold(self, name: str, value: Any) -> str:
        self.held[name] = np.asarray(value)
        return name

    def drawn(self, name: str, *shape: int, around: float = 0.0, by: float = 0.2) -> str:
        return self.hold(name, (around + by * self.random.normal(size=shape)).astype(np.float32))

    def linear(self, name: str, x: str, inputs: int, outputs: int) -> str:
        product = self.add("MatMul", [x, self.drawn(f"{name}.w", inputs, outputs)], f"{name}.product")
        return self.add("Add", [self.drawn(f"{name}.b", outputs), product], name)

    def norm(self, name: str, x: str, decomposed: bool) -> str:
        weight, bias = self.drawn(f"{name}.w", WIDTH, around=1), self.drawn(f"{name}.b", WIDTH)
        if not decomposed:
            return self.add("LayerNormalization", [x, weight, bias], name, axis=-1, epsilon=1e-6)
        mean = self.add("ReduceMean", [x], f"{name}.mean", axes=[-1])
        less = self.add("Sub", [x, mean], f"{name}.less")
        two, small = self.hold("two", np.float32(2)), self.hold("small", np.float32(1e-6))
        square = self.add("Pow", [less, two], f"{name}.square")
        spread = self.add("ReduceMean", [square], f"{name}.spread", axes=[-1])
        root = self.add("Sqrt", [self.add("Add", [spread, small], f"{name}.more")], f"{name}.root")
        divided = self.add("Div", [less, root], f"{name}.divided")
        return self.add("Add", [self.add("Mul", [divided, weight], f"{name}.scaled"), bias], name)

    def turned(self, name: str, x: str, order: tuple[int, ...]) -> str:
        shape = self.hold("heads", np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
        return self.add("Transpose", [self.add("Reshape", [x, shape], f"{name}.heads")], name, perm=order)


def vit_graph(*, decomposed: bool = False, averaged: bool = False, seed: int = 0) -> onnx.ModelProto:
    """``pixel_values`` [B, 3, 32, 32] to ``logits`` [B, 3] and ``embedding`` [B, …].

    Args:
        decomposed: normalisation and scores in many nodes and with scales of layers, as in DINOv2.
        averaged: the head reads the class token and the mean of the others of the last two layers.
    """
    d = _Drawing(seed)
    patches = [d.drawn("patch.w", WIDTH, 3, PATCH, PATCH, by=0.05), d.drawn("patch.b", WIDTH)]
    x = d.add("Conv", ["pixel_values", *patches], "patches", kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
    x = d.add("Reshape", [x, d.hold("flat", np.array([0, WIDTH, -1], np.int64))], "patches.flat")
    x = d.add("Transpose", [x], "patches.rows", perm=(0, 2, 1))
    batch = d.add("Shape", ["pixel_values"], "batch", start=0, end=1)
    shape = d.add(
        "Concat", [batch, d.hold("one.by.width", np.array([1, WIDTH], np.int64))], "class.shape", axis=0
    )
    first = d.add("Expand", [d.drawn("class", 1, 1, WIDTH), shape], "class.token")
    x = d.add("Concat", [first, x], "tokens", axis=1)
    x = d.add("Add", [x, d.drawn("positions", 1, TOKENS, WIDTH)], "placed")
    left = []
    for layer in range(LAYERS):
        x = _layer(d, f"layer.{layer}", x, decomposed)
        left.append(x)
    zero = d.hold("zero", np.array(0, np.int64))
    if averaged:
        parts = []
        ends = [
            d.hold(name, np.array([value], np.int64)) for name, value in (("i1", 1), ("i9", 10**9), ("ax", 1))
        ]
        for number, tokens in enumerate(left[-2:]):
            parts.append(d.add("Gather", [tokens, zero], f"first.{number}", axis=1))
            rest = d.add("Slice", [tokens, *ends], f"rest.{number}")
            parts.append(d.add("ReduceMean", [rest], f"mean.{number}", axes=[1], keepdims=0))
        row, width = d.add("Concat", parts, "row", axis=1), 4 * WIDTH
    else:
        row, width = d.add("Gather", [d.norm("last", x, False), zero], "row", axis=1), WIDTH
    d.add("Gemm", [row, d.drawn("head.w", CLASSES, width), d.drawn("head.b", CLASSES)], "logits", transB=1)
    d.add("LpNormalization", [row], "embedding", axis=1, p=2)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        d.nodes,
        "small",
        [value("pixel_values", TensorProto.FLOAT, ["B", 3, SIDE, SIDE])],
        [
            value("logits", TensorProto.FLOAT, ["B", CLASSES]),
            value("embedding", TensorProto.FLOAT, ["B", width]),
        ],
        [numpy_helper.from_array(array, name) for name, array in d.held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _layer(d: _Drawing, name: str, x: str, decomposed: bool) -> str:
    normed = d.norm(f"{name}.before", x, decomposed)
    query, key, value = (d.linear(f"{name}.{each}", normed, WIDTH, WIDTH) for each in "qkv")
    query = d.turned(f"{name}.q.turned", query, (0, 2, 1, 3))
    key = d.turned(f"{name}.k.turned", key, (0, 2, 3, 1))
    value = d.turned(f"{name}.v.turned", value, (0, 2, 1, 3))
    root = d.hold("root", np.float32((WIDTH // HEADS) ** -0.25))
    query, key = (d.add("Mul", [each, root], f"{each}.scaled") for each in (query, key))
    scores = d.add("MatMul", [query, key], f"{name}.scores")
    mixed = d.add("MatMul", [d.add("Softmax", [scores], f"{name}.shares", axis=-1), value], f"{name}.mixed")
    mixed = d.add("Transpose", [mixed], f"{name}.mixed.turned", perm=(0, 2, 1, 3))
    mixed = d.add("Reshape", [mixed, d.hold("joined", np.array([0, 0, WIDTH], np.int64))], f"{name}.joined")
    out = _scaled(d, f"{name}.out", d.linear(f"{name}.out", mixed, WIDTH, WIDTH), decomposed)
    x = d.add("Add", [out, x], f"{name}.attended")
    up = d.linear(f"{name}.up", d.norm(f"{name}.after", x, decomposed), WIDTH, 4 * WIDTH)
    error = d.add(
        "Erf", [d.add("Div", [up, d.hold("root2", np.float32(2**0.5))], f"{name}.div")], f"{name}.erf"
    )
    more = d.add("Add", [error, d.hold("one", np.float32(1))], f"{name}.more")
    active = d.add(
        "Mul", [d.add("Mul", [up, more], f"{name}.twice"), d.hold("half", np.float32(0.5))], f"{name}.gelu"
    )
    down = _scaled(d, f"{name}.down", d.linear(f"{name}.down", active, 4 * WIDTH, WIDTH), decomposed)
    return d.add("Add", [down, x], f"{name}.left")


def _scaled(d: _Drawing, name: str, x: str, scaled: bool) -> str:
    return d.add("Mul", [x, d.drawn(f"{name}.scale", WIDTH, around=1)], f"{name}.scaled") if scaled else x

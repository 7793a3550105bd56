"""A vision transformer is found in a graph: which nodes are its layers, and which weights they have.

Graphs come from different exporters, with other names and with normalisation and GELU in one node or in
many. What is the same in all is the shape of a layer (Dosovitskiy et al., ICLR 2021, section 3.1, norm
first): it is found from its softmax, backwards to queries, keys and values, forwards to the two sums.
Whether what was found means the same is not argued but tried, see `model.levels.making`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from model.preprocess import Floats

Array = NDArray[np.generic]
PASSING = {"Transpose", "Reshape", "Identity", "Cast"}
"""Nodes on the way from a linear layer to the scores, beside factors."""


class NotRead(ValueError):
    """The graph has another shape; the message says where."""


@dataclass(frozen=True)
class Linear:
    """x · weight + bias; weight ``[I, O]``."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class Norm:
    """Layer normalisation over the last axis."""

    weight: Floats
    bias: Floats
    epsilon: float


@dataclass(frozen=True)
class Layer:
    """One layer: tensor ``enters`` [B, T, D] becomes ``leaves``. Its scales are in ``out`` and ``down``."""

    enters: str
    leaves: str
    heads: int
    before: Norm
    query: Linear
    key: Linear
    value: Linear
    out: Linear
    after: Norm
    up: Linear
    down: Linear


@dataclass(frozen=True)
class Vit:
    """A graph with the layers found in it."""

    model: onnx.ModelProto
    layers: tuple[Layer, ...]


def read_vit(model: onnx.ModelProto) -> Vit:
    """Find the layers.

    Raises:
        NotRead: there are none, or they are not of this kind.
    """
    graph = Graph(model)
    layers = tuple(_layer(graph, node) for node in model.graph.node if node.op_type == "Softmax")
    if not layers:
        raise NotRead("there is no attention in it")
    for one, other in pairwise(layers):
        if one.leaves != other.enters:
            raise NotRead("its layers do not follow one another")
    return Vit(model, layers)


class Graph:
    """A graph by its tensors: who makes one, who takes it, and which are constant."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.made = {name: node for node in model.graph.node for name in node.output}
        self._held = {tensor.name: tensor for tensor in model.graph.initializer}
        self._takers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in dict.fromkeys(node.input):
                self._takers.setdefault(name, []).append(node)

    def constant(self, name: str) -> Array | None:
        """Its value, if it has one whatever the picture."""
        if name in self._held:
            return numpy_helper.to_array(self._held[name])
        node = self.made.get(name)
        if node is not None and node.op_type == "Identity":
            return self.constant(node.input[0])
        if node is not None and node.op_type == "Constant":
            return next((numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), None)
        return None

    def takers(self, name: str) -> list[NodeProto]:
        """Those nodes that take a tensor's values, not only its shape."""
        return [node for node in self._takers.get(name, []) if node.op_type != "Shape"]

    def sides(self, node: NodeProto) -> tuple[str, Array]:
        """Of a node of two inputs the one that varies, and the value of the other."""
        for one, other in ((0, 1), (1, 0)):
            value = self.constant(node.input[other])
            if value is not None and self.constant(node.input[one]) is None:
                return node.input[one], value
        raise NotRead(f"{node.name or node.op_type} has no constant side")

    def linear(self, name: str) -> tuple[str, Linear]:
        """What enters the linear layer that makes a tensor, and the layer."""
        node = self.made.get(name)
        if node is None or node.op_type != "Add":
            raise NotRead(f"{name} does not come from a linear layer")
        name, bias = self.sides(node)
        node = self.made.get(name)
        if node is None or node.op_type != "MatMul":
            raise NotRead(f"{name} does not come from a linear layer")
        weight = self.constant(node.input[1])
        if weight is None or weight.ndim != 2 or bias.shape != weight.shape[1:]:
            raise NotRead(f"{node.name} has no weights")
        return node.input[0], Linear(np.asarray(weight, np.float32), np.asarray(bias, np.float32))

    def norm(self, name: str) -> tuple[str, Norm]:
        """What enters the normalisation that makes a tensor, in one node or in many, and its weights."""
        node = self.made.get(name)
        if node is not None and node.op_type == "LayerNormalization":
            weight, bias = (self.constant(each) for each in node.input[1:3])
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            enters = node.input[0]
        elif node is not None and node.op_type == "Add":
            scaled, bias = self.sides(node)
            divided, weight = self.sides(self._maker(scaled, "Mul"))
            division = self._maker(divided, "Div")
            root = self._maker(division.input[1], "Sqrt")
            _, small = self.sides(self._maker(root.input[0], "Add"))
            epsilon = float(small)
            enters = self._maker(division.input[0], "Sub").input[0]
        else:
            raise NotRead(f"{name} does not come from a normalisation")
        if weight is None or bias is None or weight.ndim != 1:
            raise NotRead(f"the normalisation that makes {name} has no weights")
        return enters, Norm(np.asarray(weight, np.float32), np.asarray(bias, np.float32), float(epsilon))

    def _maker(self, name: str, kind: str) -> NodeProto:
        node: NodeProto | None = self.made.get(name)
        if node is None or node.op_type != kind:
            raise NotRead(f"{name} does not come from a {kind}")
        return node

    def projected(self, name: str) -> tuple[str, Linear, int]:
        """Queries, keys or values [B, H, T, D / H] back to what they are made of; and H, 0 if unknown."""
        width = heads = 0
        while (node := self.made.get(name)) is not None:
            if node.op_type == "Reshape":
                heads, width = max(heads, self._side(node, 2)), max(width, self._side(node, 3))
                name = node.input[0]
            elif node.op_type in PASSING:
                name = node.input[0]
            elif node.op_type in {"Mul", "Div"} and self.sides(node)[1].size == 1:
                name = self.sides(node)[0]
            else:
                break
        enters, linear = self.linear(name)
        return enters, linear, heads or (len(linear.bias) // width if width else 0)

    def _side(self, node: NodeProto, place: int) -> int:
        """One of the four sides that a node brings a tensor to; 0 when it is not said, or not four."""
        value = self.constant(node.input[1])
        if value is None:
            sides = self.made.get(node.input[1])
            if sides is None or sides.op_type != "Concat" or len(sides.input) != 4:
                return 0
            one = self.constant(sides.input[place])
            return max(0, int(one.reshape(-1)[0])) if one is not None else 0
        return max(0, int(value[place])) if value.size == 4 else 0


def _layer(graph: Graph, softmax: NodeProto) -> Layer:
    scores = graph.made.get(softmax.input[0])
    if scores is not None and scores.op_type in {"Mul", "Div"} and _by_number(graph, scores):
        # "eager" attention scales what queries and keys give together, the usual one each of them before
        scores = graph.made.get(graph.sides(scores)[0])
    if scores is None or scores.op_type != "MatMul":
        raise NotRead("its attention is masked or of another kind")
    normed, query, heads = graph.projected(scores.input[0])
    also, key, _ = graph.projected(scores.input[1])
    name = softmax.output[0]
    while (mixed := _single(graph, name)).op_type in {"Cast", "Identity"}:
        name = mixed.output[0]
    if mixed.op_type != "MatMul":
        raise NotRead(f"{name} goes into {mixed.op_type}, not MatMul")
    third, value, _ = graph.projected(mixed.input[1])
    if not normed == also == third or not heads:
        raise NotRead("queries, keys and values are not made of the same")
    enters, before = graph.norm(normed)
    name = mixed.output[0]
    while (node := _single(graph, name)).op_type in PASSING:
        name = node.output[0]
    attended, out = _ahead(graph, name, enters)
    after_name = next(_normed(graph, attended))
    _, after = graph.norm(after_name)
    opened = _only(graph, after_name, "MatMul")
    added = _only(graph, opened.output[0], "Add").output[0]
    _, up = graph.linear(added)
    leaves, down = _ahead(graph, _activated(graph, added), attended)
    return Layer(enters, leaves, heads, before, query, key, value, out, after, up, down)


def _ahead(graph: Graph, name: str, residual: str) -> tuple[str, Linear]:
    """From what enters a linear layer, over the layer's scale if it has one, to the sum with a residual."""
    product = _only(graph, name, "MatMul")
    name = _only(graph, product.output[0], "Add").output[0]
    _, linear = graph.linear(name)
    node = _single(graph, name)
    if node.op_type == "Mul":
        _, scale = graph.sides(node)
        factor = np.asarray(scale, np.float32)
        linear = Linear(linear.weight * factor, linear.bias * factor)
        node = _single(graph, node.output[0])
    if node.op_type != "Add" or residual not in node.input:
        raise NotRead(f"{name} is not added to {residual}")
    return node.output[0], linear


def _normed(graph: Graph, name: str) -> Iterator[str]:
    """The tensor that is the normalisation of another."""
    for node in graph.takers(name):
        if node.op_type == "LayerNormalization":
            yield node.output[0]
        elif node.op_type == "Sub":
            division = [taker for taker in graph.takers(node.output[0]) if taker.op_type == "Div"]
            if division:
                scaled = _only(graph, division[0].output[0], "Mul")
                yield _only(graph, scaled.output[0], "Add").output[0]
    raise NotRead(f"{name} is not normalised")


def _activated(graph: Graph, name: str) -> str:
    """What GELU makes of a tensor."""
    takers = graph.takers(name)
    if [node.op_type for node in takers] == ["Gelu"]:
        return str(takers[0].output[0])
    # x / sqrt(2), its error function, and 1; times x, and half of it
    division = next(
        (node for node in takers if node.op_type in {"Div", "Mul"} and _by_number(graph, node)), None
    )
    if division is None:
        raise NotRead(f"what follows {name} is no GELU")
    node = _only(graph, _only(graph, division.output[0], "Erf").output[0], "Add")
    node = _only(graph, node.output[0], "Mul")
    again = _single(graph, node.output[0])
    return str(again.output[0] if again.op_type == "Mul" and _by_number(graph, again) else node.output[0])


def _by_number(graph: Graph, node: NodeProto) -> bool:
    return any((value := graph.constant(name)) is not None and value.size == 1 for name in node.input)


def _single(graph: Graph, name: str) -> NodeProto:
    takers = graph.takers(name)
    if len(takers) != 1:
        raise NotRead(f"{name} goes to {len(takers)} places")
    return takers[0]


def _only(graph: Graph, name: str, kind: str) -> NodeProto:
    node = _single(graph, name)
    if node.op_type != kind:
        raise NotRead(f"{name} goes into {node.op_type}, not {kind}")
    return node

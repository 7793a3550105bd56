"""The layers found in a graph are written anew: joined where that is faster, in 8 bits, with merging.

What comes before them (patches, positions) and after them (the head) stays as it is, but for means over
tokens, which count a merged token as often as it has been one. Linear layers are called by the number of
their layer and ``qkv`` (``q``, ``k`` and ``v`` in the last one), ``out``, ``up`` or ``down``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from onnx import NodeProto, helper

from model.levels.forms import Form, factors_of, within
from model.levels.merging import Merge, merged
from model.levels.reading import Graph, Layer, Linear, Norm, NotRead, Vit
from model.levels.sheet import MS, Sheet, reaching
from model.preprocess import Floats

OPSET = 17
BITS = 7


def write(vit: Vit, form: Form) -> onnx.ModelProto:
    """The whole graph with its layers in another form.

    Returns:
        a model with the same inputs and outputs; with merging it takes one picture at a time.

    Raises:
        NotRead: what follows the layers reads more of them than their tokens.
    """
    return _Writer(vit, form).write()


class _Writer:
    def __init__(self, vit: Vit, form: Form) -> None:
        self._vit, self._form = vit, form
        self._graph = Graph(vit.model)
        self._sheet = Sheet()
        self._sizes: str | None = None  # of the tokens, [T, 1], once some are merged
        self._weights: str | None = None  # their logarithms, added to the scores
        self._of: dict[str, str] = {}  # tokens that a layer leaves, and their sizes
        self._after: list[Sheet] = []
        self._merge = within(form.merge, self._tokens()) if form.merge else (Merge(0),) * len(vit.layers)
        if len(self._merge) != len(vit.layers):
            raise NotRead(f"it has {len(vit.layers)} layers, and merging was said of {len(self._merge)}")

    def write(self) -> onnx.ModelProto:
        *others, last = self._vit.layers
        for number, layer in enumerate(others):
            self._layer(number, layer)
        self._layer(len(others), last, narrow=self._reads_first())
        layers, self._sheet.nodes = self._sheet.nodes, []
        model = self._vit.model
        outputs = [value.name for value in model.graph.output]
        before = reaching(model, [self._vit.layers[0].enters], set())
        after = reaching(model, outputs, {layer.leaves for layer in self._vit.layers} | before) - before
        nodes = [node for node in model.graph.node if node.output[0] in before] + layers
        for node in model.graph.node:
            if node.output[0] in after:
                nodes += self._counted(node)
        return self._joined(nodes)

    def _layer(self, number: int, layer: Layer, narrow: bool = False) -> None:
        layer = self._smoothed(number, layer)
        sheet, name = self._sheet, f"levels.{number}"
        width, x = len(layer.query.weight), layer.enters
        normed = self._norm(f"{name}.before", x, layer.before)
        if narrow:  # only the class token is read afterwards: nobody needs the rest of the last layer
            x = sheet.part(x, f"{name}.first", 0, 1, axis=1)
            asks = sheet.part(normed, f"{name}.before.first", 0, 1, axis=1)
            query = self._linear(f"{name}.q", f"{number}.q", asks, layer.query)
            key = self._linear(f"{name}.k", f"{number}.k", normed, layer.key)
            value = self._linear(f"{name}.v", f"{number}.v", normed, layer.value)
        else:
            three = (layer.query, layer.key, layer.value)
            joined = Linear(
                np.concatenate([each.weight for each in three], axis=1),
                np.concatenate([each.bias for each in three]),
            )
            together = self._linear(f"{name}.qkv", f"{number}.qkv", normed, joined)
            query, key, value = (f"{name}.{each}" for each in "qkv")
            sheet.node("Split", [together, sheet.whole(width, width, width)], query, key, value, axis=-1)
        mixed = self._attention(name, query, key, value, layer.heads, width)
        out = self._linear(f"{name}.out", f"{number}.out", mixed, layer.out)
        x = sheet.node("Add", [out, x], f"{name}.attended")
        merge = self._merge[number]
        if not narrow and (merge.least or merge.most):
            x, self._sizes = merged(sheet, f"{name}.merge", x, key, self._sizes, merge, layer.heads, width)
            if self._form.proportional:
                log = sheet.node("Log", [self._sizes], f"{name}.log")
                self._weights = sheet.node("Reshape", [log, sheet.whole(1, 1, 1, -1)], f"{name}.weights")
        if self._sizes is not None:
            self._of[layer.leaves] = self._sizes
        normed = self._norm(f"{name}.after", x, layer.after)
        up = self._linear(f"{name}.up", f"{number}.up", normed, layer.up)
        active = sheet.node("Gelu", [up], f"{name}.active", domain=MS)
        down = self._linear(f"{name}.down", f"{number}.down", active, layer.down)
        sheet.node("Add", [down, x], layer.leaves)

    def _smoothed(self, number: int, layer: Layer) -> Layer:
        """What it says is the same; what its normalisations give is more even."""
        if before := self._form.smooth.get(f"{number}.before"):
            norm, (query, key, value) = evened(before, layer.before, layer.query, layer.key, layer.value)
            layer = replace(layer, before=norm, query=query, key=key, value=value)
        if after := self._form.smooth.get(f"{number}.after"):
            norm, (up,) = evened(after, layer.after, layer.up)
            layer = replace(layer, after=norm, up=up)
        return layer

    def _norm(self, name: str, x: str, norm: Norm) -> str:
        weight = self._sheet.constant(f"{name}.weight", norm.weight)
        bias = self._sheet.constant(f"{name}.bias", norm.bias)
        inputs = [x, weight, bias]
        return self._sheet.node("LayerNormalization", inputs, name, axis=-1, epsilon=norm.epsilon)

    def _linear(self, name: str, place: str, x: str, linear: Linear) -> str:
        sheet = self._sheet
        bias = sheet.constant(f"{name}.bias", linear.bias)
        if self._form.int8 and place not in self._form.floats:
            weight, scale = quantised(linear.weight)
            constants = {"weight": weight, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
            inputs = [sheet.constant(f"{name}.{what}", np.asarray(each)) for what, each in constants.items()]
            return sheet.node("DynamicQuantizeMatMul", [x, *inputs, bias], name, domain=MS)
        product = sheet.node(
            "MatMul", [x, sheet.constant(f"{name}.weight", linear.weight)], f"{name}.product"
        )
        return sheet.node("Add", [product, bias], name)

    def _attention(self, name: str, query: str, key: str, value: str, heads: int, width: int) -> str:
        sheet = self._sheet
        if self._weights is None:
            inputs, output = [query, key, value], f"{name}.mixed"
            return sheet.node("MultiHeadAttention", inputs, output, domain=MS, num_heads=heads)
        # the joined operator wants weights for each pair of tokens, which costs more than it saves
        split = sheet.whole(0, 0, heads, width // heads)
        turned = []
        for what, tensor, order in (
            ("q", query, (0, 2, 1, 3)),
            ("k", key, (0, 2, 3, 1)),
            ("v", value, (0, 2, 1, 3)),
        ):
            each = sheet.node("Reshape", [tensor, split], f"{name}.{what}.heads")
            turned.append(sheet.node("Transpose", [each], f"{name}.{what}.turned", perm=order))
        root = sheet.constant(f"levels.root.{width // heads}", np.array((width // heads) ** -0.5, np.float32))
        query = sheet.node("Mul", [turned[0], root], f"{name}.q.scaled")
        scores = sheet.node("MatMul", [query, turned[1]], f"{name}.scores")
        scores = sheet.node("Add", [scores, self._weights], f"{name}.scores.weighted")
        shares = sheet.node("Softmax", [scores], f"{name}.shares", axis=-1)
        mixed = sheet.node("MatMul", [shares, turned[2]], f"{name}.mixed.heads")
        mixed = sheet.node("Transpose", [mixed], f"{name}.mixed.turned", perm=(0, 2, 1, 3))
        return sheet.node("Reshape", [mixed, sheet.whole(0, 0, width)], f"{name}.mixed")

    def _tokens(self) -> int:
        """How many tokens enter the first layer: as many as have a position."""
        node = self._graph.made.get(self._vit.layers[0].enters)
        for name in node.input if node is not None and node.op_type == "Add" else ():
            value = self._graph.constant(name)
            if value is not None and value.ndim == 3:
                return int(value.shape[1])
        raise NotRead("it does not say how many tokens there are")

    def _reads_first(self) -> bool:
        """Whether of the last layer only the class token is read."""
        takers = self._graph.takers(self._vit.layers[-1].leaves)
        while len(takers) == 1 and takers[0].op_type == "LayerNormalization":
            takers = self._graph.takers(takers[0].output[0])
        return bool(takers) and all(_takes_first(self._graph, node) for node in takers)

    def _counted(self, node: NodeProto) -> list[NodeProto]:
        """A node after the layers; a mean over tokens becomes one that counts what they have been."""
        sliced = self._graph.made.get(node.input[0]) if node.input else None
        if not self._of or node.op_type not in {"ReduceMean", "GlobalAveragePool"}:
            return [node]
        axes = next((list(each.ints) for each in node.attribute if each.name == "axes"), [])
        keeps = next((each.i for each in node.attribute if each.name == "keepdims"), 1)
        tokens = _behind_norms(self._graph, sliced.input[0]) if sliced is not None else ""
        if sliced is None or sliced.op_type != "Slice" or tokens not in self._of or axes != [1]:
            if sliced is not None and axes == [2]:
                return [node]  # of a normalisation
            raise NotRead(
                f"{node.name or node.op_type} takes a mean of other things than the tokens of pictures"
            )
        sheet, name = Sheet(), f"levels.{node.output[0]}"
        rest = sheet.part(self._of[tokens], f"{name}.sizes", 1)
        total = sheet.node("ReduceSum", [rest], f"{name}.total", keepdims=1)
        share = sheet.node("Div", [rest, total], f"{name}.share")
        share = sheet.node("Transpose", [share], f"{name}.share.row", perm=(1, 0))
        if keeps:
            sheet.node("MatMul", [share, node.input[0]], node.output[0])
        else:
            mean = sheet.node("MatMul", [share, node.input[0]], f"{name}.mean")
            sheet.node("Squeeze", [mean, sheet.whole(1)], node.output[0])
        self._after.append(sheet)
        return sheet.nodes

    def _joined(self, nodes: list[NodeProto]) -> onnx.ModelProto:
        source, used = self._vit.model, {name for node in nodes for name in node.input}
        initializers = [tensor for tensor in source.graph.initializer if tensor.name in used]
        for sheet in (self._sheet, *self._after):
            initializers += sheet.tensors(used)
        unique = {tensor.name: tensor for tensor in initializers}
        graph = helper.make_graph(
            nodes, source.graph.name, source.graph.input, source.graph.output, list(unique.values())
        )
        if self._of:
            graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="whosthat")


def evened(text: str, norm: Norm, *linears: Linear) -> tuple[Norm, tuple[Linear, ...]]:
    """A normalisation with its channels divided by factors, and the layers after it with them multiplied.

    Raises:
        NotRead: the factors do not read, or are not as many as channels.
    """
    try:
        factors = factors_of(text)
    except ValueError as error:
        raise NotRead(str(error)) from error
    if factors.shape != norm.weight.shape:
        raise NotRead(f"{len(factors)} factors were said of {len(norm.weight)} channels")
    even = replace(norm, weight=norm.weight / factors, bias=norm.bias / factors)
    return even, tuple(replace(each, weight=each.weight * factors[:, None]) for each in linears)


def quantised(weight: Floats) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int8]], Floats]:
    """Weights [I, O] as whole numbers of `BITS` bits, and for each output what one of them is, [O]."""
    top = 2 ** (BITS - 1) - 1
    scale = (np.maximum(np.abs(weight).max(axis=0), 1e-12) / np.float32(top)).astype(np.float32)
    return np.clip(np.rint(weight / scale), -top, top).astype(np.int8), scale


def _takes_first(graph: Graph, node: NodeProto) -> bool:
    index = graph.constant(node.input[1]) if node.op_type == "Gather" else None
    axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
    return index is not None and axis == 1 and index.size == 1 and not int(index.reshape(-1)[0])


def _behind_norms(graph: Graph, name: str) -> str:
    """What a normalisation in one node is made of: it looks at each token by itself."""
    while (node := graph.made.get(name)) is not None and node.op_type == "LayerNormalization":
        name = node.input[0]
    return name

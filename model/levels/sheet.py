"""Nodes and constants of a graph that is being written, under names that repeat no other's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

MS = "com.microsoft"
"""The domain of operators that ONNX Runtime has and ONNX has not."""

END = np.iinfo(np.int64).max


class Sheet:
    """What has been written so far. Every method that adds a node returns the name of its first output."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def constant(self, name: str, value: ArrayLike) -> str:
        """A tensor that is the same for every picture; the first value of a name stays."""
        self._constants.setdefault(name, np.asarray(value))
        return name

    def whole(self, *values: int) -> str:
        """Whole numbers [N], as shapes, axes and counts are given."""
        return self.constant("levels." + "_".join(map(str, values)), np.array(values, np.int64))

    def node(
        self, kind: str, inputs: Sequence[str], *outputs: str, domain: str = "", **attributes: Any
    ) -> str:
        """One node, named as its first output."""
        node = helper.make_node(kind, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        self.nodes.append(node)
        return outputs[0]

    def part(self, rows: str, name: str, start: int, end: int = END, step: int = 1, axis: int = 0) -> str:
        """Every ``step``-th along an axis, from one to before another."""
        ends = [self.whole(each) for each in (start, end, axis, step)]
        return self.node("Slice", [rows, *ends], name)

    def filled(self, count: str, name: str, value: float | int) -> str:
        """As many of the same number as a tensor [1] of whole numbers says."""
        dtype = np.float32 if isinstance(value, float) else np.int64
        return self.node(
            "ConstantOfShape", [count], name, value=numpy_helper.from_array(np.array([value], dtype))
        )

    def cast(self, tensor: str, name: str, to: int) -> str:
        """The same as another type of number, one of those of ``onnx.TensorProto``."""
        return self.node("Cast", [tensor], name, to=to)

    def tensors(self, used: set[str]) -> list[TensorProto]:
        """The constants that are used, as initialisers."""
        return [
            numpy_helper.from_array(np.ascontiguousarray(value), name)
            for name, value in self._constants.items()
            if name in used
        ]


def reaching(model: onnx.ModelProto, wanted: Sequence[str], stops: set[str]) -> set[str]:
    """The tensors that the wanted ones are made of, no further back than some others."""
    made = {name: node for node in model.graph.node for name in node.output}
    found: set[str] = set()
    ahead = [name for name in wanted if name not in stops]
    while ahead:
        node = made.get(ahead.pop())
        if node is None or node.output[0] in found:
            continue
        found.update(node.output)
        ahead += [name for name in node.input if name and name not in stops]
    return found

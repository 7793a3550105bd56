"""Token merging as operators of a graph says what the paper's algorithm says, written out in NumPy."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from model.levels.forms import adaptive, evenly, within
from model.levels.merging import Merge, merged
from model.levels.sheet import Sheet

HEADS, WIDTH = 3, 12
Floats = NDArray[np.float32]


def plainly(tokens: Floats, keys: Floats, sizes: Floats, merge: Merge) -> tuple[Floats, Floats]:
    """Bipartite soft matching (Bolya et al., ICLR 2023, section 3.1 and appendix D), pair by pair."""
    metric = keys.reshape(len(keys), HEADS, -1).mean(axis=1)
    metric = metric / np.linalg.norm(metric, axis=1, keepdims=True)
    first, second = list(range(0, len(tokens), 2)), list(range(1, len(tokens), 2))
    pairs = []
    for one in first[1:]:  # the class token is never merged
        cosines = [float(metric[one] @ metric[other]) for other in second]
        pairs.append((max(cosines), one, second[int(np.argmax(cosines))]))
    pairs.sort(reverse=True)
    count = merge.least
    if merge.most > merge.least:
        count = max(merge.least, min(merge.most, sum(alike > merge.alike for alike, _, _ in pairs)))
    groups = {each: [each] for each in range(len(tokens))}
    for _, one, other in pairs[:count]:
        groups[other] += groups.pop(one)
    order = [each for each in first if each in groups] + second
    weights = [sizes[groups[each]] for each in order]
    means = [(tokens[groups[each]] * w).sum(axis=0) / w.sum() for each, w in zip(order, weights, strict=True)]
    return np.array(means, np.float32), np.array([w.sum(axis=0) for w in weights], np.float32)


def in_a_graph(tokens: Floats, keys: Floats, sizes: Floats | None, merge: Merge) -> tuple[Floats, Floats]:
    sheet = Sheet()
    given = {"tokens": tokens[None], "keys": keys[None]} | ({} if sizes is None else {"sizes": sizes})
    name = "sizes" if sizes is not None else None
    outputs = merged(sheet, "merge", "tokens", "keys", name, merge, HEADS, WIDTH)
    used = {each for node in sheet.nodes for each in node.input}
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        sheet.nodes,
        "merging",
        [value(name, TensorProto.FLOAT, array.shape) for name, array in given.items()],
        [value(name, TensorProto.FLOAT, None) for name in outputs],
        sheet.tensors(used),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(list(outputs), given)
    return found[0][0], found[1]


@pytest.mark.parametrize("count", [17, 18, 5])
@pytest.mark.parametrize("merge", [Merge(1), Merge(2), Merge(0, 2, 0.2), Merge(1, 2, 0.999)])
@pytest.mark.parametrize("sized", [False, True])
def test_merging_in_a_graph_is_that_of_the_paper(count: int, merge: Merge, sized: bool) -> None:
    random = np.random.default_rng(count)
    tokens, keys = random.normal(size=(2, count, WIDTH)).astype(np.float32)
    sizes = random.integers(1, 5, (count, 1)).astype(np.float32) if sized else None
    ours, our_sizes = in_a_graph(tokens, keys, sizes, within((merge,), count)[0])
    whole = np.ones((count, 1), np.float32) if sizes is None else sizes
    theirs, their_sizes = plainly(tokens, keys, whole, within((merge,), count)[0])
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, atol=1e-5)
    assert np.array_equal(our_sizes, their_sizes)
    # nothing is lost: the mean that counts sizes is that of all tokens
    before, after = (tokens * whole).sum(axis=0), (ours * our_sizes).sum(axis=0)
    assert np.allclose(before, after, atol=1e-4)


def test_no_layer_merges_more_than_it_finds() -> None:
    for merges in (evenly(16, 12), adaptive(2, 24, 0.5, 12)):
        left = 50
        for merge in within(merges, left):
            most = max(merge.least, merge.most)
            assert most <= (left - 1) // 2
            left -= most
        assert left >= 3

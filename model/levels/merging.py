"""Token merging as operators of a graph: tokens that say the same become one, layer by layer.

Bolya et al., *Token Merging: Your ViT But Faster*, ICLR 2023, section 3. Between attention and MLP of a
layer the tokens are dealt into two sets by turns. Each of the first finds the one of the second that its
keys (the mean of the heads) are most alike to; the most alike of these pairs become one token, their mean
weighted by how many tokens they have been (*bipartite soft matching*). The class token stays by itself.

How many pairs is either the same for every picture, as in the paper, or as many as are at least so much
alike: a plain wall is merged sooner than a crowd. The graph takes one picture at a time then, and always
does with merging, since on CPUs a batch gains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from model.levels.sheet import Sheet

FARTHEST = -2.0
"""Less than any cosine."""


@dataclass(frozen=True)
class Merge:
    """How many pairs one layer merges: ``least``, and up to ``most`` that are ``alike`` (a cosine)."""

    least: int
    most: int = 0
    alike: float = 1.0


def merged(
    sheet: Sheet, name: str, tokens: str, keys: str, sizes: str | None, merge: Merge, heads: int, width: int
) -> tuple[str, str]:
    """Write the merging of one layer.

    Args:
        name: begins the names of its nodes.
        tokens: [1, T, D], the class token first.
        keys: [1, T, D], of that layer's attention.
        sizes: how many tokens each has been, [T, 1]; None: one each.

    Returns:
        tokens [1, T', D] and sizes [T', 1]: the class token, the rest of the first set, the second set.
    """
    alike, place = _pairs(sheet, name, keys, heads, width)
    count = _how_many(sheet, name, alike, merge)
    going = f"{name}.going"
    sheet.node("TopK", [alike, count], f"{name}.going.alike", going, axis=0, largest=1, sorted=0)
    staying = _others(sheet, name, alike, going, count)
    to = sheet.node("Gather", [place, going], f"{name}.to")
    to = sheet.node("Unsqueeze", [to, sheet.whole(1)], f"{name}.to.rows")

    rows = sheet.node("Reshape", [tokens, sheet.whole(-1, width)], f"{name}.rows")
    if sizes is None:
        total = sheet.part(sheet.node("Shape", [rows], f"{name}.shape"), f"{name}.total", 0, 1)
        ones = sheet.filled(total, f"{name}.ones", 1.0)
        sizes = sheet.node("Unsqueeze", [ones, sheet.whole(1)], f"{name}.sizes")
        weighted = rows
    else:
        weighted = sheet.node("Mul", [rows, sizes], f"{name}.weighted")
    first = sheet.part(rows, f"{name}.first", 0, 1)
    first_size = sheet.part(sizes, f"{name}.first.size", 0, 1)
    stay = sheet.node("Gather", [sheet.part(rows, f"{name}.a", 2, step=2), staying], f"{name}.stay", axis=0)
    sizes_a = sheet.part(sizes, f"{name}.a.size", 2, step=2)
    stay_size = sheet.node("Gather", [sizes_a, staying], f"{name}.stay.size", axis=0)
    added = []
    for what, source in (("sum", weighted), ("size", sizes)):
        go = sheet.node(
            "Gather",
            [sheet.part(source, f"{name}.a.{what}ed", 2, step=2), going],
            f"{name}.go.{what}",
            axis=0,
        )
        home = sheet.part(source, f"{name}.b.{what}", 1, step=2)
        added.append(sheet.node("ScatterND", [home, to, go], f"{name}.b.{what}med", reduction="add"))
    mean = sheet.node("Div", added, f"{name}.b.mean")
    out = sheet.node("Concat", [first, stay, mean], f"{name}.joined", axis=0)
    size = sheet.node("Concat", [first_size, stay_size, added[1]], f"{name}.joined.size", axis=0)
    return sheet.node("Unsqueeze", [out, sheet.whole(0)], f"{name}.tokens"), size


def _pairs(sheet: Sheet, name: str, keys: str, heads: int, width: int) -> tuple[str, str]:
    """Of each token of the first set but the class token: how much alike its best is, and which it is."""
    split = sheet.node("Reshape", [keys, sheet.whole(-1, heads, width // heads)], f"{name}.keys")
    mean = sheet.node("ReduceMean", [split], f"{name}.keys.mean", axes=[1], keepdims=0)
    unit = sheet.node("LpNormalization", [mean], f"{name}.keys.unit", axis=1, p=2)
    one = sheet.part(unit, f"{name}.keys.a", 2, step=2)
    other = sheet.node("Transpose", [sheet.part(unit, f"{name}.keys.b", 1, step=2)], f"{name}.keys.bt")
    cosines = sheet.node("MatMul", [one, other], f"{name}.cosines")
    place = sheet.node("ArgMax", [cosines], f"{name}.place", axis=1, keepdims=0)
    return sheet.node("ReduceMax", [cosines], f"{name}.alike", axes=[1], keepdims=0), place


def _how_many(sheet: Sheet, name: str, alike: str, merge: Merge) -> str:
    """A tensor [1]."""
    if merge.most <= merge.least:
        return sheet.whole(merge.least)
    enough = sheet.constant(f"{name}.enough", np.array(merge.alike, np.float32))
    over = sheet.node("Greater", [alike, enough], f"{name}.over")
    over = sheet.cast(over, f"{name}.over.whole", TensorProto.INT64)
    found = sheet.node("ReduceSum", [over, sheet.whole(0)], f"{name}.found", keepdims=1)
    found = sheet.node("Min", [found, sheet.whole(merge.most)], f"{name}.at.most")
    return sheet.node("Max", [found, sheet.whole(merge.least)], f"{name}.count")


def _others(sheet: Sheet, name: str, alike: str, going: str, count: str) -> str:
    """Those of the first set that are not going, in their order."""
    total = sheet.node("Shape", [alike], f"{name}.of")
    stays = sheet.filled(total, f"{name}.all", 1)
    none = sheet.filled(count, f"{name}.none", 0)
    stays = sheet.node("ScatterElements", [stays, going, none], f"{name}.stays", axis=0)
    found = sheet.node(
        "NonZero", [sheet.cast(stays, f"{name}.stays.bool", TensorProto.BOOL)], f"{name}.staying.row"
    )
    return sheet.node("Reshape", [found, sheet.whole(-1)], f"{name}.staying")

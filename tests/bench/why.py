"""What measures better as *Why?*: deletion and insertion on real pictures, method by method.

    python -m tests.bench.why --part validation --pictures 40 --json why.json

A method says which cells of a picture matter most. *Deletion* covers them with grey, the hottest first, and
*insertion* uncovers them on a blurred picture, in the same order; the figures are the mean probability of the
character over the steps (the area under the curve of Petsiuk et al., *RISE*, BMVC 2018, section 4.1). A good
method makes the first small and the second large. The pictures are those of characters which the embedded
model names with at least half of its probability, in an order that comes from the seed.

*occlusion* is what the worker does. *shares* is exact for the embedded model's head, which is linear: what
each patch token adds to the character's logit, less what it adds to all others weighted by their
probabilities, led back to the picture by attention rollout. *rollout* is Abnar and Zuidema, ACL 2020,
section 3, which knows no characters. *middle* takes what lies nearest to the middle, *random* anything.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table

from model.builtin import prepare
from model.builtin.graph import HIDDEN
from model.bundle import read_bundle
from model.explaining import covered, filling, heat_of, windows
from model.preprocess import Floats, Pixels, to_pixels
from model.types import NOBODY
from training.pictures import part, read_dataset

ATTENTION = "/backbone/encoder/layer.{}/attention/attention/Softmax_output_0"
LAYERS = 12
CELLS = 16  # the patches of the embedded model, so that no method has to be brought to another grid
STEPS = 8
BLUR = 20
SURE = 0.5
METHODS = ("occlusion", "shares", "rollout", "middle", "random")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One method: the means over the pictures, each with its standard error, and the seconds of a picture."""

    method: str
    pictures: int
    deletion: float
    deletion_error: float
    insertion: float
    insertion_error: float
    seconds: float


class Opened:
    """The embedded model with its inside: what patches are and what they attend to."""

    def __init__(self, folder: Path, threads: int) -> None:
        bundle = read_bundle(folder)
        assert bundle.onnx is not None
        self.info, self.how = bundle.info, bundle.preprocess
        self.layers = tuple(bundle.config["whosthat"]["layers"])
        model = onnx.load(str(bundle.onnx))
        self.inside = [HIDDEN.format(layer) for layer in self.layers]
        self.inside += [ATTENTION.format(layer) for layer in range(LAYERS)]
        self.weight: Floats = next(
            numpy_helper.to_array(each) for each in model.graph.initializer if each.name == "head.weight"
        )
        model.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.inside
        )
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def chances(self, pictures: Sequence[Pixels]) -> Array:
        """Probabilities [N, C]."""
        rows = [
            self._session.run(["logits"], {"pixel_values": self.how.normalise(each[None])})[0][0]
            for each in pictures
        ]
        powers = np.asarray(rows, np.float64) / self.info.calibration.temperature
        powers = np.exp(powers - powers.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def look_inside(self, pixels: Pixels) -> tuple[list[Floats], list[Floats]]:
        """Tokens [T, D] of the head's layers, and attention [T, T] of every layer, the mean of its heads."""
        found = self._session.run(self.inside, {"pixel_values": self.how.normalise(pixels[None])})
        count = len(self.layers)
        return [each[0] for each in found[:count]], [each[0].mean(axis=0) for each in found[count:]]


def rollouts(attention: Sequence[Floats]) -> list[Array]:
    """By layer: how much of each token [T] comes from each patch of the picture [T]."""
    found, so_far = [], np.eye(len(attention[0]))
    for each in attention:
        mixed = 0.5 * each + 0.5 * np.eye(len(each))
        so_far = (mixed / mixed.sum(axis=1, keepdims=True)) @ so_far
        found.append(so_far)
    return found


def heats(model: Opened, pixels: Pixels, chances: Array, who: int, chance: random.Random) -> dict[str, Any]:
    """By method its heat [CELLS * CELLS] and the seconds that it took."""
    began = time.perf_counter()
    places = windows()
    without = model.chances(list(covered(pixels, places, model.how)))[:, who]
    coarse = heat_of(places, float(chances[who]), without.tolist())
    fine = np.asarray(Image.fromarray(coarse).resize((CELLS, CELLS), Image.Resampling.BICUBIC))
    spent = {"occlusion": time.perf_counter() - began}
    found = {"occlusion": fine.ravel()}
    began = time.perf_counter()
    tokens, attention = model.look_inside(pixels)
    rolled = rollouts(attention)
    found["rollout"] = rolled[-1][0, 1:]
    spent["rollout"] = time.perf_counter() - began
    direction = model.weight[who] - chances @ model.weight
    shares = np.zeros(len(tokens[0]))
    for place, (layer, token) in enumerate(zip(model.layers, tokens, strict=True)):
        width = token.shape[1]
        first, mean = direction[2 * width * place :][: 2 * width].reshape(2, width)
        adds = np.concatenate([token[:1] @ first, token[1:] @ mean / (len(token) - 1)])
        shares += adds @ rolled[layer]
    found["shares"] = shares[1:]
    spent["shares"] = time.perf_counter() - began
    rows, columns = np.mgrid[:CELLS, :CELLS] - (CELLS - 1) / 2
    found["middle"] = -(rows**2 + columns**2).ravel()
    found["random"] = np.array([chance.random() for _ in range(CELLS * CELLS)])
    return {method: (found[method], spent.get(method, 0.0)) for method in METHODS}


def curve(model: Opened, start: Pixels, end: Pixels, heat: Floats, who: int) -> float:
    """The mean probability while ``start`` becomes ``end``, the hottest cells first."""
    order = np.argsort(-heat, kind="stable")
    size = len(start) // CELLS
    copy, steps = start.copy(), []
    for some in np.array_split(order, STEPS):
        for cell in some.tolist():
            row, column = divmod(cell, CELLS)
            where = slice(row * size, (row + 1) * size), slice(column * size, (column + 1) * size)
            copy[where] = end[where]
        steps.append(copy.copy())
    return float(model.chances(steps)[:, who].mean())


def measured(model: Opened, folder: Path, name: str, pictures: int, seed: int) -> list[Row]:
    """Every method on as many pictures of a part."""
    chance = random.Random(seed)
    rows = [each for each in part(read_dataset(folder), name) if each.slug != NOBODY]
    chance.shuffle(rows)
    deletion, insertion = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    seconds = defaultdict[str, list[float]](list)
    for each in rows:
        with Image.open(each.path) as opened:
            pixels = to_pixels(opened.convert("RGB"), model.how)
        (chances,) = model.chances([pixels])
        who = int(chances.argmax())
        if model.info.characters[who] == NOBODY or chances[who] < SURE:
            continue
        grey = np.broadcast_to(filling(model.how), pixels.shape).astype(np.uint8)
        blurred = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(BLUR)))
        for method, (heat, spent) in heats(model, pixels, chances, who, chance).items():
            deletion[method].append(curve(model, pixels, grey, heat, who))
            insertion[method].append(curve(model, blurred, pixels, heat, who))
            seconds[method].append(spent)
        sys.stderr.write(f"{len(deletion['random'])} of {pictures}\n")
        if len(deletion["random"]) == pictures:
            break
    return [
        Row(
            method,
            len(deletion[method]),
            *_mean(deletion[method]),
            *_mean(insertion[method]),
            float(np.median(seconds[method])),
        )
        for method in METHODS
    ]


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("WHOSTHAT_PICTURES") or None)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if chosen.data is None:
        sys.exit("name a folder of pictures: --data, or WHOSTHAT_PICTURES")
    model = Opened(prepare(chosen.models), chosen.threads)
    rows = measured(model, chosen.data, chosen.part, chosen.pictures, chosen.seed)
    table = Table("method", "pictures", "deletion ↓", "insertion ↑", "seconds")
    for row in rows:
        table.add_row(
            row.method,
            str(row.pictures),
            f"{row.deletion:.3f} ± {row.deletion_error:.3f}",
            f"{row.insertion:.3f} ± {row.insertion_error:.3f}",
            f"{row.seconds:.2f}" if row.seconds else "",
        )
    Console().print(table)
    if chosen.json:
        report = {"bundle": model.info.id, "part": chosen.part, "methods": [asdict(row) for row in rows]}
        chosen.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

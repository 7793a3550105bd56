"""What 8 bits would spoil in a network, found by looking at pictures: uneven channels and delicate layers.

Activations of 8 bits have 255 steps from the least to the greatest number of a tensor. One channel that is
ten times as large as the others leaves these 25 steps. After a normalisation the channels can be made more
even at no cost, because the next layer's weights can take over what is taken away (Xiao et al.,
*SmoothQuant*, ICML 2023, section 4). Before the last layer of an MLP nothing can be taken over: where its
range is widest, that layer stays in single precision.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper

from model.levels.forms import Form, text_of
from model.levels.reading import Vit
from model.levels.writing import write
from model.preprocess import Floats, Preprocess
from training.looking import pixels_of
from training.pictures import Picture

LOOKED = 64
"""Pictures that are enough: 24 to 96 give factors that differ by a step or two."""
STRENGTH = 0.5
"""How the unevenness is shared by activations (1: all leaves them) and weights: alpha, ibid., equation 4."""
USUALLY = 0.9
"""The quantile over pictures of the largest number of a channel: one picture alone decides nothing."""
DELICATE = 6
"""One layer of so many stays in single precision: those of the widest range, over their root mean square."""


@dataclass(frozen=True)
class Evened:
    """For `model.levels.forms.Form`: its ``smooth``, and as ``floats`` the layers that are delicate."""

    smooth: dict[str, str] = field(default_factory=dict)
    floats: tuple[str, ...] = ()


def evened_by(vit: Vit, pictures: Sequence[Picture], how: Preprocess, *, threads: int = 0) -> Evened:
    """Look at some of the pictures, the same ones each time, with the exact network.

    Raises:
        PicturesError: one does not decode.
    """
    shown = random.Random(0).sample(list(pictures), min(LOOKED, len(pictures)))  # noqa: S311
    layers = range(len(vit.layers))
    names = [f"levels.{number}.{what}" for number in layers for what in ("before", "after", "active")]
    plain = write(vit, Form())
    for name in names:
        plain.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(plain.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (value,) = vit.model.graph.input
    largest: dict[str, list[Floats]] = {name: [] for name in names}
    ranges: dict[str, list[float]] = {name: [] for name in names}
    for picture in shown:
        found = session.run(names, {value.name: how.normalise(pixels_of(picture, how)[None])})
        for name, tensor in zip(names, found, strict=True):
            channels = np.abs(tensor).reshape(-1, tensor.shape[-1])
            largest[name].append(channels.max(axis=0))
            ranges[name].append(float(np.ptp(tensor)) / max(1e-12, float(np.sqrt((tensor**2).mean()))))
    smooth = {}
    for number, layer in enumerate(vit.layers):
        asked = [each.weight for each in (layer.query, layer.key, layer.value)]
        for what, weights in (("before", asked), ("after", [layer.up.weight])):
            usual = np.quantile(largest[f"levels.{number}.{what}"], USUALLY, axis=0)
            smooth[f"{number}.{what}"] = text_of(factors(usual, np.concatenate(weights, axis=1)))
    widest = sorted(layers, key=lambda number: -float(np.mean(ranges[f"levels.{number}.active"])))
    delicate = sorted(widest[: len(layers) // DELICATE])
    return Evened(smooth, tuple(f"{number}.down" for number in delicate))


def factors(largest: Floats, weight: Floats) -> Floats:
    """What each channel [I] is divided by, 1 on (geometric) average; weight [I, O]."""
    by_weight = np.maximum(np.abs(weight).max(axis=1), 1e-6)
    found = np.maximum(largest, 1e-6) ** STRENGTH / by_weight ** (1 - STRENGTH)
    return np.asarray(found / np.exp(np.log(found).mean()), np.float32)

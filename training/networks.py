"""The network in training: a backbone without its head, and a linear head of our own over its features.

Of a ``Dinov2Model`` the features are the first token and the mean of the others of several layers, as in
the embedded model; of any other image classifier what enters its last linear layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForImageClassification, Dinov2Model
from transformers.utils import logging

from model.backends.torch import HEAD, LayersHead
from model.preprocess import Floats
from training.bases import Base
from training.errors import BaseError

DEEP = 3
"""Of a Dinov2 base that says nothing of its layers the first third is left out: edges and textures."""


class Network(nn.Module):
    """Features, brought to mean 0 and deviation 1, dropped out here and there, and a linear layer.

    What brings them there is what did so before training. Numbers of each batch would be those of pictures
    that are cropped, mixed and shown in part, which is not how they look in service.
    """

    def __init__(self, backbone: Any, base: Base, layers: tuple[int, ...], last: str) -> None:
        """``last`` is the name of the linear layer that was the model's own head; "" with ``layers``."""
        super().__init__()
        self.backbone, self.base, self.layers, self.last = backbone, base, layers, last
        # what the base itself knows: weight [K, F] and bias [K]; projection [D, F] and shift [D]
        self.own: tuple[Floats, Floats] | None = None
        self.projection: tuple[Floats, Floats] | None = None
        self.mean: Tensor | None
        self.deviation: Tensor | None
        self.register_buffer("mean", None)
        self.register_buffer("deviation", None)
        self.dropout = nn.Dropout(0.0)
        self.head: nn.Linear | None = None
        # how much a picture of each class counts, [C]
        self.counts: Tensor | None = None
        # parameters up to this depth stand still, and so do their modules
        self.frozen = -1
        self.still: list[nn.Module] = []

    def features(self, pixel_values: Tensor) -> Tensor:
        """``[B, 3, H, W]`` to ``[B, F]``, float32."""
        values = pixel_values.to(next(self.backbone.parameters()).dtype)
        if not self.layers:
            return self.backbone(values).logits.float()  # type: ignore[no-any-return]
        # hidden_states[0] is what enters layer 0
        hidden = self.backbone(values, output_hidden_states=True).hidden_states
        taken = [hidden[layer + 1].float() for layer in self.layers]
        return torch.cat([part for h in taken for part in (h[:, 0], h[:, 1:].mean(dim=1))], dim=1)

    @property
    def body(self) -> Any:
        """The backbone without what peft has put around it."""
        return self.backbone.get_base_model() if hasattr(self.backbone, "get_base_model") else self.backbone

    def moves(self, name: str) -> bool:
        """Whether a parameter lies above what stands still."""
        return self.depth(name) > self.frozen

    def train(self, mode: bool = True) -> Network:
        """As of any module; but no layer that stands still is ever passed over."""
        super().train(mode)
        for module in self.still:
            module.eval()
        return self

    def give_head(self, weight: Floats, bias: Floats, mean: Floats, deviation: Floats) -> None:
        """Start from a head that was fitted to features less ``mean`` and over ``deviation``."""
        classes, width = weight.shape
        self.mean, self.deviation = torch.from_numpy(mean.copy()), torch.from_numpy(deviation.copy())
        self.head = nn.Linear(width, classes)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def plain_head(self) -> tuple[Floats, Floats]:
        """The head for features as they come: weight ``[C, F]`` and bias ``[C]``."""
        assert self.mean is not None and self.deviation is not None and self.head is not None
        weight = self.head.weight.detach().cpu().numpy() / self.deviation.cpu().numpy()
        bias = self.head.bias.detach().cpu().numpy() - weight @ self.mean.cpu().numpy()
        return weight.astype(np.float32), bias.astype(np.float32)

    def forward(self, pixel_values: Tensor, targets: Tensor | None = None) -> dict[str, Tensor]:
        """``logits`` [B, C]; with ``targets`` [B, C] (shares that add up to 1) also ``loss``."""
        assert self.mean is not None and self.deviation is not None and self.head is not None
        features = self.features(pixel_values)
        with torch.autocast(features.device.type, enabled=False):
            logits = self.head(self.dropout((features.float() - self.mean) / self.deviation))
        if targets is None:
            return {"logits": logits}
        shares = targets if self.counts is None else targets * self.counts.to(targets.device)
        return {"loss": -(shares * logits.log_softmax(dim=1)).sum(dim=1).mean(), "logits": logits}

    def depth(self, name: str) -> int:
        """How deep a parameter lies: 0 for the embeddings, the number of layers and 1 for what follows."""
        found = re.search(r"\.(?:layers?|blocks?)\.(\d+)\.", name)
        if found:
            return int(found[1]) + 1
        return 0 if "embed" in name else self.deepest + 1

    @property
    def deepest(self) -> int:
        """How many layers there are."""
        numbers = [re.search(r"\.(?:layers?|blocks?)\.(\d+)\.", name) for name, _ in self.named_parameters()]
        return max((int(found[1]) for found in numbers if found), default=-1) + 1


def open_network(base: Base, *, drop_path: float = 0.0) -> Network:
    """Load a base's weights, from safetensors alone and without anybody's code.

    Args:
        drop_path: how often a layer is passed over in training, where the architecture knows that.

    Raises:
        BaseError: weights are missing, or it does not end in one linear layer.
    """
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    dinov2 = base.kind == "dinov2"
    kind: Any = Dinov2Model if dinov2 else AutoModelForImageClassification
    extra: dict[str, Any] = {}
    if dinov2 or (drop_path and "drop_path_rate" in base.config):
        extra["drop_path_rate"] = drop_path
    try:
        network, report = kind.from_pretrained(
            base.folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **extra,
        )
    except Exception as error:
        # whatever a library says about files that it cannot use, the person reads one sentence
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BaseError(f"the model in {base.folder} cannot be loaded: {first}") from error
    missing = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    missing = [name for name in missing if "mask_token" not in name and "pooler" not in name]
    if dinov2:
        if missing:
            raise BaseError(f"the weights in {base.folder} lack {missing[0]}")
        return _over_layers(network, base)
    return _over_its_last(network, base, missing)


def _over_layers(backbone: Any, base: Base) -> Network:
    count = int(backbone.config.num_hidden_layers)
    layers = base.layers or tuple(range(count // DEEP, count))
    network = Network(backbone, base, layers, "")
    if base.layers:
        tensors = {name: value.numpy() for name, value in _tensors(base) if name.startswith(HEAD)}
        try:
            network.own = tensors[f"{HEAD}weight"], tensors[f"{HEAD}bias"]
            network.projection = tensors[f"{HEAD}projection"], tensors[f"{HEAD}shift"]
        except KeyError as error:
            raise BaseError(f"the weights in {base.folder} lack {error.args[0]}") from None
    return network


def _over_its_last(backbone: Any, base: Base, missing: list[str]) -> Network:
    linear = [(n, m) for n, m in backbone.named_modules() if isinstance(m, nn.Linear)]
    linear = [(name, module) for name, module in linear if module.out_features == backbone.config.num_labels]
    sentence = f"the model in {base.folder} does not end in one linear layer over its classes"
    if not linear:
        raise BaseError(sentence)
    name, last = linear[-1]
    lost = [key for key in missing if not key.startswith(name)]
    if lost:
        raise BaseError(f"the weights in {base.folder} lack {lost[0].split(' ')[0]}")
    pixels = torch.zeros(1, 3, base.preprocess.height, base.preprocess.width)
    backbone.eval()
    with torch.inference_mode():
        before = backbone(pixels).logits
        backbone.set_submodule(name, nn.Identity())
        features = backbone(pixels).logits
        same = features.shape == (1, last.in_features) and torch.allclose(last(features), before, atol=1e-4)
    if not same and bool(before.isfinite().all()):
        raise BaseError(sentence)
    network = Network(backbone, base, (), name)
    if not missing and base.known:
        network.own = last.weight.detach().numpy(), last.bias.detach().numpy()
    return network


def _tensors(base: Base) -> Iterator[tuple[str, Tensor]]:
    from safetensors import safe_open

    for path in sorted(base.folder.glob("model*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                yield name, file.get_tensor(name)


class Finished(nn.Module):
    """What is written to a bundle: pixels to logits and features, as `model.backends.torch` will read it."""

    def __init__(self, network: Network, projection: tuple[Floats, Floats] | None) -> None:
        """Fold the head; ``projection`` (weight ``[D, F]`` and shift ``[D]``) goes with ``layers`` alone."""
        super().__init__()
        weight, bias = (torch.from_numpy(values) for values in network.plain_head())
        self.layers, self.last = network.layers, network.last
        self.backbone = network.backbone.float().cpu().eval()
        self.own: LayersHead | None = None
        self.linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)
        if self.layers:
            assert projection is not None
            tensors = {"weight": weight, "bias": bias}
            tensors |= {
                "projection": torch.from_numpy(projection[0]),
                "shift": torch.from_numpy(projection[1]),
            }
            self.own = LayersHead(self.backbone, list(self.layers), tensors)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[B, C]`` and the embedding ``[B, D]``, rows of length 1."""
        if self.own is not None:
            logits, row = self.own(pixel_values)
        else:
            row = self.backbone(pixel_values).logits
            logits = self.linear(row)
        return logits, nn.functional.normalize(row, dim=1)

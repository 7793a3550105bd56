"""The networks that torch runs: a bundle's weights, and what is computed around them on the device.

Two kinds of bundle are read: any folder of ``AutoModelForImageClassification``, whose embedding is the
vector that enters its last linear layer, and the embedded model, a ``Dinov2Model`` with a head over
several of its layers (``config.json`` says which under ``whosthat``).
"""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from transformers import AutoModelForImageClassification, Dinov2Model
from transformers.utils import logging

from model.bundle import Bundle
from model.errors import BundleDamaged
from model.preprocess import Preprocess

HEAD = "head."
"""Tensors of our own head begin with it in ``model.safetensors``."""


class LayersHead(nn.Module):
    """A backbone and linear maps of the first token and the mean of the others of several layers."""

    def __init__(self, backbone: Any, layers: list[int], head: dict[str, Tensor]) -> None:
        super().__init__()
        self.backbone, self.layers = backbone, layers
        for name in ("weight", "bias", "projection", "shift"):
            self.register_buffer(name, head[name].float())

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[B, C]`` and the embedding before it is brought to length 1, ``[B, D]``."""
        # hidden_states[0] is what enters layer 0
        hidden = self.backbone(pixel_values, output_hidden_states=True).hidden_states
        taken = [_single(hidden[layer + 1]) for layer in self.layers]
        features = torch.cat([part for h in taken for part in (h[:, 0], h[:, 1:].mean(dim=1))], dim=1)
        logits = functional.linear(features, self.weight, self.bias)  # type: ignore[arg-type]
        return logits, functional.linear(features, self.projection, self.shift)  # type: ignore[arg-type]

    def lower(self, dtype: torch.dtype) -> None:
        """Have the backbone compute in half precision; the head stays in single precision."""
        _lowered(self.backbone, dtype)


class _Entering:
    """Holds what enters a layer, as a hook of it. It does not know the network around that: in a cycle a
    worker's network would stay when another takes its place, as no collection looks there (`gc.freeze`)."""

    def __init__(self) -> None:
        self.features: Tensor | None = None

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self.features = _single(inputs[0])
        return (self.features, *inputs[1:])


class WithFeatures(nn.Module):
    """Any image classifier of transformers, together with what enters its last linear layer."""

    def __init__(self, network: Any, last: nn.Linear) -> None:
        super().__init__()
        self.network, self.last = network, last
        self._entering = _Entering()
        last.register_forward_pre_hook(self._entering)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[B, C]`` and features ``[B, D]``."""
        logits = self.network(pixel_values).logits
        features, self._entering.features = self._entering.features, None
        assert features is not None
        # a layer that is applied to every token: the first one stands for the picture
        return logits, features[:, 0] if features.ndim == 3 else features

    def lower(self, dtype: torch.dtype) -> None:
        """Have everything but the last layer compute in half precision."""
        _lowered(self.network, dtype, self.last)


class Whole(nn.Module):
    """All that happens to pictures on the device, from their bytes to one row of numbers for each."""

    def __init__(self, network: LayersHead | WithFeatures, how: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.dtype = torch.float32
        # tensors, not numbers: a GPU multiplies by the reciprocal of a number instead of dividing
        self.register_buffer("divisor", torch.tensor(1 / how.scale, dtype=torch.float32))
        self.register_buffer("mean", torch.tensor(how.mean, dtype=torch.float32).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(how.std, dtype=torch.float32).view(3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Uint8 ``[B, H, W, 3]`` to float32 ``[B, C + D]``: logits, then an embedding of length 1."""
        values = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        values = (values / self.divisor - self.mean) / self.deviation  # type: ignore[operator]
        logits, features = self.network(values.to(self.dtype))
        return torch.cat([logits.float(), functional.normalize(features.float(), dim=1)], dim=1)

    def lower(self, dtype: torch.dtype) -> None:
        """Compute in half precision from now on; what is written out stays in single precision."""
        self.network.lower(dtype)
        self.dtype = dtype


def network_of(bundle: Bundle) -> LayersHead | WithFeatures:
    """A bundle's safetensors, checked, in single precision on the CPU.

    Raises:
        BundleDamaged: the weights are not what the manifest or the config describes.
    """
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    for path in bundle.weights():
        bundle.verify(path)
    ours = bundle.config.get("whosthat")
    return _any_classifier(bundle) if ours is None else _layers_head(bundle, ours)


def _single(values: Tensor) -> Tensor:
    """In single precision. Written so that an export of a network that is leaves no trace of it."""
    return values if values.dtype == torch.float32 else values.float()


def _lowered(network: nn.Module, dtype: torch.dtype, kept: nn.Module | None = None) -> None:
    for module in network.modules():
        # the running variance of a batch normalisation does not fit into eight bits
        if module is kept or isinstance(module, _BatchNorm):
            continue
        for parameter in module.parameters(recurse=False):
            if parameter.is_floating_point():
                parameter.data = parameter.data.to(dtype)
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(module, name, buffer.to(dtype))


def _layers_head(bundle: Bundle, ours: dict[str, Any]) -> LayersHead:
    backbone = _pretrained(Dinov2Model, bundle)
    tensors = load_file(bundle.folder / "model.safetensors")
    head = {name.removeprefix(HEAD): tensor for name, tensor in tensors.items() if name.startswith(HEAD)}
    try:
        return LayersHead(backbone, [int(layer) for layer in ours["layers"]], head)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleDamaged(f"the head in {bundle.folder} does not read: {error!r}") from error


def _any_classifier(bundle: Bundle) -> WithFeatures:
    network = _pretrained(AutoModelForImageClassification, bundle)
    classes = len(bundle.info.characters)
    linear = [m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == classes]
    if not linear:
        raise BundleDamaged(f"the model in {bundle.folder} does not end in a linear layer over its classes")
    return WithFeatures(network, linear[-1])


def _pretrained(kind: Any, bundle: Bundle) -> Any:
    """From safetensors alone, without anybody's code, and with every weight found."""
    network, report = kind.from_pretrained(
        bundle.folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        output_loading_info=True,
    )
    missing = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if missing:
        raise BundleDamaged(f"the weights in {bundle.folder} lack {missing[0]}")
    return network

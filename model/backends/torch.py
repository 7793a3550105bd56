"""torch and transformers: the reference on any device, and what serves on GPUs.

Two kinds of bundle are read: any folder of ``AutoModelForImageClassification``, whose embedding is the
vector that enters its last linear layer, and the embedded model, a ``Dinov2Model`` with a head over
several of its layers (``config.json`` says which under ``whosthat``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForImageClassification, Dinov2Model
from transformers.utils import logging

from model.bundle import Bundle
from model.errors import BundleDamaged
from model.preprocess import Pixels

if TYPE_CHECKING:
    from model.classifier import Output

HEAD = "head."
"""Tensors of our own head begin with it in ``model.safetensors``."""


class TorchClassifier:
    """A bundle in torch, see `model.classifier.Classifier`."""

    level = "exact"
    backend = "torch"

    def __init__(self, bundle: Bundle, network: nn.Module) -> None:
        """``network`` takes ``[B, 3, H, W]`` and gives logits ``[B, C]`` and features ``[B, D]``."""
        self.folder = bundle.folder
        self.info = bundle.info
        self.preprocess = bundle.preprocess
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.eval().to(self._device)

    def __call__(self, pixels: Pixels) -> Output:
        """Look at uint8 pixels ``[B, H, W, 3]``."""
        from model.classifier import Output

        with torch.inference_mode():
            values = torch.from_numpy(self.preprocess.normalise(pixels)).to(self._device)
            logits, features = self._network(values)
            embedding = functional.normalize(features.float(), dim=1)
            return Output(logits.float().cpu().numpy(), embedding.cpu().numpy())


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
        taken = [hidden[layer + 1] for layer in self.layers]
        features = torch.cat([part for h in taken for part in (h[:, 0], h[:, 1:].mean(dim=1))], dim=1)
        logits = functional.linear(features, self.weight, self.bias)  # type: ignore[arg-type]
        return logits, functional.linear(features, self.projection, self.shift)  # type: ignore[arg-type]


class WithFeatures(nn.Module):
    """Any image classifier of transformers, together with what enters its last linear layer."""

    def __init__(self, network: Any, last: nn.Linear) -> None:
        super().__init__()
        self.network = network
        self._features: Tensor | None = None
        last.register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._features = inputs[0]

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[B, C]`` and features ``[B, D]``."""
        logits = self.network(pixel_values).logits
        features, self._features = self._features, None
        assert features is not None
        # a layer that is applied to every token: the first one stands for the picture
        return logits, features[:, 0] if features.ndim == 3 else features


def load_torch(bundle: Bundle, *, threads: int = 0) -> TorchClassifier:
    """Load a bundle's safetensors.

    Args:
        threads: CPU threads of this whole process; 0 leaves it to torch.

    Raises:
        BundleDamaged: the weights are not what the manifest or the config describes.
    """
    if threads:
        torch.set_num_threads(threads)
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    for path in bundle.weights():
        bundle.verify(path)
    ours = bundle.config.get("whosthat")
    return TorchClassifier(bundle, _any_classifier(bundle) if ours is None else _layers_head(bundle, ours))


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

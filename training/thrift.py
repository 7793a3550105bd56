"""What makes fine-tuning cheap: fewer patches, lower layers that stand still, half the bits, fewer pixels.

Only of a network over layers is it known what its parts are; any other one is trained with all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from model.preprocess import Preprocess
from training.networks import Network


@contextmanager
def some_patches(network: Network, share: float) -> Iterator[None]:
    """Meanwhile, in training, only this share of each picture's patches goes through the layers.

    They are drawn anew each time: PatchDropout (Liu et al., WACV 2023). Its cost falls with the share, or a
    little faster, and it augments as well. Whatever is judged has all of its patches.
    """
    if not network.layers or share >= 1:
        yield
        return

    def draw(_: nn.Module, __: Any, tokens: Tensor) -> Tensor | None:
        if not network.training:
            return None
        pictures, patches = len(tokens), tokens.shape[1] - 1  # the first token stands for the whole picture
        order = torch.rand(pictures, patches, device=tokens.device).argsort(dim=1)
        chosen = order[:, : max(1, round(patches * share))] + 1
        chosen = torch.cat([chosen.new_zeros(pictures, 1), chosen], dim=1)
        return tokens.gather(1, chosen[:, :, None].expand(-1, -1, tokens.shape[2]))

    handle = network.body.embeddings.register_forward_hook(draw)
    try:
        yield
    finally:
        handle.remove()


def freeze(network: Network, share: float) -> None:
    """Let the embeddings and this share of the layers, the lowest, stand still from now on."""
    if not network.layers or share <= 0:
        return
    network.frozen = round(share * network.deepest)
    network.still = [module for name, module in network.named_modules() if not network.moves(f"{name}.")]
    for name, parameter in network.named_parameters():
        if not network.moves(name):
            parameter.requires_grad_(False)


@contextmanager
def halved(network: Network, wanted: bool) -> Iterator[dict[Tensor, Tensor]]:
    """Meanwhile the backbone is in bfloat16, with attention as plain products, if that is ``wanted``.

    On CPUs with bfloat16 units that trains a ViT-S about twice as fast as float32, or as bfloat16 with fused
    attention.

    Yields:
        the float32 originals by parameter. Those that stand still have them back in the end.
    """
    if not wanted:
        yield {}
        return
    body = network.body
    attention = body.config._attn_implementation
    originals = {value: value.detach().clone() for value in network.backbone.parameters()}
    body.set_attn_implementation("eager")
    network.backbone.to(torch.bfloat16)
    try:
        yield originals
    finally:
        network.backbone.float()
        body.set_attn_implementation(attention)
        with torch.no_grad():
            for value, original in originals.items():
                if not value.requires_grad:
                    value.copy_(original)


def half_pays() -> bool:
    """Whether this machine computes in bfloat16 faster than in float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    cpu: Any = torch.cpu
    return bool(getattr(cpu, "_is_avx512_bf16_supported", lambda: False)())


def side_of(preprocess: Preprocess, network: Network, share: float) -> int:
    """Pixels of a side in training: smaller than in service where the backbone can do with any size."""
    if not network.layers:
        return preprocess.height
    patch = int(network.backbone.config.patch_size)
    return max(patch, round(preprocess.height * share / patch) * patch)

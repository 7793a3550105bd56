"""The recipe *adapter*: low-rank changes of the upper layers, merged at the end (Hu et al., ICLR 2022).

The base's own weights stay as they are while a few hundred thousand numbers beside them learn, so that little
is forgotten and little memory is needed. Out comes a network like any other, no slower than its base.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import set_seed

from training.augmenting import Augmenting
from training.job import Job, Trained
from training.networks import Network
from training.recipes import head
from training.recipes.full import finish, targets
from training.thrift import freeze
from training.tuning import fine_tune


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice of the recipe *adapter*."""

    # how many directions of each linear layer may change
    rank: int = 16
    # changes are multiplied by this over the rank
    alpha: float = 32.0
    # how often a number that enters an adapter is left out
    adapter_dropout: float = 0.0
    # layer norms and layer scales learn as well: few numbers, and they move the most
    norms: bool = True
    # how often every picture is shown
    epochs: int = 5
    # pictures in a step
    batch: int = 32
    # the learning rate of the adapters, and of the head, which fits already
    lr: float = 5e-4
    head_lr: float = 1e-4
    # pulls matrices towards zero
    weight_decay: float = 0.01
    # the share of the steps in which learning rates rise; then they fall along a cosine
    warmup: float = 0.08
    # gradients longer than this are shortened
    clip: float = 1.0
    # how often a number that enters the head is left out
    dropout: float = 0.2
    # how much of each label goes to other classes
    smoothing: float = 0.1
    # how much of each target is the label; the rest is what classifiers over the frozen features say that
    # have not seen the picture, its logits times `sharper`: they were fitted to smoothed labels. A label
    # that moderators have approved is the whole target
    believe: float = 0.5
    sharper: float = 1.6
    # see the recipe *head*
    doubt: float = 0.03
    balance: float = 0.25
    # the running average of the weights keeps this much of itself at each step
    average: float = 0.998
    # so many epochs without anything better end the training
    patience: int = 2
    # see the recipe *full*; the lowest layers have no adapters
    frozen: float = 1 / 3
    patches: float = 0.5
    smaller: float = 1.0
    # what may happen to a picture
    augmenting: Augmenting = field(default_factory=lambda: Augmenting(mixed=0.25))
    # see the recipe *head*
    precision: float = 0.95


def run(job: Job, recipe: Recipe) -> Trained:
    """From pictures to a network with adapters merged into it."""
    set_seed(job.seed)
    network = job.open()
    fitting = head.Recipe(doubt=recipe.doubt, balance=recipe.balance, smoothing=recipe.smoothing)
    fitted = head.fit_head(job, network, fitting)
    network.give_head(fitted.weight, fitted.bias, fitted.mean, fitted.deviation)
    network.dropout.p = recipe.dropout
    network.counts = torch.from_numpy(fitted.counts)
    freeze(network, recipe.frozen)
    network.backbone = adapted(network, recipe)
    aims = targets(job, fitted, recipe.believe, recipe.sharper)
    curves = fine_tune(job, network, groups(network, recipe), job.believed(fitted.believed), aims, recipe)
    network.backbone = network.backbone.merge_and_unload()
    return finish(job, network, fitted, curves, fitting, recipe.precision)


def adapted(network: Network, recipe: Recipe) -> Any:
    """The backbone with adapters beside the linear layers that may; all else stands still but the norms."""
    body = network.backbone
    linear = [name for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    linear = [name for name in linear if network.moves(f"backbone.{name}.")]
    plan = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]  # peft divides it, whole or not
        lora_dropout=recipe.adapter_dropout,
        target_modules=linear,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers in yesterday's words
        wrapped = get_peft_model(body, plan)
    for name, parameter in wrapped.named_parameters():
        if recipe.norms and ("norm" in name or "layer_scale" in name) and network.moves(f"backbone.{name}"):
            parameter.requires_grad_(True)
    return wrapped


def groups(network: Network, recipe: Recipe) -> list[dict[str, Any]]:
    """Everything that learns with its learning rate; vectors are not pulled towards zero."""
    return [
        {
            "params": [parameter],
            "lr": recipe.head_lr if name.startswith("head.") else recipe.lr,
            "weight_decay": recipe.weight_decay if parameter.ndim > 1 else 0.0,
        }
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    ]

"""The recipe *full*: every weight of the base is fine-tuned, the deeper the less.

It begins with the head that the recipe *head* finds, leaves the labels out that were not believed there,
and ends with the average of its weights that was best on the validation part. On a GPU it takes minutes, on
two cores hours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import set_seed

from model.preprocess import Floats
from training.augmenting import Augmenting
from training.fitting import smoothed
from training.job import Job, Trained
from training.looking import features_of
from training.networks import Network, side_of
from training.recipes import head
from training.tuning import fine_tune, half_pays


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice of the recipe *full*."""

    # how often every picture is shown
    epochs: int = 6
    # pictures in a step
    batch: int = 32
    # the learning rate of the last layer, and of the head
    lr: float = 1e-4
    head_lr: float = 3e-4
    # each layer below learns this much slower (Clark et al., ICLR 2020; Bao et al., ICLR 2022)
    decay: float = 0.8
    # pulls matrices towards zero
    weight_decay: float = 0.05
    # the share of the steps in which learning rates rise; then they fall along a cosine
    warmup: float = 0.08
    # gradients longer than this are shortened
    clip: float = 1.0
    # how often a layer is passed over, where the architecture knows that (Huang et al., ECCV 2016)
    drop_path: float = 0.1
    # how often a number that enters the head is left out
    dropout: float = 0.2
    # how much of each label goes to other classes
    smoothing: float = 0.1
    # see the recipe *head*
    doubt: float = 0.03
    balance: float = 0.25
    # the running average of the weights keeps this much of itself at each step
    average: float = 0.998
    # so many epochs without anything better end the training
    patience: int = 2
    # the side of the pictures in training, of that in service: 168 pixels of 224 cost half the time
    smaller: float = 0.75
    # what may happen to a picture
    augmenting: Augmenting = field(default_factory=Augmenting)
    # see the recipe *head*
    precision: float = 0.95


def run(job: Job, recipe: Recipe) -> Trained:
    """From pictures to a network whose every weight has changed."""
    set_seed(job.seed)
    half, cuda = half_pays(), torch.cuda.is_available()
    network = job.open(drop_path=recipe.drop_path, eager=half and not cuda)
    fitting = head.Recipe(doubt=recipe.doubt, balance=recipe.balance, smoothing=recipe.smoothing)
    fitted = head.fit_head(job, network, fitting)
    network.give_head(fitted.weight, fitted.bias, fitted.mean, fitted.deviation)
    network.dropout.p = recipe.dropout
    network.counts = torch.from_numpy(fitted.counts)
    if half and not cuda:
        network.backbone.to(torch.bfloat16)  # float32 originals are with the optimizer
    curves = fine_tune(
        job,
        network,
        groups(network, recipe),
        job.believed(fitted.believed),
        targets(job, fitted),
        recipe,
        side=side_of(job.base.preprocess, network, recipe.smaller),
        autocast=half and cuda,
    )
    return finish(job, network, fitted, curves, fitting, recipe.precision)


def groups(network: Network, recipe: Recipe) -> list[dict[str, Any]]:
    """Every parameter with its learning rate; vectors are not pulled towards zero."""
    found = []
    for name, parameter in network.named_parameters():
        above = network.deepest + 1 - network.depth(name)
        lr = recipe.head_lr if name.startswith("head.") else recipe.lr * recipe.decay ** max(0, above - 1)
        pull = recipe.weight_decay if parameter.ndim > 1 else 0.0
        found.append({"params": [parameter], "lr": lr, "weight_decay": pull})
    return found


def targets(job: Job, fitted: head.Fitted) -> Floats:
    """``[N, C]`` of the pictures whose labels are believed."""
    shares = None if fitted.shares is None else fitted.shares[fitted.believed]
    return smoothed(job.labels[fitted.believed], len(job.characters), fitted.smoothing, shares)


def finish(
    job: Job,
    network: Network,
    fitted: head.Fitted,
    curves: dict[str, list[tuple[float, float]]],
    fitting: head.Recipe,
    precision: float,
) -> Trained:
    """Look at the pictures once more with the changed backbone, for embedding and calibration."""
    believed = job.believed(fitted.believed)
    again = bool(network.layers)
    with job.progress.phase("looking again", len(job.validation) + again * len(believed)) as step:
        seen = features_of(network, job.validation, step=step)
        learned = features_of(network, believed if again else [], step=step)
    weight, bias = network.plain_head()
    logits = (seen.astype(np.float32) @ weight.T + bias).astype(np.float32)
    return Trained(
        network=network,
        projection=head.embed(job, network, learned, believed, fitting),
        logits=logits,
        calibration=head.calibrate(job, logits, precision),
        curves=curves,
        facts={
            "labels_not_believed": int((~fitted.believed).sum()),
            "steps": int(max((step for points in curves.values() for step, _ in points), default=0)),
        },
    )

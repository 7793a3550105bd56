"""The recipe *full*: the upper layers of the base are fine-tuned, the deeper the less.

It begins with the head that the recipe *head* finds, leaves the labels out that were not believed there, and
ends with the average of its weights that was best on the validation part. Three things make it bearable on a
CPU: half of the patches, lower layers that stand still, and bfloat16 (`training.thrift`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from transformers import set_seed

from model.preprocess import Floats
from training.augmenting import Augmenting
from training.crossing import tuned_opinions
from training.fitting import log_softmax, smoothed
from training.job import Job, Trained
from training.looking import features_of
from training.networks import Network
from training.recipes import head
from training.thrift import freeze
from training.tuning import fine_tune


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice of the recipe *full*."""

    # how often every picture is shown
    epochs: int = 10
    # pictures in a step
    batch: int = 32
    # the learning rate of the last layer, and of the head, which fits already
    lr: float = 1e-4
    head_lr: float = 1e-4
    # each layer below learns this much slower (Clark et al., ICLR 2020; Bao et al., ICLR 2022)
    decay: float = 0.8
    # pulls matrices towards zero
    weight_decay: float = 0.05
    # the share of the steps in which learning rates rise; then they fall along a cosine
    warmup: float = 0.06
    # gradients longer than this are shortened
    clip: float = 1.0
    # how often a layer is passed over, where the architecture knows that (Huang et al., ECCV 2016)
    drop_path: float = 0.1
    # how often a number that enters the head is left out
    dropout: float = 0.2
    # how much of each label goes to other classes
    smoothing: float = 0.1
    # how much of each target is the label; the rest is what classifiers over the frozen features say that
    # have not seen the picture, its logits times `sharper`: they were fitted to smoothed labels. A label
    # that moderators have approved is the whole target
    believe: float = 0.5
    sharper: float = 1.6
    # in how many parts the pictures are cut so that networks fine-tuned on the others, for so many epochs,
    # judge each part, in place of those classifiers: better judges, for as much time again; 0 leaves it
    crossed: int = 0
    crossed_epochs: int = 6
    # see the recipe *head*
    doubt: float = 0.03
    # rare characters count no more than others: what is fine-tuned learns those few by heart
    balance: float = 0.0
    # pulls the head that it begins with towards zero, six times as much as the recipe *head* does: one that
    # is sure of everything leaves the layers below nothing to learn
    head_l2: float = 0.3
    # the running average of the weights keeps this much of itself at each step
    average: float = 0.998
    # so many epochs without anything better end the training
    patience: int = 4
    # the share of the lowest layers that stand still with the embeddings, 4 of 12: they know edges and
    # textures, and what is below them needs no gradients. 0 trains every weight
    frozen: float = 1 / 3
    # the share of each picture's patches that goes through the layers in training, drawn anew each time
    # (PatchDropout: Liu et al., WACV 2023): half the time, at full resolution
    patches: float = 0.5
    # the side of the pictures in training, of that in service
    smaller: float = 1.0
    # what may happen to a picture
    augmenting: Augmenting = field(default_factory=Augmenting)
    # see the recipe *head*
    precision: float = 0.95


def run(job: Job, recipe: Recipe) -> Trained:
    """From pictures to a network whose every weight has changed."""
    set_seed(job.seed)
    network = job.open(drop_path=recipe.drop_path)
    fitting = head.Recipe(doubt=recipe.doubt, balance=recipe.balance, smoothing=recipe.smoothing)
    fitted = head.fit_head(job, network, fitting, l2=recipe.head_l2)
    if recipe.crossed > 1:
        opinions = tuned_opinions(job, fitted, fitting, recipe)
        fitted = replace(fitted, opinions=opinions, believed=head.believed(job, opinions, fitting))
    network.give_head(fitted.weight, fitted.bias, fitted.mean, fitted.deviation)
    network.dropout.p = recipe.dropout
    network.counts = torch.from_numpy(fitted.counts)
    freeze(network, recipe.frozen)
    aims = targets(job, fitted, recipe.believe, recipe.sharper)
    curves = fine_tune(job, network, groups(network, recipe), job.believed(fitted.believed), aims, recipe)
    return finish(job, network, fitted, curves, fitting, recipe.precision)


def groups(network: Network, recipe: Recipe) -> list[dict[str, Any]]:
    """Every parameter that learns with its learning rate; vectors are not pulled towards zero."""
    found = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        above = network.deepest + 1 - network.depth(name)
        lr = recipe.head_lr if name.startswith("head.") else recipe.lr * recipe.decay ** max(0, above - 1)
        pull = recipe.weight_decay if parameter.ndim > 1 else 0.0
        found.append({"params": [parameter], "lr": lr, "weight_decay": pull})
    return found


def targets(job: Job, fitted: head.Fitted, believe: float, sharper: float) -> Floats:
    """``[N, C]`` of the pictures whose labels are believed: partly the label, partly a second opinion.

    The labels of a noisy source cannot be learnt by heart that way: self-distillation across folds, as in
    Reed et al. (ICLR 2015 workshop, *soft* bootstrapping) with classifiers that have not seen the picture.
    """
    which = fitted.believed
    shares = None if fitted.shares is None else fitted.shares[which]
    given = smoothed(job.labels[which], len(job.characters), fitted.smoothing, shares)
    if fitted.opinions is None:
        return given
    said = np.exp(log_softmax(np.float32(sharper) * fitted.opinions[which]))
    share = np.where(head.approved(job.believed(which)), 1, believe)[:, None]
    return np.asarray(share * given + (1 - share) * said, np.float32)


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
        learned = features_of(network, believed if again else [], half=True, step=step)
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

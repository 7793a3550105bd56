"""Second opinions by networks that were fine-tuned without the picture: better judges, and costly ones.

What `training.fitting.second_opinions` does with classifiers over frozen features; as in confident learning
(Northcutt et al., JAIR 2021), whose out-of-sample predictions are only as good as the model behind them.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from model.preprocess import Floats
from training.checkpoints import BEST, load_tensors, save_tensors
from training.fitting import Descent, fit_classifier, log_softmax
from training.job import Job
from training.looking import features_of, standard
from training.recipes import head
from training.thrift import freeze
from training.tuning import fine_tune

if TYPE_CHECKING:
    from training.recipes.full import Recipe

OPINION = "opinion.safetensors"


def tuned_opinions(job: Job, fitted: head.Fitted, fitting: head.Recipe, recipe: Recipe) -> Floats:
    """What networks say of each training picture that were fine-tuned on other parts of them.

    Near copies are in one part. A killed run goes on in the part where it was.

    Returns:
        ``[N, C]``, log-probabilities.
    """
    groups = sorted({picture.group for picture in job.train})
    drawn = np.random.default_rng(job.seed).permutation(len(groups)) % recipe.crossed
    part_of = dict(zip(groups, drawn.tolist(), strict=True))
    part = np.array([part_of[picture.group] for picture in job.train])
    said = np.zeros((len(job.train), len(job.characters)), np.float32)
    for number in range(recipe.crossed):
        run = job.run / f"without-{number}"
        run.mkdir(exist_ok=True)
        if not (run / OPINION).is_file():
            found = _opinion(replace(job, run=run), part != number, fitted, fitting, recipe)
            save_tensors(run / OPINION, {"said": torch.from_numpy(found)})
            # checkpoints are a quarter of a gigabyte each, and nobody goes on from these
            for path in run.glob("checkpoint-*"):
                shutil.rmtree(path, ignore_errors=True)  # several processes do it
            (run / BEST).unlink(missing_ok=True)
        found = load_tensors(run / OPINION, {"said": torch.zeros(0)})["said"].numpy()
        said[part == number] = found
    return said


def _opinion(
    job: Job, seen: NDArray[np.bool_], fitted: head.Fitted, fitting: head.Recipe, recipe: Recipe
) -> Floats:
    """Of what is not ``seen``, by a network that has seen the rest."""
    from training.recipes.full import groups, targets

    classes = len(job.characters)
    learned = fitted.believed & seen
    with threadpool_limits(1):
        x = standard(fitted.train[learned], fitted.mean, fitted.deviation)
        how = Descent(fitting.smoothing, recipe.head_l2, fitting.iterations)
        weight, bias = fit_classifier(x, job.labels[learned], classes, how)
    network = job.open(drop_path=recipe.drop_path)
    network.give_head(weight, bias, fitted.mean, fitted.deviation)
    network.dropout.p = recipe.dropout
    network.counts = torch.from_numpy(fitted.counts)
    freeze(network, recipe.frozen)
    aims = targets(job, replace(fitted, believed=learned), recipe.believe, recipe.sharper)
    short = replace(recipe, epochs=recipe.crossed_epochs)
    fine_tune(job, network, groups(network, recipe), job.believed(learned), aims, short)
    unseen = job.believed(~seen)
    with job.progress.phase("asking for a second opinion", len(unseen)) as step:
        features = features_of(network, unseen, half=True, step=step)
    weight, bias = network.plain_head()
    return log_softmax(features.astype(np.float32) @ weight.T + bias).astype(np.float32)

"""The recipe *head*: the backbone stays as it is, a linear head over its features is fitted.

Every picture is looked at once; the rest takes seconds. It is also what *adapter* and *full* begin with:
they fine-tune from a head that fits already, which keeps what the backbone knows (Kumar et al., ICLR 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from model.preprocess import Floats
from model.types import NOBODY, Calibration
from training.fitting import (
    Descent,
    Prior,
    believable,
    fit_calibration,
    fit_classifier,
    fit_embedding,
    log_softmax,
    second_opinions,
    shares_of_new,
)
from training.job import Job, Trained
from training.looking import Features, features_of, standard
from training.networks import Network
from training.pictures import Picture


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice of the recipe *head*."""

    # also learn from the mirror image of every picture: a second look at each, for about half a point
    mirrored: bool = False
    # how much of each label is spread evenly over all classes: some labels are wrong
    smoothing: float = 0.1
    # with a base that knows the characters: how much of each target is what the base says of the picture;
    # less forgets characters that have few new pictures, more learns little from corrections
    keep: float = 0.3
    # labels that a classifier that has not seen them gives less than this, while it gives another
    # class more than `certainty`, are left out; 0 believes everything
    doubt: float = 0.03
    certainty: float = 0.6
    # in how many parts the training pictures are cut for that
    folds: int = 4
    # with fewer training pictures than this such a classifier says too little, and all are believed
    judges: int = 200
    # labels that moderators have approved are believed
    approved: bool = True
    # how much rare characters count more: 0 every picture the same, 1 every character the same
    balance: float = 0.25
    # pulls the weights of standardised features towards zero, or towards the base's own
    l2: float = 0.05
    # steps of L-BFGS at most
    iterations: int = 100
    # numbers in an embedding, and the principal components that it is made of
    width: int = 256
    components: int = 1000
    # how round the within-class covariance is made before it is inverted
    shrinkage: float = 0.1
    # with fewer training pictures than this a base's own embedding is better than one fitted to them
    embedding_from: int = 1000
    # of more pictures than this some are drawn for it: its time is cubic
    embedding_most: int = 5000
    # "sure" is said from the probability on from which it is right this often on the validation part
    precision: float = 0.95


@dataclass(frozen=True)
class Fitted:
    """A head over features of an unchanged backbone, as `fit_head` finds it.

    ``weight`` ``[C, F]`` and ``bias`` ``[C]`` are for features less ``mean`` and over ``deviation``.
    ``believed`` ``[N]`` says which training labels were learned from, ``opinions`` ``[N, C]`` what
    classifiers that have not seen the picture say (log-probabilities), ``shares`` ``[N, C]`` what an earlier
    model gives it, ``counts`` ``[C]`` how much a picture of each class counts, ``smoothing`` how much was
    taken from the labels.
    """

    weight: Floats
    bias: Floats
    mean: Floats
    deviation: Floats
    believed: NDArray[np.bool_]
    opinions: Floats | None
    shares: Floats | None
    counts: Floats
    smoothing: float
    train: Features
    validation: Features
    curve: tuple[float, ...]


def run(job: Job, recipe: Recipe) -> Trained:
    """From pictures to a head, its embedding and its calibration."""
    network = job.open()
    fitted = fit_head(job, network, recipe)
    network.give_head(fitted.weight, fitted.bias, fitted.mean, fitted.deviation)
    projection = embed(job, network, fitted.train[fitted.believed], job.believed(fitted.believed), recipe)
    weight, bias = network.plain_head()
    logits = fitted.validation.astype(np.float32) @ weight.T + bias
    return Trained(
        network=network,
        projection=projection,
        logits=logits,
        calibration=calibrate(job, logits, recipe.precision),
        curves={"loss": list(enumerate(fitted.curve, 1))},
        facts={"labels_not_believed": int((~fitted.believed).sum())},
    )


def fit_head(job: Job, network: Network, recipe: Recipe, *, l2: float | None = None) -> Fitted:
    """Look at every picture once, decide which labels to believe, fit.

    Args:
        l2: pulls what is fitted at the end, if not as much as what judges the labels.
    """
    looks = len(job.train) * (1 + recipe.mirrored) + len(job.validation)
    with job.progress.phase("looking at the pictures", looks) as step, job.in_turn():
        features = features_of(network, job.train, cache=job.cache, step=step)
        seen = features_of(network, job.validation, cache=job.cache, step=step)
        turned = features[:0]
        if recipe.mirrored:
            turned = features_of(network, job.train, cache=job.cache, mirrored=True, step=step)
    with job.progress.phase("fitting the head", 1) as step, threadpool_limits(1):
        labels, classes = job.labels, len(job.characters)
        plain = features.astype(np.float32)
        mean, deviation = plain.mean(axis=0), plain.std(axis=0) + np.float32(1e-6)
        x = (plain - mean) / deviation
        how = Descent(recipe.smoothing, recipe.l2, recipe.iterations)
        opinions = _opinions(job, x, how, recipe)
        trusted = believed(job, opinions, recipe)
        counts = class_weights(labels[trusted], classes, recipe.balance)
        prior = _prior(job, network, plain, mean, deviation, recipe)
        x, y = x[trusted], labels[trusted]
        shares = None if prior is None else prior.shares
        how = replace(how, l2=recipe.l2 if l2 is None else l2)
        how = how if prior is None else replace(how, smoothing=recipe.keep)
        if prior is not None:
            prior = Prior(prior.weight, prior.bias, prior.shares[trusted])
        if recipe.mirrored:
            x, y = np.concatenate([x, standard(turned, mean, deviation)[trusted]]), np.concatenate([y, y])
            if prior is not None:
                prior = Prior(prior.weight, prior.bias, np.concatenate([prior.shares, prior.shares]))
        curve: list[float] = []
        weight, bias = fit_classifier(x, y, classes, how, weights=counts[y], prior=prior, curve=curve)
        step(1)
    return Fitted(
        weight=weight,
        bias=bias,
        mean=mean,
        deviation=deviation,
        believed=trusted,
        opinions=opinions,
        shares=shares,
        counts=counts,
        smoothing=how.smoothing,
        train=features,
        validation=seen,
        curve=tuple(curve),
    )


def class_weights(labels: np.ndarray[tuple[int], np.dtype[np.int64]], classes: int, balance: float) -> Floats:
    """``[C]``: frequency to the power of -``balance``, 1 on average over the pictures."""
    frequency = np.bincount(labels, minlength=classes) / len(labels)
    weight = np.maximum(frequency, 1 / len(labels)) ** -balance
    return np.asarray(weight / (weight * frequency).sum(), np.float32)


def embed(
    job: Job, network: Network, features: Features, pictures: Sequence[Picture], recipe: Recipe
) -> tuple[Floats, Floats] | None:
    """The linear map to embeddings, for networks over layers; others embed as they are."""
    if not network.layers:
        return None
    if network.projection is not None and len(pictures) < recipe.embedding_from:
        return network.projection
    with job.progress.phase("fitting the embedding", 1) as step, threadpool_limits(1):
        chosen = np.arange(len(pictures))
        if len(chosen) > recipe.embedding_most:
            chosen = np.random.default_rng(job.seed).permutation(chosen)[: recipe.embedding_most]
        plain = features[np.sort(chosen)].astype(np.float32)
        labels = np.unique(job.parts.labels([pictures[i] for i in np.sort(chosen)]), return_inverse=True)[1]
        mean, deviation = plain.mean(axis=0), plain.std(axis=0) + np.float32(1e-6)
        components = max(1, min(recipe.components, len(plain) - 1, plain.shape[1]))
        projection, shift = fit_embedding(
            (plain - mean) / deviation,
            labels,
            components=components,
            shrinkage=recipe.shrinkage,
            width=min(recipe.width, components),
        )
        step(1)
    projection = projection / deviation
    return projection.astype(np.float32), (shift - projection @ mean).astype(np.float32)


def calibrate(job: Job, logits: Floats, precision: float) -> Calibration:
    """Temperature and thresholds on the validation part; the base's threshold where no stranger is in it."""
    slugs, base = job.parts.slugs, job.base.calibration
    known = base.known if base is not None and NOBODY in job.base.known else 0.5
    nobody = slugs.index(NOBODY) if NOBODY in slugs else None
    labels = job.parts.labels(job.validation)
    with threadpool_limits(1):
        return fit_calibration(logits, labels, nobody, precision=precision, known=known)


def approved(pictures: Sequence[Picture]) -> NDArray[np.bool_]:
    """``[N]``: whose labels moderators have approved."""
    return np.array([picture.source == "corrections" for picture in pictures], np.bool_)


def _opinions(job: Job, x: Floats, how: Descent, recipe: Recipe) -> Floats | None:
    """Nobody's when all labels are to be believed, or there are too few to judge by."""
    if recipe.doubt <= 0 or len(x) < recipe.judges:
        return None
    groups, classes = [picture.group for picture in job.train], len(job.characters)
    return second_opinions(x, job.labels, groups, classes, how, folds=recipe.folds, seed=job.seed)


def believed(job: Job, opinions: Floats | None, recipe: Recipe) -> NDArray[np.bool_]:
    """``[N]``: which labels to learn from."""
    found = np.ones(len(job.train), np.bool_)
    if opinions is not None:
        found = believable(opinions, job.labels, doubt=recipe.doubt, certainty=recipe.certainty)
    return found | approved(job.train) if recipe.approved else found


def _prior(
    job: Job, network: Network, plain: Floats, mean: Floats, deviation: Floats, recipe: Recipe
) -> Prior | None:
    """The base's own head in the classes of this training, for standardised features."""
    if network.own is None or not job.base.known:
        return None
    weight, bias = network.own
    classes = len(job.characters)
    rows = [job.parts.slugs.index(slug) for slug in job.base.known]
    here = np.zeros((classes, weight.shape[1]), np.float32)
    # a character that is new begins as unlikely as the base's least likely one
    there = np.full(classes, (bias + weight @ mean).min(), np.float32)
    here[rows], there[rows] = weight * deviation, bias + weight @ mean
    shares = np.zeros((len(plain), classes), np.float32)
    shares[:, rows] = np.exp(log_softmax(plain @ weight.T + bias))
    new = ~np.isin(job.labels, rows)
    shares[new] = shares_of_new(job.labels[new], classes, smoothing=recipe.smoothing, keep=recipe.keep)
    return Prior(here, there, shares)

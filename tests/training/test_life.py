"""The simulation of `make bench-life`: its review is that of Moderators, its training the recipe *head*."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corrections.review.agreement import ReviewRules
from model.types import NOBODY, Answer, Ranked, Verdict
from tests.bench.crowd import CHARACTERS, FIRST, GUESS, review, world
from tests.bench.life_review import RIGHT, Desk, votes_on
from training.pictures import Picture

pytest.importorskip("torch", reason="needs the training dependencies")

from tests.bench.life_days import Rules, begin, live
from tests.bench.life_drawing import draw
from tests.bench.life_model import Seen, learn
from tests.bench.life_pictures import World, components_of, split_by_export
from tests.training.studio import tiny_base, write
from training.recipes.head import Recipe

SLUGS = ("hulk", "loki", "thor")


def test_the_review_of_everything_at_once_is_that_of_bench_review() -> None:
    given = world(3, people=40, cases=300)
    desk = Desk(ReviewRules())
    for case, votes in enumerate(given.votes):
        desk.post(case, GUESS, votes)
    luck = given.moderator()
    desk.moderate(round(FIRST * 300), lambda case: given.decision(luck, case))
    desk.approve_agreed()
    expected = review(given, ReviewRules())
    assert list(desk.decided.items()) == list(expected.decided.items())
    assert desk.agreed == expected.agreed
    assert len(desk.open) == 300 - len(desk.approved)


def test_what_is_approved_stays_and_what_comes_later_is_reviewed_too() -> None:
    given = world(4, people=40, cases=200)
    desk, luck = Desk(ReviewRules()), given.moderator()
    before: dict[int, str] = {}
    for end in (100, 200):
        for case in range(end - 100, end):
            desk.post(case, GUESS, given.votes[case])
        desk.moderate(20, lambda case: given.decision(luck, case))
        desk.approve_agreed()
        assert {case: desk.approved[case] for case in before} == before
        before = dict(desk.approved)
    assert len(desk.decided) == 40
    assert len(before) > 150
    assert sum(before[case] != given.truth[case] for case in before) <= 3


def test_people_are_right_as_often_as_is_said_and_err_towards_the_bot() -> None:
    luck = random.Random(0)
    ranked = tuple(Ranked(slug, 0.3) for slug in ("thor", "loki", "hulk"))
    answer = Answer(Verdict.UNSURE, "thor", 0.3, 0.9, ranked)
    said = Counter(
        label for _ in range(1000) for _, label in votes_on("thor", answer, CHARACTERS, luck, each=5)
    )
    assert abs(said["thor"] / 5000 - RIGHT) < 0.02
    assert said["loki"] > 5 * max(count for slug, count in said.items() if slug not in ("thor", "loki"))
    people = [person for person, _ in votes_on("thor", answer, CHARACTERS, luck)]
    assert len(set(people)) == len(people)


def drawn(source: str, slugs: tuple[str, ...], each: int, split: str, start: int) -> list[Picture]:
    digests = random.Random(start)
    return [
        Picture(
            Path(f"{n}.png"), f"{digests.getrandbits(256):064x}", f"{start}-{n}", split, source, slug, slug
        )
        for n, slug in enumerate(slug for slug in slugs for _ in range(each))
    ]


def small_world(seed: int = 0) -> World:
    """Clouds of points; in the posted ones everybody stands elsewhere, and Loki is new."""
    known = ("hulk", "thor", NOBODY)
    own = drawn("clean", known, 60, "train", 1)
    own = [replace(p, split="validation") if n % 5 == 0 else p for n, p in enumerate(own)]
    posted = drawn("noisy", SLUGS, 60, "train", 2)
    groups = split_by_export(posted)
    posted = [replace(p, split=groups[p.group]) for p in posted]
    judges = drawn("clean", known, 100, "validation", 3) + drawn("noisy", SLUGS, 100, "validation", 4)
    untouched = drawn("clean", known, 40, "test", 5) + drawn("noisy", SLUGS, 100, "test", 6)
    everything = [*own, *posted, *judges, *untouched]
    dice = np.random.default_rng(seed)
    centres = dice.normal(size=(2, 4, 24))
    order = (*SLUGS, NOBODY)
    where = np.stack([centres[int(p.source == "noisy"), order.index(p.slug)] for p in everything])
    x = (1.5 * where + dice.normal(size=where.shape)).astype(np.float32)
    seen = Seen(x, {picture.sha256: row for row, picture in enumerate(everything)})
    return World(tuple(own), tuple(posted), tuple(judges), tuple(untouched), seen)


def test_a_life_learns_from_corrections_and_the_same_seed_is_the_same_life() -> None:
    world_, recipe = small_world(), Recipe(iterations=40)
    first, _ = begin(world_, recipe, 0)
    assert first.info.characters == ("hulk", "thor", NOBODY)

    def life(people: bool) -> list[object]:
        return list(live(world_, first, Rules(people, 60, 12, recipe=recipe), 0, lambda _: None))

    points, perfect = life(True), life(False)
    assert [point.corrections for point in points] == [0, 60, 120, 180]  # type: ignore[attr-defined]
    for each in (points, perfect):
        start, end = each[0].served, each[-1].served  # type: ignore[attr-defined]
        assert start.new == 0
        assert end.new > 0.5
        assert end.noisy > start.noisy + 0.2
        assert end.others > start.others - 0.1
    assert points[-1].exported > 140  # type: ignore[attr-defined]
    assert perfect[-1].exported == 180  # type: ignore[attr-defined]
    assert perfect[-1].wrong == 0  # type: ignore[attr-defined]
    assert points == life(True)


def test_the_gate_keeps_what_serves_when_corrections_are_poisoned() -> None:
    """All are said to be one character: every candidate is refused, and the first model goes on."""
    world_, recipe = small_world(), Recipe(iterations=40)
    first, _ = begin(world_, recipe, 0)
    poisoned = replace(world_, posted=tuple(replace(p, slug="thor", name="thor") for p in world_.posted))
    points = list(live(poisoned, first, Rules(False, 60, recipe=recipe), 0, lambda _: None))
    assert not any(point.promoted for point in points)
    assert all(point.refused for point in points[1:])
    assert points[-1].served == points[0].served
    assert points[-1].candidate != points[0].served


def test_an_export_splits_groups_and_components_turn_without_stretching() -> None:
    pictures = drawn("noisy", SLUGS, 400, "train", 7)
    splits = split_by_export(pictures)
    share = Counter(splits.values())
    assert 0.75 < share["train"] / 1200 < 0.85
    assert set(share) == {"train", "validation", "test"}
    x = np.random.default_rng(0).normal(size=(300, 40)).astype(np.float32) @ np.diag(
        np.linspace(5, 0, 40)
    ).astype(np.float32)
    every = np.arange(200)
    whole, most = components_of(x, every, 0), components_of(x, every, 39)
    distances = [np.linalg.norm(each[:1] - each[1:], axis=1) for each in (whole, most)]
    assert np.allclose(*distances, rtol=0.05)


def test_learning_is_the_recipe_head(tmp_path: Path) -> None:
    """The very weights that ``whosthat train`` fits, without and with a base that knows characters."""
    from threadpoolctl import threadpool_limits

    from training.bases import find_base
    from training.fitting import smoothed
    from training.job import Job
    from training.parts import parts_of
    from training.pictures import read_dataset
    from training.recipes.head import calibrate, fit_head

    write(tmp_path / "pictures", of_each=60)
    tiny_base(tmp_path / "base")
    base = find_base(str(tmp_path / "base"), tmp_path)
    parts = parts_of([read_dataset(tmp_path / "pictures")], (), key=lambda _: "", seed=0)
    recipe = Recipe(iterations=30, judges=50)
    job = Job(base, parts, 0, tmp_path / "cache", tmp_path)
    network = job.open()
    fitted = fit_head(job, network, recipe)
    pictures = [*parts.train, *parts.validation]
    plain = np.concatenate([fitted.train, fitted.validation]).astype(np.float32)
    x = (plain - fitted.mean) / fitted.deviation
    seen = Seen(x, {picture.sha256: row for row, picture in enumerate(pictures)})
    with threadpool_limits(1):
        model = learn(parts, seen, None, recipe, 0, "first")
    assert np.allclose(model.weight, fitted.weight, atol=1e-5)
    assert np.allclose(model.bias, fitted.bias, atol=1e-5)
    assert (model.believed == fitted.believed).all()
    assert model.info.calibration == calibrate(job, model.logits(seen.of(parts.validation)), recipe.precision)

    # what it knows is the base of the next training, in which one character is new
    old = [row for row, slug in enumerate(parts.slugs) if slug != "thanos"]
    info = replace(model.info, characters=tuple(parts.slugs[row] for row in old))
    knows = replace(model, info=info, weight=model.weight[old], bias=model.bias[old])
    network.own = (
        knows.weight / fitted.deviation,
        knows.bias - knows.weight @ (fitted.mean / fitted.deviation),
    )
    there = replace(base, known=info.characters, calibration=info.calibration)
    again = Job(there, parts, 1, tmp_path / "cache", tmp_path)
    second = fit_head(again, network, recipe)
    with threadpool_limits(1):
        taught = learn(parts, seen, knows, recipe, 1, "second")
    assert np.allclose(taught.weight, second.weight, atol=1e-4)
    assert np.allclose(taught.bias, second.bias, atol=1e-4)
    # of a new character the base has nothing to say, of another what it thinks
    new = again.labels == parts.slugs.index("thanos")
    assert second.shares is not None
    targets = smoothed(again.labels, len(parts.slugs), recipe.keep, second.shares)
    plain = smoothed(again.labels, len(parts.slugs), recipe.smoothing)
    assert np.allclose(targets[new], plain[new], atol=1e-6)
    assert (second.shares[~new][:, parts.slugs.index("thanos")] == 0).all()


def test_the_drawing_is_a_picture(tmp_path: Path) -> None:
    curve = ([0, 200, 400], np.array([[0.2, 0.3, 0.4], [0.25, 0.35, 0.4]]))
    draw(tmp_path / "new" / "life.png", {"one": {"perfect labels": curve}, "two": {"perfect labels": curve}})
    assert (tmp_path / "new" / "life.png").read_bytes().startswith(b"\x89PNG")

"""What the gate asks of a candidate, each thing by a stated test, with its sentence and its figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.preprocess import Floats
from model.types import NOBODY
from training.evaluating import Judged
from training.measuring import Flags, auroc, expected_calibration_error
from training.paired import (
    Change,
    auroc_change,
    balanced_change,
    calibration_change,
    holm,
    lower_bound,
    pictures_needed,
    share_change,
    worse_by_chance,
)
from training.pictures import Picture


@dataclass(frozen=True, slots=True)
class Margins:
    """How much worse is still not worse. What is *beyond* a margin is beyond chance too (5 %, one-sided)."""

    # the candidate's share of right answers may be so much lower: the lower end of the one-sided 95 %
    # score interval of the paired difference (Tango 1998) must lie above it
    overall: float = 0.01
    # a character is worse when the exact one-sided McNemar test says so at this level, over all
    # characters together (Holm 1979)
    per_character: float = 0.05
    # or when it lost so large a share of its pictures, and the test says so at that level for it alone:
    # Holm's correction needs twice the pictures to see 20 points among eleven characters
    fall: float = 0.10
    # the expected calibration error may grow by so much
    calibration: float = 0.04
    # wrong answers said with certainty, as a share of all pictures, may grow by so much
    sure_wrong: float = 0.03
    # the area under the curve that tells strangers from characters may fall by so much
    auroc: float = 0.02
    # decisions between nobody and somebody, by the bundle's own threshold: the mean of the shares of
    # strangers turned away and characters let in may fall by so much
    told: float = 0.04
    # times as long as the bundle in service, for the same pictures
    speed: float = 1.5
    # on corrections the candidate is refused when it is worse by the exact McNemar test at this level:
    # there are too few of them to show that it is within a point
    corrections: float = 0.05


MARGINS = Margins()


@dataclass(frozen=True)
class Reason:
    """One thing that was asked: whether it holds, a sentence for people, and the figures behind it."""

    check: str
    passed: bool
    sentence: str
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """Both on the same pictures: read by both, of characters that both know, one of near copies."""

    pictures: Sequence[Picture]
    now: Judged
    new: Judged

    @property
    def slugs(self) -> NDArray[np.str_]:
        return self.now.slugs

    @property
    def ours(self) -> Flags:
        """[N]: pictures of characters."""
        return np.asarray(self.slugs != NOBODY)


def label_sets(old: Set[str], new: Set[str], counts: Mapping[str, int], allow_missing: bool) -> Reason:
    """Whether the candidate still knows everybody; ``counts`` are the pictures of each character."""
    missing, added = sorted(old - new), sorted(new - old)
    said = []
    if missing:
        said.append(
            f"it no longer knows {', '.join(missing)}" + (", which is allowed" if allow_missing else "")
        )
    if added:
        shown = ", ".join(f"{slug} ({counts.get(slug, 0)} pictures)" for slug in added)
        said.append(f"it also knows {shown}: counted overall alone, the bundle in service cannot name them")
    return Reason(
        "characters",
        allow_missing or not missing,
        "; ".join(said) or f"both know the same {len(new)} characters",
        {
            "known": len(new),
            "missing": missing,
            "new": added,
            "new_pictures": {slug: counts.get(slug, 0) for slug in added},
            "allowed": allow_missing,
        },
    )


def overall(pair: Pair, anew: Flags, margins: Margins) -> Reason:
    """With pictures of characters that the bundle in service cannot name (``anew``): there it is wrong.

    Their gain must not hide a loss on the others, which are therefore looked at alone as well.
    """
    before, after = pair.now.right()[pair.ours], pair.new.right()[pair.ours]
    alone = worse_by_chance(int((after & ~before).sum()), int((before & ~after).sum()))
    before, after = np.concatenate([before, np.zeros(len(anew), np.bool_)]), np.concatenate([after, anew])
    count = len(before)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    bound = lower_bound(gained, lost, count)
    hidden = len(anew) > 0 and alone <= margins.per_character
    passed = bound > -margins.overall and not hidden
    difference = (gained - lost) / count
    sentence = (
        f"right {after.mean():.1%} instead of {before.mean():.1%} of {count} pictures "
        f"({gained} gained, {lost} lost); with 95 % certainty at least {_points(bound)}"
    )
    needed = pictures_needed((gained + lost) / count, margins.overall)
    if hidden:
        sentence += f"; but of the characters that both know more is lost than by chance (p = {alone:.3f})"
    elif not passed:
        sentence += f", and {_points(-margins.overall)} is asked for"
        if difference > -margins.overall and needed > count:
            sentence += f": an equally good candidate needs about {needed:,} pictures to show it"
    return Reason(
        "overall",
        passed,
        sentence,
        {
            "pictures": count,
            "before": float(before.mean()),
            "after": float(after.mean()),
            "gained": gained,
            "lost": lost,
            "bound": bound,
            "margin": -margins.overall,
            "pictures_needed_if_equal": needed,
            "known_before_alone_p": alone if hidden else None,
        },
    )


def per_character(check: str, pair: Pair, margins: Margins) -> Reason:
    """One reason for all characters together."""
    before, after = pair.now.right(), pair.new.right()
    slugs = sorted(set(pair.slugs[pair.ours].tolist()))
    rows = []
    for slug in slugs:
        of = pair.slugs == slug
        gained, lost = int((after & ~before & of).sum()), int((before & ~after & of).sum())
        rows.append((slug, int(of.sum()), before[of].mean(), after[of].mean(), worse_by_chance(gained, lost)))
    together = holm([row[4] for row in rows], margins.per_character)
    worse = [
        row
        for row, significant in zip(rows, together, strict=True)
        if significant or (row[4] <= margins.per_character and row[2] - row[3] >= margins.fall - 1e-9)
    ]
    told = [f"{slug} {was:.0%} → {now:.0%} of {count} (p = {p:.1g})" for slug, count, was, now, p in worse]
    return Reason(
        check,
        not worse,
        f"worse on {', '.join(told)}" if worse else f"no character of {len(slugs)} is significantly worse",
        {
            "worse": [row[0] for row in worse],
            "characters": {
                slug: {"pictures": count, "before": float(was), "after": float(now), "p": p}
                for slug, count, was, now, p in rows
            },
        },
    )


def honesty(pair: Pair, margins: Margins) -> Iterator[Reason]:
    """Whether its confidence is as true as it was, and its certainty as seldom wrong."""
    before, after = pair.now.answers.top(pair.slugs), pair.new.answers.top(pair.slugs)
    change = calibration_change(before, after)
    was, now = (expected_calibration_error(*each) for each in (before, after))
    yield _within(
        "calibration",
        change,
        margins.calibration,
        f"calibration error {now:.3f} instead of {was:.3f}",
        (was, now),
    )
    wrongly = [each.answers.sure & ~each.right() for each in (pair.now, pair.new)]
    yield _within(
        "certainty",
        share_change(*wrongly),
        margins.sure_wrong,
        f"wrong and yet certain: {wrongly[1].mean():.1%} instead of {wrongly[0].mean():.1%} of the pictures",
        (wrongly[0].mean(), wrongly[1].mean()),
    )


def strangers(pair: Pair, margins: Margins) -> Iterator[Reason]:
    """Whether it tells pictures of nobody as well as before."""
    strangers = ~pair.ours
    if strangers.sum() < 2:
        yield Reason("strangers", True, "not measured: there are no pictures of nobody", {})
        return
    known = [each.answers.known for each in (pair.now, pair.new)]
    was, now = (auroc(k[strangers], k[~strangers]) for k in known)
    yield _within(
        "strangers",
        auroc_change(known[0], known[1], strangers),
        margins.auroc,
        f"strangers told apart (AUROC) {now:.3f} instead of {was:.3f}",
        (was, now),
    )
    rightly = [np.where(strangers, ~each.answers.told, each.answers.told) for each in (pair.now, pair.new)]
    shares = [(r[strangers].mean() + r[~strangers].mean()) / 2 for r in rightly]
    yield _within(
        "nobody",
        balanced_change(rightly[0], rightly[1], strangers),
        margins.told,
        f"nobody or somebody rightly said {shares[1]:.1%} instead of {shares[0]:.1%} of the time",
        (shares[0], shares[1]),
    )


def speed(candidate: Floats, current: Floats, margins: Margins) -> Reason:
    """Whether it is about as quick; milliseconds of the same pictures, taken in turns."""
    ratios = candidate / current
    half = 1.2533 * float(ratios.std()) / max(1.0, len(ratios) ** 0.5)  # the standard error of a median
    middle = float(np.median(ratios))
    times = [float(np.median(each)) for each in (current, candidate)]
    return Reason(
        "speed",
        not Change(middle - 1, half).beyond(margins.speed - 1),
        f"{times[1]:.0f} ms a picture instead of {times[0]:.0f} ms: {middle:.2f} times as long, "
        f"at most {margins.speed:g} times is allowed",
        {"before_ms": times[0], "after_ms": times[1], "ratio": middle, "margin": margins.speed},
    )


def corrected(pair: Pair, margins: Margins) -> Reason:
    """Whether it is worse on recent corrections by the exact McNemar test."""
    before, after = pair.now.right()[pair.ours], pair.new.right()[pair.ours]
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    p = worse_by_chance(gained, lost)
    return Reason(
        "corrections",
        p > margins.corrections,
        f"right {after.mean():.1%} instead of {before.mean():.1%} of {len(before)} recent corrections "
        f"({gained} gained, {lost} lost, p = {p:.2g})",
        {
            "pictures": len(before),
            "before": float(before.mean()),
            "after": float(after.mean()),
            "gained": gained,
            "lost": lost,
            "p": p,
        },
    )


def _within(check: str, change: Change, margin: float, sentence: str, figures: tuple[float, float]) -> Reason:
    """A figure (``before``, ``after``) that may get worse by a margin."""
    passed = not change.beyond(margin)
    error = change.error if math.isfinite(change.error) else None  # JSON knows no infinity
    before, after = map(float, figures)
    return Reason(
        check,
        passed,
        sentence + (f", at most {margin:g} worse is allowed" if not passed else ""),
        {
            "before": before,
            "after": after,
            "worse_by": change.worse_by,
            "standard_error": error,
            "margin": margin,
        },
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"

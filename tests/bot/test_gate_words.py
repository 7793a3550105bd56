"""What the gate found, in both languages: the catalogue's English is the gate's own, word for word."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from bot.retraining.reasoning import found_text
from bot.retraining.types import CHECKS_SAID, OTHER_CHECK, Reason
from bot.retraining.wording import reason_text
from bot.words import words
from model.types import NOBODY
from tests.training.test_gate import EACH, SLUGS, mistakes, scores
from training.gating import Ruling, Scores, gate
from training.reasons import Margins


def _rulings() -> Iterator[Ruling]:
    """Between them every sentence that the gate has, held and not held."""
    same, worse = mistakes(), mistakes(0.18)
    now = scores(same)
    times = np.random.default_rng(0).uniform(38, 44, 60).astype(np.float32)
    fewer = scores(same, slugs=("hulk", "loki", NOBODY))
    yield gate(replace(now, milliseconds=times), replace(now, milliseconds=times))
    yield gate(replace(now, milliseconds=2 * times), replace(now, milliseconds=times))
    yield gate(scores(worse), now)
    for changes in ({"sharp": 12.0}, {"sure": 0.5}, {"known": 0.0}):
        yield gate(scores(same, **changes), now)
    strangers = same.copy()
    strangers[3 * EACH :] |= np.arange(EACH) % 3 == 0
    yield gate(scores(strangers), now)
    yield gate(fewer, now)
    yield gate(fewer, now, allow_missing=True)
    hidden = mistakes()
    hidden[: 2 * EACH] |= mistakes(0.1, seed=2)[: 2 * EACH]
    yield gate(scores(hidden), fewer)
    some = np.arange(0, len(SLUGS) * EACH, 15)
    few = [scores(mistakes(0.13, seed=seed)) for seed in (1, 2)]
    yield gate(
        *(Scores([each.pictures[row] for row in some], each.predictions.of(some)) for each in few),
        Margins(overall=0.01),
    )
    nobody = np.flatnonzero([picture.slug != NOBODY for picture in now.pictures])
    alone = Scores([now.pictures[row] for row in nobody], now.predictions.of(nobody))
    yield gate(alone, alone)
    rows = np.r_[0:40, EACH : EACH + 40]
    corrected = [
        replace(
            now, corrected=[now.pictures[row] for row in rows], corrections=scores(w).predictions.of(rows)
        )
        for w in (worse, same)
    ]
    yield gate(*corrected)


@pytest.fixture(scope="module")
def reasons() -> list[Reason]:
    said = [each for ruling in _rulings() for each in json.loads(json.dumps(ruling.to_json()))["reasons"]]
    return [
        Reason(CHECKS_SAID[each["check"]], each["passed"], each["sentence"], (), each["figures"])
        for each in said
    ]


def test_in_english_it_is_what_the_gate_says(reasons: list[Reason]) -> None:
    for reason in reasons:
        assert found_text(reason.key, reason.passed, reason.figures, words("en")) == reason.sentence


def test_no_english_is_left_in_chinese(reasons: list[Reason]) -> None:
    for reason in reasons:
        text = found_text(reason.key, reason.passed, reason.figures, words("zh-CN"))
        left = set(re.findall(r"[A-Za-z]{2,}", text)) - {"AUROC", *SLUGS}
        assert text and not left, text


def test_every_check_and_every_word_was_tried(reasons: list[Reason]) -> None:
    assert {reason.key for reason in reasons} == set(CHECKS_SAID.values())
    said = " ".join(reason.sentence for reason in reasons)
    for part in (
        "no longer knows",
        "which is allowed",
        "also knows",
        "worse on",
        "is asked for",
        "more is lost than by chance",
        "an equally good candidate",
        "worse is allowed",
        "not measured",
        "times as long",
        "recent corrections",
    ):
        assert part in said, part


def test_an_older_report_is_shown_as_the_gate_wrote_it() -> None:
    for key, figures in ((CHECKS_SAID["overall"], {"gained": 3}), (OTHER_CHECK, {})):
        assert "as it was" in reason_text(Reason(key, True, "as it was", (), figures), words("zh-CN"))

"""The gate: what it refuses and for what reason, on numbers made for it; and the command on real bundles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.types import NOBODY, BundleInfo, Calibration
from tests.standins.bundles import tiny_bundle
from tests.training.test_evaluate import PEOPLE, folder_of, run
from training.errors import EvaluationError
from training.gating import Ruling, Scores, gate
from training.pictures import Picture
from training.predicting import Predictions
from training.reasons import Margins

SLUGS = ("hulk", "loki", "thor", NOBODY)
EACH = 300


def pictures_of(slugs: tuple[str, ...] = SLUGS, each: int = EACH) -> list[Picture]:
    return [
        Picture(Path(f"{slug}-{n}.png"), f"{slug}-{n}", f"{slug}-{n}", "test", "", slug, slug)
        for slug in slugs
        for n in range(each)
    ]


def scores(
    wrong: NDArray[np.bool_], *, sharp: float = 0.0, slugs: tuple[str, ...] = SLUGS, **calibration: float
) -> Scores:
    """Wrong where it is told to be, by naming the next class; honest unless ``sharp`` is given."""
    share = float(np.clip(wrong.mean(), 0.01, 0.5))
    sharp = sharp or float(np.log((len(slugs) - 1) * (1 - share) / share))
    pictures = pictures_of()
    logits = np.zeros((len(pictures), len(slugs)), np.float32)
    for row, picture in enumerate(pictures):
        if picture.slug in slugs:
            logits[row, (slugs.index(picture.slug) + int(wrong[row])) % len(slugs)] = sharp
    info = BundleInfo("x", slugs, Calibration(**{"sure": 0.99, "known": 0.5, **calibration}))
    nothing = np.zeros((len(logits), 1), np.float32)
    return Scores(pictures, Predictions(info, logits, nothing, nothing[:, 0]))


def mistakes(share: float = 0.13, seed: int = 0) -> NDArray[np.bool_]:
    """In as many pictures of each class, nobody among them."""
    wrong = np.zeros(len(SLUGS) * EACH, bool)
    for place in range(len(SLUGS)):
        hit = np.random.default_rng([seed, place]).permutation(EACH)[: round(share * EACH)]
        wrong[place * EACH + hit] = True
    return wrong


def refused_by(ruling: Ruling) -> set[str]:
    return {reason.check for reason in ruling.reasons if not reason.passed}


def test_the_very_same_is_promoted() -> None:
    ruling = gate(scores(mistakes()), scores(mistakes()))
    assert ruling.promoted and not ruling.worse
    json.dumps(ruling.to_json())


def test_a_better_one_is_promoted() -> None:
    assert gate(scores(mistakes(0.08, seed=1)), scores(mistakes())).promoted


def test_a_worse_one_is_refused_and_its_pictures_are_shown() -> None:
    before, after = mistakes(), mistakes(0.18)
    ruling = gate(scores(after), scores(before))
    assert "overall" in refused_by(ruling)
    ours = np.array([p.slug != NOBODY for p in pictures_of()])
    assert len(ruling.worse) == int((after & ~before & ours).sum())
    assert {p.slug for p in ruling.worse} <= {"hulk", "loki", "thor"}


def test_one_character_worse_is_refused_though_the_rest_makes_up_for_it() -> None:
    after = mistakes(0.02)
    after[:EACH] = np.arange(EACH) % 4 == 0  # hulk: 25 % wrong instead of 13 %
    ruling = gate(scores(after), scores(mistakes()))
    assert refused_by(ruling) == {"per character"}
    (reason,) = (each for each in ruling.reasons if not each.passed)
    assert reason.figures["worse"] == ["hulk"]
    assert ruling.worse[0].slug == "hulk"


def test_too_few_pictures_are_said_to_be_too_few() -> None:
    """Who is no worse but differs in much is not promoted on 60 pictures, and hears how many it takes."""
    some = np.arange(0, len(SLUGS) * EACH, 15)

    def few(wrong: NDArray[np.bool_]) -> Scores:
        whole = scores(wrong)
        return Scores([whole.pictures[row] for row in some], whole.predictions.of(some))

    ruling = gate(few(mistakes(0.13, seed=1)), few(mistakes(0.13, seed=2)), Margins(overall=0.01))
    (reason,) = (each for each in ruling.reasons if each.check == "overall")
    assert not reason.passed
    assert reason.figures["pictures_needed_if_equal"] > 1000


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"sharp": 12.0}, "calibration"),
        ({"sharp": 1.2}, "calibration"),
        ({"sure": 0.5}, "certainty"),
        ({"known": 0.0}, "nobody"),
        ({"known": 1.0}, "nobody"),
    ],
)
def test_as_often_right_but_not_honest(changes: dict[str, float], check: str) -> None:
    assert check in refused_by(gate(scores(mistakes(), **changes), scores(mistakes())))


def test_strangers_that_it_no_longer_tells_apart() -> None:
    after = mistakes()
    after[3 * EACH :] |= np.arange(EACH) % 3 == 0
    assert "strangers" in refused_by(gate(scores(after), scores(mistakes())))


def test_slower_is_refused_beyond_the_margin_alone() -> None:
    times = np.random.default_rng(0).uniform(38, 44, 60).astype(np.float32)
    now = replace(scores(mistakes()), milliseconds=times)
    for factor, promoted in ((1.0, True), (1.3, True), (2.0, False)):
        new = replace(scores(mistakes()), milliseconds=factor * times[::-1])
        assert gate(new, now).promoted is promoted


def test_a_character_less_and_a_character_more() -> None:
    fewer = scores(mistakes(), slugs=("hulk", "loki", NOBODY))
    assert "characters" in refused_by(gate(fewer, scores(mistakes())))
    assert gate(scores(mistakes()), fewer).promoted
    (reason,) = (r for r in gate(scores(mistakes()), fewer).reasons if r.check == "characters")
    assert reason.figures["new"] == ["thor"] and "thor (300 pictures)" in reason.sentence
    assert "characters" not in refused_by(gate(fewer, scores(mistakes()), allow_missing=True))


def test_a_character_more_counts_and_hides_no_loss() -> None:
    fewer = scores(mistakes(), slugs=("hulk", "loki", NOBODY))
    elsewhere = scores(mistakes(seed=1))
    # on what both know it cannot be shown to be as good; whom it alone can name makes up for that
    assert "overall" in refused_by(gate(elsewhere, scores(mistakes())))
    assert gate(elsewhere, fewer).promoted
    worse = mistakes()
    worse[: 2 * EACH] |= mistakes(0.1, seed=2)[: 2 * EACH]
    (reason,) = (r for r in gate(scores(worse), fewer).reasons if r.check == "overall")
    assert not reason.passed
    assert "more is lost than by chance" in reason.sentence


def test_nothing_in_common_and_other_pictures_are_sentences() -> None:
    other = scores(mistakes(), slugs=("groot", "rocket"))
    with pytest.raises(EvaluationError, match="no character in common"):
        gate(other, scores(mistakes()))
    now = scores(mistakes())
    with pytest.raises(EvaluationError, match="different pictures"):
        gate(Scores(now.pictures[::-1], now.predictions), now)


def test_near_copies_count_once() -> None:
    def copied(wrong: NDArray[np.bool_]) -> Scores:
        whole = scores(wrong)
        pictures = [replace(p, group=p.slug + p.group[-1]) for p in whole.pictures]
        return Scores(pictures, whole.predictions)

    (overall,) = (r for r in gate(copied(mistakes()), copied(mistakes())).reasons if r.check == "overall")
    assert overall.figures["pictures"] == 30


def test_corrections_that_it_unlearned_are_a_reason() -> None:
    rows = np.r_[0:40, EACH : EACH + 40]  # of hulk and loki
    never, always = np.zeros(len(SLUGS) * EACH, bool), mistakes()
    always[:10] = True

    def with_corrections(wrong: NDArray[np.bool_]) -> Scores:
        whole, said = scores(mistakes()), scores(wrong)
        return replace(
            whole,
            corrected=[said.pictures[row] for row in rows],
            corrections=said.predictions.of(rows),
        )

    assert gate(with_corrections(never), with_corrections(always)).promoted
    ruling = gate(with_corrections(always), with_corrections(never))
    assert "corrections" in refused_by(ruling)
    assert ruling.worse
    rows = rows[:3]  # three of one character: too few to say anything, and nothing to stumble over
    assert gate(with_corrections(always), with_corrections(never)).promoted


def test_the_command_says_yes_with_status_0(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", {**PEOPLE, "blue": "Captain America"}, each=75)
    same, other = (tiny_bundle(tmp_path / name, name=name) for name in ("same", "other"))
    said = run("gate", other, "--against", same, "--data", folder, "--json")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["promoted"] is True


def test_the_command_says_no_with_status_1_and_shows_why(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", PEOPLE, each=20)
    good = tiny_bundle(tmp_path / "good", name="good")
    bad = tiny_bundle(tmp_path / "bad", name="bad", bias=100.0)  # everybody is iron-man
    sheet = tmp_path / "worse.png"
    said = run("gate", bad, "--against", good, "--data", folder, "--corrections", folder, "--out", sheet)
    assert said.exit_code == 1
    assert "refused" in said.stdout and "hulk" in said.stdout
    with Image.open(sheet) as drawn:
        assert min(drawn.size) > 100
    ruling = json.loads(run("gate", bad, "--against", good, "--data", folder, "--json").stdout)
    assert ruling["promoted"] is False
    assert {Path(each).name for each in ruling["worse"]} == {
        f"{colour}-{n}.png" for colour in ("green", "purple") for n in range(20)
    }


def test_what_the_command_cannot_compare_is_status_2(tmp_path: Path) -> None:
    good = tiny_bundle(tmp_path / "good", name="good")
    folder = folder_of(tmp_path / "pictures", PEOPLE, split="train")
    for arguments in (
        (good, "--against", good, "--data", folder),
        (tmp_path / "gone", "--against", good, "--data", folder_of(tmp_path / "more", PEOPLE)),
        (good, "--data", folder),
    ):
        said = run("gate", *arguments)
        assert said.exit_code == 2, said.output
        assert said.stderr.count("\n") == 1 and "Traceback" not in said.output

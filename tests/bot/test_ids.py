"""What buttons carry, and what strangers may send instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import (
    ACTIONS,
    CASE_VERBS,
    CAST_VERBS,
    MAX_NAME_BYTES,
    TRAIN_VERBS,
    ButtonId,
    CaseSlot,
    CastSlot,
    TrainSlot,
    mark,
)


@given(st.sampled_from(ACTIONS), st.integers(0, 10**12 - 1), st.text(max_size=14))
def test_what_is_made_is_read_back(action: str, prediction: int, slot: str) -> None:
    if len(slot.encode(errors="surrogatepass")) > MAX_NAME_BYTES or any(
        "\ud800" <= c <= "\udfff" for c in slot
    ):
        return
    made = ButtonId(action, prediction, slot)
    assert len(str(made).encode()) <= 64
    assert ButtonId.parse(str(made)) == made


def test_the_longest_name_fits_beside_the_longest_id() -> None:
    assert len(str(ButtonId("new", 10**12 - 1, "x" * MAX_NAME_BYTES)).encode()) <= 64
    with pytest.raises(ValueError, match="longer than 64"):
        ButtonId("new", 1, "月" * 30)


@given(st.text())
def test_anything_else_is_nothing(text: str) -> None:
    assert ButtonId.parse(text) is None or text.startswith("v1:")


@pytest.mark.parametrize(
    "forged", ["v1:drop:1:x", "v2:right:1:", "v1:right:-1:", "v1:right:1", "v1:right:１:", ""]
)
def test_forged_ids_are_not_ours(forged: str) -> None:
    assert ButtonId.parse(forged) is None


SLUGS = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)


@given(st.integers(0, 999), st.sampled_from(list(CASE_VERBS)), st.just("") | SLUGS)
def test_what_moderators_press_is_read_back(revision: int, verb: str, what: str) -> None:
    made = CaseSlot(revision, verb, what)
    assert CaseSlot.parse(str(made)) == made
    assert len(str(ButtonId("case", 10**8 - 1, str(made))).encode()) <= 64


@given(st.sampled_from(list(CAST_VERBS)), SLUGS, st.just("") | SLUGS.map(mark))
def test_what_is_pressed_about_characters_is_read_back(verb: str, slug: str, into: str) -> None:
    made = CastSlot(verb, slug, into)
    assert CastSlot.parse(str(made)) == made
    assert len(str(ButtonId("cast", 0, str(made))).encode()) <= 64


@given(st.sampled_from(list(TRAIN_VERBS)), st.text().map(mark))
def test_what_is_pressed_about_a_retraining_is_read_back(verb: str, run: str) -> None:
    made = TrainSlot(verb, run)
    assert TrainSlot.parse(str(made)) == made
    assert len(str(ButtonId("train", 0, str(made))).encode()) <= 64


@pytest.mark.parametrize("forged", ["", "y", "y.", "x.00000000", "y.0000000", "y.0000000G", "y.00000000\n"])
def test_forged_slots_about_a_retraining_are_not_ours(forged: str) -> None:
    assert TrainSlot.parse(forged) is None


@pytest.mark.parametrize(
    "forged", ["", "a", "1.x", "-1.a", "1.a.../etc", "1.i.Loki", "1.a\n", "１.a", f"1.i.{'x' * 41}", "1.i."]
)
def test_forged_slots_are_not_ours(forged: str) -> None:
    assert CaseSlot.parse(forged) is None
    assert CastSlot.parse(forged + "!") is None

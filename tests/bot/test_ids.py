"""What buttons carry, and what strangers may send instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import ACTIONS, MAX_NAME_BYTES, ButtonId


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
